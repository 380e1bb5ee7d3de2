// A capture of Binance's spot streams: lines of `<local nanoseconds> <JSON>` with depth differences, trades, best quotes and one REST
// snapshot of the book. Leaves to `level-orders.ts` what order flow this comes from.

import type { Line } from './lines.ts'
import { fault, isDecimal, isPositive, type RecordedFault, type RecordedLevel, type RecordedMarket } from './records.ts'

const LINE = /^(\d{16,19}) (\{.*\})$/
const LEVELS_MAX = 10_000

export function looksLikeBinance(line: string): boolean {
  return LINE.test(line)
}

/** Best quotes are checked like every other line, and left out: depth says the same. */
export async function* parseBinance(lines: AsyncIterable<Line>): AsyncGenerator<RecordedMarket | RecordedFault> {
  for await (const { number, text } of lines) {
    if (text === '') continue
    const parsed = parseLine(number, text)
    if (parsed === null) continue
    yield typeof parsed === 'string' ? fault(number, parsed, text) : parsed
  }
}

type Json = Readonly<Record<string, unknown>>

function parseLine(line: number, text: string): RecordedMarket | string | null {
  const match = LINE.exec(text)
  if (match === null) return 'is not <nanoseconds> <JSON object>'
  const received_us = Math.floor(Number(match[1]) / 1_000)
  const json = parseJson(match[2] as string)
  if (json === null) return 'what follows the time is not JSON'
  if ('lastUpdateId' in json) return snapshotOf(line, received_us, json)
  const data = json['data']
  if (typeof data !== 'object' || data === null) return 'has neither data of a stream nor a snapshot'
  const event = data as Json
  if (event['e'] === 'depthUpdate') return depthOf(line, event)
  if (event['e'] === 'trade') return tradeOf(line, event)
  if ('B' in event && 'A' in event && event['e'] === undefined) return null
  return `event ${JSON.stringify(event['e'])} is not depthUpdate, trade or a best quote`
}

function snapshotOf(line: number, time_us: number, json: Json): RecordedMarket | string {
  const update = json['lastUpdateId']
  const bids = levelsOf(json['bids'])
  const asks = levelsOf(json['asks'])
  if (!isCount(update) || bids === null || asks === null) return 'is not a snapshot of the book'
  return { kind: 'depth', line, time_us, snapshot: true, firstUpdate: update, lastUpdate: update, bids, asks }
}

function depthOf(line: number, event: Json): RecordedMarket | string {
  const { U: firstUpdate, u: lastUpdate, E: time } = event
  const bids = levelsOf(event['b'])
  const asks = levelsOf(event['a'])
  if (!isCount(firstUpdate) || !isCount(lastUpdate) || !isCount(time) || bids === null || asks === null) {
    return 'is not a depth update'
  }
  if (lastUpdate < firstUpdate) return 'its last update comes before its first'
  return { kind: 'depth', line, time_us: time * 1_000, snapshot: false, firstUpdate, lastUpdate, bids, asks }
}

function tradeOf(line: number, event: Json): RecordedMarket | string {
  const { t: trade, T: time, p: price, q: quantity, m: buyerIsMaker } = event
  if (!isCount(trade) || !isCount(time) || typeof buyerIsMaker !== 'boolean') return 'is not a trade'
  if (typeof price !== 'string' || !isPositive(price)) return `price ${JSON.stringify(price)} is not greater than zero`
  if (typeof quantity !== 'string' || !isPositive(quantity)) {
    return `quantity ${JSON.stringify(quantity)} is not greater than zero`
  }
  const side = buyerIsMaker ? 'SELL' : 'BUY'
  return { kind: 'trade', line, time_us: time * 1_000, tradeId: String(trade), side, price, quantity }
}

function levelsOf(raw: unknown): readonly RecordedLevel[] | null {
  if (!Array.isArray(raw) || raw.length > LEVELS_MAX) return null
  for (const level of raw as unknown[]) {
    if (!Array.isArray(level) || level.length < 2) return null
    const [price, quantity] = level as unknown[]
    if (typeof price !== 'string' || typeof quantity !== 'string' || !isPositive(price) || !isDecimal(quantity))
      return null
  }
  return raw as RecordedLevel[]
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function parseJson(text: string): Json | null {
  try {
    return JSON.parse(text) as Json
  } catch {
    return null // the caller reports the line
  }
}
