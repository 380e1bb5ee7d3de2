// Kysely over node:sqlite. Apart from the package's entry (`@wintrades/platform/kysely`), because loading Kysely takes longer than
// everything else here and most processes and threads do without it.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
} from 'kysely'

const STATEMENTS_CACHED_MAX = 256

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
