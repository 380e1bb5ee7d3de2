// Writes the history of the shards that are archived here to the MySQL primary. Promises that every batch is in the history exactly once, in
// order, whatever crashes, whoever else writes and whatever primary is promoted: rows and progress are one transaction, which commits only if
// progress is where this writer left it. Which batches come is the archiver's.
//
// A commit waits for another region. So transactions are large, and the next one's rows are on their way while one commits; what depends on
// the one before (changes of orders, candles, progress) is written only once that is committed.

import { performance } from 'node:perf_hooks'
import { assert, type Markets, readBatchHeader, type Seq, type ShardIndex } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import { migrateMysql } from '@wintrades/platform/migrations'
import { isDuplicate, isServerTrouble, type MysqlConnection, type PrimaryFinder } from '@wintrades/platform/mysql'
import { CANDLE_INTERVAL_SECONDS } from '../live/candles.ts'
import { Calendar } from './calendar.ts'
import { explainWriteError } from './mysql-errors.ts'
import {
  type Bulk,
  bulkChange,
  bulkInsert,
  moveProgress,
  raiseSyncs,
  readDays,
  readLastCandles,
  readPartitionBounds,
  readProgress,
  writeBulk,
} from './mysql-statements.ts'
import { HistoryRows } from './rows.ts'
import { type CandlesTable, HISTORY, type ProgressTable } from './schema.ts'
import {
  candleRows,
  checkContinues,
  executionsByKey,
  HistoryDamage,
  HistoryMoved,
  type HistoryWriterFigures,
  ordersByKey,
  progressAfter,
  type Taken,
  takeInto,
} from './writing.ts'

export type MysqlHistoryWriterOptions = {
  /** A transaction is begun once it has this many rows, … */
  readonly rowsPerTransaction?: number
  /** … or, when a batch is written, once its first batch has waited this long. */
  readonly transaction_ms?: number
}

/** About 250 KB of binlog: an append that comes after it waits until it is on the disks of two servers. */
const ROWS_PER_TRANSACTION = 2_000
const TRANSACTION_MS = 500
/** Transactions of a shard on their way at once: one that commits, and those that follow. */
const TRANSACTIONS_MAX = 3
const DEADLINE_MS = 30_000
/** How long the primary and a connection to it are waited for; the archiver tries again. */
const FIND_MS = 5_000
/** How long a step of a migration may take. */
const MIGRATION_DEADLINE_MS = 600_000

/** An archiver's sink. */
export class MysqlHistoryWriter {
  readonly #finder: PrimaryFinder
  readonly #markets: Markets
  readonly #logger: Logger
  readonly #options: MysqlHistoryWriterOptions
  readonly #shards = new Map<ShardIndex, ShardHistory>()
  #migrating: Promise<void> | null = null

  constructor(finder: PrimaryFinder, markets: Markets, logger: Logger, options: MysqlHistoryWriterOptions = {}) {
    this.#finder = finder
    this.#markets = markets
    this.#logger = logger
    this.#options = options
  }

  /** Gives up what of a shard was taken and is not committed. The last batch that is committed (by anybody); 0: none. */
  async begin(shard: ShardIndex): Promise<Seq> {
    await this.#migrated()
    return await this.#shard(shard).begin()
  }

  /** Takes the next batch of its shard, with its events (which may be changed once this returns; the bytes may not). */
  async write(bytes: Uint8Array, events: Float64Array): Promise<void> {
    await this.#shard(readBatchHeader(bytes).shard).write(bytes, events)
  }

  /** Commits what has been taken. */
  async flush(shard: ShardIndex): Promise<void> {
    await this.#shard(shard).flush()
  }

  /** Commits, and learns from an acknowledged commit that what was there when it began is as durable. */
  async sync(shard: ShardIndex): Promise<void> {
    await this.#shard(shard).sync()
  }

  figures(shard: ShardIndex): HistoryWriterFigures {
    return this.#shard(shard).figures()
  }

