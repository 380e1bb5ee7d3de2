// The WebSocket API for programs: requests by id with many in flight, subscriptions that go on by sequence after a lost connection.
// Promises that a request is answered exactly once (with `OUTCOME_UNKNOWN` if nobody can tell in time), that a subscription reports
// "reset" rather than hide a gap, and that what waits is bounded.

import { type RawData, WebSocket } from 'ws'
import { named, namedList } from './order-names.ts'
import { type ApiError, CLIENT_CODES, failure, type Result, readError } from './result.ts'
import type { OrderListRequest, OrderName, OrderRequest, OrderView } from './wire-types.ts'

/** What proves who the client is, asked anew for each connection: an access token, or a signature by an API key. */
export type StreamCredentials =
  | { readonly token: string }
  | { readonly key: string; readonly timestamp: number; readonly signature: string }

export type StreamClientOptions = {
  /** In order of preference (`http:`, `https:`, `ws:` or `wss:`); the next is tried when one cannot be reached. */
  readonly baseUrls: readonly string[]
  /** The region that a front door shall choose. */
  readonly region?: string
  /** Without it the stream stays anonymous: public channels only. */
  readonly authenticate?: () => Promise<Result<StreamCredentials>>
  /** Requests sent and not yet answered; more wait in line. */
  readonly inFlightMax?: number
  /** Requests in line; past it `CLIENT_OVERLOADED`. */
  readonly waitingMax?: number
  /** How long a request may take in all, reconnecting included. */
  readonly deadline_ms?: number
  readonly onStatus?: (status: StreamStatus) => void
}

export type StreamStatus =
  | { readonly kind: 'connected'; readonly url: string }
  | { readonly kind: 'lost'; readonly reason: string; readonly retryIn_ms: number }

export type Channel = {
  readonly channel: 'depth' | 'trades' | 'ticker' | 'candles' | 'orders' | 'balances'
  readonly symbol?: string
  readonly interval?: string
}

/** A push. `reset`: what was missed cannot be had; start again from the snapshot that follows. */
export type Push = {
  readonly channel: string
  readonly symbol?: string
  readonly type: 'snapshot' | 'update' | 'reset'
  readonly sequence?: unknown
  readonly data: unknown
}

export type Subscription = { close(): void }

type Pending = {
  readonly id: string
  readonly frame: string
  readonly repeatable: boolean
  readonly resolve: (result: Result<unknown>) => void
  readonly timer: NodeJS.Timeout
  sent: boolean
}

type Subscribed = {
  readonly channel: Channel
  readonly listeners: Set<(push: Push) => void>
  sequence: unknown
}

const IN_FLIGHT_MAX = 512
const WAITING_MAX = 16_384
const DEADLINE_MS = 15_000
const CONNECT_TIMEOUT_MS = 5_000
const SILENCE_MS = 10_000
const RETRY_MS_FIRST = 100
const RETRY_MS_MAX = 5_000
const FRAME_BYTES_MAX = 16 * 1024 * 1024

export class StreamClient {
  readonly #options: StreamClientOptions
  readonly #subscriptions = new Map<string, Subscribed>()
  /** Sent and unanswered, in order of sending. */
  readonly #inFlight = new Map<string, Pending>()
  #waiting: Pending[] = []
  #socket: WebSocket | null = null
  #open = false
  #count = 0
  #urlIndex = 0
  #retry_ms = RETRY_MS_FIRST
  #retryTimer: NodeJS.Timeout | undefined
  #watchdog: NodeJS.Timeout | undefined
  #heard = true
  #closed = false
  #firstFault: ((error: ApiError) => void) | null = null

  constructor(options: StreamClientOptions) {
    if (options.baseUrls.length === 0) throw new RangeError('a client needs a base URL')
    this.#options = options
  }

  get connected(): boolean {
    return this.#open
  }

