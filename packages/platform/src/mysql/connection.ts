// One connection to one MySQL server. Promises an end to everything: a statement that is not answered within its deadline breaks the
// connection, and whoever waits is told that nothing is known. All sessions have the same settings, so that no statement depends on a server's.

import { readFileSync } from 'node:fs'
import mysql, { type Connection, type ConnectionOptions } from 'mysql2'
import { breakOff } from './break-off.ts'
import { errorNumber, MysqlUnavailable } from './errors.ts'
import { type MysqlAddress, type MysqlCredentials, type MysqlOptions, nameOf, readCredentials } from './options.ts'
import { wrongServer } from './term.ts'

export type MysqlValue = string | number | boolean | null | Buffer
export type MysqlRow = Readonly<Record<string, unknown>>

const CONNECT_TIMEOUT_MS = 5_000
const KEEP_ALIVE_MS = 10_000
const ACCESS_DENIED = 1045
/** MariaDB calls some variables otherwise, and its versions are above MySQL's. */
const UNKNOWN_VARIABLE = 1193
const PREPARABLE = /^\s*(\(|select|insert|update|delete|replace|with)\b/i

/** Strict, in UTC, seeing what is committed when a statement begins; nobody waits long for a lock. */
const SESSION = `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY',
  time_zone = '+00:00', transaction_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 5, lock_wait_timeout = 10`

export class MysqlConnection {
  /** The server, as host:port. */
  readonly server: string
  /** What its users remember about the server that it is connected to; gone with the connection, as a server's life may be. */
  readonly notes = new Map<string, unknown>()
  /** Of the credentials that it was opened with. */
  readonly credentials: string
  readonly #raw: Connection
  readonly #waiting = new Set<(reason: Error) => void>()
  #broken: Error | null = null

  private constructor(server: string, credentials: string, raw: Connection) {
    this.server = server
    this.credentials = credentials
    this.#raw = raw
    raw.on('error', (error) => this.destroy(new MysqlUnavailable(`${server}: ${error.message}`, { cause: error })))
    raw.on('end', () => this.destroy(new MysqlUnavailable(`${server}: the connection has ended`)))
  }

  static async open(address: MysqlAddress, options: MysqlOptions): Promise<MysqlConnection> {
    const server = nameOf(address)
    const credentials = readCredentials(options)
    const raw = mysql.createConnection(connectionOptions(address, options, credentials))
    await new Promise<void>((resolve, reject) => {
      // Until there is a connection the library tells both ways of what is wrong.
      raw.on('error', () => {})
      raw.connect((error) => (error === null ? resolve() : reject(explain(error, server, credentials))))
    })
    raw.removeAllListeners('error')
    const connection = new MysqlConnection(server, credentials.fingerprint, raw)
    try {
      await connection.query(SESSION, [], CONNECT_TIMEOUT_MS)
      return connection
    } catch (error) {
      connection.destroy()
      if (errorNumber(error) !== UNKNOWN_VARIABLE) throw error
      throw wrongServer(server, `no MySQL of this kind (${(error as Error).message})`, { cause: error })
    }
  }

  /** Not null: it cannot be used any more. */
  get broken(): Error | null {
    return this.#broken
  }

  /** The rows of a prepared statement. */
  async rows(sql: string, values: readonly MysqlValue[], deadline_ms: number): Promise<readonly MysqlRow[]> {
    const result = await this.#run('execute', sql, values, deadline_ms)
    return Array.isArray(result) ? (result as MysqlRow[]) : []
  }

  /** How many rows a prepared statement has written, changed or removed. */
  async write(sql: string, values: readonly MysqlValue[], deadline_ms: number): Promise<number> {
    const result = await this.#run('execute', sql, values, deadline_ms)
    return (result as { affectedRows?: number }).affectedRows ?? 0
  }

  /** A statement that cannot be prepared, or is not worth it. */
  async query(sql: string, values: readonly MysqlValue[], deadline_ms: number): Promise<readonly MysqlRow[]> {
    const result = await this.#run('query', sql, values, deadline_ms)
    return Array.isArray(result) ? (result as MysqlRow[]) : []
  }

  /** Everything or nothing; when it rejects with an error of the server's, nothing, else it is unknown. */
  async transaction<Result>(work: () => Promise<Result>, deadline_ms: number): Promise<Result> {
    await this.query('START TRANSACTION', [], deadline_ms)
    let result: Result
    try {
      result = await work()
    } catch (error) {
      if (this.#broken === null) await this.query('ROLLBACK', [], deadline_ms)
      throw error
    }
    await this.query('COMMIT', [], deadline_ms)
    return result
  }

  /** For query builders: whatever they compile to, prepared where MySQL can; resolves to the library's own result. */
  async compiled(sql: string, values: readonly unknown[], deadline_ms: number): Promise<unknown> {
    return await this.#run(PREPARABLE.test(sql) ? 'execute' : 'query', sql, values.map(toMysql), deadline_ms)
  }

  /** Breaks it; whoever waits for an answer is told `reason`. */
  destroy(reason: Error = new MysqlUnavailable(`${this.server}: given up`)): void {
    if (this.#broken !== null) return
    this.#broken = reason
    this.#raw.on('error', () => {}) // what the library still says about it is nobody's to hear
    breakOff(this.#raw)
    for (const reject of this.#waiting) reject(reason)
    this.#waiting.clear()
  }

  #run(how: 'execute' | 'query', sql: string, values: readonly MysqlValue[], deadline_ms: number): Promise<unknown> {
    if (this.#broken !== null) return Promise.reject(this.#broken)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.destroy(new MysqlUnavailable(`${this.server}: no answer within ${deadline_ms} ms`)),
        deadline_ms,
      )
      const end = (action: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(fail)
        action()
      }
      const fail = (reason: Error) => end(() => reject(reason))
      this.#waiting.add(fail)
      const answered = (error: Error | null, result: unknown) => {
        if (error === null) end(() => resolve(result))
        else if (errorNumber(error) >= 1_000) fail(error)
        // Lost: the library tells only the statement that was under way, and would take further ones in vain.
        else this.destroy(new MysqlUnavailable(`${this.server}: ${error.message}`, { cause: error }))
      }
      if (how === 'execute') this.#raw.execute(sql, [...values], answered)
      else this.#raw.query(sql, [...values], answered)
    })
  }
}

function connectionOptions(
  { host, port }: MysqlAddress,
  options: MysqlOptions,
  { user, password }: MysqlCredentials,
): ConnectionOptions {
  const { caFile } = options
  return {
    host,
    port,
    user,
    password,
    database: options.database,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    // Whole numbers are numbers where that is exact, else text; times are text as the database writes them.
    supportBigNumbers: true,
    bigNumberStrings: false,
    dateStrings: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableKeepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    maxPreparedStatements: 256,
    // A server may not ask for files of this machine.
    flags: ['-LOCAL_FILES'],
    ...(caFile === null
      ? {}
      : {
          ssl: {
            ca: readFileSync(caFile, 'utf8'),
            minVersion: 'TLSv1.2',
            rejectUnauthorized: true,
            verifyIdentity: true,
          },
        }),
  }
}

function toMysql(value: unknown): MysqlValue {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  throw new TypeError(`a ${typeof value} is no value for MySQL; times are text, in UTC`)
}

function explain(error: Error, server: string, { user }: MysqlCredentials): Error {
  if (errorNumber(error) === ACCESS_DENIED) {
    const message = `MySQL at ${server} refuses user ${user}: check DB_USER (or DB_USER_FILE) and DB_PASSWORD_FILE`
    return Object.assign(new Error(message, { cause: error }), { errno: ACCESS_DENIED })
  }
  if (errorNumber(error) >= 1_000) return Object.assign(error, { message: `${server}: ${error.message}` })
  return new MysqlUnavailable(`${server}: ${error.message}`, { cause: error })
}