  /** Commits; the finder is its owner's to close. */
  async close(): Promise<void> {
    await Promise.all([...this.#shards.values()].map((shard) => shard.close()))
  }

  #shard(index: ShardIndex): ShardHistory {
    let history = this.#shards.get(index)
    if (history === undefined) {
      assert(this.#markets.shards[index] !== undefined, `shard ${index} is not in markets.yml`)
      history = new ShardHistory(this.#finder, index, this.#markets, this.#options)
      this.#shards.set(index, history)
    }
    return history
  }

  /** Once for this process; what fails is tried again at the next beginning. */
  #migrated(): Promise<void> {
    this.#migrating ??= migrateHistory(this.#finder, this.#logger).catch((error: unknown) => {
      this.#migrating = null
      throw explainWriteError(error)
    })
    return this.#migrating
  }
}

/** Makes or migrates the history's tables on the primary. Throws `SchemaError`. */
export async function migrateHistory(finder: PrimaryFinder, logger: Logger): Promise<void> {
  const report = await finder.use(
    async (connection) => {
      const query = async (text: string, values: readonly unknown[] = []) =>
        [await connection.compiled(text, values, MIGRATION_DEADLINE_MS), null] as const
      return await migrateMysql({ query }, HISTORY, { where: connection.server })
    },
    FIND_MS,
    isServerTrouble,
  )
  if (report.steps.length > 0) logger.info('the tables of the history are migrated', { ...report })
}

/** What one transaction writes. */
type Transaction = {
  readonly before: ProgressTable | null
  readonly after: ProgressTable
  readonly batches: number
  readonly rows: number
  /** Rows that nobody else can have written. */
  readonly inserts: readonly Bulk[]
  /** What builds on the transaction before. */
  readonly changes: Bulk | null
  readonly candles: Bulk | null
}

class ShardHistory {
  readonly #finder: PrimaryFinder
  readonly #shard: ShardIndex
  readonly #markets: Markets
  readonly #rowsMax: number
  readonly #wait_ms: number
  #rows: HistoryRows | null = null
  /** After the last transaction that was begun. */
  #progress: ProgressTable | null = null
  /** The last ones of each instrument and interval, as the last transaction that was begun has them. */
  readonly #candles = new Map<string, CandlesTable>()
  #first: Taken | null = null
  #last: Taken | null = null
  #taken = 0
  #since_ms = 0
  /** Begun and not committed, in order; each one ends after those before it. */
  #running: Promise<void>[] = []
  #failure: unknown = null
  #committed = false
  #batches = 0
  #rowCount = 0
  #transactions = 0
  #writing_ms = 0

  constructor(finder: PrimaryFinder, shard: ShardIndex, markets: Markets, options: MysqlHistoryWriterOptions) {
    this.#finder = finder
    this.#shard = shard
    this.#markets = markets
    this.#rowsMax = options.rowsPerTransaction ?? ROWS_PER_TRANSACTION
    this.#wait_ms = options.transaction_ms ?? TRANSACTION_MS
  }

