// Writes the history of the shards that are archived here into SQLite files, in bulk: many batches a transaction, progress in the same
// transaction. Promises that every batch is in the history exactly once, in order, whatever crashes and whoever else writes to the same
// file. Which batches come, and when there is time to commit, is the archiver's.

import { performance } from 'node:perf_hooks'
import type { DatabaseSync } from 'node:sqlite'
import { assert, type InstrumentId, type Markets, readBatchHeader, type Seq, type ShardIndex } from '@wintrades/domain'
import { CANDLE_INTERVAL_SECONDS, type CandleSeries } from '../live/candles.ts'
import { Calendar } from './calendar.ts'
import { HistoryRows } from './rows.ts'
import type { CandlesTable, DaysTable, ProgressTable } from './schema.ts'
import { historyPath, openHistoryToWrite } from './sqlite-files.ts'
import { HistoryStatements } from './sqlite-statements.ts'
import {
  candleRows,
  checkContinues,
  executionsByKey,
  HistoryDamage,
  type HistoryWriterFigures,
  type HistoryWriterOptions,
  ordersByKey,
  progressAfter,
  TakenBatches,
  takeInto,
} from './writing.ts'

const EVENTS_PER_TRANSACTION = 20_000
const TRANSACTION_MS = 500

/** An archiver's sink. */
export class SqliteHistoryWriter {
  readonly #directory: string
  readonly #markets: Markets
  readonly #options: HistoryWriterOptions
  readonly #shards: ShardHistory[] = []

  constructor(directory: string, markets: Markets, options: HistoryWriterOptions = {}) {
    this.#directory = directory
    this.#markets = markets
    this.#options = options
  }

  /** Forgets what of a shard was taken and not committed. The last batch that is committed (by anybody); 0: none. */
  async begin(shard: ShardIndex): Promise<Seq> {
    return this.#shard(shard).begin()
  }

  /**
   * Takes the next batch of its shard, with its events (which may be changed once this returns; the bytes may not). Durable after
   * the next commit, which happens here when enough has come together. A batch that the history has already is skipped.
   */
  async write(bytes: Uint8Array, events: Float64Array): Promise<void> {
    this.#shard(readBatchHeader(bytes).shard).write(bytes, events)
  }

  /** Commits what has been taken. It can be read; a power cut may still take it back, and then the journal gives it again. */
  async flush(shard: ShardIndex): Promise<void> {
    this.#shard(shard).flush()
  }

  /** Commits, and waits until it is on the disk. */
  async sync(shard: ShardIndex): Promise<void> {
    this.#shard(shard).sync()
  }

  figures(shard: ShardIndex): HistoryWriterFigures {
    return this.#shard(shard).figures()
  }

  /** Commits, and closes the files. */
  async close(): Promise<void> {
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

class ShardHistory {
  readonly #database: DatabaseSync
  readonly #statements: HistoryStatements
  readonly #shard: ShardIndex
  readonly #markets: Markets
  readonly #taken: TakenBatches
  /** null: to be made from what the file says. */
  #rows: HistoryRows | null = null
  #batches = 0
  #rowCount = 0
  #transactions = 0
  #writing_ms = 0

  constructor(path: string, shard: ShardIndex, markets: Markets, options: HistoryWriterOptions) {
    this.#database = openHistoryToWrite(path)
    this.#statements = new HistoryStatements(this.#database)
    this.#shard = shard
    this.#markets = markets
    this.#taken = new TakenBatches(
      options.eventsPerTransaction ?? EVENTS_PER_TRANSACTION,
      options.transaction_ms ?? TRANSACTION_MS,
    )
  }

  begin(): Seq {
    this.#taken.drain()
    this.#rows = null
    return (this.#progress()?.seq ?? 0) as Seq
  }

  write(bytes: Uint8Array, events: Float64Array): void {
    this.#taken.add(bytes, events)
    if (this.#taken.isDue) this.flush()
  }

  flush(): void {
    const taken = this.#taken.drain()
    if (taken.length === 0) return
    const began_ms = performance.now()
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      this.#write(taken)
      this.#database.exec('COMMIT')
      this.#rows?.clear()
    } catch (error) {
      // SQLite itself may have rolled back already, as when the disk is full.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      this.#rows = null
      throw error
    }
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
    try {
      this.flush()
    } finally {
      this.#database.close()
    }
  }

  /** Under the write lock: another archiver of the shard may have been here, so what counts is what the file says now. */
  #write(taken: ReturnType<TakenBatches['drain']>): void {
    const before = this.#progress()
    const batches = taken.filter((batch) => batch.seq > (before?.seq ?? 0))
    const [first] = batches
    const last = batches.at(-1)
    if (first === undefined || last === undefined) return
    checkContinues(this.#shard, before, first)
    // What another archiver wrote meanwhile may have begun a day.
    const rows = (batches.length === taken.length ? this.#rows : null) ?? this.#newRows()
    this.#rows = rows
    for (const batch of batches) takeInto(rows, this.#shard, batch)
    this.#writeRows(rows)
    this.#statements.replaceProgress.run(progressAfter(this.#shard, before, first, last))
    this.#batches += batches.length
  }

  #writeRows(rows: HistoryRows): void {
    const statements = this.#statements
    for (const row of rows.days) statements.insertDay.run(row)
    for (const row of ordersByKey(rows)) statements.insertOrder.run(row)
    for (const row of rows.orderChanges.values()) {
      if (statements.changeOrder.run(row) === 1) continue
      throw new HistoryDamage(`order ${row.order_id} has an event but no row in the history`)
    }
    for (const row of executionsByKey(rows)) statements.insertExecution.run(row)
    for (const row of rows.trades) statements.insertTrade.run(row)
    for (const row of rows.funds) statements.insertFunds.run(row)
    for (const row of rows.rejects) statements.insertReject.run(row)
    for (const [instrument, series] of rows.candles) {
      for (const one of series) this.#writeCandles(instrument, one)
    }
    this.#rowCount += rows.count
  }

  #writeCandles(instrument: InstrumentId, series: CandleSeries): void {
    const seconds = CANDLE_INTERVAL_SECONDS[series.interval]
    const { openTime } = series.at(0)
    const stored = this.#statements.selectCandle.get(instrument, seconds, openTime) as CandlesTable | undefined
    for (const row of candleRows(instrument, series, stored ?? null)) this.#statements.replaceCandle.run(row)
    this.#rowCount += series.count
  }

  #newRows(): HistoryRows {
    const days = this.#statements.selectDays.all(this.#shard) as DaysTable[]
    return new HistoryRows(this.#markets, new Calendar(days))
  }

  #progress(): ProgressTable | null {
    return (this.#statements.selectProgress.get(this.#shard) as ProgressTable | undefined) ?? null
  }
}
