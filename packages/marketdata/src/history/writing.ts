// What both writers of the history share: batches gathered into transactions, their place in the journal's chain, rows in the order of
// their keys, candles as rows.

import {
  assert,
  CodecError,
  hashOf,
  type InstrumentId,
  previousHashOf,
  readBatchHeader,
  type Seq,
  type Timestamp,
} from '@wintrades/domain'
import { CANDLE_INTERVAL_SECONDS, type Candle, type CandleSeries } from '../live/candles.ts'
import type { HistoryRows } from './rows.ts'
import type { CandlesTable, ExecutionsTable, OrdersTable, ProgressTable } from './schema.ts'

export type HistoryWriterOptions = {
  /** A transaction is committed once it has this many events, … */
  readonly eventsPerTransaction?: number
  /** … or, when a batch is written, once its first batch has waited this long. */
  readonly transaction_ms?: number
}

export type HistoryWriterFigures = {
  readonly batches: number
  readonly rows: number
  readonly transactions: number
  /** Time spent writing, all transactions together. */
  readonly writing_seconds: number
}

/** The history and the journal do not fit together, or a row is not there that has to be: to go on would make it worse. */
export class HistoryDamage extends Error {
  override readonly name = 'HistoryDamage'
  /** For the archiver: trying again would not help. */
  readonly isDamage = true
}

/** Somebody else has written meanwhile, as at a change of leader: begin again where the history ends now. */
export class HistoryMoved extends Error {
  override readonly name = 'HistoryMoved'
}

const SLOTS_PER_EVENT = 10

export type Taken = { readonly bytes: Uint8Array; readonly events: Float64Array; readonly seq: Seq }

/** Batches of one shard that wait for a transaction, in order and without a gap. */
export class TakenBatches {
  readonly #eventsMax: number
  readonly #wait_ms: number
  #batches: Taken[] = []
  #slots = 0
  #since_ms = 0

  constructor(eventsMax: number, wait_ms: number) {
    this.#eventsMax = eventsMax
    this.#wait_ms = wait_ms
  }

  /** Takes the next one; the events may be changed afterwards, the bytes may not. */
  add(bytes: Uint8Array, events: Float64Array): void {
    const { seq } = readBatchHeader(bytes)
    const last = this.#batches.at(-1)
    assert(last === undefined || seq === last.seq + 1, `batch ${seq} after ${last?.seq ?? 0} in the history`)
    if (this.#batches.length === 0) this.#since_ms = performance.now()
    this.#batches.push({ bytes, events: events.slice(), seq })
    // Events have 6 to 20 slots; a batch without any still counts, because it moves the progress.
    this.#slots += events.length + SLOTS_PER_EVENT
  }

  get isDue(): boolean {
    if (this.#batches.length === 0) return false
    return this.#slots >= this.#eventsMax * SLOTS_PER_EVENT || performance.now() - this.#since_ms >= this.#wait_ms
  }

  /** All that wait; then none do. */
  drain(): readonly Taken[] {
    const batches = this.#batches
    this.#batches = []
    this.#slots = 0
    return batches
  }
}

/** Where batches are to be written after `before`. Throws {@link HistoryDamage} when they do not continue it. */
export function checkContinues(shard: number, before: ProgressTable | null, first: Taken): void {
  if (before === null) return
  if (first.seq !== before.seq + 1) {
    throw new HistoryDamage(`the history of shard ${shard} ends at batch ${before.seq}, and batch ${first.seq} came`)
  }
  const previous = Buffer.from(previousHashOf(first.bytes)).toString('hex')
  if (previous !== before.hash) {
    throw new HistoryDamage(
      `batch ${first.seq} of shard ${shard} does not follow the batch ${before.seq} that the history has: it was written from another ` +
        'journal; rebuild it from this one (docs/runbooks/history-behind.md)',
    )
  }
}

export function progressAfter(shard: number, before: ProgressTable | null, first: Taken, last: Taken): ProgressTable {
  return {
    shard,
    first_seq: before?.first_seq ?? first.seq,
    seq: last.seq,
    hash: Buffer.from(hashOf(last.bytes)).toString('hex'),
    timestamp: readBatchHeader(last.bytes).timestamp,
  }
}

export function takeInto(rows: HistoryRows, shard: number, batch: Taken): void {
  try {
    rows.take(batch.bytes, batch.events)
  } catch (error) {
    if (error instanceof CodecError) {
      throw new HistoryDamage(`batch ${batch.seq} of shard ${shard} is damaged`, { cause: error })
    }
    throw error
  }
}

/** Rows beside each other in the table are beside each other in time: pages are touched once, and locks taken in one order. */
export function ordersByKey(rows: HistoryRows): OrdersTable[] {
  return [...rows.orders.values()].sort((a, b) => a.account - b.account || a.order_id - b.order_id)
}

export function executionsByKey(rows: HistoryRows): ExecutionsTable[] {
  return rows.executions.sort((a, b) => a.account - b.account || a.seq - b.seq || a.idx - b.idx || a.taker - b.taker)
}

export function candleOf(row: CandlesTable): Candle {
  return {
    openTime: row.open_time as Timestamp,
    open: row.open as Candle['open'],
    high: row.high as Candle['high'],
    low: row.low as Candle['low'],
    close: row.close as Candle['close'],
    volume: row.volume,
    quoteVolume: BigInt(row.quote_volume),
    tradeCount: row.trade_count,
    firstTradeNumber: row.first_trade_number,
    lastTradeNumber: row.last_trade_number,
  }
}

/** A series as rows. `stored`: the row that is there already for the first; batch time does not go back, so no later one can be. */
export function candleRows(
  instrument: InstrumentId,
  series: CandleSeries,
  stored: CandlesTable | null,
): CandlesTable[] {
  if (stored !== null) series.merge(candleOf(stored))
  const interval_seconds = CANDLE_INTERVAL_SECONDS[series.interval]
  return Array.from({ length: series.count }, (_, i) => candleRow(instrument, interval_seconds, series.at(i)))
}

function candleRow(instrument: InstrumentId, interval_seconds: number, candle: Candle): CandlesTable {
  return {
    instrument,
    interval_seconds,
    open_time: candle.openTime,
    open: candle.open,
    high: candle.high,
    low: candle.low,
    close: candle.close,
    volume: candle.volume,
    quote_volume: String(candle.quoteVolume),
    trade_count: candle.tradeCount,
    first_trade_number: candle.firstTradeNumber,
    last_trade_number: candle.lastTradeNumber,
  }
}
