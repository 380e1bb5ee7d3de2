// Opens embedded databases with the settings every part relies on (WAL, synchronous=FULL, foreign keys, a busy time-out), and
// gives Kysely a dialect over node:sqlite. Promises durability at commit; schemas and queries belong to the callers.

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
} from 'kysely'

export type OpenSqliteOptions = {
  readonly readOnly?: boolean
  /** How long a statement waits for another process's write lock. */
  readonly busyTimeout_ms?: number
}

const BUSY_TIMEOUT_MS = 5_000
const STATEMENTS_CACHED_MAX = 256

/** Opens (and unless `readOnly`, creates) the database file, and its folder. */
export function openSqlite(path: string, options: OpenSqliteOptions = {}): DatabaseSync {
  const readOnly = options.readOnly ?? false
  if (!readOnly && path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new DatabaseSync(path, { readOnly, timeout: options.busyTimeout_ms ?? BUSY_TIMEOUT_MS })
  if (!readOnly) enterWriteAheadLog(database)
  database.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY')
  return database
}

/** SQLite answers "busy" at once, without waiting, while another process switches the same new file to WAL: so wait here. */
function enterWriteAheadLog(database: DatabaseSync): void {
  const deadline_ms = Date.now() + BUSY_TIMEOUT_MS
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline_ms) throw error
      Atomics.wait(pause, 0, 0, 5)
    }
  }
}

/** Another connection holds the lock and did not let go within the busy time-out. */
export function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode
  // The low byte is SQLITE_BUSY in all its extended forms.
  return typeof code === 'number' && (code & 0xff) === 5
}

/** A Kysely dialect over an open database; closing stays with whoever calls `destroy()` on Kysely. */
export function sqliteDialect(database: DatabaseSync): Dialect {
  const cached = new StatementCache(database)
  const config = { database: { close: () => database.close(), prepare: (sql: string) => cached.get(sql) } }
  const dialect = new SqliteDialect(config)
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new ImmediateDriver(config),
    createIntrospector: (kysely) => dialect.createIntrospector(kysely),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  }
}

/** Takes the write lock when a transaction begins: a read that later upgrades would fail at once if another process wrote. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }
}

type PreparedStatement = {
  readonly reader: boolean
  all(parameters: readonly unknown[]): unknown[]
  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint }
  iterate(parameters: readonly unknown[]): IterableIterator<unknown>
}

/** Prepared statements by text; the one unused for longest goes first. */
class StatementCache {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, PreparedStatement>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  get(sql: string): PreparedStatement {
    const statement = this.#statements.get(sql) ?? wrap(this.#database.prepare(sql))
    this.#statements.delete(sql)
    this.#statements.set(sql, statement)
    if (this.#statements.size > STATEMENTS_CACHED_MAX) {
      const oldest = this.#statements.keys().next()
      if (!oldest.done) this.#statements.delete(oldest.value)
    }
    return statement
  }
}

function wrap(statement: StatementSync): PreparedStatement {
  const bind = (parameters: readonly unknown[]) => parameters.map(toSql)
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...bind(parameters)),
    run: (parameters) => statement.run(...bind(parameters)),
    iterate: (parameters) => statement.iterate(...bind(parameters)),
  }
}

function toSql(value: unknown): SQLInputValue {
  if (typeof value === 'boolean') return value ? 1 : 0
  return (value ?? null) as SQLInputValue
}
