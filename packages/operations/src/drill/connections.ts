// The two ways into the platform that a drill's clients use, REST and WebSocket, each to one region through the front door. What
// goes wrong on the way becomes an answer: `denied` only where nothing can have been sent, else `unknown`.

import { once } from 'node:events'
import type { Markets } from '@wintrades/domain'
import { answerOf, denied, type Reply, UNKNOWN } from './answers.ts'
import type { Answer } from './history.ts'
import type { Connection } from './load.ts'
import type { Wish } from './population.ts'

export type ConnectionOptions = {
  readonly baseUrl: string
  readonly region: string
  readonly token: string
  readonly markets: Markets
}

const ANSWER_TIMEOUT_MS = 5_000
const CONNECT_TIMEOUT_MS = 2_000

export class RestConnection implements Connection {
  readonly region: string
  readonly #options: ConnectionOptions

  constructor(options: ConnectionOptions) {
    this.region = options.region
    this.#options = options
  }

  async send(wish: Wish, clientId: string): Promise<Answer> {
    const { method, path, body } = requestOf(wish, clientId)
    try {
      const response = await this.#request(method, path, body)
      const seq = response.headers.get('x-wt-seq')
      return answerOf(
        (await response.json()) as Reply,
        seq === null ? null : Number(seq),
        instrumentOf(this.#options, wish),
      )
    } catch (error) {
      // A refused connection, a reset, a time-out, half a reply: what was sent may have arrived.
      if (error instanceof TypeError || error instanceof DOMException || error instanceof SyntaxError) return UNKNOWN
      throw error
    }
  }

  /** Any other request; throws unless the answer is a success. */
  async ask<Body>(method: string, path: string): Promise<Body> {
    const response = await this.#request(method, path, undefined)
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} at ${this.region}: ${response.status} ${text}`)
    return (text === '' ? null : JSON.parse(text)) as Body
  }

  close(): void {
    // Requests share a pool that belongs to nobody.
  }

  #request(method: string, path: string, body: unknown): Promise<Response> {
    const { baseUrl, token } = this.#options
    return fetch(`${baseUrl}/region/${this.region}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
  }
}

/** Orders and cancels over one WebSocket, opened when it is first needed and again after it was lost; the rest over REST. */
export class StreamConnection implements Connection {
  readonly region: string
  readonly #options: ConnectionOptions
  readonly #rest: RestConnection
  #stream: Promise<Stream> | null = null

  constructor(options: ConnectionOptions) {
    this.region = options.region
    this.#options = options
    this.#rest = new RestConnection(options)
  }

  async send(wish: Wish, clientId: string): Promise<Answer> {
    if (wish.kind !== 'order' && wish.kind !== 'cancel') return this.#rest.send(wish, clientId)
    this.#stream ??= Stream.open(this.#options, () => {
      this.#stream = null
    })
    let stream: Stream
    try {
      stream = await this.#stream
    } catch {
      this.#stream = null
      return denied('NOT_CONNECTED')
    }
    const frame =
      wish.kind === 'order'
        ? { op: 'order.place', order: orderBody(wish, clientId) }
        : { op: 'order.cancel', orderId: String(wish.order) }
    const reply = await stream.ask(frame)
    return reply === null ? UNKNOWN : answerOf(reply, null, instrumentOf(this.#options, wish))
  }

  close(): void {
    void this.#stream?.then(
      (stream) => stream.close(),
      () => null,
    )
  }
}

type ReplyFrame = {
  readonly id?: number
  readonly ok?: boolean
  readonly result?: Reply
  readonly error?: { code: string }
}

class Stream {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (reply: Reply | null) => void>()
  #nextId = 1

  private constructor(socket: WebSocket, onClose: () => void) {
    this.#socket = socket
    socket.addEventListener('message', (event) => this.#received(JSON.parse(String(event.data)) as ReplyFrame))
    socket.addEventListener('close', () => {
      onClose()
      for (const waiting of this.#waiting.values()) waiting(null)
      this.#waiting.clear()
    })
  }

  static async open({ baseUrl, region, token }: ConnectionOptions, onClose: () => void): Promise<Stream> {
    const socket = new WebSocket(`${baseUrl.replace(/^http/, 'ws')}/region/${region}/ws`)
    const stream = new Stream(socket, onClose)
    try {
      await once(socket, 'open', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) })
      const reply = await stream.ask({ op: 'auth', token })
      if (reply === null || reply.error !== undefined)
        throw new Error(`log-in at ${region}: ${reply?.error?.code ?? 'no answer'}`)
    } catch (error) {
      socket.close()
      throw error
    }
    return stream
  }

  /** null: no answer in time, or the connection was lost. */
  ask(frame: Readonly<Record<string, unknown>>): Promise<Reply | null> {
    const id = this.#nextId++
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id)
        resolve(null)
      }, ANSWER_TIMEOUT_MS)
      this.#waiting.set(id, (reply) => {
        clearTimeout(timer)
        resolve(reply)
      })
      this.#socket.send(JSON.stringify({ id, ...frame }))
    })
  }

  close(): void {
    this.#socket.close()
  }

  #received(frame: ReplyFrame): void {
    if (frame.id === undefined) return
    const waiting = this.#waiting.get(frame.id)
    this.#waiting.delete(frame.id)
    waiting?.(frame.ok === true ? (frame.result ?? {}) : { error: frame.error ?? { code: 'OUTCOME_UNKNOWN' } })
  }
}

function requestOf(wish: Wish, clientId: string): { method: string; path: string; body: unknown } {
  switch (wish.kind) {
    case 'order':
      return { method: 'POST', path: '/orders', body: orderBody(wish, clientId) }
    case 'cancel':
      return { method: 'DELETE', path: `/orders/${wish.order}`, body: undefined }
    case 'deposit':
      return {
        method: 'POST',
        path: '/deposits',
        body: { asset: wish.asset, amount: wish.amount, region: wish.region, transferId: clientId },
      }
    case 'transfer': {
      const { asset, amount, fromRegion, toRegion } = wish
      return { method: 'POST', path: '/transfers', body: { asset, amount, fromRegion, toRegion, transferId: clientId } }
    }
  }
}

function orderBody(wish: Extract<Wish, { kind: 'order' }>, clientOrderId: string): object {
  const { symbol, side, price, quantity, timeInForce } = wish
  return { symbol, side, type: 'LIMIT', timeInForce, price, quantity, clientOrderId }
}

function instrumentOf({ markets }: ConnectionOptions, wish: Wish) {
  if (wish.kind !== 'order') return null
  return markets.instruments.find((one) => one.symbol === wish.symbol) ?? null
}
