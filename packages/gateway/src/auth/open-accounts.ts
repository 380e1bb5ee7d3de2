// Opens the accounts where the configuration says they are: in MySQL, or embedded.

import { existsSync } from 'node:fs'
import type { Logger } from '@wintrades/platform'
import type { MysqlOptions } from '@wintrades/platform/mysql'
import type { AccountsDatabase } from './database.ts'
import { accountsPath, SqliteAccounts } from './sqlite-accounts.ts'

export type AccountsPlace = {
  /** Of the embedded database. */
  readonly dataDirectory: string
  /** Null or not given: the embedded database. */
  readonly mysql?: MysqlOptions | null
  readonly logger: Logger
  /** Milliseconds since 1970. */
  readonly now_ms: () => number
}

/** Makes or migrates the tables. Throws SchemaError when this release cannot use the database; with MySQL, also what keeps its primary from being used. */
export async function openAccounts({ mysql, ...place }: AccountsPlace): Promise<AccountsDatabase> {
  if (mysql === undefined || mysql === null) return SqliteAccounts.open(place.dataDirectory)
  return await (await mysqlAccounts()).open({ ...place, mysql })
}

/** Changes nothing, not even to migrate. Throws besides when there is nothing yet. */
export async function openAccountsToRead({ mysql, ...place }: AccountsPlace): Promise<AccountsDatabase> {
  if (mysql !== undefined && mysql !== null) {
    return await (await mysqlAccounts()).open({ ...place, mysql, isReadOnly: true, startTimeout_ms: 5_000 })
  }
  const path = accountsPath(place.dataDirectory)
  if (!existsSync(path)) throw new Error(`${path} does not exist: nobody has registered there yet`)
  return SqliteAccounts.open(place.dataDirectory, { isReadOnly: true })
}

/** Loaded when needed: most installations have no MySQL. */
async function mysqlAccounts() {
  return (await import('./mysql-accounts.ts')).MysqlAccounts
}
