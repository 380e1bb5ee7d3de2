// One address for clients, in front of all regions: HTTP is forwarded, WebSockets become plain byte pipes. Promises never to send
// a request twice that may have happened; leaves authentication, limits and everything else to the regions.

import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger, Peer } from '@wintrades/platform'
import { type Choice, type RegionHealth, Regions } from './regions.ts'

export type FrontDoorOptions = {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** In order of preference. */
  readonly regions: readonly Peer[]
  readonly logger: Logger
}

const HEADER_BYTES_MAX = 16 * 1024
const CONNECT_TIMEOUT_MS = 2_000
const RESPONSE_TIMEOUT_MS = 60_000
const CONNECTIONS_PER_REGION_MAX = 512
const STOP_GRACE_MS = 2_000
/** Headers that belong to one connection and are not passed on (RFC 9110 section 7.6.1), and those set here. */
const OWN_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-wintrades-region',
  'x-wintrades-region-strict',
])

export class FrontDoor {
  readonly #options: FrontDoorOptions
  readonly #regions: Regions
  readonly #server: Server
  readonly #streams = new Set<Duplex>()
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_PER_REGION_MAX, scheduling: 'lifo' })

  constructor(options: FrontDoorOptions) {
    this.#options = options
    this.#regions = new Regions(options.regions, options.logger)
    this.#server = createServer(
      { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: RESPONSE_TIMEOUT_MS, headersTimeout: 10_000, noDelay: true },
      (incoming, outgoing) => this.#forward(incoming, outgoing),
    )
    this.#server.keepAliveTimeout = 65_000
    this.#server.on('upgrade', (incoming, socket, head) => this.#pipe(incoming, socket, head))
    this.#server.on('clientError', (error, socket) => refuseMalformed(error, socket))
  }

  /** Listens; resolves with the port. */
  async start(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.port, this.#options.host, resolve)
    })
    this.#regions.start()
    return (this.#server.address() as AddressInfo).port
  }

  /** Takes nothing new, lets requests finish for a moment, ends streams. */
  async stop(): Promise<void> {
    this.#regions.stop()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    for (const stream of this.#streams) stream.destroy()
    const hurry = setTimeout(() => this.#server.closeAllConnections(), STOP_GRACE_MS)
    await closed
    clearTimeout(hurry)
    this.#agent.destroy()
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const route = this.#route(incoming)
    if (route.kind === 'status') sendStatus(outgoing, this.#regions.list, this.#streams.size / 2)
    else if (route.kind === 'refused') sendError(outgoing, route.status, route.code, route.message)
    else {
      const [region, ...others] = this.#regions.candidates(route.choice)
      if (region === undefined) sendNobody(outgoing, route.choice)
      else this.#send(incoming, outgoing, route.path, region, others)
    }
  }

  /** Sends to `region`; if nothing of the request can have arrived there, or it is safe to repeat, tries the others next. */
  #send(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    path: string,
    region: RegionHealth,
    others: readonly RegionHealth[],
  ): void {
    region.given += 1
    const repeatable = isRepeatable(incoming)
    const upstream = request({
      host: region.host,
      port: region.port,
      method: incoming.method,
      path,
      headers: forwardedHeaders(incoming),
      agent: this.#agent,
      timeout: RESPONSE_TIMEOUT_MS,
      setDefaultHeaders: false,
    })
    let connected = false
    const abandon = () => upstream.destroy()
    const pour = () => {
      connected = true
      if (repeatable) upstream.end()
      else incoming.pipe(upstream)
    }
    outgoing.once('close', abandon)
    upstream.once('socket', (socket) => {
      if (!socket.connecting) return pour()
      const timer = setTimeout(() => socket.destroy(new ConnectTimeout()), CONNECT_TIMEOUT_MS)
      socket.once('close', () => clearTimeout(timer))
      socket.once('connect', () => {
        clearTimeout(timer)
        pour()
      })
    })
    upstream.once('response', (response) => {
      const headers = [...endToEndHeaders(response.rawHeaders), 'X-WinTrades-Region', region.region]
      outgoing.writeHead(response.statusCode ?? 502, headers)
      response.pipe(outgoing)
      // A region that dies in the middle of its answer must not look like a complete one.
      response.once('error', () => outgoing.destroy())
    })
    upstream.once('timeout', () => upstream.destroy(new Error(`no answer in ${RESPONSE_TIMEOUT_MS} ms`)))
    upstream.once('error', (error: NodeJS.ErrnoException) => {
      outgoing.off('close', abandon)
      if (outgoing.destroyed || outgoing.headersSent) return void outgoing.destroy()
      if (!connected) this.#regions.markUnreachable(region, error.code ?? error.message)
      const [next, ...rest] = others.filter((other) => other.healthy)
      if ((!connected || repeatable) && next !== undefined) this.#send(incoming, outgoing, path, next, rest)
      else if (connected && !repeatable) sendUnknown(outgoing, region)
      else sendNobody(outgoing, { region: region.region, strict: false })
    })
  }

  #pipe(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const route = this.#route(incoming)
    if (route.kind !== 'forward') {
      const refusal =
        route.kind === 'refused' ? route : { status: 400, code: 'REQUEST_MALFORMED', message: 'Not a stream.' }
      return void socket.end(rawError(refusal.status, refusal.code, refusal.message))
    }
    this.#openPipe(incoming, socket as Socket, head, route.path, this.#regions.candidates(route.choice), route.choice)
  }

  #openPipe(
    incoming: IncomingMessage,
    client: Socket,
    head: Buffer,
    path: string,
    candidates: readonly RegionHealth[],
    choice: Choice,
  ): void {
    const [region, ...others] = candidates
    if (region === undefined) {
      return void client.end(rawError(503, 'REGION_UNAVAILABLE', nobodyMessage(choice)))
    }
    region.given += 1
    const upstream = connect({ host: region.host, port: region.port, noDelay: true })
    const timer = setTimeout(() => upstream.destroy(new ConnectTimeout()), CONNECT_TIMEOUT_MS)
    let connected = false
    const abandon = () => upstream.destroy()
    client.once('close', abandon)
    upstream.once('connect', () => {
      connected = true
      clearTimeout(timer)
      client.setNoDelay(true)
      upstream.write(requestHead(incoming, path))
      if (head.length > 0) upstream.write(head)
      client.pipe(upstream)
      upstream.pipe(client)
      this.#streams.add(client).add(upstream)
    })
    upstream.once('error', (error: NodeJS.ErrnoException) => {
      if (connected || client.destroyed) return void client.destroy()
      client.off('close', abandon)
      this.#regions.markUnreachable(region, error.code ?? error.message)
      this.#openPipe(incoming, client, head, path, others, choice)
    })
    upstream.once('close', () => {
      clearTimeout(timer)
      this.#streams.delete(client)
      this.#streams.delete(upstream)
      if (connected) client.destroySoon()
    })
  }

  #route(incoming: IncomingMessage): Route {
    const url = incoming.url ?? '/'
    if (url === '/front-door/status') return { kind: 'status' }
    if (!url.startsWith('/')) return refused(400, 'REQUEST_MALFORMED', 'The request target must be a path.')
    const prefix = /^\/region\/([^/?]*)(.*)$/.exec(url)
    const named = prefix?.[1] ?? incoming.headers['x-wintrades-region']
    const path = prefix === null ? url : absolutePath(prefix[2] ?? '')
    if (named === undefined) return { kind: 'forward', path, choice: { region: null, strict: false } }
    if (typeof named !== 'string' || !this.#regions.known(named)) {
      const names = this.#regions.list.map((region) => region.region).join(', ')
      return refused(400, 'REGION_UNKNOWN', `There is no region ${JSON.stringify(named)}; regions are ${names}.`)
    }
    const strict = incoming.headers['x-wintrades-region-strict'] === 'true'
    return { kind: 'forward', path, choice: { region: named, strict } }
  }
}

