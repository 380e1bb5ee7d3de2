// What can be heard of one instrument's market by anyone: depth, trades, ticker, candles. A topic knows what its subscribers have been
// told and makes what they have not, once for all of them. Promises that pushes follow each other without a gap, or say "reset".

import type { Timestamp } from '@wintrades/domain'
import {
  type CandleInterval,
  candleJson,
  depthJson,
  depthUpdateJson,
  type InstrumentMarket,
  tickerJson,
  tradeJson,
} from '@wintrades/marketdata'
import { type PushType, pushFrame } from './frames.ts'

/** Who hears a topic. */
export interface Listener {
  /** Sends a finished frame. */
  push(frame: string): void
}

export type PublicChannel = 'depth' | 'trades' | 'ticker' | 'candles'

const FLUSH_INTERVAL_MS = 20
const TICKER_INTERVAL_MS = 250
const DEPTH_LEVELS_MAX = 5_000
const TRADES_IN_SNAPSHOT = 50
const CANDLES_IN_SNAPSHOT = 100
const CANDLES_IN_UPDATE_MAX = 1_000
const FOREVER = Number.MAX_SAFE_INTEGER as Timestamp

export abstract class Topic {
  abstract readonly channel: PublicChannel
  /** Pushes are at least this far apart. */
  readonly interval_ms: number = FLUSH_INTERVAL_MS
  readonly market: InstrumentMarket
  readonly listeners = new Set<Listener>()
  /** Those who wait for their snapshot, because the market is not known yet or (again) misses something. */
  readonly waiting = new Set<Listener>()
  /** When it last looked for something to push. */
  flushed_ms = Number.NEGATIVE_INFINITY

  constructor(market: InstrumentMarket) {
    this.market = market
  }

  /** Whether a snapshot can be given. */
  protected get ready(): boolean {
    return this.market.ready
  }

  protected abstract snapshot(): string
  /** What came after what was told; null: nothing did; `'reset'`: it cannot be told any more. */
  protected abstract update(): string | null | 'reset'
  /** What came after `sequence`, up to what the others have been told. */
  protected abstract since(sequence: number): string | null | 'reset'
  /** From here on `update` tells what comes after now. */
  protected abstract begin(): void

  protected frame(type: PushType, sequence: number, data: unknown): string {
    const symbol = `"symbol":"${this.market.instrument.symbol}",`
    return pushFrame(this.channel, symbol, type, String(sequence), JSON.stringify(data))
  }

  /** Begins with what followed `sequence`, or (null, or too long ago) with a snapshot. */
  add(listener: Listener, sequence: number | null): void {
    // Others first hear what this one's snapshot holds already, so that the next update follows both.
    if (this.listeners.size > 0) this.flush()
    else if (this.ready) this.begin()
    this.remove(listener)
    if (!this.ready) {
      this.waiting.add(listener)
      return
    }
    // Among the listeners before it is sent anything: a push can end its connection, and with it its subscriptions.
    this.listeners.add(listener)
    const missed = sequence === null ? this.snapshot() : this.since(sequence)
    if (missed === 'reset') {
      listener.push(this.frame('reset', 0, null))
      listener.push(this.snapshot())
    } else if (missed !== null) listener.push(missed)
  }

  remove(listener: Listener): void {
    this.listeners.delete(listener)
    this.waiting.delete(listener)
  }

  get empty(): boolean {
    return this.listeners.size === 0 && this.waiting.size === 0
  }

  /** Tells everybody what is new. */
  flush(): void {
    if (this.listeners.size > 0) this.#tell()
    if (this.waiting.size === 0 || !this.ready) return
    if (this.listeners.size === 0) this.begin()
    const snapshot = this.snapshot()
    const begun = [...this.waiting]
    this.waiting.clear()
    for (const listener of begun) {
      this.listeners.add(listener)
      listener.push(snapshot)
    }
  }

  #tell(): void {
    const update = this.update()
    if (update === null) return
    if (update !== 'reset') {
      for (const listener of this.listeners) listener.push(update)
      return
    }
    const reset = this.frame('reset', 0, null)
    const lost = [...this.listeners]
    this.listeners.clear()
    for (const listener of lost) {
      this.waiting.add(listener)
      listener.push(reset)
    }
  }
}

