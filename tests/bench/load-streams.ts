// Load over WebSockets: requests are pipelined and leave together, answers are recognised by their first bytes. Speaks for the cost of
// the platform, so it must cost little itself.

import { type LoadConnection, openLoadConnection } from '@wintrades/operations/client'
import type { LoadMeter } from './load-meter.ts'
import type { OrderMix } from './order-mix.ts'

export type StreamLoadOptions = {
  readonly baseUrl: string
  readonly token: string
  readonly mix: OrderMix
  readonly ordersPerRequest: number
  readonly meter: LoadMeter
  /** After each answer. */
  readonly onAnswer: (client: StreamLoad) => void
}

/** Requests under way are at most as many. */
const RING = 1 << 16
const AUTH_ID = 0
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
/** `{"id":` */
const ID_AT = 6
/** From the end of the id to the value of `ok`: `,"ok":`. */
const OK_AFTER = 6
const LETTER_T = 't'.charCodeAt(0)

export class StreamLoad {
  readonly #options: StreamLoadOptions
  readonly #dueAt_ms = new Float64Array(RING)
  #connection: LoadConnection | null = null
  #nextId = 1
  #flushing = false
  #authenticated: (problem: string | null) => void = () => {}

  private constructor(options: StreamLoadOptions) {
    this.#options = options
  }

  static async open(options: StreamLoadOptions): Promise<StreamLoad> {
    const client = new StreamLoad(options)
    await client.#open()
    return client
  }

  /** Queues one request that was due at `dueAt_ms`; everything queued in one turn leaves together. */
  send(dueAt_ms: number): void {
    const { mix, ordersPerRequest, meter } = this.#options
    const id = this.#nextId++
    this.#dueAt_ms[id & (RING - 1)] = dueAt_ms
    meter.inFlight += ordersPerRequest
    let text: string
    if (ordersPerRequest === 1) text = `{"id":${id},"op":"order.place","order":${mix.next()}}`
    else {
      text = `{"id":${id},"op":"order.place_batch","orders":[${mix.next()}`
      for (let i = 1; i < ordersPerRequest; i++) text += `,${mix.next()}`
      text += ']}'
    }
    this.#connection?.send(text)
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => this.#flush())
  }

  close(): void {
    this.#connection?.close()
  }

  async #open(): Promise<void> {
    const { baseUrl, token } = this.#options
    const answered = new Promise<string | null>((resolve) => {
      this.#authenticated = resolve
    })
    this.#connection = await openLoadConnection({
      baseUrl,
      onMessage: (bytes, start, end) => this.#received(bytes, start, end),
      onClose: (reason) => {
        this.#authenticated(reason)
        this.#options.meter.refusal(`the connection was closed: ${reason}`)
      },
    })
    this.#connection.send(JSON.stringify({ id: AUTH_ID, op: 'auth', token }))
    this.#connection.flush()
    const problem = await answered
    if (problem !== null) throw new Error(`${baseUrl}: ${problem}`)
  }

  #flush(): void {
    this.#flushing = false
    this.#connection?.flush()
  }

  #received(bytes: Buffer, start: number, end: number): void {
    let at = start + ID_AT
    let id = 0
    for (; at < end; at++) {
      const digit = bytes[at] as number
      if (digit < DIGIT_0 || digit > DIGIT_9) break
      id = id * 10 + digit - DIGIT_0
    }
    const ok = bytes[at + OK_AFTER] === LETTER_T
    if (id === AUTH_ID) {
      this.#authenticated(ok ? null : bytes.toString('latin1', start, end))
      return
    }
    const { ordersPerRequest, meter, onAnswer } = this.#options
    const refused = this.#refusedCount(ok, bytes, start, end)
    const latency_ms = performance.now() - (this.#dueAt_ms[id & (RING - 1)] as number)
    meter.answered(ordersPerRequest - refused, refused, latency_ms)
    onAnswer(this)
  }

  #refusedCount(ok: boolean, bytes: Buffer, start: number, end: number): number {
    const { ordersPerRequest, meter } = this.#options
    if (ok && (ordersPerRequest === 1 || !bytes.subarray(start, end).includes('"error"'))) return 0
    const text = bytes.toString('latin1', start, end)
    if (!ok) {
      meter.refusal(text)
      return ordersPerRequest
    }
    return refusedIn(JSON.parse(text) as { result: BatchAnswer }, meter)
  }
}

type BatchAnswer = { readonly results: readonly { readonly error?: unknown }[] }

function refusedIn({ result }: { readonly result: BatchAnswer }, meter: LoadMeter): number {
  const refused = result.results.filter((one) => one.error !== undefined)
  if (refused.length > 0) meter.refusal(JSON.stringify(refused[0]))
  return refused.length
}
