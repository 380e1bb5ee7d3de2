// One WebSocket connection: reads operations, answers each once, sends pushes. Promises that no message throws, that everything sent
// in one turn of the event loop leaves in one write, and that neither requests under way nor unsent bytes grow without bound.

import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { Authenticator, StreamCredentials } from '../auth/authenticator.ts'
import type { AccountPrincipal } from '../auth/principal.ts'
import { ApiFault } from '../errors.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import { asciiJson, denial, denialOf, malformation, type OrderReply } from '../orders/answers.ts'
import type { Done } from '../orders/command-handlers.ts'
import type { OrderEntry } from '../orders/order-entry.ts'
import { LEGS_MAX } from '../orders/order-lists.ts'
import { textFrame } from './frames.ts'
import type { Listener } from './public-topics.ts'
import { type SubscriptionParts, Subscriptions } from './subscriptions.ts'

export type ConnectionParts = SubscriptionParts & {
  readonly authenticator: Pick<Authenticator, 'stream' | 'isCurrent'>
  readonly limits: Pick<RateLimits, 'requests' | 'address'>
  readonly orders: OrderEntry
  readonly onFault: (error: unknown) => void
  /** Asks for a `flush` before the event loop turns. */
  readonly needsFlush: (connection: Connection) => void
  readonly figures: StreamFigures
}

/** What has been counted since the start. */
export type StreamFigures = {
  messagesReceived: number
  messagesSent: number
  slowConsumers: number
}

type Frame = Readonly<Record<string, unknown>>

/** Close codes: RFC 6455's and those registered since, used in their sense. */
export const CloseCode = {
  unsupportedData: 1003,
  policyViolation: 1008,
  serviceRestart: 1012,
  tryAgainLater: 1013,
} as const

export const OUTGOING_BYTES_MAX = 8 * 1024 * 1024
export const IN_FLIGHT_MAX = 4_096
const ID_CHARS_MAX = 64
const TERMINATE_AFTER_MS = 2_000

/** The fields of each operation, besides `id` and `op`. */
const OPERATION_FIELDS: Readonly<Record<string, readonly string[]>> = {
  auth: ['token', 'key', 'timestamp', 'signature'],
  ping: [],
  'order.place': ['order'],
  'order.place_batch': ['orders'],
  'order.place_list': ['kind', 'orders', 'entry', 'exits'],
  'order.cancel': ['orderId', 'clientOrderId', 'symbol'],
  'order.replace': ['orderId', 'clientOrderId', 'symbol', 'price', 'quantity'],
  'order.mass_cancel': ['symbol', 'side'],
  'order.get': ['orderId', 'clientOrderId', 'symbol'],
  subscribe: ['channels'],
  unsubscribe: ['channels'],
}
const OPERATIONS: ReadonlyMap<unknown, ReadonlySet<string>> = new Map(
  Object.entries(OPERATION_FIELDS).map(([operation, fields]) => [operation, new Set(['id', 'op', ...fields])]),
)

export class Connection implements Listener {
  readonly session: number
  readonly #parts: ConnectionParts
  readonly #socket: WebSocket
  /** What the socket was upgraded from: finished frames are written to it directly. */
  readonly #stream: Duplex
  readonly #address: string
  readonly #subscriptions: Subscriptions
  #principal: AccountPrincipal | null = null
  #outgoing = ''
  #inFlight = 0
  #heard = true
  #closing = false

