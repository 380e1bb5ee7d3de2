// The accounts' database: who has an account, which sessions are open, which API keys there are. One SQLite file that every process of
// the platform opens. Promises that it has this release's tables, made or migrated under the write lock, and that a transaction is one
// uninterrupted step: nothing is awaited while the write lock is held.

import { join } from 'node:path'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { isBusy, openSqlite } from '@wintrades/platform'
import { sqliteDialect } from '@wintrades/platform/kysely'
import { type CompiledQuery, type Generated, Kysely, sql } from 'kysely'
import { ApiFault } from '../errors.ts'
import { BoundedMap } from '../limits/bounded-map.ts'

/** Times are milliseconds since 1970. */
export type AccountsTables = {
  schema_version: { id: number; version: number; compatible_from: number }
  users: {
    account_id: number
    user_id: string
    /** As it was written at registration. */
    email: string
    /** What it is compared by. */
    email_key: string
    /** In PHC form, parameters and salt included. */
    password_hash: string
    created_ms: number
    /** 1: has got the demo funds. */
    funded: Generated<number>
    /** The highest number given to an API key; numbers are not given twice. */
    api_keys_numbered: Generated<number>
  }
  sessions: {
    family_id: string
    account_id: number
    /** SHA-256 of the one refresh token that is valid now. */
    token_hash: Uint8Array
    opened_ms: number
    expires_ms: number
  }
  api_keys: {
    key_id: string
    account_id: number
    number: number
    label: string
    /** Separated by spaces. */
    scopes: string
    /** Separated by spaces; empty: any address. */
    ip_allow_list: string
    secret_encrypted: Uint8Array
    created_ms: number
  }
}

type Query<Row> = { compile(): CompiledQuery<Row> }
type Queries = Kysely<AccountsTables>

/** This release cannot use the file; the message says what to do. */
export class AccountsSchemaError extends Error {
  override readonly name = 'AccountsSchemaError'
}

type Migration = {
  readonly version: number
  /** The oldest version whose code can still use the file after this migration. */
  readonly compatibleFrom: number
  readonly statements: (queries: Queries) => readonly Query<unknown>[]
}

const MIGRATIONS: readonly Migration[] = [{ version: 1, compatibleFrom: 1, statements: tables }]
export const ACCOUNTS_SCHEMA_VERSION = 1
const STATEMENTS_REMEMBERED = 64
/** Waiting for another process's write lock holds up everything else in this one, so it is given up soon. */
const BUSY_TIMEOUT_MS = 500

export function accountsPath(dataDirectory: string): string {
  return join(dataDirectory, 'accounts.sqlite')
}

export class AccountsDatabase {
  /** Builds queries, typed; they are run by the methods here. */
  readonly queries: Queries
  readonly #file: DatabaseSync
  readonly #statements = new BoundedMap<string, StatementSync>(STATEMENTS_REMEMBERED)

