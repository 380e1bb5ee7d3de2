// The operator's standing connection to one server: looks at it again and again, holds its lock, carries actions out. Promises that whatever it is asked
// ends within a deadline; what was not answered is unknown, and the connection is given up, with its lock. Says in words why a server cannot be used.

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { neverLog } from '@wintrades/platform'
import { breakOff } from '@wintrades/platform/mysql'
import mysql, { type Connection } from 'mysql2'
import type { ServerObservation, ServerState } from '../promotion/index.ts'
import { LOCK_WAIT_SECONDS } from './actions.ts'
import { type Details, OBSERVE, readObservation } from './observe.ts'
import { type Packet, type Statement, statement, textOf } from './packet.ts'
import type { DatabaseAccess, DatabaseServer } from './server.ts'
import { explainFault, settingsFault, VITAL_SETTINGS } from './server-fault.ts'

/** A server that has not answered for so long counts as unreachable, until it answers. */
const LATE_MS = 800
/** A connection without an answer for so long is given up. */
const DEAD_MS = 4_000
const CONNECT_MS = 4_000
const RECONNECT_MS = 250
/** A lock whose holder is gone without a word is free after so long. */
const IDLE_SECONDS = 5
/** An acknowledgement takes a round trip: a commit that waits for so long has nobody who acknowledges, whatever the server still counts. */
const STALLED_MS = 2_000

const SESSION = statement(
  `SET SESSION sql_log_bin = 0, SESSION time_zone = '+00:00', SESSION autocommit = 1, SESSION wait_timeout = ?,
    SESSION lock_wait_timeout = ?, SESSION innodb_lock_wait_timeout = ?`,
  IDLE_SECONDS,
  LOCK_WAIT_SECONDS,
  LOCK_WAIT_SECONDS,
)

export type SessionOptions = {
  readonly server: DatabaseServer
  readonly servers: readonly DatabaseServer[]
  readonly access: DatabaseAccess
  /** Something about the server has changed, or was seen again. */
  readonly onSeen: () => void
}

export type Performed =
  | { readonly outcome: 'done' }
  /** A guard did not hold, or the server refused: nothing was done, or only the beginning of it. */
  | { readonly outcome: 'refused'; readonly reason: string; readonly errno: number }
  /** No answer: whatever may have happened. */
  | { readonly outcome: 'unknown'; readonly reason: string }

type Row = Readonly<Record<string, unknown>>

class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

export class ServerSession {
  readonly server: DatabaseServer
  readonly #options: SessionOptions
  #connection: Connection | null = null
  #life = ''
  #state: ServerState | null = null
  #details: Details | null = null
  #fault: string | null = 'not asked yet'
  #isLate = false
  /** Why it counts as unreachable although it answers: it is being cloned. */
  #away: string | null = null
  #looks = 0
  #isPerforming = false
  /** Told when the connection is given up: the library says nothing then. */
  readonly #waiting = new Set<(error: Error) => void>()
  #stalled: { readonly owned: string; readonly since_ms: number } = { owned: '', since_ms: 0 }
  #wake: () => void = () => {}
  #every_ms = 500

  constructor(options: SessionOptions) {
    this.#options = options
    this.server = options.server
  }

  /** As the rules see the server now. */
  get observation(): ServerObservation {
    const { name, role } = this.server
    return this.#state === null || this.#isLate || this.#away !== null
      ? { name, role, isReachable: false }
      : this.#state
  }

  get details(): Details | null {
    return this.#details
  }

