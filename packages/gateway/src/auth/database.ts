// The accounts' database: who has an account, which sessions are open, which API keys there are. One SQLite file that every process of
// the platform opens. Promises that it has this release's tables, made or migrated under the write lock.

import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { openSqlite } from '@wintrades/platform'
import { sqliteDialect } from '@wintrades/platform/kysely'
import { type Generated, Kysely, sql, type Transaction } from 'kysely'

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

export type AccountsDatabase = Kysely<AccountsTables>

/** This release cannot use the file; the message says what to do. */
export class AccountsSchemaError extends Error {
  override readonly name = 'AccountsSchemaError'
}

type Migration = {
  readonly version: number
  /** The oldest version whose code can still use the file after this migration. */
  readonly compatibleFrom: number
  readonly run: (transaction: Transaction<AccountsTables>) => Promise<void>
}

const MIGRATIONS: readonly Migration[] = [{ version: 1, compatibleFrom: 1, run: createTables }]
export const ACCOUNTS_SCHEMA_VERSION = 1

export function accountsPath(dataDirectory: string): string {
  return join(dataDirectory, 'accounts.sqlite')
}

/** Opens the file, making or migrating its tables. Throws {@link AccountsSchemaError}. `destroy()` closes it. */
export async function openAccountsDatabase(dataDirectory: string): Promise<AccountsDatabase> {
  const path = accountsPath(dataDirectory)
  const file = openSqlite(path)
  const database = new Kysely<AccountsTables>({ dialect: sqliteDialect(file) })
  try {
    await migrate(database, file, path)
  } catch (error) {
    await database.destroy()
    throw error
  }
  return database
}

/** Under the write lock from the first read on: several processes may open a new file at once. */
async function migrate(database: AccountsDatabase, file: DatabaseSync, path: string): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const version = await versionOf(transaction, file, path)
    for (const migration of MIGRATIONS.filter((one) => one.version > version)) {
      await migration.run(transaction)
      const state = { id: 1, version: migration.version, compatible_from: migration.compatibleFrom }
      await transaction.replaceInto('schema_version').values(state).execute()
    }
  })
}

async function versionOf(transaction: Transaction<AccountsTables>, file: DatabaseSync, path: string): Promise<number> {
  const table = file.prepare("select 1 from sqlite_master where type = 'table' and name = 'schema_version'").get()
  if (table === undefined) return 0
  const state = await transaction.selectFrom('schema_version').selectAll().executeTakeFirst()
  if (state === undefined) return 0
  if (state.compatible_from > ACCOUNTS_SCHEMA_VERSION) {
    throw new AccountsSchemaError(
      `${path} has schema ${state.version}, which needs a release that knows schema ${state.compatible_from}; ` +
        `this one knows ${ACCOUNTS_SCHEMA_VERSION}: start a newer release`,
    )
  }
  return state.version
}

async function createTables(transaction: Transaction<AccountsTables>): Promise<void> {
  const strict = sql`strict`
  const { schema } = transaction
  await schema
    .createTable('schema_version')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('compatible_from', 'integer', (column) => column.notNull())
    .modifyEnd(strict)
    .execute()
  await schema
    .createTable('users')
    .addColumn('account_id', 'integer', (column) => column.primaryKey())
    .addColumn('user_id', 'text', (column) => column.notNull().unique())
    .addColumn('email', 'text', (column) => column.notNull())
    .addColumn('email_key', 'text', (column) => column.notNull().unique())
    .addColumn('password_hash', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('funded', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('api_keys_numbered', 'integer', (column) => column.notNull().defaultTo(0))
    .modifyEnd(strict)
    .execute()
  await schema
    .createTable('sessions')
    .addColumn('family_id', 'text', (column) => column.primaryKey())
    .addColumn('account_id', 'integer', (column) => column.notNull().references('users.account_id'))
    .addColumn('token_hash', 'blob', (column) => column.notNull())
    .addColumn('opened_ms', 'integer', (column) => column.notNull())
    .addColumn('expires_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strict)
    .execute()
  await schema.createIndex('sessions_by_account').on('sessions').columns(['account_id', 'opened_ms']).execute()
  await schema.createIndex('sessions_by_expiry').on('sessions').column('expires_ms').execute()
  await schema
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
    .modifyEnd(strict)
    .execute()
}
