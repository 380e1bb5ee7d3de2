// Follows a server's binary log as a replica does (COM_BINLOG_DUMP_GTID): the server sends, from wherever they lie, the transactions that are not in
// the set it is given, and then every new one. Promises to hold up the server rather than to buffer without bound. mysql2 knows the older command
// only, which needs a file's name and position; this one is built upon its connection.

import { EventEmitter } from 'node:events'
import { breakOff } from '@wintrades/platform/mysql'
import type { Connection } from 'mysql2'
import mysql from 'mysql2'
import type { GtidSet } from '../../operator/promotion/gtid-set.ts'
import { BackupRefused } from '../store/faults.ts'
import { checkEvent, EVENT, eventType, hasChecksums } from './events.ts'

const COM_BINLOG_DUMP_GTID = 0x1e
/** The server tells this often that it is alive, … */
const HEARTBEAT_MS = 1_000
/** … and is given up when it has not for this long. */
const SILENCE_MS_MAX = 15_000
const QUEUED_BYTES_MAX = 8 * 1024 * 1024
/** The request carries a GTID set. */
const THROUGH_GTID = 4
const SERVER_ID = 0xee_57_54_00

export type DumpOptions = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** PEM of the authority that signed the server's certificate; null: no TLS. */
  readonly ca: string | null
  /** What is there already. */
  readonly have: GtidSet
  /** This follower's own; the server ends an older dump of the same. */
  readonly uuid: string
  readonly signal: AbortSignal
}

export type DumpedEvent = { readonly event: Buffer; readonly hasChecksum: boolean }

/** Null between events: the server has nothing more for now. Ends with an error, or when the signal aborts. */
export async function* dumpBinlog(options: DumpOptions): AsyncGenerator<DumpedEvent | null> {
  const where = `binlog of ${options.host}:${options.port}`
  const connection = await connect(options)
  const events = new EventQueue(connection)
  const abort = () => events.fail(new Error('stopped'))
  options.signal.addEventListener('abort', abort)
  try {
    await prepare(connection, options.uuid)
    ;(connection as unknown as RawConnection).addCommand(new DumpCommand(encodeRequest(options.have), events))
    let hasChecksum = true
    for (;;) {
      const event = await events.next()
      if (options.signal.aborted) return
      if (event === null) {
        yield null
        continue
      }
      const type = eventType(event)
      if (type === EVENT.formatDescription) hasChecksum = hasChecksums(event)
      checkEvent(event, hasChecksum || type === EVENT.formatDescription, where)
      if (type === EVENT.heartbeat || type === EVENT.heartbeatV2) yield null
      else yield { event, hasChecksum }
    }
  } catch (error) {
    if (options.signal.aborted) return
    throw explain(error, where)
  } finally {
    options.signal.removeEventListener('abort', abort)
    breakOff(connection)
  }
}

function explain(error: unknown, where: string): Error {
  const { errno, message } = error as { errno?: number; message?: string }
  // The server no longer has what comes next.
  if (errno === 1236) {
    return new BackupRefused(
      `${where}: ${message}; make a full backup (wintrades backup create): what lies between cannot be had again`,
      {
        cause: error,
      },
    )
  }
  return new Error(`${where}: ${message ?? String(error)}`, { cause: error })
}

async function connect({ host, port, user, password, ca }: DumpOptions): Promise<Connection> {
  const connection = mysql.createConnection({
    host,
    port,
    user,
    password,
    connectTimeout: 5_000,
    flags: ['-LOCAL_FILES'],
    ...(ca === null ? {} : { ssl: { ca, minVersion: 'TLSv1.2', rejectUnauthorized: true, verifyIdentity: true } }),
  })
  connection.on('error', () => {}) // whoever waits for an event is told by the queue
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error === null ? resolve() : reject(error)))
  })
  return connection
}

async function prepare(connection: Connection, uuid: string): Promise<void> {
  const settings: readonly (readonly [string, readonly unknown[]])[] = [
    ['SET @source_binlog_checksum = @@GLOBAL.binlog_checksum', []],
    ['SET @source_heartbeat_period = ?', [HEARTBEAT_MS * 1_000_000]],
    ['SET @replica_uuid = ?', [uuid]],
  ]
  for (const [sql, values] of settings) {
    await new Promise<void>((resolve, reject) => {
      connection.query(sql, [...values], (error) => (error === null ? resolve() : reject(error)))
    })
  }
}

/** The body of the command: flags, server id, no file, position 4, the set in MySQL's binary form. */
export function encodeRequest(have: GtidSet): Buffer {
  const set = encodeGtidSet(have)
  const head = Buffer.alloc(1 + 2 + 4 + 4 + 8 + 4)
  head.writeUInt8(COM_BINLOG_DUMP_GTID, 0)
  head.writeUInt16LE(THROUGH_GTID, 1)
  head.writeUInt32LE(SERVER_ID + Math.floor(Math.random() * 256), 3)
  head.writeBigUInt64LE(4n, 11)
  head.writeUInt32LE(set.length, 19)
  return Buffer.concat([head, set])
}

