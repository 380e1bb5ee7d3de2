// One instrument's live market: book, recent trades, candles, 24-hour ticker. Promises that each trade counts once: what history
// already holds is skipped by trade number, and trades that neither brought are named until they are filled in.

import {
  type BookView,
  type Instrument,
  Phase,
  type Price,
  type Quantity,
  type Side,
  type Timestamp,
} from '@wintrades/domain'
import { CANDLE_INTERVALS, type Candle, type CandleInterval, CandleSeries } from './candles.ts'
import { DepthBook, type DepthBookOptions } from './depth-book.ts'
import { type PublicTrade, RecentTrades } from './recent-trades.ts'

/** What history knows of an instrument's market, read at one moment. */
export type MarketHistory = {
  /** The last trade that candles and trades hold; 0: none. */
  readonly lastTradeNumber: number
  readonly candles: Readonly<Record<CandleInterval, readonly Candle[]>>
  /** Contiguous, oldest first, up to `lastTradeNumber`. */
  readonly trades: readonly PublicTrade[]
}

/** The last 24 hours, by the minute, in batch time. Prices are 0 when there was no trade (or the side is empty). */
export type Ticker = {
  readonly time: Timestamp
  readonly open: Price
  readonly high: Price
  readonly low: Price
  readonly last: Price
  readonly volume: number
  readonly quoteVolume: bigint
  readonly tradeCount: number
  readonly lastTradeNumber: number
  readonly bid: Price
  readonly bidQuantity: Quantity
  readonly ask: Price
  readonly askQuantity: Quantity
}

/** Trades `[first, last]` that are known to have happened but are not here yet. */
export type MissingTrades = { readonly first: number; readonly last: number }

export type InstrumentMarketOptions = DepthBookOptions & {
  readonly tradesKept?: number
  readonly candlesKept?: number
  /** Trades that wait for {@link InstrumentMarket.initialise}; the oldest go first and become missing trades. */
  readonly tradesWaitingMax?: number
}

const MINUTE_US = 60_000_000
const DAY_US = 24 * 60 * MINUTE_US
const TRADES_WAITING_MAX = 16_384
const MISSING_RANGES_MAX = 64

export class InstrumentMarket {
  readonly instrument: Instrument
  readonly book: DepthBook
  readonly trades: RecentTrades
  readonly candles: Readonly<Record<CandleInterval, CandleSeries>>
  readonly #series: readonly CandleSeries[]
  readonly #tradesWaitingMax: number
  #waiting: PublicTrade[] = []
  #missing: MissingTrades[] = []
  /** Every trade up to this one is counted, or listed as missing. */
  #accounted = 0
  #initialised = false
  #lastPrice = 0 as Price
  #phase: Phase = Phase.closed
  #ticker: Ticker | null = null
  #tickerMinute = 0
  #tickerBookVersion = -1
  #tickerRevision = -1

