// Recorded order flow: every format from a small file, every kind of bad line with its number and reason, packed files, bounded lines.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { StandaloneBook } from '@wintrades/engine'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  identifyRecording,
  LINE_BYTES_MAX,
  type Line,
  levelOrders,
  parseBinance,
  parseBitstamp,
  parseBme,
  type RecordedAction,
  type RecordedFault,
  type RecordedMarket,
  readLines,
  readRecording,
} from '../src/index.ts'

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))
const BME = fixture('bme-made-up.csv')
const BITSTAMP = fixture('bitstamp-made-up.csv')
const BINANCE = fixture('binance-btcusdt-2024-08-08.txt')

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-feeds-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

async function* lines(...texts: readonly string[]): AsyncGenerator<Line> {
  for (const [index, text] of texts.entries()) yield { number: index + 1, text }
}

async function* these<Item>(...items: readonly Item[]): AsyncGenerator<Item> {
  yield* items
}

const reasons = (records: readonly { readonly kind: string }[]) =>
  records
    .filter((record): record is RecordedFault => record.kind === 'fault')
    .map(({ line, reason }) => `${line} ${reason}`)

describe('lines', () => {
  test('are numbered from 1, whatever the chunks, line ends and the last line', async () => {
    const whole = 'ä1\r\nb\n\nc'
    for (const size of [1, 2, 3, 100]) {
      const bytes = Buffer.from(whole)
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      )
      expect(await all(readLines(these(...chunks)))).toEqual([
        { number: 1, text: 'ä1' },
        { number: 2, text: 'b' },
        { number: 3, text: '' },
        { number: 4, text: 'c' },
      ])
    }
  })

  test('that never end are refused, not collected', async () => {
    async function* endless() {
      yield 'first\n'
      for (;;) yield 'x'.repeat(1024 * 1024)
    }
    await expect(all(readLines(endless()))).rejects.toThrow(`line 2 is longer than ${LINE_BYTES_MAX} bytes`)
  })
})

describe('files', () => {
  test('are recognised by how they begin', async () => {
    expect(await identifyRecording(BME)).toEqual({ format: 'bme', base: 'ANA', quote: 'EUR' })
    expect(await identifyRecording(BITSTAMP)).toEqual({ format: 'bitstamp', base: 'BTC', quote: 'USD' })
    expect(await identifyRecording(BINANCE)).toEqual({ format: 'binance', base: 'BTC', quote: 'USDT' })
    const other = join(directory, 'other.csv')
    writeFileSync(other, 'a,b,c\n')
    await expect(identifyRecording(other)).rejects.toThrow('other.csv begins like none of the known formats')
    writeFileSync(other, '')
    await expect(identifyRecording(other)).rejects.toThrow('other.csv is empty')
    await expect(identifyRecording(join(directory, 'none.csv'))).rejects.toThrow('ENOENT')
  })

  test('are the same when they are packed', async () => {
    const plain = await all(readRecording(BME, 'bme'))
    const packed = join(directory, 'bme-ANA-x.csv.gz')
    writeFileSync(packed, gzipSync(readFileSync(BME)))
    expect(await all(readRecording(packed, 'bme'))).toEqual(plain)
    if (!hasXz()) return
    const xz = join(directory, 'bme-ANA-x.csv.xz')
    writeFileSync(xz, execFileSync('xz', ['--stdout', BME]))
    expect(await all(readRecording(xz, 'bme'))).toEqual(plain)
  })

  test('that are damaged are an error', async () => {
    const damaged = join(directory, 'damaged.csv.gz')
    writeFileSync(damaged, gzipSync(readFileSync(BME)).subarray(0, 100))
    await expect(all(readRecording(damaged, 'bme'))).rejects.toThrow()
    if (!hasXz()) return
    const xz = join(directory, 'damaged.csv.xz')
    writeFileSync(xz, 'not packed at all')
    await expect(all(readRecording(xz, 'bme'))).rejects.toThrow('damaged.csv.xz')
  })
})

function hasXz(): boolean {
  try {
    execFileSync('xz', ['--version'])
    return true
  } catch {
    return false // the test of packed files says less then
  }
}

