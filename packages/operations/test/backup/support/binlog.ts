// A binary log as a server writes it, made by hand: as much of it as the archive reads.

import { crc32 } from 'node:zlib'

export const SERVER_A = '8364adfe-e922-11f1-96b1-82400da30535'
export const SERVER_B = '11111111-e922-11f1-96b1-82400da30535'

const VERSION_BYTES = 50
const POST_HEADERS = 42
const CHECKSUM_CRC32 = 1

export function event(type: number, body: Buffer, checksum = true): Buffer {
  const length = 19 + body.length + (checksum ? 4 : 0)
  const bytes = Buffer.alloc(length)
  bytes.writeUInt8(type, 4)
  bytes.writeUInt32LE(1, 5)
  bytes.writeUInt32LE(length, 9)
  bytes.set(body, 19)
  if (checksum) bytes.writeUInt32LE(crc32(bytes.subarray(0, length - 4)), length - 4)
  return bytes
}

export function formatDescription(version = '9.7.4', created = 0): Buffer {
  const body = Buffer.alloc(2 + VERSION_BYTES + 4 + 1 + POST_HEADERS + 1)
  body.writeUInt16LE(4, 0)
  body.write(version, 2, 'latin1')
  body.writeUInt32LE(created, 2 + VERSION_BYTES)
  body.writeUInt8(19, 2 + VERSION_BYTES + 4)
  body.writeUInt8(CHECKSUM_CRC32, body.length - 1)
  return event(15, body)
}

export type Committed = {
  readonly origin?: string
  readonly number: number
  readonly at_us: number
  /** Of the events behind the GTID. */
  readonly rows?: readonly Buffer[]
  /** When it was committed first, where that was elsewhere. */
  readonly original_us?: number
}

/** The events of one transaction. */
export function transaction({
  origin = SERVER_A,
  number,
  at_us,
  rows = [Buffer.from(`row ${number}`)],
  original_us,
}: Committed): Buffer[] {
  const events = rows.map((row) => event(30, row))
  const gtidBody = (length: number) => {
    const body = Buffer.alloc(42)
    body.set(Buffer.from(origin.replaceAll('-', ''), 'hex'), 1)
    body.writeBigUInt64LE(BigInt(number), 17)
    body.writeUInt8(2, 25)
    return Buffer.concat([body, times(at_us, original_us), packed(length)])
  }
  const rest = events.reduce((sum, one) => sum + one.length, 0)
  // The length counts the event that holds it.
  const own = event(33, gtidBody(70_000)).length
  return [event(33, gtidBody(own + rest)), ...events]
}

function times(at_us: number, original_us: number | undefined): Buffer {
  const bytes = Buffer.alloc(original_us === undefined ? 7 : 14)
  bytes.writeUIntLE(at_us % 2 ** 48, 0, 6)
  bytes.writeUInt8(Math.floor(at_us / 2 ** 48) | (original_us === undefined ? 0 : 0x80), 6)
  if (original_us !== undefined) {
    bytes.writeUIntLE(original_us % 2 ** 48, 7, 6)
    bytes.writeUInt8(Math.floor(original_us / 2 ** 48), 13)
  }
  return bytes
}

/** Always in four bytes, so that the event's length does not depend on it. */
function packed(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt8(253, 0)
  bytes.writeUIntLE(value, 1, 3)
  return bytes
}
