// The accounts' database as everybody here sees it: who has an account, which sessions are open, which API keys there are, and the audit log.
// Two implementations, SQLite (`sqlite-accounts.ts`) and MySQL (`mysql-accounts.ts`), run the same queries from one source.
//
// A transaction is a generator that yields the statements it wants run. It can await nothing else, so on SQLite it is one uninterrupted
// step, and on MySQL its locks are held for round trips only. It may be run again from its beginning, after a deadlock or when an
// answer was lost, so it first looks whether what it is about to do was done: its rows have keys that were made before it began.

import type { CircuitBreaker } from '@wintrades/platform/circuit-breaker'
import type { SchemaDialect } from '@wintrades/platform/migrations'
import type { CompiledQuery, Kysely } from 'kysely'
import type { AccountsTables } from './schema.ts'

export type Query<Row> = { compile(): CompiledQuery<Row> }
export type Answer = { readonly rows: readonly unknown[]; readonly changed: number; readonly insertId: number }
export type Work<Value> = Generator<CompiledQuery<unknown>, Value, Answer>
/** `attempt` from 1 on; above it an earlier one may have taken effect after all. */
export type Transaction<Value> = (attempt: number) => Work<Value>

export interface AccountsDatabase {
  readonly dialect: SchemaDialect
  /** Builds queries, typed; they are run by the methods here. */
  readonly queries: Kysely<AccountsTables>
  /** As committed. Throws ACCOUNTS_UNAVAILABLE. */
  all<Row>(query: Query<Row>): Promise<Row[]>
  first<Row>(query: Query<Row>): Promise<Row | undefined>
  /** What may be seconds old: MySQL's replica of this region if there is one. Throws ACCOUNTS_UNAVAILABLE. */
  stale: {
    all<Row>(query: Query<Row>): Promise<Row[]>
    first<Row>(query: Query<Row>): Promise<Row | undefined>
  }
  /**
   * One statement that does no harm when it is run twice; how many rows it found to change. Throws OVERLOADED, ACCOUNTS_UNAVAILABLE (nothing
   * was done) or OUTCOME_UNKNOWN.
   */
  run(query: Query<unknown>): Promise<number>
  /** All of the work or, when it throws, none of it. Throws OVERLOADED, ACCOUNTS_UNAVAILABLE (nothing was done) or OUTCOME_UNKNOWN. */
  transaction<Value>(work: Transaction<Value>): Promise<Value>
  /** Of the servers behind it, for metrics. */
  readonly circuits: readonly CircuitBreaker[]
  close(): Promise<void>
}

/** Within a transaction: every row. */
export function* allOf<Row>(query: Query<Row>): Work<Row[]> {
  const { rows } = yield query.compile()
  return rows as Row[]
}

/** Within a transaction: the first row. */
export function* firstOf<Row>(query: Query<Row>): Work<Row | undefined> {
  const { rows } = yield query.compile()
  return rows[0] as Row | undefined
}

/** Within a transaction: how many rows it found to change. */
export function* changedBy(query: Query<unknown>): Work<number> {
  const { changed } = yield query.compile()
  return changed
}

/** Within a transaction: the number that the database gave to the row. */
export function* numberOf(query: Query<unknown>): Work<number> {
  const { insertId } = yield query.compile()
  return insertId
}
