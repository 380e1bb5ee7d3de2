// Sealed files: what is read is what was written, in bounded pieces, or nothing.

import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BackupDamage, BackupMissing } from '../../src/backup/store/faults.ts'
import { BackupKeys, WrongKey } from '../../src/backup/store/keys.ts'
import { CHUNK_BYTES, readSealed, SealedWriter } from '../../src/backup/store/sealed-file.ts'

const HEADER_BYTES = 56
const keys = new BackupKeys(randomBytes(32))
let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-sealed-'))
  path = join(directory, 'a.sealed')
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Random bytes do not compress, so that a chunk has a known place in the file. */
async function seal(content: Uint8Array, at = path): Promise<void> {
  const writer = await SealedWriter.create(at, keys)
  await writer.write(content)
  const facts = await writer.finish()
  expect(facts.plainBytes).toBe(content.length)
  expect(facts.storedBytes).toBe(readFileSync(at).length)
}

async function read(options: { readonly isOpenEnd?: boolean } = {}, by = keys): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of readSealed(path, by, options)) {
    expect(chunk.length).toBeLessThanOrEqual(CHUNK_BYTES)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The chunks of a file as they lie there, its header first. */
function chunksOf(bytes: Buffer): Buffer[] {
  const parts = [bytes.subarray(0, HEADER_BYTES)]
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const length = 5 + bytes.readUInt32LE(at) + 16
    parts.push(bytes.subarray(at, at + length))
    at += length
  }
  return parts
}

test.each([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])(
  '%i bytes come back as they were',
  async (bytes) => {
    const content = randomBytes(bytes)
    await seal(content)
    expect((await read()).equals(content)).toBe(true)
  },
)

test('what repeats itself takes less room', async () => {
  await seal(Buffer.alloc(2 * CHUNK_BYTES, 'journal '))
  expect(readFileSync(path).length).toBeLessThan(CHUNK_BYTES / 10)
  expect((await read()).length).toBe(2 * CHUNK_BYTES)
})

test('nothing of the content stands in the file, and two files of one content differ', async () => {
  const content = Buffer.concat([randomBytes(32), Buffer.from('account 4711'), randomBytes(32)])
  await seal(content)
  await seal(content, join(directory, 'b.sealed'))
  const stored = readFileSync(path)
  expect(stored.includes('account 4711')).toBe(false)
  expect(stored.equals(readFileSync(join(directory, 'b.sealed')))).toBe(false)
})

test('a changed bit anywhere is refused', async () => {
  await seal(randomBytes(CHUNK_BYTES + 1_000))
  const stored = readFileSync(path)
  // In the version, the salt, the key check, a chunk's length, its flags, its content, its tag, and the last tag.
  const places = [
    4,
    10,
    45,
    HEADER_BYTES,
    HEADER_BYTES + 4,
    HEADER_BYTES + 500,
    HEADER_BYTES + 5 + CHUNK_BYTES + 3,
    stored.length - 1,
  ]
  for (const place of places) {
    const changed = Buffer.from(stored)
    changed[place] = (changed[place] as number) ^ 1
    writeFileSync(path, changed)
    await expect(read(), `byte ${place}`).rejects.toThrow(/damaged|ENCRYPTION_KEY|format/)
  }
})

test('a file that was cut short is refused wherever it was cut', async () => {
  await seal(randomBytes(3 * CHUNK_BYTES))
  const stored = readFileSync(path)
  const chunk = 5 + CHUNK_BYTES + 16
  for (const length of [
    0,
    30,
    HEADER_BYTES,
    HEADER_BYTES + 3,
    HEADER_BYTES + chunk - 1,
    HEADER_BYTES + chunk,
    stored.length - 1,
  ]) {
    truncateSync(path, length)
    await expect(read(), `${length} bytes`).rejects.toThrow('cut short')
    writeFileSync(path, stored)
  }
})

test('chunks in another order, left out, repeated, or of another file are refused', async () => {
  await seal(randomBytes(3 * CHUNK_BYTES))
  const [header, one, two, three, last] = chunksOf(readFileSync(path)) as [Buffer, Buffer, Buffer, Buffer, Buffer]
  await seal(randomBytes(3 * CHUNK_BYTES), join(directory, 'b.sealed'))
  const [, foreign] = chunksOf(readFileSync(join(directory, 'b.sealed'))) as [Buffer, Buffer]
  const orders = [
    [header, two, one, three, last],
    [header, one, three, last],
    [header, one, one, two, three, last],
    [header, foreign, two, three, last],
    [header, last],
    [header, one, two, three, last, last],
  ]
  for (const order of orders) {
    writeFileSync(path, Buffer.concat(order))
    await expect(read()).rejects.toThrow(BackupDamage)
  }
  writeFileSync(path, Buffer.concat([header, one, two, three, last]))
  expect((await read()).length).toBe(3 * CHUNK_BYTES)
})

test('what was added after the end is refused', async () => {
  await seal(randomBytes(10))
  appendFileSync(path, 'x')
  await expect(read()).rejects.toThrow('added after its end')
})

test('another key is told from damage, by name', async () => {
  await seal(randomBytes(10))
  const other = new BackupKeys(randomBytes(32))
  await expect(read({}, other)).rejects.toThrow(WrongKey)
  await expect(read({}, other)).rejects.toThrow(other.id)
})

test('a file that is not there is named', async () => {
  await expect(read()).rejects.toThrow(BackupMissing)
})

test('of a file whose writer died, everything that was flushed is read', async () => {
  const writer = await SealedWriter.create(path, keys)
  await writer.write(Buffer.from('flushed'))
  await writer.flush()
  await writer.write(randomBytes(CHUNK_BYTES + 5))
  await writer.close()
  await expect(read()).rejects.toThrow('cut short')
  const found = await read({ isOpenEnd: true })
  expect(found.subarray(0, 7).toString()).toBe('flushed')
  expect(found.length).toBe(7 + CHUNK_BYTES)
  // Half a chunk at its end is left out, a changed one is not.
  truncateSync(path, readFileSync(path).length - 7)
  expect((await read({ isOpenEnd: true })).toString()).toBe('flushed')
  const stored = readFileSync(path)
  stored[HEADER_BYTES + 6] = (stored[HEADER_BYTES + 6] as number) ^ 1
  writeFileSync(path, stored)
  await expect(read({ isOpenEnd: true })).rejects.toThrow('not what was written')
})

test('a file is never written over', async () => {
  await seal(randomBytes(10))
  await expect(SealedWriter.create(path, keys)).rejects.toThrow('EEXIST')
})
