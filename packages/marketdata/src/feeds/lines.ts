// The lines of a recorded file, plain or packed (.gz, .xz), one at a time and in bounded memory. Promises that each line comes with
// its number and that one too long to be a line is reported, not kept.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'

/** `number` counts from 1. */
export type Line = { readonly number: number; readonly text: string }

export const LINE_BYTES_MAX = 4 * 1024 * 1024

/** A line that was longer than `LINE_BYTES_MAX`: its beginning only. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong'
  readonly line: number

  constructor(line: number) {
    super(`line ${line} is longer than ${LINE_BYTES_MAX} bytes; is this a recording?`)
    this.line = line
  }
}

/** Bytes of the file, unpacked. Throws, by name, what cannot be read. */
export async function openBytes(path: string): Promise<Readable> {
  await access(path, constants.R_OK)
  if (path.endsWith('.xz')) return await unpackXz(path)
  const file = createReadStream(path)
  if (!path.endsWith('.gz')) return file
  const unpacked = createGunzip()
  pipeline(file, unpacked).catch((error: Error) => unpacked.destroy(error))
  return unpacked
}

/** `xz` is not part of Node, but of almost every system that has such files. */
async function unpackXz(path: string): Promise<Readable> {
  const child = spawn('xz', ['--decompress', '--stdout', '--', path], { stdio: ['ignore', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 500)
  })
  try {
    await once(child, 'spawn')
  } catch (error) {
    throw new Error(`${path} is packed with xz, which cannot be started here; unpack it first`, { cause: error })
  }
  const left = new Promise<number | null>((resolve) => child.once('close', resolve))
  const unpacked = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* child.stdout as AsyncIterable<Buffer>
      // What came before a fault looks like a shorter file: only the exit code tells.
      const code = await left
      if (code !== 0) throw new Error(`${path}: ${complaint.trim() || `xz left with ${code}`}`)
    } finally {
      child.kill()
    }
  }
  return Readable.from(unpacked())
}

/** Splits at line ends (\n or \r\n). The last line needs none. Throws `LineTooLong`. */
export async function* readLines(bytes: AsyncIterable<Buffer | string>): AsyncGenerator<Line> {
  let number = 0
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of bytes) {
    const text = rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
    let from = 0
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      yield { number: ++number, text: withoutReturn(text.slice(from, at)) }
      from = at + 1
    }
    rest = text.slice(from)
    if (rest.length > LINE_BYTES_MAX) throw new LineTooLong(number + 1)
  }
  rest += decoder.decode()
  if (rest !== '') yield { number: ++number, text: withoutReturn(rest) }
}

function withoutReturn(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}
