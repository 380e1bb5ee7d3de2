// Writes the history of the shards that are archived here, in bulk: many batches a transaction, progress in the same transaction.
// Promises that every batch is in the history exactly once, in order, whatever crashes and whoever else writes to the same file.
// Which batches come, and when there is time to commit, is the archiver's.

import { performance } from 'node:perf_hooks'
import type { DatabaseSync } from 'node:sqlite'
import {
  assert,
  CodecError,
  type InstrumentId,
  type Markets,
  readBatchHeader,
  type Seq,
  type ShardIndex,
  type Timestamp,
} from '@wintrades/domain'
import { CANDLE_INTERVAL_SECONDS, type Candle, type CandleSeries } from '../live/candles.ts'
import { HistoryRows } from './rows.ts'
import type { CandlesTable, ProgressTable } from './schema.ts'
import { HistoryStatements } from './statements.ts'
import { historyPath, openHistoryToWrite } from './store.ts'

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

const EVENTS_PER_TRANSACTION = 5_000
const TRANSACTION_MS = 50

/** An archiver's sink: `progress`, `write`, `flush`, `sync`, `close`. */
export class HistoryWriter {
  readonly #directory: string
  readonly #markets: Markets
  readonly #options: HistoryWriterOptions
  readonly #shards: ShardHistory[] = []

  constructor(directory: string, markets: Markets, options: HistoryWriterOptions = {}) {
    this.#directory = directory
    this.#markets = markets
    this.#options = options
  }

  /** The last batch of a shard that is committed here (by anybody); 0: none. The next one to write is the one after it. */
  progress(shard: ShardIndex): Seq {
    return this.#shard(shard).progress()
  }

  /**
   * Takes the next batch of its shard, with its events (which may be changed once this returns; the bytes may not). Durable after
   * the next commit, which happens here when enough has come together. A batch that the history has already is skipped.
   */
  write(bytes: Uint8Array, events: Float64Array): void {
    this.#shard(readBatchHeader(bytes).shard).write(bytes, events)
  }

