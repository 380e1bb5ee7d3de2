// A plain client of the REST API, as the tests need it: whatever is sent, what came back.

import { createHmac, randomUUID } from 'node:crypto'
import type { TestRegion } from './region.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field
export type Answer = { readonly status: number; readonly headers: Headers; readonly body: any; readonly text: string }

export type CallOptions = {
  readonly body?: unknown
  /** Sent as it is, instead of `body`. */
  readonly raw?: string
  readonly headers?: Readonly<Record<string, string>>
}

export const PASSWORD = 'correct horse battery staple'

export async function call(
  region: Pick<TestRegion, 'url'>,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body))
  const response = await fetch(`${region.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : null, text }
}

/** A registered and logged-in user. */
export class User {
  readonly email: string
  readonly accountId: number
  readonly token: string
  readonly refreshToken: string
  readonly #region: TestRegion

  private constructor(region: TestRegion, email: string, session: Answer['body']) {
    this.#region = region
    this.email = email
    this.accountId = session.accountId
    this.token = session.accessToken
    this.refreshToken = session.refreshToken
  }

  static async register(region: TestRegion): Promise<User> {
    const email = `${randomUUID()}@example.com`
    const registered = await call(region, 'POST', '/api/v1/auth/register', { body: { email, password: PASSWORD } })
    if (registered.status !== 201) throw new Error(`registration: ${registered.status} ${registered.text}`)
    const session = await call(region, 'POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } })
    if (session.status !== 200) throw new Error(`log-in: ${session.status} ${session.text}`)
    return new User(region, email, session.body)
  }

  call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.token}`, ...options.headers }
    return call(this.#region, method, `/api/v1${path}`, { ...options, headers })
  }

  get(path: string): Promise<Answer> {
    return this.call('GET', path)
  }

  post(path: string, body: unknown): Promise<Answer> {
    return this.call('POST', path, { body })
  }

  order(fields: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    return this.post('/orders', { ...LIMIT_BUY, ...fields })
  }
}

/** Rests: far below whatever the market is. */
export const LIMIT_BUY = { symbol: 'SAP-EUR', side: 'BUY', type: 'LIMIT', price: '100.00', quantity: '10' } as const

type Key = { readonly keyId: string; readonly secret: string }

export function signedHeaders(
  key: Key,
  method: string,
  path: string,
  body: string,
  timestamp_ms = Date.now(),
): Record<string, string> {
  const signed = `${timestamp_ms}\n${method}\n${path}\n${body}`
  const signature = createHmac('sha256', key.secret).update(signed).digest('hex')
  return { 'x-wt-key': key.keyId, 'x-wt-timestamp': String(timestamp_ms), 'x-wt-signature': signature }
}

/** Calls signed with an API key. */
export async function signedCall(
  region: TestRegion,
  key: Key,
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly timestamp_ms?: number } = {},
): Promise<Answer> {
  const raw = options.body === undefined ? '' : JSON.stringify(options.body)
  const headers = signedHeaders(key, method, path, raw, options.timestamp_ms)
  return await call(region, method, path, { headers, ...(raw === '' ? {} : { raw }) })
}

export function operator(region: TestRegion): CallOptions {
  return { headers: { 'x-api-key': region.secrets.operatorApiKey } }
}