describe('BME', () => {
  test('orders, cancels and modifications', async () => {
    const records = await all(readRecording(BME, 'bme'))
    expect(records).toHaveLength(14)
    expect(records[0]).toEqual({
      kind: 'new',
      line: 2,
      time_us: Date.UTC(2019, 4, 23, 9, 0, 30, 216) * 1_000,
      id: '1',
      side: 'SELL',
      price: '95.8',
      quantity: '30',
    })
    expect(records[6]).toMatchObject({ kind: 'change', line: 8, id: '1', quantity: '20' })
    expect(records[8]).toMatchObject({ kind: 'cancel', line: 10, id: '1', filled: false })
  })

  test('every bad line is reported with its number and what is wrong; the others are read', async () => {
    const time = '2019-05-23 09:00:30.216'
    const records = await all(
      parseBme(
        lines(
          'ordtype;uid;is_buy;qty;price;timestamp',
          `new;1;True;3;95.8`,
          `new;x;True;3;95.8;${time}`,
          `new;1;yes;3;95.8;${time}`,
          `new;1;True;-3;95.8;${time}`,
          `new;1;True;3;0.00;${time}`,
          `new;1;True;3;95.8;2019-02-30 09:00:30.216`,
          `old;1;True;3;95.8;${time}`,
          `modif;1;;;;${time}`,
          '',
          `new;1;True;3;95.8;${time}`,
        ),
      ),
    )
    expect(reasons(records)).toEqual([
      '2 has 5 fields instead of 6',
      '3 uid "x" is not a number',
      '4 is_buy "yes" is not True or False',
      '5 qty "-3" is not a number greater than zero',
      '6 price "0.00" is not a number greater than zero',
      '7 timestamp "2019-02-30 09:00:30.216" is not of the form 2019-05-23 09:00:30.216',
      '8 ordtype "old" is not new, cancel or modif',
      '9 qty "" is not a number greater than zero',
    ])
    expect(records.at(-1)).toMatchObject({ kind: 'new', line: 11 })
  })

  test('a long bad line is quoted by its beginning', async () => {
    const [record] = await all(parseBme(lines('x'.repeat(10_000))))
    expect((record as RecordedFault).text.length).toBeLessThan(200)
  })
})

describe('Bitstamp', () => {
  test('created and deleted orders; what trading changed is left to whoever trades anew', async () => {
    const records = await all(readRecording(BITSTAMP, 'bitstamp'))
    expect(records.map((record) => `${record.line} ${record.kind}`)).toEqual([
      '2 new',
      '3 new',
      '4 new',
      '6 cancel',
      '7 cancel',
      '8 cancel',
      '9 new',
    ])
    expect(records[0]).toMatchObject({ side: 'BUY', price: '236.47', quantity: '2', time_us: 1_430_438_404_518_000 })
    expect(records[3]).toMatchObject({ id: '103', filled: true })
    expect(records[5]).toMatchObject({ id: '101', filled: false })
    expect(records[6]).toMatchObject({ quantity: '0.12345678' })
  })

  test('every bad line is reported with its number and what is wrong', async () => {
    const records = await all(
      parseBitstamp(
        lines(
          'id,timestamp,exchange.timestamp,price,volume,action,direction',
          '1,2,3,4.0,5,created',
          'a,2,3,4.0,5,created,bid',
          '1,2s,3,4.0,5,created,bid',
          '1,2,3,,5,created,bid',
          '1,2,3,4.0,0.5,created,bid',
          '1,2,3,4.0,0,created,bid',
          '1,2,3,4.0,5,made,bid',
          '1,2,3,4.0,5,created,buy',
        ),
      ),
    )
    expect(reasons(records)).toEqual([
      '2 has 6 fields instead of 7',
      '3 id "a" is not a number',
      '4 timestamps are not milliseconds',
      '5 price "" is not a number greater than zero',
      '6 volume "0.5" is not a whole number',
      '7 an order is created with nothing in it',
      '8 action "made" is not created, changed or deleted',
      '9 direction "buy" is not bid or ask',
    ])
  })
})