  constructor(instrument: Instrument, options: InstrumentMarketOptions = {}) {
    this.instrument = instrument
    this.book = new DepthBook(options)
    this.trades = new RecentTrades(options.tradesKept)
    this.#series = CANDLE_INTERVALS.map((interval) => new CandleSeries(interval, options.candlesKept))
    this.candles = Object.fromEntries(this.#series.map((series) => [series.interval, series])) as Record<
      CandleInterval,
      CandleSeries
    >
    this.#tradesWaitingMax = options.tradesWaitingMax ?? TRADES_WAITING_MAX
    this.#phase = instrument.definition.phase
  }

  /** Whether it has been initialised and its book misses nothing. */
  get ready(): boolean {
    return this.#initialised && this.book.ready
  }

  get lastPrice(): Price {
    return this.#lastPrice
  }

  get phase(): Phase {
    return this.#phase
  }

  get missingTrades(): readonly MissingTrades[] {
    return this.#missing
  }

  /**
   * Starts (with `history`), or mends the book (without) after a gap. False: the view is older than changes that were
   * missed, so ask for a newer one.
   */
  initialise(view: BookView, history?: MarketHistory): boolean {
    if (!this.#initialised) this.#begin(history)
    if (view.lastTradeNumber > this.#accounted) {
      this.#noteMissing(this.#accounted + 1, view.lastTradeNumber)
      this.trades.skipTo(view.lastTradeNumber)
      this.#accounted = view.lastTradeNumber
    }
    if (view.lastTradeNumber === this.#accounted) {
      this.#lastPrice = view.lastPrice
      this.#phase = view.phase
    }
    return this.book.initialise(view)
  }

  addTrade(
    number: number,
    price: Price,
    quantity: Quantity,
    takerSide: Side,
    notional: number,
    timestamp: Timestamp,
  ): void {
    if (!this.#initialised) {
      if (this.#waiting.length >= this.#tradesWaitingMax) this.#waiting.shift()
      this.#waiting.push({ tradeNumber: number, price, quantity, takerSide, notional, timestamp })
      return
    }
    if (number <= this.#accounted) return
    if (number !== this.#accounted + 1) this.#noteMissing(this.#accounted + 1, number - 1)
    this.#accounted = number
    this.#lastPrice = price
    this.trades.add(number, price, quantity, takerSide, notional, timestamp)
    for (const series of this.#series) series.add(timestamp, price, quantity, notional, number)
  }

  /** Counts those of the trades (in order of number) that are missing. */
  fillTrades(trades: readonly PublicTrade[]): void {
    const wanted = trades.filter((trade) => this.#isMissing(trade.tradeNumber))
    for (const trade of wanted) {
      for (const series of this.#series) {
        series.add(trade.timestamp, trade.price, trade.quantity, trade.notional, trade.tradeNumber)
      }
    }
    this.#missing = this.#missing.flatMap((range) => withoutFound(range, wanted))
    if (wanted.length > 0) this.trades.prepend(trades)
  }

  setPhase(phase: Phase): void {
    this.#phase = phase
  }

  /** The ticker at `now`, a batch time of its shard. */
  ticker(now: Timestamp): Ticker {
    const minute = now - (now % MINUTE_US)
    const minutes = this.candles['1m']
    if (
      this.#ticker !== null &&
      this.#tickerMinute === minute &&
      this.#tickerBookVersion === this.book.version &&
      this.#tickerRevision === minutes.revision
    ) {
      return this.#ticker
    }
    const total = minutes.total((minute - DAY_US + MINUTE_US) as Timestamp)
    this.#tickerMinute = minute
    this.#tickerBookVersion = this.book.version
    this.#tickerRevision = minutes.revision
    this.#ticker = {
      time: now,
      open: total?.open ?? (0 as Price),
      high: total?.high ?? (0 as Price),
      low: total?.low ?? (0 as Price),
      last: this.#lastPrice,
      volume: total?.volume ?? 0,
      quoteVolume: total?.quoteVolume ?? 0n,
      tradeCount: total?.tradeCount ?? 0,
      lastTradeNumber: this.#accounted,
      bid: this.book.bestBid,
      bidQuantity: this.book.bestBidQuantity,
      ask: this.book.bestAsk,
      askQuantity: this.book.bestAskQuantity,
    }
    return this.#ticker
  }

  #begin(history: MarketHistory | undefined): void {
    this.#initialised = true
    if (history !== undefined) {
      this.#accounted = history.lastTradeNumber
      for (const series of this.#series) {
        for (const candle of history.candles[series.interval]) series.merge(candle)
      }
      for (const trade of history.trades) {
        this.trades.add(
          trade.tradeNumber,
          trade.price,
          trade.quantity,
          trade.takerSide,
          trade.notional,
          trade.timestamp,
        )
      }
      this.trades.skipTo(history.lastTradeNumber)
      this.#lastPrice = this.trades.lastPrice
    }
    const waiting = this.#waiting
    this.#waiting = []
    for (const trade of waiting) {
      this.addTrade(trade.tradeNumber, trade.price, trade.quantity, trade.takerSide, trade.notional, trade.timestamp)
    }
  }

  #noteMissing(first: number, last: number): void {
    this.#missing.push({ first, last })
    // Past the bound the oldest range is given up: its candles stay without those trades, history has them.
    if (this.#missing.length > MISSING_RANGES_MAX) this.#missing.shift()
  }

  #isMissing(number: number): boolean {
    return this.#missing.some((range) => number >= range.first && number <= range.last)
  }
}

/** What is left of a range once the found trades (in order) are taken out. */
function withoutFound(range: MissingTrades, found: readonly PublicTrade[]): MissingTrades[] {
  const left: MissingTrades[] = []
  let first = range.first
  for (const { tradeNumber } of found) {
    if (tradeNumber < first || tradeNumber > range.last) continue
    if (tradeNumber > first) left.push({ first, last: tradeNumber - 1 })
    first = tradeNumber + 1
  }
  if (first <= range.last) left.push({ first, last: range.last })
  return left
}
