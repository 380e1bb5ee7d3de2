// The accounts in one SQLite file that every process of a machine opens: the embedded default. Promises that the file has this release's
// tables, and that a transaction is one uninterrupted step: nothing else of this process runs while the write lock is held.

import { join } from 'node:path'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { isBusy, openSqlite } from '@wintrades/platform'
import { checkSqlite, compilingQueries, migrateSqlite, SchemaError } from '@wintrades/platform/migrations'
import type { CompiledQuery } from 'kysely'
import { ApiFault } from '../errors.ts'
import { BoundedMap } from '../limits/bounded-map.ts'
import type { AccountsDatabase, Answer, Query, Transaction } from './database.ts'
import { ACCOUNTS, type AccountsTables } from './schema.ts'

const STATEMENTS_REMEMBERED = 64
/** Waiting for another process's write lock holds up everything else in this one, so it is given up soon. */
const BUSY_TIMEOUT_MS = 500

type Statement = { readonly prepared: StatementSync; readonly hasRows: boolean }

export function accountsPath(dataDirectory: string): string {
  return join(dataDirectory, 'accounts.sqlite')
}

export class SqliteAccounts implements AccountsDatabase {
  readonly dialect = 'sqlite'
  readonly queries = compilingQueries<AccountsTables>('sqlite')
  readonly stale = this
  readonly circuits = []
  readonly #file: DatabaseSync
  readonly #statements = new BoundedMap<string, Statement>(STATEMENTS_REMEMBERED)

  private constructor(file: DatabaseSync) {
    this.#file = file
  }

  /** Opens the file, making or migrating its tables unless it is only to be read. Throws SchemaError. */
  static open(dataDirectory: string, { isReadOnly = false }: { readonly isReadOnly?: boolean } = {}): SqliteAccounts {
    const path = accountsPath(dataDirectory)
    const file = openSqlite(path, { readOnly: isReadOnly })
    try {
      if (!isReadOnly) migrateSqlite(file, ACCOUNTS, path)
      else if (!checkSqlite(file, ACCOUNTS, path)) throw new SchemaError(`${path} holds no accounts yet`)
      file.exec('pragma busy_timeout = 500')
    } catch (error) {
      file.close()
      throw error
    }
    return new SqliteAccounts(file)
  }

  async close(): Promise<void> {
    if (this.#file.isOpen) this.#file.close()
  }

  async all<Row>(query: Query<Row>): Promise<Row[]> {
    return this.#run(query.compile()).rows as Row[]
  }

  async first<Row>(query: Query<Row>): Promise<Row | undefined> {
    return this.#run(query.compile()).rows[0] as Row | undefined
  }

  async run(query: Query<unknown>): Promise<number> {
    return unlessBusy(() => this.#run(query.compile())).changed
  }

  /** Takes the write lock at once, so that what it reads stays true. */
  async transaction<Value>(work: Transaction<Value>): Promise<Value> {
    unlessBusy(() => this.#file.exec('begin immediate'))
    try {
      const steps = work(1)
      let step = steps.next()
      while (!step.done) step = steps.next(this.#run(step.value))
      this.#file.exec('commit')
      return step.value
    } catch (error) {
      // SQLite itself may have rolled back already, as when the disk is full.
      if (this.#file.isTransaction) this.#file.exec('rollback')
      throw error
    }
  }

  #run({ sql: text, parameters }: CompiledQuery<unknown>): Answer {
    const { prepared, hasRows } = this.#statement(text)
    const values = parameters as SQLInputValue[]
    if (hasRows) return { rows: prepared.all(...values), changed: 0, insertId: 0 }
    const { changes, lastInsertRowid } = prepared.run(...values)
    return { rows: [], changed: Number(changes), insertId: Number(lastInsertRowid) }
  }

  #statement(text: string): Statement {
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    const prepared = this.#file.prepare(text)
    const statement = { prepared, hasRows: prepared.columns().length > 0 }
    this.#statements.set(text, statement)
    return statement
  }
}

function unlessBusy<Value>(work: () => Value): Value {
  try {
    return work()
  } catch (error) {
    if (!isBusy(error)) throw error
    const message = 'The accounts are being written to; nothing was done. Try again.'
    throw new ApiFault('OVERLOADED', { message, retryAfter_ms: BUSY_TIMEOUT_MS })
  }
}
