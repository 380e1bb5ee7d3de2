// A directory as one stream of bytes and back: frames of a JSON header (path, bytes) and the file's content, a last frame that counts them.
// Promises to unpack nothing outside of the target, and to notice a stream that lacks something. Encryption is `sealed-file.ts`'s.

import { type FileHandle, mkdir, open, readdir, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { BackupDamage, explainFileError } from './faults.ts'

type Frame =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly bytes: number }
  | { readonly kind: 'end'; readonly files: number; readonly bytes: number }

export type PackTotals = { readonly files: number; readonly bytes: number }

const READ_BYTES = 1024 * 1024
const FRAME_BYTES_MAX = 8_192
const FILES_MAX = 1_000_000

/** What a server makes anew by itself, or must not share with another. */
const LEFT_OUT =
  /(^auto\.cnf$|\.pem$|\.pid$|\.sock(\.lock)?$|^restore-relay|^#innodb_temp\/|^#clone\/|^ib_buffer_pool$)/

export type PackEntry = { readonly path: string; readonly isDirectory: boolean; readonly bytes: number }

/** The directories and files to be packed, parents first. */
export async function listToPack(directory: string): Promise<readonly PackEntry[]> {
  const entries: PackEntry[] = []
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/')
    if (LEFT_OUT.test(path)) continue
    if (entry.isDirectory()) entries.push({ path, isDirectory: true, bytes: 0 })
    else if (entry.isFile()) entries.push({ path, isDirectory: false, bytes: (await stat(join(directory, path))).size })
    if (entries.length > FILES_MAX) throw new RangeError(`${directory} has more than ${FILES_MAX} files`)
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1))
}

export async function* pack(directory: string, entries: readonly PackEntry[]): AsyncGenerator<Uint8Array> {
  let bytes = 0
  let files = 0
  for (const entry of entries) {
    if (entry.isDirectory) {
      yield frame({ kind: 'directory', path: entry.path })
      continue
    }
    yield frame({ kind: 'file', path: entry.path, bytes: entry.bytes })
    yield* readWhole(join(directory, entry.path), entry.bytes)
    bytes += entry.bytes
    files++
  }
  yield frame({ kind: 'end', files, bytes })
}

async function* readWhole(path: string, bytes: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r')
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  try {
    let left = bytes
    while (left > 0) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(left, READ_BYTES))
      if (bytesRead === 0) throw new Error(`${path} became shorter while it was read`)
      left -= bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** Into a directory that exists. `where` names the stream in messages. */
export async function unpack(
  stream: AsyncIterable<Uint8Array>,
  directory: string,
  where: string,
  progress: (bytes: number) => void = () => {},
): Promise<PackTotals> {
  const unpacker = new Unpacker(directory, where, progress)
  try {
    for await (const bytes of stream) await unpacker.take(bytes)
    return unpacker.totals()
  } finally {
    await unpacker.close()
  }
}

class Unpacker {
  readonly #directory: string
  readonly #where: string
  readonly #progress: (bytes: number) => void
  /** Of a frame's header that has not arrived whole. */
  #header: Buffer = Buffer.alloc(0)
  #file: FileHandle | null = null
  #path = ''
  #left = 0
  #files = 0
  #bytes = 0
  #end: PackTotals | null = null

  constructor(directory: string, where: string, progress: (bytes: number) => void) {
    this.#directory = directory
    this.#where = where
    this.#progress = progress
  }

  async take(bytes: Uint8Array): Promise<void> {
    let at = 0
    while (at < bytes.length) {
      if (this.#end !== null) throw this.#damaged('something follows its end')
      at +=
        this.#file === null ? await this.#takeHeader(bytes.subarray(at)) : await this.#takeContent(bytes.subarray(at))
    }
  }

  totals(): PackTotals {
    if (this.#end === null) throw this.#damaged('its end is missing')
    if (this.#end.files !== this.#files || this.#end.bytes !== this.#bytes) {
      throw this.#damaged(`it says ${this.#end.files} files, and has ${this.#files}`)
    }
    return this.#end
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }

  async #takeHeader(bytes: Uint8Array): Promise<number> {
    const wanted = this.#header.length < 4 ? 4 : 4 + this.#header.readUInt32LE(0)
    if (wanted > FRAME_BYTES_MAX) throw this.#damaged('a frame is too long')
    const part = bytes.subarray(0, wanted - this.#header.length)
    this.#header = Buffer.concat([this.#header, part])
    if (this.#header.length >= 4 && this.#header.length === 4 + this.#header.readUInt32LE(0)) await this.#begin()
    return part.length
  }

  async #begin(): Promise<void> {
    const header = JSON.parse(this.#header.toString('utf8', 4)) as Frame
    this.#header = Buffer.alloc(0)
    if (header.kind === 'end') {
      this.#end = { files: header.files, bytes: header.bytes }
      return
    }
    const path = this.#within(header.path)
    try {
      if (header.kind === 'directory') {
        await mkdir(path, { recursive: true, mode: 0o750 })
        return
      }
      await mkdir(dirname(path), { recursive: true, mode: 0o750 })
      this.#file = await open(path, 'wx', 0o640)
    } catch (error) {
      throw explainFileError(error, path)
    }
    this.#path = path
    this.#left = header.bytes
    this.#files++
    if (this.#left === 0) await this.#endFile()
  }

  async #takeContent(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, Math.min(bytes.length, this.#left))
    try {
      let at = 0
      while (at < part.length) at += (await (this.#file as FileHandle).write(part, at)).bytesWritten
    } catch (error) {
      throw explainFileError(error, this.#path)
    }
    this.#left -= part.length
    this.#bytes += part.length
    this.#progress(this.#bytes)
    if (this.#left === 0) await this.#endFile()
    return part.length
  }

  async #endFile(): Promise<void> {
    try {
      await this.#file?.sync()
    } catch (error) {
      throw explainFileError(error, this.#path)
    }
    await this.close()
  }

  #within(path: string): string {
    const isInside =
      path !== '' && !path.startsWith('/') && !path.split('/').some((part) => part === '..' || part === '')
    if (!isInside || path.includes('\0')) throw this.#damaged(`it holds the path ${JSON.stringify(path.slice(0, 200))}`)
    return join(this.#directory, path)
  }

  #damaged(what: string): BackupDamage {
    return new BackupDamage(`${this.#where} is no whole backup: ${what}; use another backup`)
  }
}

function frame(header: Frame): Buffer {
  const text = Buffer.from(JSON.stringify(header))
  const bytes = Buffer.alloc(4 + text.length)
  bytes.writeUInt32LE(text.length, 0)
  bytes.set(text, 4)
  return bytes
}
