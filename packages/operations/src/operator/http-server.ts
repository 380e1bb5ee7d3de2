// The operator's window: what it sees and says (`GET /status`), how it fares (`GET /metrics`), and what may be asked of its parts
// (`POST /PART/COMMAND`, with the key). For the operations network. Bodies, commands under way and waiting times are bounded.

import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Logger, neverLog } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'
import type { Lines } from './lines.ts'
import type { Reconciler } from './reconciler.ts'

export type HttpOptions = {
  readonly host: string
  readonly port: number
  readonly keyFile: string
  readonly region: string
  readonly parts: readonly Reconciler[]
  readonly lines: Lines
  readonly metrics: Metrics
  readonly logger: Logger
}

export const KEY_HEADER = 'x-api-key'
const KEY_CHARACTERS_MIN = 24
const BODY_BYTES_MAX = 4_096
const COMMANDS_MAX = 8
const COMMAND_SECONDS_DEFAULT = 60
const COMMAND_SECONDS_MAX = 86_400

export class OperatorServer {
  readonly #options: HttpOptions
  readonly #server: Server
  readonly #stopping = new AbortController()
  #commands = 0

  constructor(options: HttpOptions) {
    this.#options = options
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        this.#options.logger.error('a request failed', { error })
        if (!response.headersSent) json(response, 500, { line: 'the operator failed to answer; see its log' })
      })
    })
    // Commands are answered when they are done.
    this.#server.requestTimeout = 30_000
    this.#server.timeout = 0
  }

  async start(): Promise<number> {
    readKey(this.#options.keyFile)
    const { host, port } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, resolve)
    })
    return (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeIdleConnections()
    await closed
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://operator')
    if (request.method === 'POST') return await this.#command(pathname, request, response)
    if (request.method !== 'GET') return json(response, 405, { line: 'GET or POST' })
    if (pathname === '/health/live') return json(response, 200, { line: 'alive' })
    if (pathname === '/status') return json(response, 200, this.#status())
    if (pathname === '/metrics') {
      const { contentType, text } = await this.#options.metrics.render()
      response.writeHead(200, { 'content-type': contentType }).end(text)
      return
    }
    json(response, 404, { line: 'there are /status, /metrics and /health/live' })
  }

  #status(): unknown {
    const { region, parts, lines } = this.#options
    return {
      region,
      parts: Object.fromEntries(parts.map((part) => [part.name, part.status?.() ?? null])),
      lines: lines.recent,
    }
  }

  async #command(pathname: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { keyFile, parts, logger } = this.#options
    if (!isSame(request.headers[KEY_HEADER], readKey(keyFile))) {
      return json(response, 401, { line: `the header ${KEY_HEADER} must carry the operators' key` })
    }
    const [, partName, commandName] = pathname.split('/')
    const command = parts.find((part) => part.name === partName)?.commands?.[commandName ?? '']
    if (command === undefined) return json(response, 404, { line: `there is no command ${pathname}` })
    const body = await readBody(request)
    if (body === null)
      return json(response, 400, { line: `the body must be a JSON object of at most ${BODY_BYTES_MAX} bytes` })
    if (this.#commands >= COMMANDS_MAX)
      return json(response, 429, { line: 'too many commands are under way; wait for one to end' })
    this.#commands += 1
    try {
      const seconds = Math.min(
        Math.max(Number(body['timeout_seconds'] ?? COMMAND_SECONDS_DEFAULT) || 1, 1),
        COMMAND_SECONDS_MAX,
      )
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      logger.info('command', { path: pathname, server: body['server'] })
      const signal = AbortSignal.any([
        this.#stopping.signal,
        gone.signal,
        AbortSignal.timeout(Math.ceil(seconds * 1_000)),
      ])
      const result = await command(body, signal)
      json(response, result.ok ? 200 : 409, result)
    } finally {
      this.#commands -= 1
    }
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

/** Read at each use, so that it can be changed; never kept, never logged. */
export function readKey(file: string): string {
  const key = readFileSync(file, 'utf8').trimEnd()
  neverLog(key)
  if (key.length < KEY_CHARACTERS_MIN)
    throw new Error(`${file} must hold at least ${KEY_CHARACTERS_MIN} characters: the operators' key`)
  return key
}

function isSame(given: string | string[] | undefined, key: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(key))
}

/** Null: not a JSON object, or too long. */
async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>> | null> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_BYTES_MAX) return null
    chunks.push(chunk)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null // JSON's only way to say that it is none
  }
}