  /** Connects for the first time; an error here means that nothing goes on in the background. */
  async connect(): Promise<Result<null>> {
    for (let attempt = 0; attempt < this.#options.baseUrls.length; attempt++) {
      const result = await new Promise<Result<null>>((resolve) => {
        this.#firstFault = (error) => resolve({ ok: false, error })
        void this.#connect(() => resolve({ ok: true, value: null }))
      })
      this.#firstFault = null
      if (result.ok || attempt === this.#options.baseUrls.length - 1) return result
    }
    return failure(CLIENT_CODES.unreachable, 'no base URL')
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retryTimer)
    clearInterval(this.#watchdog)
    this.#socket?.terminate()
    this.#socket = null
    this.#open = false
    for (const pending of [...this.#inFlight.values(), ...this.#waiting]) {
      this.#settle(pending, failure(pending.sent ? CLIENT_CODES.unknown : CLIENT_CODES.closed, 'the client was closed'))
    }
    this.#inFlight.clear()
    this.#waiting = []
  }

  place(order: OrderRequest): Promise<Result<OrderView>> {
    return this.request('order.place', { order: named(order) }, true)
  }

  /** Up to 500 orders in one frame; each has its own result, in order. */
  placeBatch(orders: readonly OrderRequest[]): Promise<Result<{ readonly results: readonly unknown[] }>> {
    return this.request('order.place_batch', { orders: orders.map(named) }, true)
  }

  /** Two or three orders that belong together; each has its own result, in the order of the request. */
  placeList(list: OrderListRequest): Promise<Result<{ readonly results: readonly unknown[] }>> {
    return this.request('order.place_list', namedList(list), true)
  }

  cancel(name: OrderName): Promise<Result<OrderView>> {
    return this.request('order.cancel', name, true)
  }

  replace(name: OrderName, change: { price?: string; quantity?: string }): Promise<Result<OrderView>> {
    return this.request('order.replace', { ...name, ...change }, true)
  }

  massCancel(filter: { readonly symbol?: string; readonly side?: string } = {}): Promise<Result<unknown>> {
    return this.request('order.mass_cancel', filter, true)
  }

  order(name: OrderName): Promise<Result<OrderView>> {
    return this.request('order.get', name, true)
  }

  /** Sends an operation. `repeatable`: it may be sent again after a lost connection. */
  request<Value>(op: string, fields: object, repeatable: boolean): Promise<Result<Value>> {
    if (this.#closed) return Promise.resolve(failure(CLIENT_CODES.closed, 'the client was closed'))
    if (this.#waiting.length >= (this.#options.waitingMax ?? WAITING_MAX)) {
      return Promise.resolve(failure(CLIENT_CODES.overloaded, `${this.#waiting.length} requests wait already`))
    }
    const id = String(++this.#count)
    return new Promise<Result<Value>>((resolve) => {
      const pending: Pending = {
        id,
        frame: JSON.stringify({ id, op, ...fields }),
        repeatable,
        resolve: resolve as (result: Result<unknown>) => void,
        timer: setTimeout(() => this.#expire(pending), this.#options.deadline_ms ?? DEADLINE_MS),
        sent: false,
      }
      this.#waiting.push(pending)
      this.#pump()
    })
  }

  /** Listens to a channel; a new listener of a channel that is open already hears its next pushes. */
  subscribe(channel: Channel, listener: (push: Push) => void): Subscription {
    const key = keyOf(channel)
    let subscribed = this.#subscriptions.get(key)
    if (subscribed === undefined) {
      subscribed = { channel, listeners: new Set(), sequence: undefined }
      this.#subscriptions.set(key, subscribed)
      if (this.#open) void this.#subscribeAgain([subscribed])
    }
    const { listeners } = subscribed
    listeners.add(listener)
    return {
      close: () => {
        if (!listeners.delete(listener) || listeners.size > 0) return
        this.#subscriptions.delete(key)
        if (this.#open) void this.request('unsubscribe', { channels: [channel] }, true)
      },
    }
  }

  async #connect(ready: () => void): Promise<void> {
    const base = this.#options.baseUrls[this.#urlIndex % this.#options.baseUrls.length] ?? ''
    const url = `${base.replace(/^http/, 'ws').replace(/\/$/, '')}/ws`
    const credentials = (await this.#options.authenticate?.()) ?? null
    if (this.#closed) return
    if (credentials !== null && !credentials.ok) return void this.#lost(credentials.error)
    const { region } = this.#options
    const socket = new WebSocket(url, {
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      perMessageDeflate: false,
      maxPayload: FRAME_BYTES_MAX,
      headers: region === undefined ? {} : { 'x-wintrades-region': region },
    })
    this.#socket = socket
    let reason: ApiError = { code: CLIENT_CODES.unreachable, message: `${url} closed the connection`, status: 0 }
    socket.on('error', (error) => {
      reason = { code: CLIENT_CODES.unreachable, message: error.message, status: 0 }
    })
    socket.on('unexpected-response', (_request, response) => {
      reason = { code: CLIENT_CODES.unreachable, message: `${url} answered ${response.statusCode}`, status: 0 }
      socket.terminate()
    })
    socket.on('close', (code, text) => {
      if (this.#socket !== socket) return
      this.#lost(code === 1006 || text.length === 0 ? reason : { ...reason, message: `${code} ${text.toString()}` })
    })
    socket.on('open', () => {
      if (credentials === null) return void this.#ready(socket, url, ready)
      socket.send(JSON.stringify({ id: 'auth', op: 'auth', ...credentials.value }))
    })
    socket.on('message', (data: RawData) => {
      this.#heard = true
      const message = parseMessage(data)
      if (message === null) return void socket.close(1002, 'not JSON')
      if (message['id'] !== 'auth') return void this.#take(message)
      if (message['ok'] === true) return void this.#ready(socket, url, ready)
      reason = readError(message['error'], 0) ?? reason
      socket.terminate()
    })
    socket.on('pong', () => {
      this.#heard = true
    })
  }

  #ready(socket: WebSocket, url: string, ready: () => void): void {
    this.#open = true
    this.#retry_ms = RETRY_MS_FIRST
    this.#heard = true
    clearInterval(this.#watchdog)
    this.#watchdog = setInterval(() => this.#watch(socket), SILENCE_MS)
    this.#options.onStatus?.({ kind: 'connected', url })
    void this.#subscribeAgain([...this.#subscriptions.values()])
    ready()
    this.#pump()
  }

  /** A peer that vanished without a word is noticed by its silence. */
  #watch(socket: WebSocket): void {
    if (!this.#heard) return void socket.terminate()
    this.#heard = false
    socket.ping()
  }

  #lost(error: ApiError): void {
    this.#socket = null
    this.#open = false
    clearInterval(this.#watchdog)
    this.#urlIndex += 1
    if (this.#firstFault !== null) return void this.#firstFault(error)
    if (this.#closed) return
    this.#reclaim()
    const retryIn_ms = this.#retry_ms * (0.5 + Math.random() / 2)
    this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_MS_MAX)
    this.#options.onStatus?.({ kind: 'lost', reason: `${error.code}: ${error.message}`, retryIn_ms })
    this.#retryTimer = setTimeout(() => void this.#connect(() => {}), retryIn_ms)
  }

  /** What was in flight goes back to the head of the line if it may be sent again; the rest is unknown. */
  #reclaim(): void {
    const again: Pending[] = []
    for (const pending of this.#inFlight.values()) {
      if (pending.repeatable) again.push(pending)
      else this.#settle(pending, failure(CLIENT_CODES.unknown, 'the connection was lost before an answer came'))
    }
    this.#inFlight.clear()
    this.#waiting = [...again, ...this.#waiting]
  }

  #pump(): void {
    const socket = this.#socket
    if (!this.#open || socket === null || this.#waiting.length === 0) return
    const room = (this.#options.inFlightMax ?? IN_FLIGHT_MAX) - this.#inFlight.size
    if (room <= 0) return
    for (const pending of this.#waiting.splice(0, room)) {
      pending.sent = true
      this.#inFlight.set(pending.id, pending)
      socket.send(pending.frame)
    }
  }

  #take(message: Record<string, unknown>): void {
    const { id } = message
    if (id === undefined || id === null) return void this.#push(message as unknown as Push)
    const pending = this.#inFlight.get(String(id))
    if (pending === undefined) return // its deadline has passed: it was reported as unknown
    this.#inFlight.delete(pending.id)
    this.#settle(pending, resultOf(message))
    this.#pump()
  }

  #push(push: Push): void {
    const subscribed = this.#subscriptions.get(keyOf(push as unknown as Channel, push.data))
    if (subscribed === undefined) return
    if (hasGap(subscribed.sequence, push)) {
      subscribed.sequence = undefined
      void this.#subscribeAgain([subscribed])
      push = { ...push, type: 'reset', data: null }
    } else {
      subscribed.sequence = push.type === 'reset' ? undefined : merged(subscribed.sequence, push.sequence)
    }
    for (const listener of subscribed.listeners) listener(push)
  }

  async #subscribeAgain(subscriptions: readonly Subscribed[]): Promise<void> {
    if (subscriptions.length === 0) return
    const channels = subscriptions.map(({ channel, sequence }) =>
      sequence === undefined ? channel : { ...channel, sequence },
    )
    const result = await this.request('subscribe', { channels }, false)
    if (result.ok || result.error.code === CLIENT_CODES.unknown || result.error.code === CLIENT_CODES.closed) return
    for (const { channel, listeners } of subscriptions) {
      const push: Push = { channel: channel.channel, type: 'reset', data: { error: result.error } }
      for (const listener of listeners) listener(push)
    }
  }

  #expire(pending: Pending): void {
    this.#inFlight.delete(pending.id)
    this.#waiting = this.#waiting.filter((other) => other !== pending)
    const code = pending.sent ? CLIENT_CODES.unknown : CLIENT_CODES.unreachable
    this.#settle(pending, failure(code, 'no answer before the deadline'))
  }

  #settle(pending: Pending, result: Result<unknown>): void {
    clearTimeout(pending.timer)
    pending.resolve(result)
  }
}

function resultOf(message: Record<string, unknown>): Result<unknown> {
  if (message['ok'] === true) return { ok: true, value: message['result'] }
  const error = readError(message['error'], 0)
  return error === null ? failure(CLIENT_CODES.malformedAnswer, 'an answer without a result') : { ok: false, error }
}

function parseMessage(data: RawData): Record<string, unknown> | null {
  try {
    const message: unknown = JSON.parse(data.toString())
    return typeof message === 'object' && message !== null ? (message as Record<string, unknown>) : null
  } catch {
    return null // the caller ends the connection, saying why
  }
}

function keyOf(channel: Channel, data?: unknown): string {
  const interval = channel.interval ?? (data as { interval?: string } | null | undefined)?.interval
  return `${channel.channel} ${channel.symbol ?? ''} ${channel.channel === 'candles' ? (interval ?? '') : ''}`
}

/** Depth updates say which sequence they follow; other channels are resumed by the platform's word alone. */
function hasGap(last: unknown, push: Push): boolean {
  if (push.channel !== 'depth' || push.type !== 'update' || last === undefined) return false
  const first = (push.data as { firstSequence?: number } | null)?.firstSequence
  return first !== undefined && first > Number(last) + 1
}

/** Sequences of private channels have a place per shard; a push names those that moved. */
function merged(last: unknown, next: unknown): unknown {
  if (next === undefined) return last
  if (typeof next !== 'object' || next === null || typeof last !== 'object' || last === null) return next
  return { ...last, ...next }
}