describe('Binance', () => {
  const read = (...texts: readonly string[]) => all(parseBinance(lines(...texts)))
  const NS = '1723161253937085768'

  test('depth, trades and the snapshot', async () => {
    const records = (await read(...readFileSync(BINANCE, 'utf8').trimEnd().split('\n'))) as RecordedMarket[]
    expect(new Set(records.map((record) => record.kind))).toEqual(new Set(['depth', 'trade']))
    expect(records.filter((record) => record.kind === 'depth' && record.snapshot)).toHaveLength(1)
    expect(records[0]).toMatchObject({ line: 1, firstUpdate: 50_093_239_189, lastUpdate: 50_093_239_202 })
    expect(records.find((record) => record.kind === 'trade')).toMatchObject({
      line: 4,
      side: 'SELL',
      price: '61837.63000000',
      quantity: '0.02000000',
      tradeId: '3735683259',
    })
  })

  test('every bad line is reported with its number and what is wrong', async () => {
    const records = await read(
      'hello',
      `${NS} {"stream":`,
      `${NS} {"stream":}`,
      `${NS} {"result":null}`,
      `${NS} {"data":{"e":"kline"}}`,
      `${NS} {"data":{"e":"depthUpdate","E":1,"U":5,"u":4,"b":[],"a":[]}}`,
      `${NS} {"data":{"e":"depthUpdate","E":1,"U":4,"u":5,"b":[["1","-1"]],"a":[]}}`,
      `${NS} {"data":{"e":"trade","t":1,"T":1,"p":"0","q":"1","m":true}}`,
      `${NS} {"lastUpdateId":7,"bids":[["1"]],"asks":[]}`,
    )
    expect(reasons(records)).toEqual([
      '1 is not <nanoseconds> <JSON object>',
      '2 is not <nanoseconds> <JSON object>',
      '3 what follows the time is not JSON',
      '4 has neither data of a stream nor a snapshot',
      '5 event "kline" is not depthUpdate, trade or a best quote',
      '6 its last update comes before its first',
      '7 is not a depth update',
      '8 price "0" is not greater than zero',
      '9 is not a snapshot of the book',
    ])
  })

  const at = { line: 1, time_us: 1 }
  const depth = (firstUpdate: number, lastUpdate: number, bids: [string, string][], asks: [string, string][] = []) =>
    ({ kind: 'depth', ...at, snapshot: false, firstUpdate, lastUpdate, bids, asks }) as const
  const snapshot = (update: number, bids: [string, string][], asks: [string, string][] = []) => ({
    ...depth(update, update, bids, asks),
    snapshot: true,
  })
  const flow = async (...records: readonly RecordedMarket[]) =>
    (await all(levelOrders(these(...records)))).map((record) =>
      record.kind === 'new' || record.kind === 'take'
        ? `${record.kind} ${record.side} ${record.quantity} at ${record.price}`
        : record.kind === 'change'
          ? `change ${record.id} to ${record.quantity}`
          : record.kind === 'cancel'
            ? `cancel ${record.id}`
            : record.reason,
    )

  test('levels become orders that are entered, changed and cancelled', async () => {
    expect(
      await flow(
        snapshot(10, [['99', '2']], [['101', '3']]),
        depth(
          11,
          12,
          [['99', '1']],
          [
            ['101', '0'],
            ['100', '1'],
          ],
        ),
      ),
    ).toEqual(['new BUY 2 at 99', 'new SELL 3 at 101', 'change level-1 to 1', 'cancel level-2', 'new SELL 1 at 100'])
  })

  test('what came before the snapshot is applied after it, and not twice', async () => {
    expect(
      await flow(
        depth(8, 9, [['99', '7']]),
        depth(10, 11, [['99', '1']]),
        snapshot(9, [['99', '2']]),
        depth(12, 12, [['98', '1']]),
      ),
    ).toEqual(['new BUY 2 at 99', 'change level-1 to 1', 'new BUY 1 at 98'])
  })

  test('missing updates are reported', async () => {
    expect(await flow(snapshot(9, [['99', '2']]), depth(14, 14, [['98', '1']]))).toEqual([
      'new BUY 2 at 99',
      '4 depth updates are missing before it',
      'new BUY 1 at 98',
    ])
  })

  test('a trade takes from the book, and the next update finds it taken', async () => {
    const trade = { kind: 'trade', ...at, tradeId: '1', side: 'BUY', price: '101', quantity: '3' } as const
    expect(await flow(snapshot(9, [], [['101', '3']]), trade, depth(10, 10, [], [['101', '0']]))).toEqual([
      'new SELL 3 at 101',
      'take BUY 3 at 101',
    ])
  })

  test('played to a book, it is the recorded book', async () => {
    const book = new StandaloneBook()
    const open = new Map<string, { id: number; side: 0 | 1; price: number }>()
    let ids = 0
    const units = (text: string) => Math.round(Number(text) * 100)
    for await (const record of readRecording(BINANCE, 'binance') as AsyncGenerator<RecordedAction>) {
      if (record.kind === 'new') {
        const order = {
          id: ++ids,
          side: record.side === 'BUY' ? (0 as const) : (1 as const),
          price: units(record.price),
        }
        open.set(record.id, order)
        expect(book.book.wouldMatch(order.side, order.price)).toBe(false)
        book.limit(order.id, order.side, order.price, 1)
      } else if (record.kind === 'cancel') {
        book.cancel(open.get(record.id)?.id ?? 0)
        open.delete(record.id)
      }
    }
    expect(open.size).toBeGreaterThan(50)
    const best = (side: 0 | 1) => [...open.values()].filter((order) => order.side === side).map((order) => order.price)
    expect(Math.max(...best(0))).toBeLessThan(Math.min(...best(1)))
  })
})