  /** Commits what has been taken. It can be read; a power cut may still take it back, and then the journal gives it again. */
  flush(): void {
    for (const shard of this.#shards) shard?.flush()
  }

  /** Commits, and waits until it is on the disk. */
  sync(): void {
    for (const shard of this.#shards) shard?.sync()
  }

  figures(shard: ShardIndex): HistoryWriterFigures {
    return this.#shard(shard).figures()
  }

  /** Commits, and closes the files. */
  close(): void {
    this.flush()
    for (const shard of this.#shards) shard?.close()
    this.#shards.length = 0
  }

  #shard(index: ShardIndex): ShardHistory {
    let history = this.#shards[index]
    if (history === undefined) {
      const shard = this.#markets.shards[index]
      assert(shard !== undefined, `shard ${index} is not in markets.yml`)
      history = new ShardHistory(historyPath(this.#directory, shard), index, this.#markets, this.#options)
      this.#shards[index] = history
    }
    return history
  }
}

type Taken = { readonly bytes: Uint8Array; readonly events: Float64Array; readonly seq: number }

class ShardHistory {
  readonly #database: DatabaseSync
  readonly #statements: HistoryStatements
  readonly #shard: ShardIndex
  readonly #rows: HistoryRows
  readonly #eventsMax: number
  readonly #wait_ms: number
  #taken: Taken[] = []
  #takenSlots = 0
  #since_ms = 0
  #batches = 0
  #rowCount = 0
  #transactions = 0
  #writing_ms = 0

  constructor(path: string, shard: ShardIndex, markets: Markets, options: HistoryWriterOptions) {
    this.#database = openHistoryToWrite(path)
    this.#statements = new HistoryStatements(this.#database)
    this.#shard = shard
    this.#rows = new HistoryRows(markets)
    this.#eventsMax = options.eventsPerTransaction ?? EVENTS_PER_TRANSACTION
    this.#wait_ms = options.transaction_ms ?? TRANSACTION_MS
  }

  progress(): Seq {
    return (this.#progress()?.seq ?? 0) as Seq
  }

  write(bytes: Uint8Array, events: Float64Array): void {
    const seq = readBatchHeader(bytes).seq
    const last = this.#taken.at(-1)
    assert(last === undefined || seq === last.seq + 1, `batch ${seq} after ${last?.seq ?? 0} in the history`)
    if (this.#taken.length === 0) this.#since_ms = performance.now()
    this.#taken.push({ bytes, events: events.slice(), seq })
    // Events have 6 to 20 slots; a batch without any still counts, because it moves the progress.
    this.#takenSlots += events.length + SLOTS_PER_EVENT
    const full = this.#takenSlots >= this.#eventsMax * SLOTS_PER_EVENT
    if (full || performance.now() - this.#since_ms >= this.#wait_ms) this.flush()
  }

  flush(): void {
    if (this.#taken.length === 0) return
    const began_ms = performance.now()
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      this.#writeTaken()
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    } finally {
      this.#rows.clear()
    }
    this.#taken = []
    this.#takenSlots = 0
    this.#transactions++
    this.#writing_ms += performance.now() - began_ms
  }

  /** A checkpoint begins by writing the log to the disk, whether or not it can copy all of it then. */
  sync(): void {
    this.flush()
    this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  }

  figures(): HistoryWriterFigures {
    return {
      batches: this.#batches,
      rows: this.#rowCount,
      transactions: this.#transactions,
      writing_seconds: this.#writing_ms / 1_000,
    }
  }

  close(): void {
    this.#database.close()
  }

  /** Under the write lock: another archiver of the shard may have been here, so what counts is what the file says now. */
  #writeTaken(): void {
    const before = this.#progress()
    const batches = this.#taken.filter((batch) => batch.seq > (before?.seq ?? 0))
    const [first] = batches
    const last = batches.at(-1)
    if (first === undefined || last === undefined) return
    assert(
      before === null || first.seq === before.seq + 1,
      `the history of shard ${this.#shard} ends at batch ${before?.seq ?? 0}, and batch ${first.seq} came`,
    )
    for (const batch of batches) this.#takeBatch(batch)
    const first_seq = before?.first_seq ?? first.seq
    this.#writeRows(first_seq > 1)
    this.#statements.replaceProgress.run({
      shard: this.#shard,
      first_seq,
      seq: last.seq,
      timestamp: readBatchHeader(last.bytes).timestamp,
    })
    this.#batches += batches.length
  }

  #takeBatch(batch: Taken): void {
    try {
      this.#rows.take(batch.bytes, batch.events)
    } catch (error) {
      if (error instanceof CodecError)
        throw new Error(`batch ${batch.seq} of shard ${this.#shard} is damaged`, { cause: error })
      throw error
    }
  }

  #writeRows(beganLate: boolean): void {
    const rows = this.#rows
    const statements = this.#statements
    for (const row of rows.orders.values()) statements.insertOrder.run(row)
    for (const row of rows.orderChanges.values()) {
      const changed = statements.changeOrder.run(row)
      assert(changed === 1 || beganLate, `order ${row.order_id} has an event but no row in the history`)
    }
    for (const row of rows.executions) statements.insertExecution.run(row)
    for (const row of rows.trades) statements.insertTrade.run(row)
    for (const row of rows.postings) statements.insertPosting.run(row)
    for (const row of rows.funds) statements.insertFunds.run(row)
    for (const row of rows.rejects) statements.insertReject.run(row)
    for (const [instrument, series] of rows.candles) {
      for (const one of series) this.#writeCandles(instrument, one)
    }
    this.#rowCount +=
      rows.orders.size +
      rows.orderChanges.size +
      rows.executions.length +
      rows.trades.length +
      rows.postings.length +
      rows.funds.length +
      rows.rejects.length
  }

  #writeCandles(instrument: InstrumentId, series: CandleSeries): void {
    const seconds = CANDLE_INTERVAL_SECONDS[series.interval]
    // Only the first can be in the file already: batch time does not go back.
    const { openTime } = series.at(0)
    const stored = this.#statements.selectCandle.get(instrument, seconds, openTime) as CandlesTable | undefined
    if (stored !== undefined) series.merge(candleOf(stored))
    for (let i = 0; i < series.count; i++) {
      this.#statements.replaceCandle.run(candleRow(instrument, seconds, series.at(i)))
    }
    this.#rowCount += series.count
  }

  #progress(): ProgressTable | null {
    return (this.#statements.selectProgress.get(this.#shard) as ProgressTable | undefined) ?? null
  }
}

const SLOTS_PER_EVENT = 10

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
