// Candles of one instrument, built from its trades in batch time, so every region has the same ones. A candle is a sum over
// a set of trades: adding the same trades in any order gives the same candle (the lowest trade number is its open, the highest
// its close), which lets missed trades be filled in later. An interval without trades has no candle.

import type { Price, Timestamp } from '@wintrades/domain'

export const CANDLE_INTERVALS = ['1m', '5m', '15m', '1h', '4h', '1d'] as const
export type CandleInterval = (typeof CANDLE_INTERVALS)[number]

export const CANDLE_INTERVAL_SECONDS: Readonly<Record<CandleInterval, number>> = {
  '1m': 60,
  '5m': 300,
  '15m': 900,
  '1h': 3_600,
  '4h': 14_400,
  '1d': 86_400,
}

export type Candle = {
  /** Start of the interval (UTC, a multiple of its length). */
  readonly openTime: Timestamp
  readonly open: Price
  readonly high: Price
  readonly low: Price
  readonly close: Price
  /** Lots. */
  readonly volume: number
  /** Quote asset's smallest units. */
  readonly quoteVolume: bigint
  readonly tradeCount: number
  readonly firstTradeNumber: number
  readonly lastTradeNumber: number
}

const CANDLES_KEPT = 1_500
const SECOND_US = 1_000_000
const TWO_32 = 4_294_967_296
const COLUMNS = 11
const FIRST_CAPACITY = 16

/** Columns of a row; quote volume is `quoteHigh × 2^32 + quoteLow`, because a sum of notionals may pass 2^53. */
const AT = {
  openTime: 0,
  open: 1,
  high: 2,
  low: 3,
  close: 4,
  volume: 5,
  quoteHigh: 6,
  quoteLow: 7,
  tradeCount: 8,
  firstTradeNumber: 9,
  lastTradeNumber: 10,
} as const

/** The newest candles of one interval, oldest first. */
export class CandleSeries {
  readonly interval: CandleInterval
  readonly #interval_us: number
  readonly #kept: number
  #rows = new Float64Array(0)
  #count = 0
  #revision = 0

  constructor(interval: CandleInterval, candlesKept = CANDLES_KEPT) {
    this.interval = interval
    this.#interval_us = CANDLE_INTERVAL_SECONDS[interval] * SECOND_US
    this.#kept = candlesKept
  }

  get count(): number {
    return this.#count
  }

  /** Rises with every change, so that a stream knows whether it has something to send. */
  get revision(): number {
    return this.#revision
  }

