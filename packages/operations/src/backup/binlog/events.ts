// Reads MySQL's binary log far enough to know where a transaction begins and ends, which it is, and when it was committed: the events' headers, the
// format description and the GTID events. Pure. A stream of events is refused where it is not understood, never passed on by guess.
//
//   an event: u32 timestamp · u8 type · u32 server id · u32 bytes of the event · u32 position after it · u16 flags · body · u32 CRC-32

import { crc32 } from 'node:zlib'
import { BackupDamage } from '../store/faults.ts'

export const BINLOG_MAGIC = Buffer.from([0xfe, 0x62, 0x69, 0x6e])
export const EVENT_HEADER_BYTES = 19
/** The server's limit on a packet, and some. */
export const EVENT_BYTES_MAX = 1024 * 1024 * 1024 + 1024 * 1024
const CHECKSUM_BYTES = 4

export const EVENT = {
  stop: 3,
  rotate: 4,
  formatDescription: 15,
  heartbeat: 27,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  heartbeatV2: 41,
  gtidTagged: 42,
} as const

/** Where in a format description stands what. */
const FORMAT = { version: 0, server: 2, serverBytes: 50, created: 52, headerBytes: 56, postHeaders: 57 } as const

export type Gtid = {
  /** The uuid of the server that committed it first. */
  readonly origin: string
  readonly number: number
  /** When it was committed there, µs since 1970. */
  readonly committedAt_us: number
  /** Of the whole transaction, this event included. */
  readonly bytes: number
}

export function eventType(event: Buffer): number {
  return event[4] as number
}

/** Checks that the bytes are one whole event, with its checksum where there is one. */
export function checkEvent(event: Buffer, hasChecksum: boolean, where: string): void {
  if (event.length < EVENT_HEADER_BYTES || event.readUInt32LE(9) !== event.length) {
    throw new BackupDamage(`${where}: an event of ${event.length} bytes is not what its header says`)
  }
  if (!hasChecksum) return
  const end = event.length - CHECKSUM_BYTES
  if (end < EVENT_HEADER_BYTES || crc32(event.subarray(0, end)) !== event.readUInt32LE(end)) {
    throw new BackupDamage(`${where}: an event is not what the server wrote (its checksum is wrong)`)
  }
}

/** Of a format description: whether all events after it end in a checksum. */
export function hasChecksums(formatDescription: Buffer): boolean {
  // The algorithm stands before this event's own checksum: 0 none, 1 CRC-32.
  return formatDescription[formatDescription.length - CHECKSUM_BYTES - 1] === 1
}

/** Of a format description: the version of the server that wrote the log. */
export function serverVersionOf(formatDescription: Buffer): string {
  const at = EVENT_HEADER_BYTES + FORMAT.server
  return formatDescription.toString('latin1', at, at + FORMAT.serverBytes).replace(/\0.*$/s, '')
}

/** Whether two logs are written alike, so that the events of one may follow those of the other. */
export function isSameFormat(one: Buffer, other: Buffer): boolean {
  const layout = (event: Buffer) =>
    event.subarray(EVENT_HEADER_BYTES + FORMAT.headerBytes, event.length - CHECKSUM_BYTES)
  return serverVersionOf(one) === serverVersionOf(other) && layout(one).equals(layout(other))
}

/** What a server wants to read at the beginning of a log, before its first transaction: that nothing precedes it. */
export function nothingBefore(formatDescription: Buffer): Buffer {
  const body = EVENT_HEADER_BYTES + 8
  const event = Buffer.alloc(body + (hasChecksums(formatDescription) ? CHECKSUM_BYTES : 0))
  event.writeUInt8(EVENT.previousGtids, 4)
  event.writeUInt32LE(event.length, 9)
  if (event.length > body) event.writeUInt32LE(crc32(event.subarray(0, body)), body)
  return event
}

/** Where GTID events have what, behind the header. */
const GTID = { uuid: 1, number: 17, clockType: 25, immediate: 42 } as const
const CLOCK_TYPE = 2
const TIME_BYTES = 7
const TIME_FLAG = 2 ** 55

