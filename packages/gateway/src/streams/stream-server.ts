// The WebSocket API at /ws: takes upgraded sockets, counts connections, keeps them alive and flushes what they are to send. Promises
// limits on connections, message sizes and unsent bytes; never to crash on what a client sends; and to say why it closes.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Markets, Seq, ShardIndex } from '@wintrades/domain'
import { type AccountBatch, AccountFeed, type MarketData } from '@wintrades/marketdata'
import type { Venue } from '@wintrades/venue'
import { WebSocketServer } from 'ws'
import type { Authenticator } from '../auth/authenticator.ts'
import { ApiFault } from '../errors.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { OrderEntry } from '../orders/order-entry.ts'
import { refuse } from '../rest/upgrades.ts'
import { CloseCode, Connection, type ConnectionParts, type StreamFigures } from './connection.ts'
import { PrivateViews } from './private-views.ts'
import { PublicChannels } from './public-channels.ts'

export type StreamServerOptions = {
  readonly markets: Markets
  readonly venue: Pick<Venue, 'account' | 'waitFor'>
  /** Kept up by whoever owns it; this only listens. */
  readonly marketData: MarketData
  readonly orders: OrderEntry
  readonly authenticator: Pick<Authenticator, 'stream' | 'isCurrent'>
  readonly limits: Pick<RateLimits, 'requests' | 'address' | 'acquireConnection' | 'releaseConnection'>
  /** The client's address, behind trusted proxies. */
  readonly addressOf: (request: IncomingMessage) => string
  /** Told of faults of the platform itself. */
  readonly onFault: (error: unknown) => void
  readonly pingInterval_ms?: number
  readonly connectionsMax?: number
}

export const MESSAGE_BYTES_MAX = 1024 * 1024
const CONNECTIONS_MAX = 10_000
const PING_INTERVAL_MS = 15_000
/** Every so many pings, connections are checked to be still allowed. */
const RECHECK_PINGS = 4
const CLOSE_WAIT_MS = 1_000
/** Who is sent away comes back elsewhere at once: so many a second, and all of them within this time. */
const CLOSES_PER_SECOND = 1_000
const CLOSE_SPREAD_MS_MAX = 2_000
const CLOSE_STEP_MS = 20
const SESSION_MAX = 0x7fff_ffff

export class StreamServer {
  readonly #options: StreamServerOptions
  readonly #sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    clientTracking: false,
  })
  readonly #feed = new AccountFeed()
  readonly #seqs: Seq[] = []
  readonly #channels: PublicChannels
  readonly #parts: ConnectionParts
  readonly #connections = new Set<Connection>()
  readonly #counted: StreamFigures = { messagesReceived: 0, messagesSent: 0, slowConsumers: 0 }
  readonly #pings: NodeJS.Timeout
  #unsent: Connection[] = []
  #sessions = 0
  #pingCount = 0
  #closing = false
  #onEmpty: (() => void) | null = null

  constructor(options: StreamServerOptions) {
    this.#options = options
    this.#channels = new PublicChannels(options.marketData)
    const { authenticator, limits, orders, marketData, venue, markets, onFault } = options
    this.#parts = {
      authenticator,
      limits,
      orders,
      marketData,
      channels: this.#channels,
      private: {
        feed: this.#feed,
        venue,
        views: new PrivateViews(markets),
        shards: markets.shards.map((shard) => shard.name),
        seqOf: (shard: ShardIndex) => this.#seqs[shard] ?? (0 as Seq),
        onFault,
      },
      onFault,
      needsFlush: (connection) => this.#needsFlush(connection),
      figures: this.#counted,
    }
    this.#pings = setInterval(() => this.#ping(), options.pingInterval_ms ?? PING_INTERVAL_MS)
    this.#pings.unref()
  }

  /** For the `upgrade` event of the HTTP server, once the address is known to be `/ws`. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = this.#options.addressOf(request)
    if (this.#closing) return void refuse(socket, new ApiFault('NOT_READY'))
    const { limits, connectionsMax = CONNECTIONS_MAX } = this.#options
    if (this.#connections.size >= connectionsMax) return void refuse(socket, new ApiFault('CONNECTIONS_TOO_MANY'))
    if (limits.address(address) > 0) return void refuse(socket, new ApiFault('RATE_LIMITED'))
    if (!limits.acquireConnection(address)) return void refuse(socket, new ApiFault('CONNECTIONS_TOO_MANY'))
    let opened = false
    socket.once('close', () => {
      if (!opened) limits.releaseConnection(address)
    })
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      opened = true
      this.#sessions = this.#sessions === SESSION_MAX ? 1 : this.#sessions + 1
      const connection = new Connection(this.#parts, webSocket, socket, address, this.#sessions)
      this.#connections.add(connection)
      webSocket.on('close', () => {
        limits.releaseConnection(address)
        this.#connections.delete(connection)
        connection.closed()
        if (this.#connections.size === 0) this.#onEmpty?.()
      })
    })
  }

  /** Takes a committed batch: what private channels tell. Market data is fed by its owner, before this. */
  onBatch(batch: AccountBatch): void {
    this.#seqs[batch.shard] = batch.seq
    this.#feed.apply(batch)
  }

  /** For metrics: gauges, and what was counted since the start. */
  figures(): Readonly<Record<string, number>> {
    let subscriptions = 0
    let inFlight = 0
    for (const connection of this.#connections) {
      subscriptions += connection.subscriptionCount
      inFlight += connection.inFlight
    }
    return {
      connections: this.#connections.size,
      subscriptions: subscriptions,
      requests_in_flight: inFlight,
      topics: this.#channels.topicCount,
      accounts_followed: this.#feed.streamCount,
      messages_received_total: this.#counted.messagesReceived,
      messages_sent_total: this.#counted.messagesSent,
      slow_consumers_total: this.#counted.slowConsumers,
    }
  }

  /** Tells every client to go elsewhere, one after the other, and waits a moment for them to leave. */
  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#pings)
    this.#channels.close()
    if (this.#connections.size === 0) return
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
    await this.#sendAway([...this.#connections])
    const patience = setTimeout(() => {
      for (const connection of this.#connections) connection.cut()
    }, CLOSE_WAIT_MS)
    await empty
    clearTimeout(patience)
  }

  async #sendAway(connections: readonly Connection[]): Promise<void> {
    const spread_ms = Math.min(CLOSE_SPREAD_MS_MAX, (connections.length / CLOSES_PER_SECOND) * 1_000)
    const atOnce = Math.ceil(connections.length / Math.max(1, spread_ms / CLOSE_STEP_MS))
    for (let at = 0; at < connections.length; at += atOnce) {
      if (at > 0) await pause(CLOSE_STEP_MS)
      const some = connections.slice(at, at + atOnce)
      for (const connection of some) connection.end(CloseCode.serviceRestart, 'the server is stopping')
    }
  }

  /** What all connections have to send leaves at the end of this turn of the event loop: one write each. */
  #needsFlush(connection: Connection): void {
    if (this.#unsent.length === 0) setImmediate(() => this.#flush())
    this.#unsent.push(connection)
  }

  #flush(): void {
    const unsent = this.#unsent
    this.#unsent = []
    for (const connection of unsent) connection.flush()
  }

  #ping(): void {
    const recheck = ++this.#pingCount % RECHECK_PINGS === 0
    for (const connection of this.#connections) {
      connection.probe()
      if (recheck) void connection.recheck().catch(this.#options.onFault)
    }
  }
}
