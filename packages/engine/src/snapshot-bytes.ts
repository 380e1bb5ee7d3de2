// Bytes of a snapshot: a writer that grows and a reader that never reads beyond the end. Little-endian; integers of 32 bits, and
// 64-bit floats for the safe integers that need more.

import { finish } from './deduplication.ts'

/** A snapshot that is damaged, cut short, or of a version this engine does not know. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
}

export const CHECKSUM_BYTES = 16

export class SnapshotWriter {
  /** What `record` made room in. */
  view: DataView
  private bytes: Uint8Array
  private at = 0

  constructor(bytesExpected: number) {
    this.bytes = new Uint8Array(bytesExpected)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Makes room for `count` more bytes; what is written after may rely on it. */
  room(count: number): void {
    if (this.at + count <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.at + count))
    grown.set(this.bytes)
    this.bytes = grown
    this.view = new DataView(grown.buffer)
  }

  /** Makes room for a record of a known length, to be written into `view`; returns where it begins. */
  record(bytes: number): number {
    if (this.at + bytes > this.bytes.length) this.room(bytes)
    const { at } = this
    this.at = at + bytes
    return at
  }

  int(value: number): void {
    if (this.at + 4 > this.bytes.length) this.room(4)
    this.view.setInt32(this.at, value, true)
    this.at += 4
  }

  wide(value: number): void {
    if (this.at + 8 > this.bytes.length) this.room(8)
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  text(value: string): void {
    this.int(value.length)
    for (let i = 0; i < value.length; i++) this.int(value.charCodeAt(i))
  }

  /** The bytes written, with a checksum of them at the end. */
  finish(): Uint8Array {
    this.room(CHECKSUM_BYTES)
    const end = this.at
    const sum = checksum(this.bytes, end)
    for (let i = 0; i < 4; i++) this.int(sum[i])
    return this.bytes.subarray(0, this.at)
  }
}

export class SnapshotReader {
  readonly view: DataView
  private at = 0
  private readonly end: number

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.end = bytes.length - CHECKSUM_BYTES
    if (this.end < 0) throw new SnapshotError(`snapshot of ${bytes.length} bytes`)
    const sum = checksum(bytes, this.end)
    for (let i = 0; i < 4; i++) {
      if (this.view.getInt32(this.end + 4 * i, true) !== sum[i]) throw new SnapshotError('checksum does not match')
    }
  }

  /** Goes past a record of a known length, to be read from `view`; returns where it begins. */
  record(bytes: number): number {
    const { at } = this
    if (at + bytes > this.end) throw new SnapshotError(`cut short at byte ${at}`)
    this.at = at + bytes
    return at
  }

  int(): number {
    if (this.at + 4 > this.end) throw new SnapshotError(`cut short at byte ${this.at}`)
    const value = this.view.getInt32(this.at, true)
    this.at += 4
    return value
  }

  wide(): number {
    if (this.at + 8 > this.end) throw new SnapshotError(`cut short at byte ${this.at}`)
    const value = this.view.getFloat64(this.at, true)
    this.at += 8
    return value
  }

  /** A count that cannot be more than what the bytes left could hold. */
  count(bytesEach: number): number {
    const value = this.int()
    if (value < 0 || value * bytesEach > this.end - this.at)
      throw new SnapshotError(`count ${value} at byte ${this.at}`)
    return value
  }

  text(): string {
    const length = this.count(4)
    let text = ''
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.int())
    return text
  }

  done(): void {
    if (this.at !== this.end) throw new SnapshotError(`${this.end - this.at} bytes after the end`)
  }
}

function checksum(bytes: Uint8Array, end: number): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let a = 0x9e3779b9 ^ end
  let b = 0x85ebca6b
  let c = 0xc2b2ae35
  let d = 0x27d4eb2f
  const whole = end & ~15
  let at = 0
  for (; at < whole; at += 16) {
    a = Math.imul(a ^ view.getInt32(at, true), 0x9e3779b1)
    a ^= a >>> 15
    b = Math.imul(b ^ view.getInt32(at + 4, true), 0x85ebca77)
    b ^= b >>> 13
    c = Math.imul(c ^ view.getInt32(at + 8, true), 0xc2b2ae3d)
    c ^= c >>> 17
    d = Math.imul(d ^ view.getInt32(at + 12, true), 0x165667b1)
    d ^= d >>> 16
  }
  for (; at < end; at++) {
    a = Math.imul(a ^ view.getUint8(at), 0x9e3779b1)
    a ^= a >>> 15
  }
  return Int32Array.of(finish(a + b), finish(b + c), finish(c + d), finish(d ^ Math.imul(a, 0x9e3779b1)))
}