  /** Why it counts as unreachable; null: it does not. */
  get fault(): string | null {
    if (this.#away !== null) return this.#away
    if (this.#fault !== null) return this.#fault
    return this.#isLate ? `${this.server.name} does not answer` : null
  }

  /** Whether it has been tried at all. */
  get isTried(): boolean {
    return this.#looks > 0
  }

  /** Looks at the server as often as this from now on, and once at once. */
  look(every_ms: number): void {
    const isSooner = every_ms < this.#every_ms
    this.#every_ms = every_ms
    if (isSooner) this.#wake()
  }

  lookNow(): void {
    this.#wake()
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isConnected = this.#connection !== null || (await this.#connect(signal))
      // An action looks by itself, and may wait: a look behind it would only seem late.
      if (isConnected && this.#away === null && !this.#isPerforming) await this.#observe()
      this.#looks += 1
      this.#options.onSeen()
      await this.#pause(isConnected ? this.#every_ms : RECONNECT_MS, signal)
    }
    this.#giveUp('stopped')
  }

  /** Carries the packet out and looks at the server in the same round trip. */
  async perform(packet: Packet, deadline_ms: number): Promise<Performed> {
    const connection = this.#connection
    if (connection === null) return { outcome: 'unknown', reason: 'there is no connection' }
    this.#isPerforming = true
    try {
      await this.#send(connection, [...packet, ...OBSERVE], deadline_ms, (results) => this.#note(results))
      return { outcome: 'done' }
    } catch (error) {
      if (this.#connection !== connection)
        return { outcome: 'unknown', reason: this.#fault ?? 'the connection is lost' }
      const { message: reason, errno = 0 } = error as Error & { readonly errno?: number }
      await this.#observe()
      return { outcome: 'refused', reason, errno }
    } finally {
      this.#isPerforming = false
      this.#options.onSeen()
    }
  }

  /** What takes long, such as a clone: the server counts as away, with a reason, until it has ended. */
  async performLong(packet: Packet, after: Packet, why: string): Promise<Performed> {
    const connection = this.#connection
    if (connection === null) return { outcome: 'unknown', reason: 'there is no connection' }
    this.#away = why
    try {
      await this.#ask(connection, packet, null)
      return { outcome: 'done' }
    } catch (error) {
      const { message: reason, errno = 0 } = error as Error & { readonly errno?: number }
      if (this.#connection !== connection) return { outcome: 'unknown', reason }
      await this.#ask(connection, after, DEAD_MS).catch(() => this.#giveUp('it could not be closed again'))
      return { outcome: 'refused', reason, errno }
    } finally {
      this.#away = null
      this.#wake()
    }
  }

  async #connect(signal: AbortSignal): Promise<boolean> {
    const { server, access } = this.#options
    this.#state = null
    try {
      const connection = await openConnection(server, access, signal)
      connection.on('error', (error) => this.#lose(connection, explainFault(error, server, access)))
      connection.on('end', () => this.#lose(connection, `${server.name} has closed the connection`))
      this.#connection = connection
      this.#life = randomUUID()
      const [, settings] = await this.#ask(connection, [SESSION, VITAL_SETTINGS], CONNECT_MS)
      const fault = settingsFault(server, settings?.[0] ?? {})
      if (fault === null) return true
      this.#giveUp(fault)
    } catch (error) {
      this.#giveUp(explainFault(error as Error, server, access))
    }
    return false
  }

  async #observe(): Promise<void> {
    const connection = this.#connection
    if (connection === null) return
    const late = setTimeout(() => {
      this.#isLate = true
      this.#options.onSeen()
    }, LATE_MS)
    try {
      await this.#send(connection, OBSERVE, DEAD_MS, (results) => this.#note(results))
    } catch (error) {
      // A server in the middle of something, such as being cloned, may have no tables to read.
      if (this.#connection === connection) this.#giveUp(explainFault(error as Error, this.server, this.#options.access))
    } finally {
      clearTimeout(late)
    }
  }

  async #send(
    connection: Connection,
    packet: Packet,
    deadline_ms: number,
    use: (results: readonly Row[][]) => void,
  ): Promise<void> {
    const results = await this.#ask(connection, packet, deadline_ms)
    if (this.#connection === connection) use(results.slice(-OBSERVE.length))
  }

  #note(results: readonly Row[][]): void {
    const { servers } = this.#options
    const nameAt = (host: string, port: number) =>
      servers.find((one) => one.host === host && one.port === port)?.name ?? `${host}:${port}`
    const { state, details } = readObservation(results, { server: this.server, life: this.#life, nameAt })
    this.#state = this.#withStall(state)
    this.#details = details
    this.#fault = null
    this.#isLate = false
  }

  /** A replica that is cut off is still counted for a minute: who has waited for long has nobody. */
  #withStall(state: ServerState): ServerState {
    const first = state.isSuperReadOnly ? '' : firstOf(state)
    const now_ms = performance.now()
    if (first !== this.#stalled.owned) this.#stalled = { owned: first, since_ms: now_ms }
    const isStalled = first !== '' && now_ms - this.#stalled.since_ms >= STALLED_MS
    return isStalled ? { ...state, semiSync: { ...state.semiSync, clients: 0 } } : state
  }

  async #ask(
    connection: Connection,
    packet: readonly Statement[],
    deadline_ms: number | null,
  ): Promise<readonly Row[][]> {
    const { sql, values } = textOf(packet)
    const late = () => this.#lose(connection, `${this.server.name} has not answered within ${deadline_ms} ms`)
    const timer = deadline_ms === null ? undefined : setTimeout(late, deadline_ms)
    let giveUp: (error: Error) => void = () => {}
    try {
      return await new Promise((resolve, reject) => {
        giveUp = reject
        this.#waiting.add(giveUp)
        connection.query(sql, [...values], (error, results) => {
          if (error !== null) reject(error)
          else resolve((packet.length === 1 ? [results] : results) as Row[][])
        })
      })
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(giveUp)
    }
  }

  #lose(connection: Connection, fault: string): void {
    breakOff(connection)
    if (this.#connection !== connection) return
    this.#giveUp(fault)
    this.#wake()
    this.#options.onSeen()
  }

  #giveUp(fault: string): void {
    if (this.#connection !== null) breakOff(this.#connection)
    this.#connection = null
    this.#state = null
    this.#isLate = false
    this.#fault = fault
    for (const tell of this.#waiting) tell(new NoAnswer(fault))
  }

  #pause(time_ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#wake = () => {}
        resolve()
      }
      const timer = setTimeout(done, time_ms)
      signal.addEventListener('abort', done, { once: true })
      this.#wake = done
      if (signal.aborted) done()
    })
  }
}

/** The first transaction that waits: while it stays the first, nothing is acknowledged. */
function firstOf(state: ServerState): string {
  const [first] = state.owned
  return first === undefined ? '' : `${first[0]}:${first[1][0]}`
}

/** TLS always, believed only under the private authority; several statements in one packet. */
export async function openConnection(
  server: DatabaseServer,
  access: DatabaseAccess,
  signal: AbortSignal,
): Promise<Connection> {
  const password = readFileSync(access.operator.passwordFile, 'utf8').trimEnd()
  neverLog(password)
  const connection = mysql.createConnection({
    host: server.host,
    port: server.port,
    user: access.operator.user,
    password,
    ssl: { ca: readFileSync(access.authorityFile), minVersion: 'TLSv1.3', rejectUnauthorized: true },
    multipleStatements: true,
    connectTimeout: CONNECT_MS,
    keepAliveInitialDelay: 5_000,
    dateStrings: true,
    supportBigNumbers: true,
  })
  let abort = () => {}
  try {
    await new Promise<void>((resolve, reject) => {
      abort = () => reject(new NoAnswer('stopped'))
      signal.addEventListener('abort', abort, { once: true })
      connection.once('error', reject)
      connection.connect((error) => (error === null ? resolve() : reject(error)))
    })
    return connection
  } catch (error) {
    breakOff(connection)
    throw error
  } finally {
    connection.removeAllListeners('error')
    // A connection that is given up may still say why; nobody asks any more.
    connection.on('error', () => {})
    signal.removeEventListener('abort', abort)
  }
}