function encodeGtidSet(set: GtidSet): Buffer {
  const parts: Buffer[] = [u64(set.size)]
  for (const [origin, runs] of set) {
    if (origin.includes(':')) throw new BackupRefused(`transactions with tagged GTIDs (${origin}) cannot be archived`)
    parts.push(Buffer.from(origin.replaceAll('-', ''), 'hex'), u64(runs.length / 2))
    // The end of a run is the first number behind it.
    for (let at = 0; at < runs.length; at += 2) parts.push(u64(runs[at] as number), u64((runs[at + 1] as number) + 1))
  }
  return Buffer.concat(parts)
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

/** What of mysql2's inside this rests on. */
type RawConnection = {
  addCommand(command: DumpCommand): void
  writePacket(packet: RequestPacket): void
  _resetSequenceId(): void
}

type RawPacket = {
  readonly buffer: Buffer
  readonly offset: number
  readonly end: number
  isError(): boolean
  asError(encoding: string): Error
}

class RequestPacket {
  readonly buffer: Buffer

  constructor(body: Buffer) {
    this.buffer = Buffer.concat([Buffer.alloc(4), body])
  }

  length(): number {
    return this.buffer.length - 4
  }

  writeHeader(sequence: number): void {
    this.buffer.writeUIntLE(this.length(), 0, 3)
    this.buffer.writeUInt8(sequence, 3)
  }
}

const PACKET_END = 0xfe

class DumpCommand extends EventEmitter {
  readonly #request: Buffer
  readonly #events: EventQueue
  #isSent = false

  constructor(request: Buffer, events: EventQueue) {
    super()
    this.#request = request
    this.#events = events
    this.on('error', (error) => events.fail(error))
  }

  /** Called by the connection for each packet; true: this command is over. */
  execute(packet: RawPacket | undefined, connection: RawConnection): boolean {
    if (!this.#isSent || packet === undefined) {
      this.#isSent = true
      connection._resetSequenceId()
      connection.writePacket(new RequestPacket(this.#request))
      return false
    }
    if (packet.isError()) {
      this.#events.fail(packet.asError('utf8'))
      return true
    }
    // The first byte is the protocol's; the packet's memory is used again.
    const body = packet.buffer.subarray(packet.offset, packet.end)
    if (body[0] === PACKET_END && body.length < 9) {
      this.#events.fail(new Error('the server has ended its binlog'))
      return true
    }
    this.#events.push(Buffer.from(body.subarray(1)))
    return false
  }
}

/** Between the connection, which pushes, and whoever pulls. */
class EventQueue {
  readonly #connection: Connection
  readonly #queue: Buffer[] = []
  #queuedBytes = 0
  #waiting: { resolve: (event: Buffer | null) => void; reject: (error: unknown) => void } | null = null
  #error: unknown = null
  #isPaused = false
  #wasIdle = true

  constructor(connection: Connection) {
    this.#connection = connection
    connection.on('error', (error) => this.fail(error))
    connection.on('end', () => this.fail(new Error('the connection has ended')))
  }

  push(event: Buffer): void {
    const waiting = this.#waiting
    if (waiting !== null) {
      this.#waiting = null
      waiting.resolve(event)
      return
    }
    this.#queue.push(event)
    this.#queuedBytes += event.length
    if (this.#queuedBytes >= QUEUED_BYTES_MAX && !this.#isPaused) {
      this.#isPaused = true
      this.#connection.pause()
    }
  }

  fail(error: unknown): void {
    this.#error ??= error ?? new Error('the connection has ended')
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(this.#error)
  }

  /** The next event; null once whenever there is none yet. */
  async next(): Promise<Buffer | null> {
    const event = this.#queue.shift()
    if (event !== undefined) {
      this.#wasIdle = false
      this.#queuedBytes -= event.length
      if (this.#isPaused && this.#queue.length === 0) {
        this.#isPaused = false
        this.#connection.resume()
      }
      return event
    }
    if (this.#error !== null) throw this.#error
    if (!this.#wasIdle) {
      this.#wasIdle = true
      return null
    }
    const timer = setTimeout(() => this.fail(new Error(`nothing for ${SILENCE_MS_MAX / 1_000} s`)), SILENCE_MS_MAX)
    try {
      return await new Promise<Buffer | null>((resolve, reject) => {
        this.#waiting = { resolve, reject }
      })
    } finally {
      clearTimeout(timer)
    }
  }
}