/** Numbered by bookVersion. An update holds every level that changed since the one before, with its new quantity. */
export class DepthTopic extends Topic {
  override readonly channel = 'depth'
  #told = 0

  protected override begin(): void {
    this.#told = this.market.book.version
  }

  protected override snapshot(): string {
    const { book, instrument } = this.market
    return this.frame('snapshot', book.version, depthJson(instrument, book.snapshot(DEPTH_LEVELS_MAX)))
  }

  protected override update(): string | null | 'reset' {
    const update = this.since(this.#told)
    this.#told = this.market.book.version
    return update
  }

  protected override since(version: number): string | null | 'reset' {
    const { book, instrument } = this.market
    const update = book.updateSince(version)
    if (update === null || update === 'reset') return update
    return this.frame('update', update.lastVersion, depthUpdateJson(instrument, update))
  }
}

/** Numbered by trade number. A push holds trades, oldest first. */
export class TradesTopic extends Topic {
  override readonly channel = 'trades'
  #told = 0

  protected override begin(): void {
    this.#told = this.market.trades.lastTradeNumber
  }

  protected override snapshot(): string {
    const { trades, instrument } = this.market
    const latest = trades.latest(TRADES_IN_SNAPSHOT).map((trade) => tradeJson(instrument, trade))
    return this.frame('snapshot', trades.lastTradeNumber, latest)
  }

  protected override update(): string | null | 'reset' {
    const update = this.since(this.#told)
    this.begin()
    return update
  }

  protected override since(tradeNumber: number): string | null | 'reset' {
    const { trades, instrument } = this.market
    const after = trades.since(tradeNumber)
    if (after === 'reset') return after
    const last = after.at(-1)
    if (last === undefined) return null
    const data = after.map((trade) => tradeJson(instrument, trade))
    return this.frame('update', last.tradeNumber, data)
  }
}

/** The whole ticker each time it changed; numbered by the trade it includes. */
export class TickerTopic extends Topic {
  override readonly channel = 'ticker'
  override readonly interval_ms = TICKER_INTERVAL_MS
  readonly #now: () => Timestamp
  #told = ''

  /** `now`: batch time of the instrument's shard. */
  constructor(market: InstrumentMarket, now: () => Timestamp) {
    super(market)
    this.#now = now
  }

  protected override begin(): void {
    this.#told = ''
  }

  protected override snapshot(): string {
    return this.#frame('snapshot')
  }

  protected override update(): string | null {
    const frame = this.#frame('update')
    if (frame === this.#told) return null
    this.#told = frame
    return frame
  }

  protected override since(): string {
    return this.snapshot()
  }

  #frame(type: PushType): string {
    const ticker = this.market.ticker(this.#now())
    return this.frame(type, ticker.lastTradeNumber, tickerJson(this.market, ticker))
  }
}

/** Candles of one interval: the newest first as a snapshot, then each one that changed, as it now is. */
export class CandlesTopic extends Topic {
  override readonly channel = 'candles'
  readonly interval: CandleInterval
  #revision = -1
  #openTime = 0 as Timestamp

  constructor(market: InstrumentMarket, interval: CandleInterval) {
    super(market)
    this.interval = interval
  }

  protected override begin(): void {
    const series = this.market.candles[this.interval]
    this.#revision = series.revision
    this.#openTime = series.last()?.openTime ?? (0 as Timestamp)
  }

  protected override snapshot(): string {
    return this.#frame('snapshot', 0 as Timestamp, CANDLES_IN_SNAPSHOT)
  }

  protected override update(): string | null {
    const series = this.market.candles[this.interval]
    if (series.revision === this.#revision) return null
    const frame = this.#frame('update', this.#openTime, CANDLES_IN_UPDATE_MAX)
    this.begin()
    return frame
  }

  protected override since(): string {
    return this.snapshot()
  }

  #frame(type: PushType, from: Timestamp, limit: number): string {
    const { candles, instrument } = this.market
    const range = candles[this.interval].range(from, FOREVER, limit)
    const data = { interval: this.interval, candles: range.map((candle) => candleJson(instrument, candle)) }
    return this.frame(type, range.at(-1)?.lastTradeNumber ?? 0, data)
  }
}
