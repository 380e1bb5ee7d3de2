// What a process needs to reach MySQL, as plain data that may cross to another thread. User, password and the certificate of the private CA are
// read from their files by whoever connects, so that they can be replaced while the process runs.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Config } from '../config/variables.ts'
import { neverLog } from '../logger.ts'
import { MysqlUnavailable } from './errors.ts'

export type MysqlAddress = { readonly host: string; readonly port: number }

export type MysqlOptions = {
  /** Every server; which of them is the primary is found out (`primary.ts`). */
  readonly servers: readonly MysqlAddress[]
  /** The replica of this region; null: reads go to the primary. */
  readonly readServer: MysqlAddress | null
  readonly database: string
  readonly user: string
  /** Says who the user is instead of `user`. */
  readonly userFile?: string | null
  readonly password: { readonly file: string } | { readonly text: string }
  /** The file of the CA that has signed the servers' certificates; null: no TLS. */
  readonly caFile: string | null
  /** Connections of one pool to one server, at most. */
  readonly connections_max: number
}

/** null: no MySQL, the embedded databases instead. Expects what `loadConfig` has checked. */
export function mysqlOptions(config: Config): MysqlOptions | null {
  const { databaseHosts, databaseUserFile, databasePasswordFile, databasePassword } = config
  if (databaseHosts === null) return null
  const at = ({ host, port }: { host: string; port: number | null }) => ({ host, port: port ?? config.databasePort })
  return {
    servers: databaseHosts.map(at),
    readServer: config.databaseReadHost === null ? null : at(config.databaseReadHost),
    database: config.databaseName,
    user: config.databaseUser,
    userFile: databaseUserFile,
    password: databasePasswordFile === null ? { text: databasePassword ?? '' } : { file: databasePasswordFile },
    caFile: config.databaseTls === 'on' ? config.databaseCaFile : null,
    connections_max: config.databasePoolSize,
  }
}

export function nameOf({ host, port }: MysqlAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export type MysqlCredentials = {
  readonly user: string
  readonly password: string
  /** Tells these from others, and nothing else. */
  readonly fingerprint: string
}

const USER_NAME = /^[\w.-]{1,32}$/

/** As they are now. */
export function readCredentials({ user, userFile, password }: MysqlOptions): MysqlCredentials {
  const name = userFile === undefined || userFile === null ? user : readLine(userFile, 'DB_USER_FILE')
  if (!USER_NAME.test(name))
    throw new MysqlUnavailable(`DB_USER_FILE ${userFile} must hold a user name and nothing else`)
  const secret = 'text' in password ? password.text : readLine(password.file, 'DB_PASSWORD_FILE')
  if ('file' in password) neverLog(secret)
  return { user: name, password: secret, fingerprint: createHash('sha256').update(`${name}\n${secret}`).digest('hex') }
}

function readLine(path: string, variable: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new MysqlUnavailable(`${variable} names ${path}, which cannot be read (${code})`, { cause: error })
  }
}
