// What streams need of a region, real: engines, history, market data, order entry, an HTTP server on a free port. Tokens are accounts:
// `account-2` is account 2's, anything else is refused.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AccountId } from '@wintrades/domain'
import { MarketData, MarketDataLoader } from '@wintrades/marketdata'
import type { StreamCredentials } from '../../src/auth/authenticator.ts'
import type { AccountPrincipal, Principal, Scope } from '../../src/auth/principal.ts'
import { ApiFault } from '../../src/errors.ts'
import { RateLimits, type RateLimitValues } from '../../src/limits/rate-limits.ts'
import { OrderEntry } from '../../src/orders/order-entry.ts'
import { StreamServer, type StreamServerOptions } from '../../src/streams/stream-server.ts'
import { TestHistory } from '../support/test-history.ts'
import { markets, TestVenue } from '../support/test-venue.ts'

export type StreamRegionOptions = Partial<RateLimitValues> &
  Partial<Pick<StreamServerOptions, 'pingInterval_ms' | 'connectionsMax'>>

const UNLIMITED: RateLimitValues = {
  rateLimitRequestsPerSecond: 1_000_000,
  rateLimitOrdersPerSecond: 1_000_000,
  rateLimitAddressPerSecond: 1_000_000,
  rateLimitLoginsPerMinute: 1_000_000,
  rateLimitConnectionsPerAddress: 1_000,
}

export class StreamRegion {
  readonly venue = new TestVenue()
  readonly history = new TestHistory(this.venue)
  readonly marketData = new MarketData(markets)
  /** Faults of the platform: there must be none. */
  readonly faults: unknown[] = []
  /** Accounts whose sessions have ended. */
  readonly ended = new Set<AccountId>()
  readonly entry: OrderEntry
  readonly streams: StreamServer
  readonly #loader: MarketDataLoader
  readonly #server: Server
  readonly #stopListening: () => void

  private constructor(options: StreamRegionOptions) {
    const limits = new RateLimits({ ...UNLIMITED, ...options })
    const onFault = (error: unknown) => void this.faults.push(error)
    const { venue, marketData } = this
    this.entry = new OrderEntry({ markets, venue, history: this.history.reader, limits, onFault })
    this.streams = new StreamServer({
      ...options,
      markets,
      venue,
      marketData,
      orders: this.entry,
      authenticator: {
        stream: async (credentials) => principalOf(credentials),
        isCurrent: async (principal) => principal.kind === 'user' && !this.ended.has(principal.account),
      },
      limits,
      addressOf: (request) => request.socket.remoteAddress ?? '',
      onFault,
    })
    this.#loader = new MarketDataLoader(marketData, venue, this.history.reader)
    this.#stopListening = venue.onBatch((batch) => {
      marketData.apply(batch)
      this.streams.onBatch(batch)
    })
    this.#server = createServer((_request, response) => response.writeHead(404).end())
    this.#server.on('upgrade', (request, socket, head) => this.streams.handleUpgrade(request, socket, head))
  }

  static async start(options: StreamRegionOptions & { readonly loaded?: boolean } = {}): Promise<StreamRegion> {
    const region = new StreamRegion(options)
    if (options.loaded ?? true) await region.load()
    await new Promise<void>((resolve) => region.#server.listen(0, '127.0.0.1', resolve))
    return region
  }

  /** Brings market data to where it misses nothing. */
  async load(): Promise<void> {
    await this.#loader.load()
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    await this.streams.close()
    await new Promise((resolve) => this.#server.close(resolve))
    this.#stopListening()
    this.entry.close()
    this.history.close()
  }
}

function principalOf(credentials: StreamCredentials): Principal {
  const token = 'token' in credentials ? credentials.token : ''
  const account = /^(account|reader)-([123])$/.exec(token)
  if (account === null) throw new ApiFault('TOKEN_INVALID')
  return userOf(Number(account[2]), account[1] === 'reader' ? ['read'] : ['read', 'trade'])
}

export function userOf(account: number, scopes: readonly Scope[] = ['read', 'trade']): AccountPrincipal {
  return {
    kind: 'user',
    userId: `user-${account}`,
    account: account as AccountId,
    scopes: new Set(scopes),
    apiKey: 0,
    limitKey: `user-${account}`,
  }
}
