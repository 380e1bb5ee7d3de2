// A directory as a stream: it comes back as it was, and a stream that lacks something or leads elsewhere is refused.

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listToPack, pack, unpack } from '../../src/backup/store/pack.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-pack-'))
  mkdirSync(join(directory, 'from', 'wintrades', 'empty'), { recursive: true })
  mkdirSync(join(directory, 'to'))
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

function put(path: string, content: Uint8Array): void {
  writeFileSync(join(directory, 'from', path), content)
}

async function packed(): Promise<Buffer> {
  const from = join(directory, 'from')
  const chunks: Buffer[] = []
  for await (const chunk of pack(from, await listToPack(from))) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test.each([1, 100, 1_000_000])('a directory comes back through pieces of %i bytes', async (size) => {
  const large = randomBytes(size === 1 ? 3_000 : 2_500_000)
  put('ibdata1', large)
  put('wintrades/journal.ibd', Buffer.from('rows'))
  put('wintrades/nothing', Buffer.alloc(0))
  const to = join(directory, 'to')
  const totals = await unpack(pieces(await packed(), size), to, 'a backup')
  expect(totals).toEqual({ files: 3, bytes: large.length + 4 })
  expect(readFileSync(join(to, 'ibdata1')).equals(large)).toBe(true)
  expect(readFileSync(join(to, 'wintrades', 'journal.ibd'), 'utf8')).toBe('rows')
  expect(readdirSync(join(to, 'wintrades', 'empty'))).toEqual([])
  expect(existsSync(join(to, 'wintrades', 'nothing'))).toBe(true)
})

test('what a server must not share with another stays behind', async () => {
  for (const name of ['auto.cnf', 'server-key.pem', 'mysqld.pid', 'restore-relay.000001']) put(name, Buffer.from('own'))
  put('mysql.ibd', Buffer.from('rows'))
  await unpack(pieces(await packed(), 1_000), join(directory, 'to'), 'a backup')
  expect(readdirSync(join(directory, 'to')).sort()).toEqual(['mysql.ibd', 'wintrades'])
})

test('a stream without its end, or with something behind it, is refused', async () => {
  put('ibdata1', randomBytes(5_000))
  const bytes = await packed()
  await expect(unpack(pieces(bytes.subarray(0, 4_000), 500), join(directory, 'to'), 'a backup')).rejects.toThrow(
    'its end is missing',
  )
  rmSync(join(directory, 'to', 'ibdata1'))
  const longer = Buffer.concat([bytes, Buffer.from('x')])
  await expect(unpack(pieces(longer, 500), join(directory, 'to'), 'a backup')).rejects.toThrow(
    'something follows its end',
  )
})

test.each(['../outside', '/etc/passwd', 'a/../../b', ''])('the path %j leads nowhere', async (path) => {
  const header = Buffer.from(JSON.stringify({ kind: 'file', path, bytes: 1 }))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(header.length)
  const stream = pieces(Buffer.concat([length, header, Buffer.from('x')]), 10)
  await expect(unpack(stream, join(directory, 'to'), 'a backup')).rejects.toThrow('it holds the path')
  expect(readdirSync(join(directory, 'to'))).toEqual([])
})
