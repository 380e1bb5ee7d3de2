// Encrypted, authenticated files, written and read as streams of any length in bounded memory. The STREAM construction of Hoang, Reyhanitabar,
// Rogaway and Vizár (2015): AES-256-GCM over chunks, each bound to its place and to being the last or not, so that a chunk that was changed,
// moved, repeated or left out, and a file that was cut short, are refused. Each chunk is compressed (zstd) by itself.
//
//   0 "WTSF"   4 u16 version   6 u16 reserved   8 u8[32] salt   40 u8[16] key check   56 chunks …
//   a chunk: u32 bytes of the ciphertext · u8 flags (1: the last · 2: compressed) · ciphertext · u8[16] tag
//   nonce: u64 number of the chunk · u32 0; authenticated beside it: the file's header and the chunk's

import { createCipheriv, createDecipheriv, createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { BackupDamage, explainFileError } from './faults.ts'
import { type BackupKeys, WrongKey } from './keys.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

const MAGIC = 'WTSF'
const VERSION = 1
const HEADER_BYTES = 56
const SALT_BYTES = 32
const CHUNK_HEADER_BYTES = 5
const TAG_BYTES = 16
const LAST = 1
const COMPRESSED = 2
/** Of plain bytes, at most. */
export const CHUNK_BYTES = 1024 * 1024
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/** GCM's own limit is far away, and no file of ours is near this: 4 PiB. */
const CHUNKS_MAX = 2 ** 32

export type SealedFacts = {
  /** Of the file as it lies there. */
  readonly storedBytes: number
  readonly plainBytes: number
  /** Hex; of the file as it lies there. */
  readonly sha256: string
}

export class SealedWriter {
  readonly path: string
  readonly #file: FileHandle
  readonly #header: Buffer
  readonly #key: Uint8Array
  readonly #sha256 = createHash('sha256')
  readonly #pending = Buffer.allocUnsafe(CHUNK_BYTES)
  #pendingBytes = 0
  #chunks = 0
  #storedBytes = 0
  #plainBytes = 0

  private constructor(path: string, file: FileHandle, header: Buffer, key: Uint8Array) {
    this.path = path
    this.#file = file
    this.#header = header
    this.#key = key
  }

  /** The file must not exist yet. */
  static async create(path: string, keys: BackupKeys): Promise<SealedWriter> {
    const salt = randomBytes(SALT_BYTES)
    const { key, check } = keys.ofFile(salt)
    const header = Buffer.alloc(HEADER_BYTES)
    header.write(MAGIC, 'latin1')
    header.writeUInt16LE(VERSION, 4)
    header.set(salt, 8)
    header.set(check, 8 + SALT_BYTES)
    try {
      const writer = new SealedWriter(path, await open(path, 'wx', 0o600), header, key)
      await writer.#put(header)
      return writer
    } catch (error) {
      throw explainFileError(error, path)
    }
  }

  get storedBytes(): number {
    return this.#storedBytes
  }

  get plainBytes(): number {
    return this.#plainBytes
  }

  /** The bytes may be used again once it resolves. */
  async write(bytes: Uint8Array): Promise<void> {
    let at = 0
    while (at < bytes.length) {
      const part = Math.min(bytes.length - at, CHUNK_BYTES - this.#pendingBytes)
      this.#pending.set(bytes.subarray(at, at + part), this.#pendingBytes)
      this.#pendingBytes += part
      at += part
      if (this.#pendingBytes === CHUNK_BYTES) await this.#seal(0)
    }
    this.#plainBytes += bytes.length
  }

  /** What was written so far is on the disk and can be read from there, whatever happens. */
  async flush(): Promise<void> {
    if (this.#pendingBytes > 0) await this.#seal(0)
    try {
      await this.#file.sync()
    } catch (error) {
      throw explainFileError(error, this.path)
    }
  }

  /** Writes the last chunk; the file is whole, and on the disk. */
  async finish(): Promise<SealedFacts> {
    await this.#seal(LAST)
    await this.flush()
    await this.#file.close()
    return { storedBytes: this.#storedBytes, plainBytes: this.#plainBytes, sha256: this.#sha256.digest('hex') }
  }

  /** Leaves the file as it is. */
  async close(): Promise<void> {
    await this.#file.close()
  }

  async #seal(flags: number): Promise<void> {
    if (this.#chunks >= CHUNKS_MAX) throw new RangeError(`${this.path} has ${CHUNKS_MAX} chunks`)
    const plain = this.#pending.subarray(0, this.#pendingBytes)
    const packed = plain.length === 0 ? plain : await compress(plain, LEVEL)
    const isSmaller = packed.length < plain.length
    const content = isSmaller ? packed : plain
    const header = Buffer.alloc(CHUNK_HEADER_BYTES)
    header.writeUInt32LE(content.length, 0)
    header[4] = flags | (isSmaller ? COMPRESSED : 0)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce(this.#chunks))
    cipher.setAAD(Buffer.concat([this.#header, header]))
    const sealed = Buffer.concat([header, cipher.update(content), cipher.final(), cipher.getAuthTag()])
    this.#chunks++
    this.#pendingBytes = 0
    await this.#put(sealed)
  }

  async #put(bytes: Buffer): Promise<void> {
    try {
      let at = 0
      while (at < bytes.length) at += (await this.#file.write(bytes, at)).bytesWritten
    } catch (error) {
      throw explainFileError(error, this.path)
    }
    this.#sha256.update(bytes)
    this.#storedBytes += bytes.length
  }
}

export type ReadOptions = {
  /** A file that is still being written, or whose writer died: what is whole of it is read, and what is not is left. */
  readonly isOpenEnd?: boolean
}

/** The plain bytes, chunk by chunk; nothing that was not authenticated is ever handed out. */
export async function* readSealed(
  path: string,
  keys: BackupKeys,
  { isOpenEnd = false }: ReadOptions = {},
): AsyncGenerator<Buffer> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw explainFileError(error, path)
  })
  try {
    const header = await readExactly(file, path, HEADER_BYTES)
    if (header.length < HEADER_BYTES) {
      if (isOpenEnd) return
      throw cutShort(path)
    }
    const key = keyOf(header, path, keys)
    for (let number = 0; ; number++) {
      const chunk = await readChunk(file, path, number)
      if (chunk === null) {
        if (isOpenEnd) return
        throw cutShort(path)
      }
      const content = decipher(chunk, number, header, key, path)
      const flags = chunk.header[4] as number
      const plain = (flags & COMPRESSED) === 0 ? content : await unpack(content, number, path)
      if (plain.length > 0) yield plain
      if ((flags & LAST) !== 0) break
    }
    if ((await readExactly(file, path, 1)).length > 0) {
      throw damaged(path, 'something was added after its end')
    }
  } finally {
    await file.close()
  }
}

function keyOf(header: Buffer, path: string, keys: BackupKeys): Uint8Array {
  if (header.toString('latin1', 0, 4) !== MAGIC) throw damaged(path, 'it is no file of a backup')
  const version = header.readUInt16LE(4)
  if (version !== VERSION) {
    throw new BackupDamage(`${path} has format ${version}, this release reads ${VERSION}: use the release that made it`)
  }
  const { key, check } = keys.ofFile(header.subarray(8, 8 + SALT_BYTES))
  if (!timingSafeEqual(check, header.subarray(8 + SALT_BYTES))) {
    throw new WrongKey(
      `${path} was not encrypted with this ENCRYPTION_KEY (its id is ${keys.id}): give the key that was in use when it was made`,
    )
  }
  return key
}

type Chunk = { readonly header: Buffer; readonly sealed: Buffer }

/** null: the file ends before the chunk does. */
async function readChunk(file: FileHandle, path: string, number: number): Promise<Chunk | null> {
  const header = await readExactly(file, path, CHUNK_HEADER_BYTES)
  if (header.length < CHUNK_HEADER_BYTES) return null
  const bytes = header.readUInt32LE(0)
  if (bytes > CHUNK_BYTES || (header[4] as number) > (LAST | COMPRESSED)) {
    throw damaged(path, `chunk ${number} is not what was written`)
  }
  const sealed = await readExactly(file, path, bytes + TAG_BYTES)
  return sealed.length < bytes + TAG_BYTES ? null : { header, sealed }
}

function decipher(
  { header, sealed }: Chunk,
  number: number,
  fileHeader: Buffer,
  key: Uint8Array,
  path: string,
): Buffer {
  const content = sealed.subarray(0, sealed.length - TAG_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(number), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.concat([fileHeader, header]))
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const plain = decipher.update(content)
  try {
    decipher.final()
  } catch (error) {
    throw damaged(path, `chunk ${number} is not what was written`, error)
  }
  return plain
}

async function unpack(content: Buffer, number: number, path: string): Promise<Buffer> {
  try {
    return await decompress(content, { maxOutputLength: CHUNK_BYTES })
  } catch (error) {
    throw damaged(path, `chunk ${number} cannot be unpacked`, error)
  }
}

async function readExactly(file: FileHandle, path: string, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes)
  let at = 0
  try {
    while (at < bytes) {
      const { bytesRead } = await file.read(buffer, at, bytes - at)
      if (bytesRead === 0) break
      at += bytesRead
    }
  } catch (error) {
    throw explainFileError(error, path)
  }
  return buffer.subarray(0, at)
}

function nonce(chunk: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeBigUInt64LE(BigInt(chunk), 0)
  return bytes
}

function cutShort(path: string): BackupDamage {
  return damaged(path, 'it was cut short')
}

function damaged(path: string, what: string, cause?: unknown): BackupDamage {
  const message = `${path} is damaged: ${what}; use another copy of it, or another backup`
  return new BackupDamage(message, cause === undefined ? {} : { cause })
}