  constructor(parts: ConnectionParts, socket: WebSocket, stream: Duplex, address: string, session: number) {
    this.#parts = parts
    this.#socket = socket
    this.#stream = stream
    this.#address = address
    this.session = session
    this.#subscriptions = new Subscriptions(parts, this)
    socket.on('message', (data: Buffer, isBinary) => {
      this.#heard = true
      parts.figures.messagesReceived += 1
      if (this.#closing) return
      if (isBinary) this.end(CloseCode.unsupportedData, 'messages are JSON text')
      else this.#receive(data)
    })
    socket.on('pong', () => {
      this.#heard = true
    })
    // The library closes the connection with the right code; there is nothing to add.
    socket.on('error', () => {})
  }

  get subscriptionCount(): number {
    return this.#subscriptions.count
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get address(): string {
    return this.#address
  }

  /** Sends a finished frame. */
  push(frame: string): void {
    if (this.#closing) return
    this.#parts.figures.messagesSent += 1
    if (this.#outgoing === '') this.#parts.needsFlush(this)
    this.#outgoing += frame
    if (this.#outgoing.length + this.#stream.writableLength <= OUTGOING_BYTES_MAX) return
    this.#parts.figures.slowConsumers += 1
    this.end(CloseCode.tryAgainLater, 'CONSUMER_TOO_SLOW')
  }

  /** Writes what has been sent since the last time. */
  flush(): void {
    const outgoing = this.#outgoing
    this.#outgoing = ''
    if (outgoing !== '' && this.#socket.readyState === WebSocket.OPEN) this.#stream.write(outgoing, 'latin1')
  }

  /** Ends a connection from which nothing was heard since the last time, and asks the others for a sign of life. */
  probe(): void {
    if (!this.#heard) {
      this.#socket.terminate()
      return
    }
    this.#heard = false
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping()
  }

  /** Ends the connection if what it was authenticated with is no longer good. */
  async recheck(): Promise<void> {
    const principal = this.#principal
    if (principal === null || (await this.#parts.authenticator.isCurrent(principal))) return
    this.end(CloseCode.policyViolation, 'TOKEN_INVALID')
  }

  /** Says goodbye; a peer that does not answer is cut off. What was sent before still leaves, unless it is what is too much. */
  end(code: number, reason: string): void {
    if (this.#closing) return
    if (code === CloseCode.tryAgainLater) this.#outgoing = ''
    this.flush()
    this.#closing = true
    this.#subscriptions.closeAll()
    this.#socket.close(code, reason)
    setTimeout(() => this.#socket.terminate(), TERMINATE_AFTER_MS).unref()
  }

  /** Without another word. */
  cut(): void {
    this.#socket.terminate()
  }

  /** The socket is gone. */
  closed(): void {
    this.#closing = true
    this.#outgoing = ''
    this.#subscriptions.closeAll()
    this.#parts.orders.endSession(this.session)
  }

  #receive(data: Buffer): void {
    let frame: unknown
    try {
      frame = JSON.parse(data.toString())
    } catch {
      return void this.#answerCounted('null', denial('REQUEST_MALFORMED', { message: 'The message is not JSON.' }))
    }
    if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) {
      return void this.#answerCounted('null', denial('REQUEST_MALFORMED', { message: 'A message is one JSON object.' }))
    }
    const { id, op } = frame as Frame
    const idJson = readId(id)
    if (idJson === null) {
      const problem = `must be a number or a string of at most ${ID_CHARS_MAX} characters`
      return void this.#answerCounted('null', malformation('REQUEST_MALFORMED', 'id', problem))
    }
    const fields = OPERATIONS.get(op)
    if (fields === undefined) return void this.#answerCounted(idJson, denial('OPERATION_UNKNOWN'))
    for (const key in frame) {
      if (fields.has(key)) continue
      const fault = malformation('REQUEST_MALFORMED', key.slice(0, ID_CHARS_MAX), `is not a field of ${String(op)}`)
      return void this.#answerCounted(idJson, fault)
    }
    try {
      this.#carryOut(op as string, idJson, frame as Frame)
    } catch (error) {
      this.#parts.onFault(error)
      this.#answer(idJson, denial('INTERNAL'))
    }
  }

  #carryOut(operation: string, id: string, frame: Frame): void {
    switch (operation) {
      case 'ping':
        return void this.#answerCounted(id, { ...OK, json: `{"time":${Date.now()}}` })
      case 'auth':
        return void this.#authenticate(id, frame)
      case 'subscribe':
      case 'unsubscribe':
        return void this.#subscribe(id, frame, operation === 'subscribe')
      default:
        return void this.#trade(operation, id, frame)
    }
  }

  #trade(operation: string, id: string, frame: Frame): void {
    const principal = this.#principal
    if (principal === null) return void this.#answerCounted(id, denial('AUTHENTICATION_REQUIRED'))
    const weight = operation === 'order.place_list' ? LEGS_MAX : weightOf(frame['orders'])
    if (this.#inFlight + weight > IN_FLIGHT_MAX) {
      const message = `This connection has ${this.#inFlight} requests under way; at most ${IN_FLIGHT_MAX} may be.`
      return void this.#answerCounted(id, denial('OVERLOADED', { message }))
    }
    this.#inFlight += weight
    const done = (reply: OrderReply) => {
      this.#inFlight -= weight
      this.#answer(id, reply)
    }
    try {
      this.#order(operation, principal, frame, done)
    } catch (error) {
      this.#parts.onFault(error)
      done(denial('INTERNAL'))
    }
  }

  #order(operation: string, principal: AccountPrincipal, frame: Frame, done: Done): void {
    const { orders } = this.#parts
    switch (operation) {
      case 'order.place':
        orders.place(principal, frame['order'], this.session, done)
        break
      case 'order.place_batch':
        orders.placeBatch(principal, frame['orders'], this.session, done)
        break
      case 'order.place_list':
        orders.placeList(principal, without(frame, ENVELOPE), this.session, done)
        break
      case 'order.cancel':
        orders.cancel(principal, without(frame, ENVELOPE), done)
        break
      case 'order.replace':
        orders.replace(principal, without(frame, NOT_A_NAME), without(frame, NOT_A_CHANGE), done)
        break
      case 'order.mass_cancel':
        orders.massCancel(principal, without(frame, ENVELOPE), done)
        break
      default:
        void orders.find(principal, without(frame, ENVELOPE)).then(done)
    }
  }

  #authenticate(id: string, frame: Frame): void {
    const { limits, authenticator } = this.#parts
    const wait_ms = limits.address(this.#address)
    if (wait_ms > 0) return void this.#answer(id, denial('RATE_LIMITED', { retryAfter_ms: wait_ms }))
    const credentials = readCredentials(frame)
    if (credentials === null) {
      const problem = 'is missing: auth needs token, or key, timestamp and signature'
      return void this.#answer(id, malformation('REQUEST_MALFORMED', 'token', problem))
    }
    if (this.#inFlight >= IN_FLIGHT_MAX) return void this.#answer(id, denial('OVERLOADED'))
    this.#inFlight += 1
    void authenticator
      .stream(credentials, this.#address)
      .then((principal): OrderReply => {
        if (principal.kind !== 'user') return denial('AUTHENTICATION_REQUIRED')
        if (this.#principal !== null && this.#principal.account !== principal.account) {
          const message = 'This connection belongs to another account; open a new one.'
          return denial('REQUEST_MALFORMED', { message })
        }
        this.#principal = principal
        return { ...OK, json: `{"accountId":${principal.account}}` }
      })
      .catch((error: unknown): OrderReply => {
        if (error instanceof ApiFault) return denialOf(error)
        this.#parts.onFault(error)
        return denial('INTERNAL')
      })
      .then((reply) => {
        this.#inFlight -= 1
        this.#answer(id, reply)
      })
  }

  #subscribe(id: string, frame: Frame, opening: boolean): void {
    const read = this.#subscriptions.read(frame['channels'], this.#principal)
    if (!read.ok) return void this.#answerCounted(id, read.reply)
    const wait_ms = this.#waitFor(read.wanted.length)
    if (wait_ms > 0) return void this.#answer(id, denial('RATE_LIMITED', { retryAfter_ms: wait_ms }))
    const denied = opening ? this.#subscriptions.denied(read.wanted) : null
    if (denied !== null) return void this.#answer(id, denied)
    if (!opening) this.#subscriptions.close(read.wanted)
    // The answer goes first, so that a client knows of its subscription when the snapshot comes.
    this.#answer(id, { ...OK, json: `{"channels":${read.wanted.length}}` })
    if (opening) this.#subscriptions.open(read.wanted, this.#principal)
  }

  /** Answers what cost the platform little; who asks for too much of it is told so instead. */
  #answerCounted(id: string, reply: OrderReply): void {
    const wait_ms = this.#waitFor(1)
    this.#answer(id, wait_ms > 0 ? denial('RATE_LIMITED', { retryAfter_ms: wait_ms }) : reply)
  }

  #waitFor(count: number): number {
    const { limits } = this.#parts
    return this.#principal === null
      ? limits.address(this.#address, count)
      : limits.requests(this.#principal.limitKey, count)
  }

  #answer(id: string, { status, json }: OrderReply): void {
    if (this.#closing) return
    this.push(
      textFrame(status < 400 ? `{"id":${id},"ok":true,"result":${json}}` : `{"id":${id},"ok":false,${json.slice(1)}`),
    )
  }
}

/** What a request counts among those under way: a batch as many as it has orders. */
function weightOf(orders: unknown): number {
  return Array.isArray(orders) ? Math.max(1, orders.length) : 1
}

const OK = { status: 200, shard: null, seq: 0 } as const
const ENVELOPE: ReadonlySet<string> = new Set(['id', 'op'])
const NOT_A_NAME: ReadonlySet<string> = new Set(['id', 'op', 'price', 'quantity'])
const NOT_A_CHANGE: ReadonlySet<string> = new Set(['id', 'op', 'orderId', 'clientOrderId', 'symbol'])

function without(frame: Frame, left: ReadonlySet<string>): Record<string, unknown> {
  const rest: Record<string, unknown> = {}
  for (const key in frame) if (!left.has(key)) rest[key] = frame[key]
  return rest
}

/** The id as it goes into the answer; null: it is none. A message without one is answered with `id: null`. */
function readId(id: unknown): string | null {
  if (typeof id === 'number') return Number.isFinite(id) ? String(id) : null
  if (typeof id === 'string') return id.length <= ID_CHARS_MAX ? asciiJson(id) : null
  return id === undefined || id === null ? 'null' : null
}

function readCredentials({ token, key, timestamp, signature }: Frame): StreamCredentials | null {
  if (typeof token === 'string') return key === undefined && signature === undefined ? { token } : null
  if (typeof key !== 'string' || typeof signature !== 'string') return null
  if (typeof timestamp !== 'number' && typeof timestamp !== 'string') return null
  return { key, timestamp, signature }
}
