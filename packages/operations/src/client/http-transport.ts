// One HTTP exchange at a time, repeated where that is safe: the next base URL is tried when one cannot be reached, until the
// deadline. Leaves to its caller what may be repeated, and what the answer means.

import { setTimeout as pause } from 'node:timers/promises'
import { Pool } from 'undici'
import { type ApiError, CLIENT_CODES, type ComputedAt, errorOfBody, failure, type Result } from './result.ts'

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

export type Call = {
  readonly method: Method
  /** With its query. */
  readonly path: string
  readonly body?: unknown
  /** Sending it twice comes to the same as sending it once. */
  readonly repeatable: boolean
  /** Overall, all attempts together. */
  readonly deadline_ms?: number
}

export type TransportOptions = {
  /** In order of preference; no slash at the end. */
  readonly baseUrls: readonly string[]
  /** The region that a front door shall choose. */
  readonly region?: string
  /** Of one attempt. */
  readonly timeout_ms?: number
  /** Of a call, all its attempts together. */
  readonly deadline_ms?: number
  readonly connections?: number
  /** Whose name a server's certificate must bear, and the authority that is believed besides the well-known ones. */
  readonly tls?: { readonly servername: string; readonly ca?: string }
}

/** Adds what authenticates a request; asked anew for each attempt, because signatures age. */
export type Authenticate = (call: Call, body: string) => Record<string, string>

type Attempt =
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown; readonly at: ComputedAt | null }
  /** Nothing can have happened. */
  | { readonly kind: 'not_sent'; readonly message: string }
  /** It may have happened. */
  | { readonly kind: 'lost'; readonly message: string }

const TIMEOUT_MS = 5_000
const DEADLINE_MS = 15_000
const CONNECTIONS = 16
const PAUSE_MS_FIRST = 50
const PAUSE_MS_MAX = 1_000
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
/** Statuses after which the same request may find another fate: busy, or nobody there. */
const PASSING_STATUSES = new Set([429, 502, 503, 504])
const NOT_SENT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

export class HttpTransport {
  readonly #options: TransportOptions
  readonly #pools: readonly { readonly pool: Pool; readonly prefix: string }[]
  #preferred = 0

  constructor(options: TransportOptions) {
    if (options.baseUrls.length === 0) throw new RangeError('a client needs a base URL')
    this.#options = options
    this.#pools = options.baseUrls.map((base) => {
      const url = new URL(base)
      const pool = new Pool(url.origin, {
        connections: options.connections ?? CONNECTIONS,
        keepAliveTimeout: 30_000,
        maxResponseSize: ANSWER_BYTES_MAX,
        ...(options.tls === undefined ? {} : { connect: options.tls }),
      })
      return { pool, prefix: url.pathname.replace(/\/$/, '') }
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map(({ pool }) => pool.destroy()))
  }

  async exchange<Value>(call: Call, authenticate: Authenticate | null): Promise<Result<Value>> {
    const deadline_ms = performance.now() + (call.deadline_ms ?? this.#options.deadline_ms ?? DEADLINE_MS)
    let pause_ms = PAUSE_MS_FIRST
    let mayHaveHappened = false
    for (;;) {
      const left_ms = deadline_ms - performance.now()
      const attempt = await this.#attempt(call, authenticate, left_ms)
      const result = resultOf<Value>(attempt)
      if (result.ok || !isPassing(attempt, call)) return result
      mayHaveHappened ||= attempt.kind === 'lost' || result.error.code === CLIENT_CODES.unknown
      if (attempt.kind !== 'answer' || attempt.status !== 429) this.#preferred += 1
      const wait_ms = Math.max(result.error.retryAfter_ms ?? 0, pause_ms)
      if (performance.now() + wait_ms >= deadline_ms) return mayHaveHappened ? asUnknown(result.error) : result
      pause_ms = Math.min(pause_ms * 2, PAUSE_MS_MAX)
      await pause(wait_ms)
    }
  }

  async #attempt(call: Call, authenticate: Authenticate | null, left_ms: number): Promise<Attempt> {
    const target = this.#pools[this.#preferred % this.#pools.length]
    if (target === undefined) throw new RangeError('a client needs a base URL')
    const body = call.body === undefined ? '' : JSON.stringify(call.body)
    // Whole: a part of a millisecond is no delay to Node.
    const timeout_ms = Math.max(1, Math.ceil(Math.min(this.#options.timeout_ms ?? TIMEOUT_MS, left_ms)))
    try {
      const response = await target.pool.request({
        method: call.method,
        path: target.prefix + call.path,
        headers: {
          ...(body === '' ? {} : { 'content-type': 'application/json' }),
          ...(this.#options.region === undefined ? {} : { 'x-wintrades-region': this.#options.region }),
          ...(authenticate === null ? {} : authenticate(call, body)),
        },
        ...(body === '' ? {} : { body }),
        signal: AbortSignal.timeout(timeout_ms),
        headersTimeout: timeout_ms,
        bodyTimeout: timeout_ms,
      })
      const text = await response.body.text()
      return { kind: 'answer', status: response.statusCode, ...readAnswer(text, response.headers) }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return { kind: NOT_SENT_CODES.has(code ?? '') ? 'not_sent' : 'lost', message: `${code ?? 'lost'}: ${message}` }
    }
  }
}

function readAnswer(
  text: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): { readonly body: unknown; readonly at: ComputedAt | null } {
  const { 'x-wt-shard': shard, 'x-wt-seq': seq } = headers
  const at = typeof shard === 'string' && typeof seq === 'string' ? { shard, seq } : null
  if (text === '') return { body: null, at }
  try {
    return { body: JSON.parse(text) as unknown, at }
  } catch {
    return { body: text, at } // not JSON: whoever reads it says what was expected
  }
}

function resultOf<Value>(attempt: Attempt): Result<Value> {
  if (attempt.kind === 'not_sent') return failure(CLIENT_CODES.unreachable, attempt.message)
  if (attempt.kind === 'lost') return failure(CLIENT_CODES.unknown, attempt.message)
  const { status, body, at } = attempt
  if (status >= 200 && status < 300) return { ok: true, value: body as Value, ...(at === null ? {} : { at }) }
  const error = errorOfBody(body, status)
  if (error !== null) return { ok: false, error }
  return failure(CLIENT_CODES.malformedAnswer, `status ${status} without a catalogued error`, status)
}

function isPassing(attempt: Attempt, call: Call): boolean {
  if (attempt.kind === 'not_sent') return true
  if (!call.repeatable) return attempt.kind === 'answer' && attempt.status === 429
  return attempt.kind === 'lost' || PASSING_STATUSES.has(attempt.status)
}

function asUnknown(error: ApiError): { readonly ok: false; readonly error: ApiError } {
  return { ok: false, error: { ...error, code: CLIENT_CODES.unknown } }
}