type Refused = { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly message: string }

type Route =
  | Refused
  | { readonly kind: 'status' }
  | { readonly kind: 'forward'; readonly path: string; readonly choice: Choice }

class ConnectTimeout extends Error {
  override readonly name = 'ConnectTimeout'
  readonly code = 'ETIMEDOUT'
}

function refused(status: number, code: string, message: string): Refused {
  return { kind: 'refused', status, code, message }
}

function absolutePath(rest: string): string {
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Safe to send again, and without a body that would have been consumed. */
function isRepeatable(incoming: IncomingMessage): boolean {
  const { headers, method } = incoming
  const body = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  return (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') && !body
}

function endToEndHeaders(raw: readonly string[]): string[] {
  const headers: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? ''
    if (!OWN_HEADERS.has(name.toLowerCase())) headers.push(name, raw[i + 1] ?? '')
  }
  return headers
}

function forwardedHeaders(incoming: IncomingMessage): string[] {
  const address = incoming.socket.remoteAddress ?? 'unknown'
  return [...endToEndHeaders(incoming.rawHeaders), 'X-Forwarded-For', address, 'X-Forwarded-Proto', 'http']
}

/** The head of an upgrade request as it goes on to the region. */
function requestHead(incoming: IncomingMessage, path: string): string {
  const headers = [...forwardedHeaders(incoming), 'Connection', 'Upgrade', 'Upgrade', incoming.headers.upgrade ?? '']
  let text = `${incoming.method ?? 'GET'} ${path} HTTP/1.1\r\n`
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  return `${text}\r\n`
}

function errorBody(code: string, message: string, retryAfter_ms?: number): string {
  return JSON.stringify({ error: { code, message, ...(retryAfter_ms === undefined ? {} : { retryAfter_ms }) } })
}

function sendError(outgoing: ServerResponse, status: number, code: string, message: string, retry = false): void {
  const body = errorBody(code, message, retry ? 1_000 : undefined)
  outgoing.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...(retry ? { 'retry-after': '1' } : {}),
  })
  outgoing.end(body)
}