  /** Opens the file, making or migrating its tables. Throws {@link AccountsSchemaError}. */
  constructor(dataDirectory: string) {
    const path = accountsPath(dataDirectory)
    this.#file = openSqlite(path)
    this.queries = new Kysely<AccountsTables>({ dialect: sqliteDialect(this.#file) })
    try {
      // Under the write lock from the first read on: several processes may open a new file at once.
      this.transaction(() => this.#migrate(path))
      this.#file.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`)
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#file.close()
  }

  all<Row>(query: Query<Row>): Row[] {
    const { sql: text, parameters } = query.compile()
    return this.#statement(text).all(...(parameters as SQLInputValue[])) as Row[]
  }

  first<Row>(query: Query<Row>): Row | undefined {
    const { sql: text, parameters } = query.compile()
    return this.#statement(text).get(...(parameters as SQLInputValue[])) as Row | undefined
  }

  /** How many rows it changed. Throws OVERLOADED while another process holds the write lock. */
  run(query: Query<unknown>): number {
    const { sql: text, parameters } = query.compile()
    return Number(unlessBusy(() => this.#statement(text).run(...(parameters as SQLInputValue[]))).changes)
  }

  /**
   * All of the work or, when it throws, none of it. Takes the write lock at once, so that what it reads stays true.
   * Throws OVERLOADED while another process holds the lock.
   */
  transaction<Value>(work: () => Value): Value {
    unlessBusy(() => this.#file.exec('begin immediate'))
    try {
      const value = work()
      this.#file.exec('commit')
      return value
    } catch (error) {
      // SQLite itself may have rolled back already, as when the disk is full.
      if (this.#file.isTransaction) this.#file.exec('rollback')
      throw error
    }
  }

  #statement(text: string): StatementSync {
    let statement = this.#statements.get(text)
    if (statement === undefined) {
      statement = this.#file.prepare(text)
      this.#statements.set(text, statement)
    }
    return statement
  }

  #migrate(path: string): void {
    const version = this.#version(path)
    for (const migration of MIGRATIONS.filter((one) => one.version > version)) {
      for (const statement of migration.statements(this.queries)) this.run(statement)
      const state = { id: 1, version: migration.version, compatible_from: migration.compatibleFrom }
      this.run(this.queries.replaceInto('schema_version').values(state))
    }
  }

  #version(path: string): number {
    const table = this.#file
      .prepare("select 1 from sqlite_master where type = 'table' and name = 'schema_version'")
      .get()
    if (table === undefined) return 0
    const state = this.first(this.queries.selectFrom('schema_version').selectAll())
    if (state === undefined) return 0
    if (state.compatible_from > ACCOUNTS_SCHEMA_VERSION) {
      throw new AccountsSchemaError(
        `${path} has schema ${state.version}, which needs a release that knows schema ${state.compatible_from}; ` +
          `this one knows ${ACCOUNTS_SCHEMA_VERSION}: start a newer release`,
      )
    }
    return state.version
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

function tables({ schema }: Queries): readonly Query<unknown>[] {
  const strict = sql`strict`
  return [
    schema
      .createTable('schema_version')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('compatible_from', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    schema
      .createTable('users')
      .addColumn('account_id', 'integer', (column) => column.primaryKey())
      .addColumn('user_id', 'text', (column) => column.notNull().unique())
      .addColumn('email', 'text', (column) => column.notNull())
      .addColumn('email_key', 'text', (column) => column.notNull().unique())
      .addColumn('password_hash', 'text', (column) => column.notNull())
      .addColumn('created_ms', 'integer', (column) => column.notNull())
      .addColumn('funded', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('api_keys_numbered', 'integer', (column) => column.notNull().defaultTo(0))
      .modifyEnd(strict),
    schema
      .createTable('sessions')
      .addColumn('family_id', 'text', (column) => column.primaryKey())
      .addColumn('account_id', 'integer', (column) => column.notNull().references('users.account_id'))
      .addColumn('token_hash', 'blob', (column) => column.notNull())
      .addColumn('opened_ms', 'integer', (column) => column.notNull())
      .addColumn('expires_ms', 'integer', (column) => column.notNull())
      .modifyEnd(strict),
    schema.createIndex('sessions_by_account').on('sessions').columns(['account_id', 'opened_ms']),
    schema.createIndex('sessions_by_expiry').on('sessions').column('expires_ms'),
    schema
      .createTable('api_keys')
      .addColumn('key_id', 'text', (column) => column.primaryKey())
      .addColumn('account_id', 'integer', (column) => column.notNull().references('users.account_id'))
      .addColumn('number', 'integer', (column) => column.notNull())
      .addColumn('label', 'text', (column) => column.notNull())
      .addColumn('scopes', 'text', (column) => column.notNull())
      .addColumn('ip_allow_list', 'text', (column) => column.notNull())
      .addColumn('secret_encrypted', 'blob', (column) => column.notNull())
      .addColumn('created_ms', 'integer', (column) => column.notNull())
      .addUniqueConstraint('api_keys_by_account', ['account_id', 'number'])
      .modifyEnd(strict),
  ]
}
