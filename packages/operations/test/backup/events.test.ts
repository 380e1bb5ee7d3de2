// The binary log, as far as the archive understands it.

import { expect, test } from 'vitest'
import { encodeRequest } from '../../src/backup/binlog/dump.ts'
import {
  BINLOG_MAGIC,
  checkEvent,
  eventsOf,
  eventType,
  hasChecksums,
  isSameFormat,
  nothingBefore,
  readGtid,
  serverVersionOf,
  TransactionReader,
} from '../../src/backup/binlog/events.ts'
import { parseGtidSet } from '../../src/operator/promotion/gtid-set.ts'
import { event, formatDescription, SERVER_A, SERVER_B, transaction } from './support/binlog.ts'

const AT_US = 1_795_647_975_000_123

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

test('a GTID event tells which transaction it is, when it was committed, and how long it is', () => {
  const [first, ...rest] = transaction({ number: 4711, at_us: AT_US }) as [Buffer, ...Buffer[]]
  expect(readGtid(first, 'here')).toEqual({
    origin: SERVER_A,
    number: 4711,
    committedAt_us: AT_US,
    bytes: [first, ...rest].reduce((sum, one) => sum + one.length, 0),
  })
})

test('on a replica, the time is that of the server that committed it first', () => {
  const [first] = transaction({ origin: SERVER_B, number: 1, at_us: AT_US + 80_000, original_us: AT_US }) as [Buffer]
  expect(readGtid(first, 'here')).toMatchObject({ origin: SERVER_B, committedAt_us: AT_US })
})

test.each([34, 42])('a transaction of another kind (event %i) is refused', (type) => {
  expect(() => readGtid(event(type, Buffer.alloc(60)), 'here')).toThrow('gtid_mode=ON')
})

test('a format description tells version and checksums; two logs are alike whenever they were begun', () => {
  expect(serverVersionOf(formatDescription())).toBe('9.7.4')
  expect(hasChecksums(formatDescription())).toBe(true)
  expect(isSameFormat(formatDescription('9.7.4', 1), formatDescription('9.7.4', 2))).toBe(true)
  expect(isSameFormat(formatDescription('9.7.4'), formatDescription('9.8.0'))).toBe(false)
})

test('a changed event is refused', () => {
  const one = event(30, Buffer.from('a row'))
  checkEvent(one, true, 'here')
  one[21] = 0
  expect(() => checkEvent(one, true, 'here')).toThrow('checksum')
  expect(() => checkEvent(one.subarray(0, 22), true, 'here')).toThrow('not what its header says')
})

test('events are found however the bytes arrive', async () => {
  const all = [
    formatDescription(),
    ...transaction({ number: 1, at_us: AT_US }),
    ...transaction({ number: 2, at_us: AT_US }),
  ]
  const bytes = Buffer.concat([BINLOG_MAGIC, ...all])
  for (const size of [1, 7, 64, bytes.length]) {
    const found = await collect(eventsOf(pieces(bytes, size), 'here'))
    expect(Buffer.concat(found).equals(Buffer.concat(all))).toBe(true)
    expect(found).toHaveLength(all.length)
  }
  await expect(collect(eventsOf(pieces(Buffer.from('no binlog at all'), 5), 'here'))).rejects.toThrow('no binlog')
})

test('transactions are told apart, and what belongs to none is left out', () => {
  const reader = new TransactionReader('here')
  const [gtid, row, last] = transaction({ number: 7, at_us: AT_US, rows: [Buffer.from('a'), Buffer.from('b')] }) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  expect(reader.take(event(4, Buffer.from('binlog.000002')))).toBeNull()
  expect(reader.take(gtid)).toMatchObject({ isFirst: true, isLast: false, gtid: { number: 7 } })
  expect(reader.isBetween).toBe(false)
  expect(reader.take(row)).toMatchObject({ isFirst: false, isLast: false })
  expect(reader.take(last)).toMatchObject({ isLast: true })
  expect(reader.isBetween).toBe(true)
})

test('a transaction that is cut off by the next, or longer than it says, is refused', () => {
  const [gtid, row] = transaction({ number: 7, at_us: AT_US }) as [Buffer, Buffer]
  const cut = new TransactionReader('here')
  cut.take(gtid)
  expect(() => cut.take(gtid)).toThrow('begins within another')
  const long = new TransactionReader('here')
  long.take(gtid)
  expect(() => long.take(Buffer.concat([row, row]))).toThrow('longer than')
})

test('the beginning of a relay log is an event with a right checksum', () => {
  const first = nothingBefore(formatDescription())
  checkEvent(first, true, 'here')
  expect(eventType(first)).toBe(35)
})

test('a dump is asked for with a set in the server’s own form', () => {
  const request = encodeRequest(parseGtidSet(`${SERVER_A}:1-5:7`))
  expect(request[0]).toBe(0x1e)
  expect(request.readUInt32LE(19)).toBe(request.length - 23)
  const set = request.subarray(23)
  expect(set.readBigUInt64LE(0)).toBe(1n)
  expect(set.subarray(8, 24).toString('hex')).toBe(SERVER_A.replaceAll('-', ''))
  const numbers = [24, 32, 40, 48, 56].map((at) => Number(set.readBigUInt64LE(at)))
  expect(numbers).toEqual([2, 1, 6, 7, 8])
})
