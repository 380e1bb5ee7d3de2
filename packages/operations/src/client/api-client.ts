// The REST API for programs: every endpoint typed, deadlines on all, safe repetition. An order is sent again under the same client
// order id, at another region if need be, until its outcome is known or the deadline passes.

import { randomUUID } from 'node:crypto'
import { type Authenticate, type Call, HttpTransport, type Method, type TransportOptions } from './http-transport.ts'
import { named, namedList } from './order-names.ts'
import { CLIENT_CODES, failure, type Result } from './result.ts'
import { type ApiKey, signatureHeaders } from './signature.ts'
import type {
  BalanceView,
  DepthView,
  InstrumentView,
  OrderListRequest,
  OrderName,
  OrderRequest,
  OrderView,
  PageOf,
  Session,
} from './wire-types.ts'

export type ApiClientOptions = TransportOptions & {
  /** Requests are signed with it; without one, `login` or `useSession` comes first. */
  readonly key?: ApiKey
}

type Query = Readonly<Record<string, string | number | undefined>>

/** An access token is renewed when this little of its life is left. */
const RENEW_BEFORE_MS = 30_000
const API = '/api/v1'

export class ApiClient {
  readonly #transport: HttpTransport
  readonly #key: ApiKey | null
  #session: Session | null = null
  #expires_ms = 0
  #renewal: Promise<Result<Session>> | null = null

  constructor(options: ApiClientOptions) {
    this.#transport = new HttpTransport(options)
    this.#key = options.key ?? null
  }

  close(): Promise<void> {
    return this.#transport.close()
  }

  /** Null: not logged in. */
  get session(): Session | null {
    return this.#session
  }

  useSession(session: Session): void {
    this.#session = session
    this.#expires_ms = performance.now() + session.expiresIn * 1_000
  }

  register(email: string, password: string): Promise<Result<{ userId: string; accountId: number | string }>> {
    return this.#open('POST', '/auth/register', { email, password }, false)
  }

  async login(email: string, password: string): Promise<Result<Session>> {
    const result = await this.#open<Session>('POST', '/auth/login', { email, password }, true)
    if (result.ok) this.useSession(result.value)
    return result
  }

