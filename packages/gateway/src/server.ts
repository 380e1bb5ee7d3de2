// The gateway of a region: REST, streams and live market data over one venue. Promises that it listens only when it can answer, and that
// a stop is seen by balancers first, then takes nothing new, finishes what is in flight, and ends streams with 1012, not all at once.

import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Markets, ShardIndex } from '@wintrades/domain'
import { type HistoryReader, type MarketData, MarketDataLoader } from '@wintrades/marketdata'
import type { Config, Logger, Secrets } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'
import { mysqlOptions } from '@wintrades/platform/mysql'
import type { RedisCluster } from '@wintrades/platform/redis'
import type { CommittedBatch, Venue } from '@wintrades/venue'
import { type Auth, openAuth } from './auth/auth.ts'
import { AccountVersions } from './cache/account-versions.ts'
import { HistoryCache } from './cache/history-cache.ts'
import { MemoryQueryStore, RedisQueryStore } from './cache/query-store.ts'
import { RedisLimitStore } from './limits/limit-store.ts'
import { RateLimits } from './limits/rate-limits.ts'
import { OrderEntry } from './orders/order-entry.ts'
import { clientAddress, trustedProxies } from './rest/client-address.ts'
import { addAccountsMetrics, addCacheMetrics, addStreamMetrics } from './rest/http-metrics.ts'
import { buildRestServer, type RestServer } from './rest/rest-server.ts'
import { addUpgrades } from './rest/upgrades.ts'
import { StreamServer } from './streams/stream-server.ts'

export type GatewayOptions = {
  readonly config: Config
  readonly secrets: Secrets
  readonly markets: Markets
  readonly venue: Venue
  /** Fed and loaded by the gateway. */
  readonly marketData: MarketData
  readonly history: HistoryReader
  readonly metrics: Metrics
  readonly logger: Logger
  /** What processes share; without it each keeps its own. Closed by whoever opened it. */
  readonly redis?: RedisCluster
}

export type Gateway = {
  /** Resolves when it listens. Whether the region may be used is `/health/ready`'s to say: its replicas may still be catching up. */
  start(): Promise<{ readonly port: number }>
  stop(): Promise<void>
}

const LOAD_INTERVAL_MS = 1_000
/** While something is missing: short, because a region waits for it. */
const LOAD_AGAIN_MS = 50
/** Requests in flight get this long when the gateway stops. */
const IN_FLIGHT_TIMEOUT_MS = 5_000
/** No request waits for these: the deadline lets a master in the farthest region answer. */
const REDIS_DEADLINE_MS = 500
/** A reader waits for this, and the region's own database answers within a few milliseconds. */
const QUERY_DEADLINE_MS = 25
const QUERIES_REMEMBERED = 256

export function createGateway(options: GatewayOptions): Gateway {
  let running: RunningGateway | null = null
  return {
    start: async () => {
      running = await RunningGateway.start(options)
      return { port: running.port }
    },
    stop: async () => {
      await running?.stop()
      running = null
    },
  }
}

class RunningGateway {
  readonly #options: GatewayOptions
  readonly #auth: Auth
  readonly #limits: RateLimits
  readonly #entry: OrderEntry
  readonly #streams: StreamServer
  readonly #rest: RestServer
  readonly #feeding: VenueFeeding

  private constructor(
    options: GatewayOptions,
    auth: Auth,
    limits: RateLimits,
    entry: OrderEntry,
    streams: StreamServer,
    rest: RestServer,
    feeding: VenueFeeding,
  ) {
    this.#options = options
    this.#auth = auth
    this.#limits = limits
    this.#entry = entry
    this.#streams = streams
    this.#rest = rest
    this.#feeding = feeding
  }

