// A plain client of the public API, as any program would write it: requests, and one stream. For the end-to-end tests.

import { randomUUID } from 'node:crypto'

export type Answer<Body> = { readonly status: number; readonly headers: Headers; readonly body: Body }

export type OrderAnswer = {
  readonly orderId: string
  readonly clientOrderId: string
  readonly status: string
  readonly reason?: string
  readonly cumQty: string
  readonly leavesQty: string
  readonly shard: string | number
  readonly seq: number
  readonly duplicate?: boolean
}

export type ErrorAnswer = { readonly error: { readonly code: string; readonly message: string } }

export type OrderRequest = {
  readonly symbol: string
  readonly side: 'BUY' | 'SELL'
  readonly type: string
  readonly price?: string
  readonly stopPrice?: string
  readonly trailingOffset?: string
  readonly displayQuantity?: string
  readonly minimumQuantity?: string
  readonly expireTime?: number
  readonly quantity: string
  readonly timeInForce?: string
  readonly clientOrderId?: string
}

const REQUEST_TIMEOUT_MS = 10_000

export async function call<Body>(
  baseUrl: string,
  method: string,
  path: string,
  options: { readonly token?: string; readonly body?: unknown } = {},
): Promise<Answer<Body>> {
  const response = await fetch(`${baseUrl}${path}`, {
    method,
    headers: {
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: (text === '' ? null : JSON.parse(text)) as Body }
}

/** A user of the platform, logged in; `at` names the region that its requests go to. */
export class User {
  readonly email: string
  readonly accountId: number
  readonly #baseUrl: string
  readonly #token: string

  private constructor(baseUrl: string, email: string, token: string, accountId: number) {
    this.#baseUrl = baseUrl
    this.email = email
    this.#token = token
    this.accountId = accountId
  }

  static async register(baseUrl: string): Promise<User> {
    const email = `${randomUUID()}@example.com`
    const answer = await call(baseUrl, 'POST', '/api/v1/auth/register', { body: { email, password: PASSWORD } })
    if (answer.status !== 201) throw new Error(`registration: ${answer.status} ${JSON.stringify(answer.body)}`)
    return User.logIn(baseUrl, email)
  }

  static async logIn(baseUrl: string, email: string): Promise<User> {
    type Tokens = { readonly accessToken: string; readonly accountId: number }
    const answer = await call<Tokens>(baseUrl, 'POST', '/api/v1/auth/login', { body: { email, password: PASSWORD } })
    if (answer.status !== 200) throw new Error(`log-in: ${answer.status} ${JSON.stringify(answer.body)}`)
    return new User(baseUrl, email, answer.body.accessToken, answer.body.accountId)
  }

  get<Body>(path: string, region?: string): Promise<Answer<Body>> {
    return call(this.#baseUrl, 'GET', at(region, path), { token: this.#token })
  }

  post<Body>(path: string, body: unknown, region?: string): Promise<Answer<Body>> {
    return call(this.#baseUrl, 'POST', at(region, path), { token: this.#token, body })
  }

  order(order: OrderRequest, region?: string): Promise<Answer<OrderAnswer>> {
    return call(this.#baseUrl, 'POST', at(region, '/api/v1/orders'), { token: this.#token, body: order })
  }

  /** Opens a stream in a region, authenticated and subscribed. */
  async stream(channels: readonly unknown[], region: string): Promise<Stream> {
    const stream = await Stream.open(`${this.#baseUrl.replace('http', 'ws')}${at(region, '/ws')}`)
    await stream.ask({ op: 'auth', token: this.#token })
    await stream.ask({ op: 'subscribe', channels })
    return stream
  }
}

export const PASSWORD = 'correct horse battery staple'

function at(region: string | undefined, path: string): string {
  return region === undefined ? path : `/region/${region}${path}`
}

type Frame = { readonly id?: number; readonly ok?: boolean; readonly channel?: string; readonly [key: string]: unknown }

export class Stream {
  /** Everything pushed so far. */
  readonly pushed: Frame[] = []
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (frame: Frame) => void>()
  #nextId = 1

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', (event) => this.#received(JSON.parse(String(event.data)) as Frame))
  }

  static open(url: string): Promise<Stream> {
    const socket = new WebSocket(url)
    const stream = new Stream(socket)
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(stream), { once: true })
      socket.addEventListener('error', () => reject(new Error(`cannot open ${url}`)), { once: true })
    })
  }

  /** The result of one operation; throws what the platform refused. */
  async ask(operation: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = this.#nextId++
    const answer = new Promise<Frame>((resolve) => this.#waiting.set(id, resolve))
    this.#socket.send(JSON.stringify({ id, ...operation }))
    const frame = await answer
    if (frame.ok !== true) throw new Error(`${String(operation['op'])}: ${JSON.stringify(frame['error'])}`)
    return frame['result']
  }

  close(): void {
    this.#socket.close()
  }

  #received(frame: Frame): void {
    const waiting = frame.id === undefined ? undefined : this.#waiting.get(frame.id)
    if (frame.id === undefined || waiting === undefined) this.pushed.push(frame)
    else {
      this.#waiting.delete(frame.id)
      waiting(frame)
    }
  }
}
