// What a process needs to reach MySQL, as plain data that may cross to another thread. The password and the certificate of the private CA are
// read from their files by whoever connects, so that they can be replaced while the process runs.

import { readFileSync } from 'node:fs'
import type { Config } from '../config/variables.ts'
import { neverLog } from '../logger.ts'

export type MysqlAddress = { readonly host: string; readonly port: number }

export type MysqlOptions = {
  /** Every server; which of them is the primary is found out (`primary.ts`). */
  readonly servers: readonly MysqlAddress[]
  /** The replica of this region; null: reads go to the primary. */
  readonly readServer: MysqlAddress | null
  readonly database: string
  readonly user: string
  readonly password: { readonly file: string } | { readonly text: string }
  /** The file of the CA that has signed the servers' certificates; null: no TLS. */
  readonly caFile: string | null
  /** Connections of one pool to one server, at most. */
  readonly connections_max: number
}

/** null: no MySQL, the embedded databases instead. Expects what `loadConfig` has checked. */
export function mysqlOptions(config: Config): MysqlOptions | null {
  const { databaseHosts, databasePasswordFile, databasePassword } = config
  if (databaseHosts === null) return null
  const at = ({ host, port }: { host: string; port: number | null }) => ({ host, port: port ?? config.databasePort })
  return {
    servers: databaseHosts.map(at),
    readServer: config.databaseReadHost === null ? null : at(config.databaseReadHost),
    database: config.databaseName,
    user: config.databaseUser,
    password: databasePasswordFile === null ? { text: databasePassword ?? '' } : { file: databasePasswordFile },
    caFile: config.databaseTls === 'on' ? config.databaseCaFile : null,
    connections_max: config.databasePoolSize,
  }
}

export function nameOf({ host, port }: MysqlAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The password as it is now. */
export function readPassword({ password }: MysqlOptions): string {
  if ('text' in password) return password.text
  const text = readFileSync(password.file, 'utf8').replace(/\r?\n$/, '')
  neverLog(text)
  return text
}
