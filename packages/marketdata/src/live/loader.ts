// Brings live market data to where it misses nothing: asks a replica for books that are not initialised (or met a gap) and history
// for candles and for trades that were missed. Promises to be safe to call at any time, one run at a time; when is the caller's.

import type { BookView, InstrumentId } from '@wintrades/domain'
import type { InstrumentMarket, MarketHistory } from './instrument-market.ts'
import type { MarketData } from './market-data.ts'
import { type PublicTrade, TRADES_KEPT } from './recent-trades.ts'

/** Where books come from; the venue's `book` fits. */
export type BookSource = {
  book(instrument: InstrumentId, levelsMax: number): Promise<{ readonly value: BookView }>
}

/** Where candles and past trades come from; `HistoryReader` is one. */
export type MarketHistorySource = {
  marketHistory(instrument: InstrumentId): Promise<MarketHistory>
  /** Trades with `first ≤ tradeNumber ≤ last` that history holds, oldest first, at most `limit`. */
  trades(instrument: InstrumentId, first: number, last: number, limit: number): Promise<PublicTrade[]>
}

export type LoadResult = {
  /** Instruments whose book is still to be initialised (their venue is catching up). */
  readonly unready: number
  /** Trades that history did not have yet. */
  readonly missingTrades: number
}

/** More levels than any book has. */
const LEVELS_MAX = 1_000_000
const TRADES_PER_FILL_MAX = 10_000
const ATTEMPTS_MAX = 3

export class MarketDataLoader {
  readonly #marketData: MarketData
  readonly #books: BookSource
  readonly #history: MarketHistorySource
  readonly #begun = new Set<InstrumentId>()
  #running: Promise<LoadResult> | null = null

  constructor(marketData: MarketData, books: BookSource, history: MarketHistorySource) {
    this.#marketData = marketData
    this.#books = books
    this.#history = history
  }

  /** Loads what is missing. Call it on start, and from then on about once a second: it costs nothing when nothing is missing. */
  load(): Promise<LoadResult> {
    this.#running ??= this.#load().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #load(): Promise<LoadResult> {
    let unready = 0
    let missingTrades = 0
    for (const market of this.#marketData.instruments) {
      if (!market.ready) await this.#initialise(market)
      if (!market.ready) unready++
      if (market.missingTrades.length > 0) await this.#fill(market)
      for (const range of market.missingTrades) missingTrades += range.last - range.first + 1
    }
    return { unready, missingTrades }
  }

  async #fill(market: InstrumentMarket): Promise<void> {
    const { id } = market.instrument
    for (const range of [...market.missingTrades]) {
      market.fillTrades(await this.#history.trades(id, range.first, range.last, TRADES_PER_FILL_MAX))
    }
    const first = market.trades.firstTradeNumber
    if (market.missingTrades.length > 0 || first === 0) return
    const older = await this.#history.trades(id, Math.max(1, first - TRADES_KEPT), first - 1, TRADES_KEPT)
    market.trades.prepend(older)
  }

  async #initialise(market: InstrumentMarket): Promise<void> {
    const id = market.instrument.id
    // History first, and the book of the very last moment: changes are kept for a book only so long. What is traded meanwhile is named as
    // missing, and filled in.
    const history = this.#begun.has(id) ? undefined : await this.#history.marketHistory(id)
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const view = (await this.#books.book(id, LEVELS_MAX)).value
      const isBegun = this.#begun.has(id)
      this.#begun.add(id)
      if (market.initialise(view, isBegun ? undefined : history)) return
    }
  }
}