function nobodyMessage(choice: Choice): string {
  return choice.strict && choice.region !== null
    ? `Region ${choice.region} is not ready, and the request asked for no other.`
    : 'No region is ready. Try again in a moment.'
}

function sendNobody(outgoing: ServerResponse, choice: Choice): void {
  sendError(outgoing, 503, 'REGION_UNAVAILABLE', nobodyMessage(choice), true)
}

function sendUnknown(outgoing: ServerResponse, region: RegionHealth): void {
  const message =
    `Region ${region.region} was lost while it handled this request; it may or may not have happened. ` +
    'Sending the same client order id again returns the original outcome.'
  sendError(outgoing, 504, 'OUTCOME_UNKNOWN', message)
}

function sendStatus(outgoing: ServerResponse, regions: readonly RegionHealth[], streams: number): void {
  const body = JSON.stringify({
    streams,
    regions: regions.map(({ region, host, port, healthy, reason, since_ms, given }) => ({
      region,
      address: `${host}:${port}`,
      healthy,
      ...(reason === '' ? {} : { reason }),
      since: new Date(since_ms).toISOString(),
      given,
    })),
  })
  outgoing.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  outgoing.end(body)
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
}

/** A whole answer, for sockets that no longer have a response object. */
function rawError(status: number, code: string, message: string): string {
  const body = errorBody(code, message, status === 503 ? 1_000 : undefined)
  return [
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Error'}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}

function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return void socket.end(rawError(431, 'REQUEST_TOO_LARGE', `Headers may have ${HEADER_BYTES_MAX} bytes.`))
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return void socket.end(rawError(408, 'REQUEST_TIMEOUT', 'The request did not arrive in time.'))
  }
  socket.end(rawError(400, 'REQUEST_MALFORMED', 'This is not HTTP.'))
}
