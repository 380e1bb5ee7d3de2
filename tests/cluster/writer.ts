// A client that writes rows through the app's account and remembers which were acknowledged and when. Finds the primary as every client does: the
// writable server with the highest term. A row whose outcome is unknown is never sent again, so whatever is there twice was made twice by the database.

import { readFileSync } from 'node:fs'
import mysql, { type Connection } from 'mysql2'
import type { LabDatabase } from './database.ts'
import type { LabMysql } from './lab/index.ts'

const STATEMENT_MS = 2_000
const CONNECT_MS = 3_000
const AGAIN_MS = 20
/** Between two rows of one worker: replicas share the processors with the primary, and a client that never waits would leave them behind. */
const ROW_EVERY_MS = 10

export type WriterOptions = {
  readonly workers?: number
  /** Writes to this server alone, whatever others say: a client that knows no better. */
  readonly only?: LabMysql
}

export class Writer {
  readonly acknowledged = new Set<string>()
  readonly errors = new Map<string, number>()
  readonly #database: LabDatabase
  readonly #options: WriterOptions
  readonly #name: string
  readonly #times_ms: number[] = []
  readonly #connections = new Set<Connection>()
  #stopping = false
  #running: Promise<unknown> = Promise.resolve()
  #number = 0

  constructor(database: LabDatabase, name: string, options: WriterOptions = {}) {
    this.#database = database
    this.#options = options
    this.#name = name
  }

  /** The table; once, on the primary. */
  static async createTable(database: LabDatabase, primary: string): Promise<void> {
    await database
      .server(primary)
      .query(
        `CREATE TABLE IF NOT EXISTS wintrades.rows_written (id BIGINT AUTO_INCREMENT PRIMARY KEY, token VARCHAR(64) NOT NULL, KEY (token))`,
      )
  }

  start(): void {
    const workers = Array.from({ length: this.#options.workers ?? 4 }, () => this.#work())
    this.#running = Promise.all(workers)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    for (const connection of this.#connections) connection.destroy()
    await this.#running
  }

  /** Resolves when so many more are acknowledged. */
  async next(count = 1, timeout_ms = 60_000): Promise<void> {
    const wanted = this.acknowledged.size + count
    const deadline_ms = performance.now() + timeout_ms
    while (this.acknowledged.size < wanted) {
      if (performance.now() > deadline_ms)
        throw new Error(`no acknowledgement within ${timeout_ms} ms: ${this.#errorText()}`)
      await pause(AGAIN_MS)
    }
  }

  /** The longest time without an acknowledgement since `since_ms` (of `performance.now()`). */
  longestGap_ms(since_ms: number): number {
    const times = [since_ms, ...this.#times_ms.filter((time) => time > since_ms)]
    return Math.max(...times.slice(1).map((time, index) => time - (times[index] as number)))
  }

  #errorText(): string {
    return [...this.errors].map(([text, count]) => `${count} times ${text}`).join('; ')
  }

  async #work(): Promise<void> {
    let connection: Connection | null = null
    while (!this.#stopping) {
      try {
        connection ??= await this.#connect()
        const token = `${this.#name}-${this.#number++}`
        await ask(connection, 'INSERT INTO wintrades.rows_written (token) VALUES (?)', [token])
        this.acknowledged.add(token)
        this.#times_ms.push(performance.now())
        await pause(ROW_EVERY_MS)
      } catch (error) {
        if (connection !== null) this.#forget(connection)
        connection = null
        const text = (error as Error).message
        this.errors.set(text, (this.errors.get(text) ?? 0) + 1)
        await pause(AGAIN_MS)
      }
    }
  }

  async #connect(): Promise<Connection> {
    const { only } = this.#options
    if (only !== undefined) return await this.#open(only)
    const found = await Promise.all(this.#database.servers.map((server) => this.#ask(server)))
    const writable = found.flatMap((one) => (one === null || !one.isWritable ? [] : [one]))
    const [best, ...others] = writable.sort((a, b) => b.term - a.term)
    for (const other of [...others, ...found.filter((one) => one !== null && !one.isWritable)]) {
      if (other !== null) this.#forget(other.connection)
    }
    if (best === undefined) throw new Error('no server is writable')
    return best.connection
  }

  async #ask(server: LabMysql): Promise<{ connection: Connection; isWritable: boolean; term: number } | null> {
    let connection: Connection | null = null
    try {
      connection = await this.#open(server)
      const [row] = await ask(
        connection,
        'SELECT @@GLOBAL.read_only AS closed, (SELECT number FROM wintrades_operator.primary_term) AS term',
        [],
      )
      return { connection, isWritable: Number(row?.['closed']) === 0, term: Number(row?.['term'] ?? 0) }
    } catch {
      if (connection !== null) this.#forget(connection)
      return null // not the primary now; asked again at the next try
    }
  }