export function readGtid(event: Buffer, where: string): Gtid {
  const type = eventType(event)
  if (type !== EVENT.gtid) {
    const kind = type === EVENT.anonymousGtid ? 'without a GTID' : 'with a tagged GTID'
    throw new BackupDamage(`${where}: a transaction ${kind}: set gtid_mode=ON and gtid_next=AUTOMATIC on every server`)
  }
  const body = event.subarray(EVENT_HEADER_BYTES)
  if (body.length < GTID.immediate + TIME_BYTES + 1 || body[GTID.clockType] !== CLOCK_TYPE) {
    throw new BackupDamage(
      `${where}: a GTID event of an unknown form: use the release that knows this server's version`,
    )
  }
  const number = Number(body.readBigUInt64LE(GTID.number))
  let at: number = GTID.immediate
  const immediate = body.readUIntLE(at, 6) + (body[at + 6] as number) * 2 ** 48
  at += TIME_BYTES
  let committedAt_us = immediate
  if (immediate >= TIME_FLAG) {
    committedAt_us = body.readUIntLE(at, 6) + (body[at + 6] as number) * 2 ** 48
    at += TIME_BYTES
  }
  return {
    origin: uuidText(body.subarray(GTID.uuid, GTID.uuid + 16)),
    number,
    committedAt_us,
    bytes: packedInteger(body, at),
  }
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** The protocol's integer of variable length. */
function packedInteger(bytes: Buffer, at: number): number {
  const first = bytes[at] as number
  if (first < 251) return first
  if (first === 252) return bytes.readUInt16LE(at + 1)
  if (first === 253) return bytes.readUIntLE(at + 1, 3)
  return Number(bytes.readBigUInt64LE(at + 1))
}

/** What stands in a binlog as one transaction: its GTID event first. */
export type TransactionPart = {
  readonly gtid: Gtid
  /** Whole events. */
  readonly bytes: Buffer
  readonly isFirst: boolean
  readonly isLast: boolean
}

/**
 * Follows a sequence of events from transaction to transaction. Everything that belongs to none (rotations, heartbeats, the log's own bookkeeping)
 * is null.
 */
export class TransactionReader {
  readonly #where: string
  #gtid: Gtid | null = null
  #left = 0

  constructor(where: string) {
    this.#where = where
  }

  /** Whether the last transaction has arrived whole. */
  get isBetween(): boolean {
    return this.#left === 0
  }

  take(event: Buffer): TransactionPart | null {
    const type = eventType(event)
    const isGtid = type === EVENT.gtid || type === EVENT.anonymousGtid || type === EVENT.gtidTagged
    if (isGtid) {
      if (!this.isBetween) throw new BackupDamage(`${this.#where}: a transaction begins within another`)
      this.#gtid = readGtid(event, this.#where)
      this.#left = this.#gtid.bytes
    } else if (this.isBetween) {
      return null
    } else if (type === EVENT.heartbeat || type === EVENT.heartbeatV2) {
      return null
    }
    this.#left -= event.length
    if (this.#left < 0 || this.#gtid === null) {
      throw new BackupDamage(`${this.#where}: a transaction is longer than its GTID event says`)
    }
    return { gtid: this.#gtid, bytes: event, isFirst: isGtid, isLast: this.#left === 0 }
  }
}

/** Cuts a stream of bytes into whole events; the first four bytes must be a binlog's. What is left over at the end is no whole event. */
export async function* eventsOf(stream: AsyncIterable<Buffer>, where: string): AsyncGenerator<Buffer> {
  let left: Buffer = Buffer.alloc(0)
  let isBegun = false
  for await (const bytes of stream) {
    left = left.length === 0 ? bytes : Buffer.concat([left, bytes])
    if (!isBegun) {
      if (left.length < BINLOG_MAGIC.length) continue
      if (!left.subarray(0, BINLOG_MAGIC.length).equals(BINLOG_MAGIC)) throw new BackupDamage(`${where} is no binlog`)
      left = left.subarray(BINLOG_MAGIC.length)
      isBegun = true
    }
    for (;;) {
      if (left.length < EVENT_HEADER_BYTES) break
      const length = left.readUInt32LE(9)
      if (length < EVENT_HEADER_BYTES || length > EVENT_BYTES_MAX) {
        throw new BackupDamage(`${where}: an event claims ${length} bytes`)
      }
      if (left.length < length) break
      yield left.subarray(0, length)
      left = left.subarray(length)
    }
  }
}
