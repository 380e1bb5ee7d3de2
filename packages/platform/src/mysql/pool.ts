// The connections of one user to one MySQL server: persistent, bounded, opened when needed. mysql2's own pool knows no deadline, keeps a
// connection whose statement was given up, and cannot drop what is under way at once, which a lost primary needs; so this one is ours.
// Credentials that change in their files are used from the next connection on; connections of the former ones end when they are given back.

import { MysqlConnection } from './connection.ts'
import { errorNumber, MysqlUnavailable } from './errors.ts'
import { type MysqlAddress, type MysqlOptions, nameOf, readCredentials } from './options.ts'

export type PoolLimits = {
  readonly connections_max: number
  /** How many may wait for a connection; more are refused at once. */
  readonly waiting_max: number
}

export type PoolFigures = { readonly open: number; readonly idle: number; readonly waiting: number }

type Waiter = {
  readonly resolve: (connection: MysqlConnection) => void
  readonly reject: (error: Error) => void
}

const IDLE_MS_MAX = 600_000
const CREDENTIALS_CHECK_MS = 2_000
const ACCESS_DENIED = 1045

export class MysqlPool {
  readonly server: string
  readonly #address: MysqlAddress
  readonly #options: MysqlOptions
  readonly #limits: PoolLimits
  readonly #all = new Set<MysqlConnection>()
  /** Most recently used last. */
  #idle: { readonly connection: MysqlConnection; readonly since_ms: number }[] = []
  #opening = 0
  #waiting: Waiter[] = []
  #closed = false
  /** What new connections use; connections of others end when they are given back. */
  #credentials: string | null = null
  #isChecking = false
  readonly #check: NodeJS.Timeout | null

  constructor(address: MysqlAddress, options: MysqlOptions, limits: Partial<PoolLimits> = {}) {
    this.server = nameOf(address)
    this.#address = address
    this.#options = options
    const connections_max = limits.connections_max ?? options.connections_max
    const areInFiles = 'file' in options.password || typeof options.userFile === 'string'
    this.#check = areInFiles ? setInterval(() => this.#checkCredentials(), CREDENTIALS_CHECK_MS) : null
    this.#check?.unref()
    this.#limits = { connections_max, waiting_max: limits.waiting_max ?? connections_max * 100 }
  }

  get figures(): PoolFigures {
    return { open: this.#all.size, idle: this.#idle.length, waiting: this.#waiting.length }
  }

  /** Lends a connection to `work`. What was broken, or left in the middle of something, is not used again. */
  async use<Result>(work: (connection: MysqlConnection) => Promise<Result>, deadline_ms: number): Promise<Result> {
    const connection = await this.acquire(deadline_ms)
    try {
      return await work(connection)
    } finally {
      this.release(connection)
    }
  }

  async acquire(deadline_ms: number): Promise<MysqlConnection> {
    if (this.#closed) throw new MysqlUnavailable(`${this.server}: the pool is closed`)
    const idle = this.#takeIdle()
    if (idle !== null) return idle
    if (this.#waiting.length >= this.#limits.waiting_max) {
      throw new MysqlUnavailable(`${this.server}: ${this.#waiting.length} wait for a connection already`)
    }
    return await new Promise<MysqlConnection>((resolve, reject) => {
      const waiter = {
        resolve: (connection: MysqlConnection) => {
          clearTimeout(timer)
          resolve(connection)
        },
        reject: (error: Error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((one) => one !== waiter)
        reject(new MysqlUnavailable(`${this.server}: no connection within ${deadline_ms} ms`))
      }, deadline_ms)
      this.#waiting.push(waiter)
      this.#open()
    })
  }

  release(connection: MysqlConnection): void {
    if (connection.broken !== null || this.#closed || this.#isFormer(connection)) {
      this.#forget(connection)
      return
    }
    const waiter = this.#waiting.shift()
    if (waiter === undefined) this.#idle.push({ connection, since_ms: performance.now() })
    else waiter.resolve(connection)
  }

  /** Opens connections ahead, so that whoever needs one first does not wait for it; rejects when the server cannot be reached. */
  async warm(count: number): Promise<void> {
    const missing = Math.min(count, this.#limits.connections_max) - this.#all.size - this.#opening
    await Promise.all(Array.from({ length: Math.max(0, missing) }, () => this.#openOne()))
  }

  /** Breaks everything that is under way, and what is idle. */
  abort(reason: Error): void {
    for (const connection of [...this.#all]) {
      connection.destroy(reason)
      this.#forget(connection)
    }
    this.#idle = []
  }

  close(): void {
    this.#closed = true
    if (this.#check !== null) clearInterval(this.#check)
    const reason = new MysqlUnavailable(`${this.server}: the pool is closed`)
    for (const waiter of this.#waiting.splice(0)) waiter.reject(reason)
    this.abort(reason)
  }

  #takeIdle(): MysqlConnection | null {
    for (;;) {
      const last = this.#idle.pop()
      if (last === undefined) return null
      if (last.connection.broken === null && performance.now() - last.since_ms < IDLE_MS_MAX) return last.connection
      last.connection.destroy()
      this.#forget(last.connection)
    }
  }

  #forget(connection: MysqlConnection): void {
    if (!this.#all.delete(connection)) return
    this.#idle = this.#idle.filter((one) => one.connection !== connection)
    if (connection.broken === null) connection.destroy()
    if (this.#waiting.length > 0) this.#open()
  }

  #open(): void {
    this.#openOne().catch((error: unknown) => {
      // Who has waited longest is told; the others' own attempts are under way, or begin now.
      this.#waiting.shift()?.reject(error instanceof Error ? error : new Error(String(error)))
      if (this.#waiting.length > 0) this.#open()
    })
  }

  async #openOne(): Promise<void> {
    if (this.#closed || this.#all.size + this.#opening >= this.#limits.connections_max) return
    this.#opening++
    let connection: MysqlConnection
    try {
      connection = await this.#connect()
    } finally {
      this.#opening--
    }
    this.#all.add(connection)
    this.#credentials = connection.credentials
    this.#endFormer()
    this.release(connection)
  }

  async #connect(): Promise<MysqlConnection> {
    const before = readCredentials(this.#options).fingerprint
    try {
      return await MysqlConnection.open(this.#address, this.#options)
    } catch (error) {
      // Replaced meanwhile, or one file after the other: what is there now may be right.
      const isReplaced = readCredentials(this.#options).fingerprint !== before
      if (errorNumber(error) !== ACCESS_DENIED || !isReplaced) throw error
      return await MysqlConnection.open(this.#address, this.#options)
    }
  }

  /** Once new ones are seen to work, the former are not used any longer. */
  #checkCredentials(): void {
    if (this.#credentials === null || this.#isChecking || this.#closed) return
    try {
      if (readCredentials(this.#options).fingerprint === this.#credentials) return
    } catch {
      return // Being replaced at this moment; whoever connects is told if it stays so.
    }
    // A connection more than there may be, for a moment: it shows whether the new ones are right before the old ones are given up.
    this.#isChecking = true
    this.#opening++
    this.#connect()
      .then(
        (connection) => {
          this.#all.add(connection)
          this.#credentials = connection.credentials
          this.#endFormer()
          this.release(connection)
        },
        () => null, // The server does not know them yet, or is away: looked at again in a moment.
      )
      .finally(() => {
        this.#isChecking = false
        this.#opening--
      })
  }

  #isFormer(connection: MysqlConnection): boolean {
    return this.#credentials !== null && connection.credentials !== this.#credentials
  }

  #endFormer(): void {
    for (const { connection } of this.#idle) if (this.#isFormer(connection)) this.#forget(connection)
  }
}