  async #open(server: LabMysql): Promise<Connection> {
    const { credentials, host, port } = server
    const connection = mysql.createConnection({
      host,
      port,
      user: 'wintrades_app_a',
      password: credentials.passwordOf('app'),
      ssl: { ca: readFileSync(credentials.authorityFile) },
      connectTimeout: CONNECT_MS,
    })
    this.#connections.add(connection)
    connection.on('error', () => this.#connections.delete(connection))
    await new Promise<void>((resolve, reject) =>
      connection.connect((error) => (error === null ? resolve() : reject(error))),
    )
    return connection
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection)
    connection.destroy()
  }
}

function ask(connection: Connection, sql: string, values: string[]): Promise<Record<string, unknown>[]> {
  return new Promise((resolve, reject) => {
    const lost = () => settle(new Error('the connection is lost'), null)
    const timer = setTimeout(() => settle(new Error(`no answer within ${STATEMENT_MS} ms`), null), STATEMENT_MS)
    const settle = (error: Error | null, rows: unknown) => {
      clearTimeout(timer)
      connection.removeListener('end', lost)
      if (error === null) resolve(rows as Record<string, unknown>[])
      else reject(error)
    }
    connection.once('end', lost)
    connection.query(sql, values, settle)
  })
}

function pause(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms))
}

const CATCH_UP_SECONDS = 60

/** All servers hold the same rows; everything acknowledged is among them, once. Returns how many rows there are. */
export async function checkRows(database: LabDatabase, writers: readonly Writer[], primary: string): Promise<number> {
  // Clients may go on writing meanwhile: what was acknowledged until now is what must be there.
  const acknowledged = writers.flatMap((writer) => [...writer.acknowledged])
  const tokens = await tokensOf(database, primary)
  const there = new Set(tokens)
  if (there.size !== tokens.length) throw new Error(`${tokens.length - there.size} rows are there twice`)
  const lost = acknowledged.filter((token) => !there.has(token))
  if (lost.length > 0) throw new Error(`${lost.length} acknowledged rows are lost, such as ${lost[0]}`)
  const position = 'SELECT @@GLOBAL.gtid_executed AS executed'
  const [primaryHas] = await database.server(primary).query<{ executed: string }>(position)
  for (const server of database.servers) {
    const [waited] = await server.query<{ late: number }>('SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?) AS late', [
      primaryHas?.executed,
      CATCH_UP_SECONDS,
    ])
    if (waited?.late !== 0) {
      const [has] = await server.query<{ executed: string }>(position)
      throw new Error(
        `${server.name} has not caught up after ${CATCH_UP_SECONDS} s: ${has?.executed}; ${primary} had ${primaryHas?.executed}`,
      )
    }
    const theirs = await tokensOf(database, server.name)
    if (theirs.filter((token) => there.has(token)).join() !== tokens.join())
      throw new Error(`${server.name} has other rows than ${primary}`)
  }
  return tokens.length
}

async function tokensOf(database: LabDatabase, server: string): Promise<string[]> {
  const rows = await database
    .server(server)
    .query<{ token: string }>('SELECT token FROM wintrades.rows_written ORDER BY id')
  return rows.map(({ token }) => token)
}
