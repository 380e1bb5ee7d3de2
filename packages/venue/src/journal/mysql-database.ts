// The venue's way to its tables in MySQL, for every shard of one thread: the primary wherever it is, and reads that can be relied on.
//
// What a database shows is not of necessity what it has promised: after a crash, or on a server that has just been promoted, rows are visible that
// no other server acknowledged, and that vanish with the next fail-over. A commit that is acknowledged *on top* of them settles them, because
// acknowledgements are of a prefix of the binlog. So a connection commits something before the first thing it reads. From then on everything
// that becomes visible on that server was acknowledged first (AFTER_SYNC), until the server ends, which the connection does not survive, or
// until another promotion, which every read notices by the term that it reads along in the same statement. `docs/adr/0015-mysql-journal.md`.

import type { Shard } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import { migrateMysql, SchemaError } from '@wintrades/platform/migrations'
import {
  isServerTrouble,
  isTransient,
  type MysqlConnection,
  type MysqlOptions,
  type MysqlRow,
  type MysqlValue,
  type PrimaryFigures,
  PrimaryFinder,
  readTermIfAny,
  TERM_TABLE,
} from '@wintrades/platform/mysql'
import { JOURNAL_COMPONENT } from './mysql-schema.ts'

/** Longer than an acknowledgement takes across the world under load; what hangs at a lost primary is broken off sooner, when another is found. */
export const TIMEOUT_MS = 5_000
const WATCH_MS = 500
const STANDBY = 4
const PREPARE_RETRY_MS = 1_000
/** Readers seldom meet on one of so many rows, and they stay so many. */
const BARRIER_SLOTS = 1_024
/** Terms change seldom; this many in a row while one thing is being read is something else. */
const SETTLE_ATTEMPTS_MAX = 8

const BARRIER = `
  INSERT INTO barrier (slot, number) VALUES (?, 1) ON DUPLICATE KEY UPDATE number = number + 1
`
const FIRST_LEASE = `INSERT IGNORE INTO lease (shard, epoch, holder, origin, reserved_for, pinned) VALUES (?, 0, NULL, 0, NULL, 0)`
const FIRST_RENEWAL = `
  INSERT IGNORE INTO lease_renewal (shard, epoch, renewals, expires_ms, ttl_ms, server) VALUES (?, 0, 0, 0, 0, '')
`

/** A SELECT with the term of the server's history beside its own columns, from the same view of the data; and without, where no operator is. */
export type SettledQuery = { readonly withTerm: string; readonly without: string }

/** The column that makes the difference. */
export const TERM_COLUMN = `(SELECT MAX(number) FROM ${TERM_TABLE}) AS term`

/** What a connection remembers: the term at which a commit of its own was acknowledged; null: the server has no terms. */
const SETTLED = 'settled'

export class JournalDatabase {
  /** After so long without an answer a statement is broken off. */
  readonly timeout_ms: number
  readonly #finder: PrimaryFinder
  readonly #logger: Logger
  #users = 0

  constructor(options: MysqlOptions, logger: Logger, connections_max: number, timeout_ms: number = TIMEOUT_MS) {
    this.#logger = logger
    this.timeout_ms = timeout_ms
    this.#finder = new PrimaryFinder(options, logger, { connections_max, waiting_max: 4_096, standby: STANDBY })
    this.#finder.watch(WATCH_MS)
  }

  get figures(): PrimaryFigures {
    return this.#finder.figures
  }

  /** Makes or migrates the tables, and the rows of shards that are new. Waits for a primary as long as it takes. */
  async prepare(shards: readonly Pick<Shard, 'index'>[]): Promise<void> {
    for (;;) {
      try {
        await this.use(async (connection) => {
          const query = async (sql: string, values: readonly unknown[] = []) =>
            [await connection.compiled(sql, values, MIGRATION_TIMEOUT_MS), null] as const
          await migrateMysql({ query }, JOURNAL_COMPONENT, { where: connection.server })
          for (const { index } of shards) {
            await connection.write(FIRST_LEASE, [index], this.timeout_ms)
            await connection.write(FIRST_RENEWAL, [index], this.timeout_ms)
          }
        })
        return
      } catch (error) {
        if (error instanceof SchemaError || !(isServerTrouble(error) || isTransient(error))) throw error
        this.#logger.warn('the journal’s database cannot be reached, trying again', { error })
        await new Promise((resolve) => setTimeout(resolve, PREPARE_RETRY_MS))
      }
    }
  }

  /** Lends a connection to the primary. What it rejects with says nothing of what was done. */
  async use<Result>(work: (connection: MysqlConnection) => Promise<Result>): Promise<Result> {
    return await this.#finder.use(work, this.timeout_ms, isServerTrouble)
  }

  /** How many rows one statement, committed and acknowledged, has changed. */
  async write(sql: string, values: readonly MysqlValue[]): Promise<number> {
    return await this.use((connection) => connection.write(sql, values, this.timeout_ms))
  }

  /** Rows that are durable for good. */
  async read(query: SettledQuery, values: readonly MysqlValue[]): Promise<readonly MysqlRow[]> {
    return await this.use((connection) => readSettled(connection, query, values, this.timeout_ms))
  }

  /** Rows that carry a proof of their own, durable or not. */
  async readUnsettled(sql: string, values: readonly MysqlValue[]): Promise<readonly MysqlRow[]> {
    return await this.use((connection) => connection.rows(sql, values, this.timeout_ms))
  }

  share(): this {
    this.#users++
    return this
  }

  /** By the last of its users. */
  close(): void {
    if (--this.#users <= 0) this.#finder.close()
  }
}

const MIGRATION_TIMEOUT_MS = 120_000

export async function readSettled(
  connection: MysqlConnection,
  { withTerm, without }: SettledQuery,
  values: readonly MysqlValue[],
  timeout_ms: number,
): Promise<readonly MysqlRow[]> {
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS_MAX; attempt++) {
    if (!connection.notes.has(SETTLED)) await settle(connection, timeout_ms)
    const term = connection.notes.get(SETTLED) as number | null
    const rows = await connection.rows(term === null ? without : withTerm, values, timeout_ms)
    if (term === null || rows.every((row) => Number(row['term'] ?? 0) === term)) return rows
    connection.notes.delete(SETTLED)
  }
  throw new Error(`${connection.server}: its term changes all the time`)
}

/** A commit that another server acknowledges: what was visible before it stays. */
export async function settle(connection: MysqlConnection, timeout_ms: number): Promise<void> {
  const term = await readTermIfAny(connection, timeout_ms)
  await connection.write(BARRIER, [Math.floor(Math.random() * BARRIER_SLOTS)], timeout_ms)
  connection.notes.set(SETTLED, term)
}