  static async start(options: GatewayOptions): Promise<RunningGateway> {
    const { config, secrets, markets, venue, history, logger, metrics } = options
    const redis = (name: string, deadline_ms = REDIS_DEADLINE_MS) => options.redis?.use({ name, deadline_ms })
    const copies = redis('sessions')
    const counters = redis('limits')
    const queries = redis('queries', QUERY_DEADLINE_MS)
    const versions = new AccountVersions()
    const queryStore = queries === undefined ? new MemoryQueryStore(QUERIES_REMEMBERED) : new RedisQueryStore(queries)
    const pages = new HistoryCache(queryStore, versions)
    const auth = await openAuth({
      dataDirectory: config.dataDirectory,
      mysql: mysqlOptions(config),
      secrets,
      logger,
      ...(copies === undefined ? {} : { redis: copies }),
    })
    addAccountsMetrics(metrics, auth)
    const limits = new RateLimits(config, counters === undefined ? {} : { store: new RedisLimitStore(counters) })
    const onFault = (error: unknown) => logger.error('request failed', { error })
    const entry = new OrderEntry({ markets, venue, history, limits, onFault })
    const { authenticator } = auth
    const trusted = trustedProxies(config.trustedProxies)
    const addressOf = (request: IncomingMessage) => clientAddress(request, trusted)
    const streams = new StreamServer({ ...options, authenticator, limits, orders: entry, addressOf, onFault })
    const feeding = new VenueFeeding(options, streams, versions)
    const commands = (shard: ShardIndex) => feeding.commands(shard)
    const rest = await buildRestServer({ ...options, auth, limits, entry, trusted, commands, pages })
    addStreamMetrics(metrics, () => streams.figures())
    addCacheMetrics(metrics, pages)
    addUpgrades(
      rest.api.server,
      (request, socket, head) => streams.handleUpgrade(request, socket, head),
      () => rest.readiness.stopping,
    )
    const gateway = new RunningGateway(options, auth, limits, entry, streams, rest, feeding)
    feeding.start()
    try {
      await rest.api.listen({ host: config.httpHost, port: config.httpPort })
    } catch (error) {
      await gateway.stop()
      throw error
    }
    return gateway
  }

  get port(): number {
    return (this.#rest.api.server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const { api, readiness } = this.#rest
    const { drain_ms } = this.#options.config
    readiness.drain()
    if (drain_ms > 0) await pause(drain_ms)
    readiness.stop()
    // What hangs on longer is cut off: a stop must come to its end.
    const timer = setTimeout(() => api.server.closeAllConnections(), IN_FLIGHT_TIMEOUT_MS)
    const closed = api.close()
    await this.#streams.close()
    await closed
    clearTimeout(timer)
    this.#feeding.stop()
    this.#entry.close()
    this.#limits.close()
    await this.#auth.close()
    this.#options.logger.info('gateway stopped')
  }
}

/** Gives every committed batch to market data and to the streams, and loads what market data begins with. */
class VenueFeeding {
  readonly #options: Pick<GatewayOptions, 'venue' | 'marketData' | 'logger'>
  readonly #streams: StreamServer
  readonly #versions: AccountVersions
  readonly #loader: MarketDataLoader
  readonly #commands = new Map<ShardIndex, number>()
  #unsubscribe: () => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: GatewayOptions, streams: StreamServer, versions: AccountVersions) {
    this.#options = options
    this.#streams = streams
    this.#versions = versions
    this.#loader = new MarketDataLoader(options.marketData, options.venue, options.history)
  }

  start(): void {
    const { venue } = this.#options
    this.#unsubscribe = venue.onBatch((batch) => this.#take(batch))
    void this.#load()
  }

  stop(): void {
    this.#stopped = true
    this.#unsubscribe()
    clearTimeout(this.#timer)
  }

  /** Commands in a shard's journal up to the last batch; null: no batch has come yet. */
  commands(shard: ShardIndex): number | null {
    return this.#commands.get(shard) ?? null
  }

  #take(batch: CommittedBatch): void {
    this.#commands.set(batch.shard, batch.firstCommand + batch.commandCount - 1)
    this.#versions.note(batch)
    this.#options.marketData.apply(batch)
    this.#streams.onBatch(batch)
  }

  async #load(): Promise<void> {
    let wait_ms = LOAD_INTERVAL_MS
    try {
      const { unready } = await this.#loader.load()
      if (unready > 0) wait_ms = LOAD_AGAIN_MS
    } catch (error) {
      this.#options.logger.warn('market data could not be loaded, trying again', { error })
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#load(), wait_ms)
  }
}
