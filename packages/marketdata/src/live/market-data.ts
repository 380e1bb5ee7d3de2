// The live market data of every instrument, fed with each committed batch on the main thread. Promises to touch an event once and to
// allocate nothing per event; tells listeners which instruments a batch touched, so that streams are flushed at the gateway's own
// pace. Views and history to start from are fetched by the loader.

import {
  assert,
  EVENT,
  EVENT_SLOTS,
  EventType,
  type InstrumentId,
  LEVEL_CHANGED,
  type Markets,
  PHASE_CHANGED,
  type Phase,
  type Price,
  type Quantity,
  type Seq,
  type ShardIndex,
  type Side,
  type Timestamp,
  TRADE,
} from '@wintrades/domain'
import { InstrumentMarket, type InstrumentMarketOptions } from './instrument-market.ts'

/** What market data needs of a committed batch; the venue's `CommittedBatch` is one. */
export type MarketBatch = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly timestamp: Timestamp
  readonly events: Float64Array
}

/** What one batch changed. The object and its array are reused for the next batch. */
export type MarketChanges = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly timestamp: Timestamp
  readonly instruments: readonly InstrumentMarket[]
}

export type MarketDataListener = (changes: MarketChanges) => void

type MutableChanges = {
  shard: ShardIndex
  seq: Seq
  timestamp: Timestamp
  instruments: InstrumentMarket[]
}

export class MarketData {
  readonly instruments: readonly InstrumentMarket[]
  readonly #byId: (InstrumentMarket | undefined)[] = []
  readonly #touchedIn: Float64Array
  readonly #bySymbol = new Map<string, InstrumentMarket>()
  readonly #listeners = new Set<MarketDataListener>()
  readonly #seqs: Float64Array
  readonly #timestamps: Float64Array
  readonly #changes: MutableChanges = {
    shard: 0 as ShardIndex,
    seq: 0 as Seq,
    timestamp: 0 as Timestamp,
    instruments: [],
  }
  #round = 0

  constructor(markets: Markets, options: InstrumentMarketOptions = {}) {
    this.instruments = markets.instruments.map((instrument) => new InstrumentMarket(instrument, options))
    let idMax = 0
    for (const market of this.instruments) {
      this.#byId[market.instrument.id] = market
      this.#bySymbol.set(market.instrument.symbol, market)
      idMax = Math.max(idMax, market.instrument.id)
    }
    this.#touchedIn = new Float64Array(idMax + 1)
    this.#seqs = new Float64Array(markets.shards.length)
    this.#timestamps = new Float64Array(markets.shards.length)
  }

  get(instrument: InstrumentId): InstrumentMarket | undefined {
    return this.#byId[instrument]
  }

  bySymbol(symbol: string): InstrumentMarket | undefined {
    return this.#bySymbol.get(symbol)
  }

  /** Seq of the last batch of a shard that was applied here; 0: none yet. */
  seq(shard: ShardIndex): Seq {
    return (this.#seqs[shard] ?? 0) as Seq
  }

  /** Batch time of a shard, which is "now" for its tickers. */
  timestamp(shard: ShardIndex): Timestamp {
    return (this.#timestamps[shard] ?? 0) as Timestamp
  }

  /** Instruments whose book has to be initialised, for the first time or again. */
  unready(): InstrumentMarket[] {
    return this.instruments.filter((market) => !market.ready)
  }

  /** Calls `listener` once per batch that changed an instrument. Returns what ends it. */
  onChanges(listener: MarketDataListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Applies a batch. Batches of a shard come in order; one that was applied already is skipped. */
  apply(batch: MarketBatch): void {
    const { shard, events } = batch
    assert(shard < this.#seqs.length, `shard ${shard} is not in markets.yml`)
    if (batch.seq <= (this.#seqs[shard] as number)) return
    this.#seqs[shard] = batch.seq
    this.#timestamps[shard] = batch.timestamp
    this.#round++
    const touched = this.#changes.instruments
    touched.length = 0
    for (let offset = 0; offset < events.length; ) {
      const type = events[offset] as EventType
      if (type === EventType.level_changed || type === EventType.trade || type === EventType.phase_changed) {
        const id = events[offset + EVENT.subject] as number
        const market = this.#byId[id]
        assert(market !== undefined, `instrument ${id} is not in markets.yml`)
        applyEvent(market, type, events, offset, batch.timestamp)
        if (this.#touchedIn[id] !== this.#round) {
          this.#touchedIn[id] = this.#round
          touched.push(market)
        }
      }
      const slots = EVENT_SLOTS[type] ?? 0
      assert(slots > 0, `event type ${type} unknown`)
      offset += slots
    }
    if (touched.length > 0) this.#tell(batch)
  }

  #tell(batch: MarketBatch): void {
    this.#changes.shard = batch.shard
    this.#changes.seq = batch.seq
    this.#changes.timestamp = batch.timestamp
    for (const listener of this.#listeners) listener(this.#changes)
  }
}

function applyEvent(
  market: InstrumentMarket,
  type: EventType,
  events: Float64Array,
  offset: number,
  timestamp: Timestamp,
): void {
  if (type === EventType.level_changed) {
    market.book.apply(
      events[offset + LEVEL_CHANGED.side] as Side,
      events[offset + LEVEL_CHANGED.price] as Price,
      events[offset + LEVEL_CHANGED.quantity] as Quantity,
      events[offset + LEVEL_CHANGED.bookVersion] as number,
    )
  } else if (type === EventType.trade) {
    market.addTrade(
      events[offset + TRADE.tradeNumber] as number,
      events[offset + TRADE.price] as Price,
      events[offset + TRADE.quantity] as Quantity,
      events[offset + TRADE.takerSide] as Side,
      events[offset + TRADE.notional] as number,
      timestamp,
    )
  } else {
    market.setPhase(events[offset + PHASE_CHANGED.phase] as Phase)
  }
}