  async begin(): Promise<Seq> {
    await Promise.allSettled(this.#running)
    this.#running = []
    this.#forget()
    const instruments = this.#markets.instruments.filter((one) => one.shard === this.#shard).map((one) => one.id)
    const read = async (connection: MysqlConnection) => ({
      progress: await readProgress(connection, this.#shard, DEADLINE_MS),
      days: await readDays(connection, this.#shard, DEADLINE_MS),
      candles: await readLastCandles(connection, instruments, DEADLINE_MS),
    })
    // One moment for all three: another archiver may be at work.
    const { progress, days, candles } = await this.#use((connection) => atOneMoment(connection, () => read(connection)))
    this.#progress = progress
    this.#rows = new HistoryRows(this.#markets, new Calendar(days))
    this.#candles.clear()
    for (const candle of candles) this.#candles.set(candleKey(candle), candle)
    this.#failure = null
    this.#committed = false
    return (progress?.seq ?? 0) as Seq
  }

  async write(bytes: Uint8Array, events: Float64Array): Promise<void> {
    this.#check()
    const rows = this.#rows
    assert(rows !== null, 'a history is begun before it is written')
    const { seq } = readBatchHeader(bytes)
    const taken: Taken = { bytes, events, seq }
    if (this.#last === null) {
      checkContinues(this.#shard, this.#progress, taken)
      this.#first = taken
      this.#since_ms = performance.now()
    }
    assert(this.#last === null || seq === this.#last.seq + 1, `batch ${seq} after ${this.#last?.seq} in the history`)
    takeInto(rows, this.#shard, taken)
    this.#last = taken
    this.#taken += 1
    if (rows.count < this.#rowsMax && performance.now() - this.#since_ms < this.#wait_ms) return
    this.#start()
    // There is room for the next one.
    while (this.#running.length >= TRANSACTIONS_MAX) await this.#running[0]
    this.#check()
  }

  async flush(): Promise<void> {
    this.#check()
    this.#start()
    await this.#running.at(-1)
    this.#check()
  }

  async sync(): Promise<void> {
    await this.flush()
    if (this.#committed) return
    await this.#use((connection) => raiseSyncs(connection, this.#shard, DEADLINE_MS))
    const found = await this.#use((connection) => readProgress(connection, this.#shard, DEADLINE_MS))
    if (found?.seq !== this.#progress?.seq || found?.hash !== this.#progress?.hash) throw this.#moved()
    this.#committed = true
  }

  figures(): HistoryWriterFigures {
    return {
      batches: this.#batches,
      rows: this.#rowCount,
      transactions: this.#transactions,
      writing_seconds: this.#writing_ms / 1_000,
    }
  }

  async close(): Promise<void> {
    if (this.#failure === null) this.#start()
    await Promise.allSettled(this.#running)
  }

  /** After a failure nothing goes on before a new beginning. */
  #check(): void {
    if (this.#failure !== null) throw this.#failure
  }

  #forget(): void {
    this.#rows = null
    this.#first = null
    this.#last = null
    this.#taken = 0
  }

  #start(): void {
    const transaction = this.#assemble()
    if (transaction === null) return
    const previous = this.#running.at(-1) ?? Promise.resolve()
    const began_ms = performance.now()
    const running = this.#commit(transaction, previous).then(
      () => {
        this.#committed = true
        this.#transactions += 1
        this.#batches += transaction.batches
        this.#rowCount += transaction.rows
        this.#writing_ms += performance.now() - began_ms
      },
      (error: unknown) => {
        this.#failure ??= error
      },
    )
    this.#running.push(running)
    void running.then(() => {
      this.#running = this.#running.filter((one) => one !== running)
    })
  }

  /** What has been taken, as statements; then nothing is taken. */
  #assemble(): Transaction | null {
    const [rows, first, last] = [this.#rows, this.#first, this.#last]
    if (rows === null || first === null || last === null) return null
    const candles = this.#candleRows(rows)
    const inserts = [
      bulkInsert('days', rows.days),
      bulkInsert('orders', ordersByKey(rows)),
      bulkInsert('executions', executionsByKey(rows)),
      bulkInsert('trades', rows.trades),
      bulkInsert('funds', rows.funds),
      bulkInsert('rejects', rows.rejects),
    ].filter((bulk) => bulk !== null)
    const before = this.#progress
    this.#progress = progressAfter(this.#shard, before, first, last)
    const transaction: Transaction = {
      before,
      after: this.#progress,
      batches: this.#taken,
      rows: rows.count + candles.length,
      inserts,
      changes: bulkChange(
        [...rows.orderChanges.values()].sort((a, b) => a.account - b.account || a.order_id - b.order_id),
      ),
      candles: bulkInsert('candles', candles),
    }
    rows.clear()
    this.#first = null
    this.#last = null
    this.#taken = 0
    return transaction
  }

  #candleRows(rows: HistoryRows): CandlesTable[] {
    return [...rows.candles].flatMap(([instrument, all]) =>
      all.flatMap((series) => {
        const key = candleKey({ instrument, interval_seconds: CANDLE_INTERVAL_SECONDS[series.interval] })
        const last = this.#candles.get(key)
        const stored = last?.open_time === series.at(0).openTime ? last : null
        const written = candleRows(instrument, series, stored)
        this.#candles.set(key, written.at(-1) as CandlesTable)
        return written
      }),
    )
  }

  async #commit(transaction: Transaction, previous: Promise<void>): Promise<void> {
    const { before, after, inserts, changes, candles } = transaction
    try {
      await this.#use(async (connection) => {
        await connection.transaction(async () => {
          for (const bulk of inserts) await writeBulk(connection, bulk, DEADLINE_MS)
          await previous
          // Of the one before nothing is there if it failed, and nothing may build on it.
          if (this.#failure !== null) throw this.#failure
          if (candles !== null) await writeBulk(connection, candles, DEADLINE_MS)
          if (changes !== null) await this.#change(connection, changes)
          if (!(await moveProgress(connection, before, after, DEADLINE_MS))) throw this.#moved()
        }, DEADLINE_MS)
      })
    } catch (error) {
      if (!isDuplicate(error)) throw explainWriteError(error)
      throw await this.#explainDuplicate(before, error)
    }
  }

  async #change(connection: MysqlConnection, changes: Bulk): Promise<void> {
    const found = await writeBulk(connection, changes, DEADLINE_MS)
    if (found === changes.count) return
    // Orders whose partition was dropped may still be changed; any other has to be there.
    const [oldest] = await readPartitionBounds(connection, 'orders', DEADLINE_MS)
    const missing = changes.count - found
    const days = (JSON.parse(changes.json) as readonly (readonly number[])[]).map((row) => row[DAY_OF_CHANGE] as number)
    const mayBeGone = days.filter((day) => oldest !== undefined && oldest !== null && day < oldest).length
    if (missing <= mayBeGone) return
    throw new HistoryDamage(`${missing} orders of shard ${this.#shard} have an event but no row in the history`)
  }

  /** A row that should be new is there: another archiver was faster, or history and progress do not fit together. */
  async #explainDuplicate(before: ProgressTable | null, error: unknown): Promise<unknown> {
    const now = await this.#use((connection) => readProgress(connection, this.#shard, DEADLINE_MS))
    if (now?.seq !== before?.seq) return this.#moved()
    return new HistoryDamage(
      `the history of shard ${this.#shard} has rows of batches after ${before?.seq ?? 0}, where its progress ends: it was changed by hand ` +
        'or restored in part (docs/runbooks/history-behind.md)',
      { cause: error },
    )
  }

  #moved(): HistoryMoved {
    return new HistoryMoved(
      `another archiver writes the history of shard ${this.#shard}; beginning again where it is now`,
    )
  }

  async #use<Result>(work: (connection: MysqlConnection) => Promise<Result>): Promise<Result> {
    return await this.#finder.use(work, FIND_MS, isServerTrouble)
  }
}

/** The place of `day` in a change of an order. */
const DAY_OF_CHANGE = 3

function candleKey({ instrument, interval_seconds }: { instrument: number; interval_seconds: number }): string {
  return `${instrument}/${interval_seconds}`
}

/** Reads that see one commit. */
export async function atOneMoment<Result>(connection: MysqlConnection, read: () => Promise<Result>): Promise<Result> {
  await connection.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY', [], DEADLINE_MS)
  await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT', [], DEADLINE_MS)
  try {
    return await read()
  } finally {
    // A connection that is broken has no transaction any more.
    if (connection.broken === null) await connection.query('COMMIT', [], DEADLINE_MS)
  }
}