  /** Renews the session; calls at the same time share one renewal, because a refresh token works once. */
  refresh(): Promise<Result<Session>> {
    this.#renewal ??= this.#refresh().finally(() => {
      this.#renewal = null
    })
    return this.#renewal
  }

  async logout(): Promise<Result<unknown>> {
    const refreshToken = this.#session?.refreshToken
    if (refreshToken === undefined) return failure('AUTHENTICATION_REQUIRED', 'not logged in')
    this.#session = null
    return await this.#open('POST', '/auth/logout', { refreshToken }, true)
  }

  createKey(request: {
    label: string
    scopes: readonly string[]
    ipAllowList?: readonly string[]
  }): Promise<Result<ApiKey>> {
    return this.#call('POST', '/keys', request, false)
  }

  keys(): Promise<Result<unknown>> {
    return this.#call('GET', '/keys')
  }

  deleteKey(keyId: string): Promise<Result<unknown>> {
    return this.#call('DELETE', `/keys/${encodeURIComponent(keyId)}`)
  }

  instruments(): Promise<Result<PageOf<InstrumentView> | readonly InstrumentView[]>> {
    return this.#open('GET', '/instruments')
  }

  assets(): Promise<Result<unknown>> {
    return this.#open('GET', '/assets')
  }

  shards(): Promise<Result<unknown>> {
    return this.#open('GET', '/shards')
  }

  /** Enters an order once, however often it has to be sent. */
  placeOrder(order: OrderRequest, deadline_ms?: number): Promise<Result<OrderView>> {
    return this.#call('POST', '/orders', named(order), true, deadline_ms)
  }

  /** Up to 500 orders; each has its own result, in order. */
  placeOrders(
    orders: readonly OrderRequest[],
    deadline_ms?: number,
  ): Promise<Result<{ readonly results: readonly unknown[] }>> {
    return this.#call('POST', '/orders/batch', { orders: orders.map(named) }, true, deadline_ms)
  }

  /** Two or three orders that belong together; each has its own result, in the order of the request. */
  placeList(list: OrderListRequest, deadline_ms?: number): Promise<Result<{ readonly results: readonly unknown[] }>> {
    return this.#call('POST', '/orders/list', namedList(list), true, deadline_ms)
  }

  order(name: OrderName): Promise<Result<OrderView>> {
    return 'orderId' in name
      ? this.#call('GET', `/orders/${name.orderId}`)
      : this.#call(
          'GET',
          `/orders/by-client-id/${encodeURIComponent(name.clientOrderId)}${query({ symbol: name.symbol })}`,
        )
  }

  orders(filter: Query = {}): Promise<Result<PageOf<OrderView>>> {
    return this.#call('GET', `/orders${query(filter)}`)
  }

  cancelOrder(orderId: string): Promise<Result<OrderView>> {
    return this.#call('DELETE', `/orders/${orderId}`)
  }

  /** Cancels every open order, or those of one instrument or side. */
  cancelOrders(filter: { readonly symbol?: string; readonly side?: string } = {}): Promise<Result<unknown>> {
    return this.#call('DELETE', `/orders${query(filter)}`)
  }

  replaceOrder(orderId: string, change: { price?: string; quantity?: string }): Promise<Result<OrderView>> {
    return this.#call('PATCH', `/orders/${orderId}`, change)
  }

  trades(filter: Query = {}): Promise<Result<PageOf<unknown>>> {
    return this.#call('GET', `/trades${query(filter)}`)
  }

  balances(filter: Query = {}): Promise<Result<PageOf<BalanceView> | readonly BalanceView[]>> {
    return this.#call('GET', `/balances${query(filter)}`)
  }

  positions(filter: Query = {}): Promise<Result<unknown>> {
    return this.#call('GET', `/positions${query(filter)}`)
  }

  /** Repeatable, because it carries an id. */
  transfer(request: {
    asset: string
    amount: string
    fromRegion: string
    toRegion: string
    transferId?: string
  }): Promise<Result<unknown>> {
    return this.#call('POST', '/transfers', { ...request, transferId: request.transferId ?? randomUUID() })
  }

  transfers(): Promise<Result<unknown>> {
    return this.#call('GET', '/transfers')
  }

  deposit(request: { asset: string; amount: string; region: string; transferId?: string }): Promise<Result<unknown>> {
    return this.#call('POST', '/deposits', { ...request, transferId: request.transferId ?? randomUUID() })
  }

  withdraw(request: { asset: string; amount: string; region: string; transferId?: string }): Promise<Result<unknown>> {
    return this.#call('POST', '/withdrawals', { ...request, transferId: request.transferId ?? randomUUID() })
  }

  depth(symbol: string, levels?: number): Promise<Result<DepthView>> {
    return this.#open('GET', `/market/${symbol}/depth${query({ levels })}`)
  }

  recentTrades(symbol: string, limit?: number): Promise<Result<unknown>> {
    return this.#open('GET', `/market/${symbol}/trades${query({ limit })}`)
  }

  candles(symbol: string, filter: Query): Promise<Result<unknown>> {
    return this.#open('GET', `/market/${symbol}/candles${query(filter)}`)
  }

  /** What a call auction would do if it ended now. */
  auction(symbol: string): Promise<Result<unknown>> {
    return this.#open('GET', `/market/${symbol}/auction`)
  }

  ticker(symbol: string): Promise<Result<unknown>> {
    return this.#open('GET', `/market/${symbol}/ticker`)
  }

  tickers(): Promise<Result<unknown>> {
    return this.#open('GET', '/market/tickers')
  }

  /** A token that is valid for a while, to authenticate a stream; renews the session if needed. */
  async accessToken(): Promise<Result<string>> {
    if (this.#session === null) return failure('AUTHENTICATION_REQUIRED', 'not logged in')
    if (performance.now() > this.#expires_ms - RENEW_BEFORE_MS) {
      const renewed = await this.refresh()
      if (!renewed.ok) return renewed
    }
    return { ok: true, value: this.#session.accessToken }
  }

  #open<Value>(method: Method, path: string, body?: unknown, repeatable = true): Promise<Result<Value>> {
    return this.#transport.exchange({ method, path: API + path, body, repeatable }, null)
  }

  async #call<Value>(
    method: Method,
    path: string,
    body?: unknown,
    repeatable = true,
    deadline_ms?: number,
  ): Promise<Result<Value>> {
    const call: Call = {
      method,
      path: API + path,
      body,
      repeatable,
      ...(deadline_ms === undefined ? {} : { deadline_ms }),
    }
    if (this.#key !== null) return await this.#transport.exchange(call, this.#signed(this.#key))
    const token = await this.accessToken()
    if (!token.ok) return token
    const bearer: Authenticate = () => ({ authorization: `Bearer ${this.#session?.accessToken ?? token.value}` })
    const result = await this.#transport.exchange<Value>(call, bearer)
    if (result.ok || result.error.status !== 401) return result
    // The platform may have rotated its keys: one renewal, one more attempt.
    const renewed = await this.refresh()
    return renewed.ok ? await this.#transport.exchange<Value>(call, bearer) : result
  }

  #signed(key: ApiKey): Authenticate {
    return (call, body) => signatureHeaders(key, Date.now(), call.method, call.path, body)
  }

  async #refresh(): Promise<Result<Session>> {
    const refreshToken = this.#session?.refreshToken
    if (refreshToken === undefined) return failure('AUTHENTICATION_REQUIRED', 'not logged in')
    const result = await this.#open<Session>('POST', '/auth/refresh', { refreshToken }, false)
    if (result.ok) this.useSession(result.value)
    else if (result.error.code !== CLIENT_CODES.unreachable) this.#session = null
    return result
  }
}

function query(values: Query): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined)
  if (pairs.length === 0) return ''
  return `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`
}