  /** Adds a trade. The caller adds each trade once. */
  add(timestamp: Timestamp, price: Price, quantity: number, notional: number, tradeNumber: number): void {
    const openTime = timestamp - (timestamp % this.#interval_us)
    const row = this.#rowFor(openTime)
    if (row < 0) return
    this.#revision++
    const rows = this.#rows
    if (rows[row + AT.tradeCount] === 0) {
      rows[row + AT.open] = price
      rows[row + AT.high] = price
      rows[row + AT.low] = price
      rows[row + AT.close] = price
      rows[row + AT.firstTradeNumber] = tradeNumber
      rows[row + AT.lastTradeNumber] = tradeNumber
    } else {
      if (price > (rows[row + AT.high] as number)) rows[row + AT.high] = price
      if (price < (rows[row + AT.low] as number)) rows[row + AT.low] = price
      if (tradeNumber > (rows[row + AT.lastTradeNumber] as number)) {
        rows[row + AT.lastTradeNumber] = tradeNumber
        rows[row + AT.close] = price
      } else if (tradeNumber < (rows[row + AT.firstTradeNumber] as number)) {
        rows[row + AT.firstTradeNumber] = tradeNumber
        rows[row + AT.open] = price
      }
    }
    ;(rows[row + AT.volume] as number) += quantity
    ;(rows[row + AT.tradeCount] as number) += 1
    addQuote(rows, row, Math.floor(notional / TWO_32), notional % TWO_32)
  }

  /** Adds a candle made of other trades than the ones that are here. */
  merge(candle: Candle): void {
    const row = this.#rowFor(candle.openTime)
    if (row < 0) return
    this.#revision++
    const rows = this.#rows
    const empty = rows[row + AT.tradeCount] === 0
    if (empty || candle.high > (rows[row + AT.high] as number)) rows[row + AT.high] = candle.high
    if (empty || candle.low < (rows[row + AT.low] as number)) rows[row + AT.low] = candle.low
    if (empty || candle.lastTradeNumber > (rows[row + AT.lastTradeNumber] as number)) {
      rows[row + AT.lastTradeNumber] = candle.lastTradeNumber
      rows[row + AT.close] = candle.close
    }
    if (empty || candle.firstTradeNumber < (rows[row + AT.firstTradeNumber] as number)) {
      rows[row + AT.firstTradeNumber] = candle.firstTradeNumber
      rows[row + AT.open] = candle.open
    }
    ;(rows[row + AT.volume] as number) += candle.volume
    ;(rows[row + AT.tradeCount] as number) += candle.tradeCount
    addQuote(rows, row, Number(candle.quoteVolume >> 32n), Number(candle.quoteVolume & 0xffff_ffffn))
  }

  clear(): void {
    this.#count = 0
    this.#revision++
  }

  /** The candle at a position, oldest 0. */
  at(position: number): Candle {
    const row = position * COLUMNS
    const rows = this.#rows
    return {
      openTime: rows[row + AT.openTime] as Timestamp,
      open: rows[row + AT.open] as Price,
      high: rows[row + AT.high] as Price,
      low: rows[row + AT.low] as Price,
      close: rows[row + AT.close] as Price,
      volume: rows[row + AT.volume] as number,
      quoteVolume: quoteOf(rows[row + AT.quoteHigh] as number, rows[row + AT.quoteLow] as number),
      tradeCount: rows[row + AT.tradeCount] as number,
      firstTradeNumber: rows[row + AT.firstTradeNumber] as number,
      lastTradeNumber: rows[row + AT.lastTradeNumber] as number,
    }
  }

  last(): Candle | null {
    return this.#count === 0 ? null : this.at(this.#count - 1)
  }

  /** Open time of the oldest candle here, 0 without any: what lies before it is in history. */
  get oldest(): Timestamp {
    return (this.#count === 0 ? 0 : this.#rows[AT.openTime]) as Timestamp
  }

  /** Candles with `from ≤ openTime < to`, oldest first; of more than `limit` the newest. */
  range(from: Timestamp, to: Timestamp, limit: number): Candle[] {
    const end = this.#position(to)
    const start = Math.max(this.#position(from), end - limit)
    const candles: Candle[] = []
    for (let position = start; position < end; position++) candles.push(this.at(position))
    return candles
  }

  /** One candle over every candle with `openTime ≥ from`; null: there is none. */
  total(from: Timestamp): Candle | null {
    const start = this.#position(from)
    if (start === this.#count) return null
    const rows = this.#rows
    let high = 0
    let low = Number.MAX_SAFE_INTEGER
    let volume = 0
    let tradeCount = 0
    let quoteHigh = 0
    let quoteLow = 0
    for (let row = start * COLUMNS; row < this.#count * COLUMNS; row += COLUMNS) {
      if ((rows[row + AT.high] as number) > high) high = rows[row + AT.high] as number
      if ((rows[row + AT.low] as number) < low) low = rows[row + AT.low] as number
      volume += rows[row + AT.volume] as number
      tradeCount += rows[row + AT.tradeCount] as number
      quoteHigh += rows[row + AT.quoteHigh] as number
      quoteLow += rows[row + AT.quoteLow] as number
    }
    const first = start * COLUMNS
    const last = (this.#count - 1) * COLUMNS
    return {
      openTime: rows[first + AT.openTime] as Timestamp,
      open: rows[first + AT.open] as Price,
      high: high as Price,
      low: low as Price,
      close: rows[last + AT.close] as Price,
      volume,
      quoteVolume: quoteOf(quoteHigh, quoteLow),
      tradeCount,
      firstTradeNumber: rows[first + AT.firstTradeNumber] as number,
      lastTradeNumber: rows[last + AT.lastTradeNumber] as number,
    }
  }

  /** First position whose open time is at least `time`. */
  #position(time: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#rows[middle * COLUMNS] as number) < time) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Where the candle of `openTime` stands, made if need be; −1: it is older than what is kept. */
  #rowFor(openTime: number): number {
    const last = (this.#count - 1) * COLUMNS
    if (last >= 0 && this.#rows[last] === openTime) return last
    const position = this.#position(openTime)
    if (position < this.#count && this.#rows[position * COLUMNS] === openTime) return position * COLUMNS
    if (position === 0 && this.#count >= this.#kept) return -1
    return this.#insert(position, openTime)
  }

  #insert(position: number, openTime: number): number {
    if (this.#count * COLUMNS === this.#rows.length) this.#makeRoom()
    // Room for more than is kept lets the oldest go many at a time.
    const room = this.#rows.length / COLUMNS
    let at = position
    if (this.#count === room) {
      const dropped = this.#count - this.#kept + 1
      this.#rows.copyWithin(0, dropped * COLUMNS, this.#count * COLUMNS)
      this.#count -= dropped
      at -= dropped
    }
    const row = at * COLUMNS
    this.#rows.copyWithin(row + COLUMNS, row, this.#count * COLUMNS)
    this.#rows.fill(0, row, row + COLUMNS)
    this.#rows[row] = openTime
    this.#count++
    return row
  }

  #makeRoom(): void {
    const most = this.#kept + (this.#kept >>> 3) + 1
    const room = Math.min(most, Math.max(FIRST_CAPACITY, (this.#rows.length / COLUMNS) * 2))
    if (room * COLUMNS === this.#rows.length) return
    const rows = new Float64Array(room * COLUMNS)
    rows.set(this.#rows)
    this.#rows = rows
  }
}

function addQuote(rows: Float64Array, row: number, high: number, low: number): void {
  const sum = (rows[row + AT.quoteLow] as number) + low
  const carry = sum >= TWO_32 ? Math.floor(sum / TWO_32) : 0
  rows[row + AT.quoteLow] = sum - carry * TWO_32
  ;(rows[row + AT.quoteHigh] as number) += high + carry
}

function quoteOf(high: number, low: number): bigint {
  return BigInt(high) * BigInt(TWO_32) + BigInt(low)
}
