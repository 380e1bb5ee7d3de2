// The REST server: Fastify with every route of the API. Promises that each answer is JSON, carries its request's id, and is a success or
// an error of the catalogue. Listening, streams and the venue's batches are the gateway's.

import { randomUUID } from 'node:crypto'
import type { Markets, ShardIndex } from '@wintrades/domain'
import type { HistoryReader, MarketData } from '@wintrades/marketdata'
import type { Config, Logger } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'
import type { Venue } from '@wintrades/venue'
import Fastify, { type FastifyReply } from 'fastify'
import type { Auth } from '../auth/auth.ts'
import type { HistoryCache } from '../cache/history-cache.ts'
import { ApiFault } from '../errors.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { OrderEntry } from '../orders/order-entry.ts'
import { addAccessControl } from './access.ts'
import { AccountOpening } from './account-opening.ts'
import { addAuditRoutes } from './audit-routes.ts'
import { addAuditing } from './auditing.ts'
import { addAuthRoutes } from './auth-routes.ts'
import type { TrustedProxies } from './client-address.ts'
import { Shards } from './consistency.ts'
import { addDocumentation, addDocumentationRoutes } from './documentation.ts'
import { addErrorHandler, sendFault } from './error-handler.ts'
import { addFundsRoutes } from './funds-routes.ts'
import { API_PREFIX, type Api } from './http.ts'
import { addHttpMetrics, addVenueMetrics } from './http-metrics.ts'
import { Instruments } from './instruments.ts'
import { addMarketRoutes } from './market-routes.ts'
import { addNotFound } from './not-found.ts'
import { addOperationRoutes } from './operation-routes.ts'
import { addOperatorRoutes } from './operator-routes.ts'
import { addOrderRoutes } from './order-routes.ts'
import { Readiness } from './readiness.ts'
import { addReferenceRoutes } from './reference-routes.ts'
import { refuse } from './upgrades.ts'
import { validatorCompiler } from './validation.ts'

export const BODY_BYTES_MAX = 1_048_576
/** A request must have arrived whole in this time. */
const REQUEST_TIMEOUT_MS = 15_000
/** … and its handler have answered in this. Registration waits for commands, which wait for a leader. */
const HANDLER_TIMEOUT_MS = 20_000
/** REST and streams together; streams have a lower limit of their own. */
const CONNECTIONS_MAX = 20_000
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const PARAMETER_CHARS_MAX = 128
const API_VERSION = '1.0.0'

export type RestParts = {
  readonly config: Config
  readonly markets: Markets
  readonly venue: Venue
  readonly marketData: MarketData
  readonly history: HistoryReader
  readonly auth: Auth
  readonly limits: RateLimits
  readonly entry: OrderEntry
  readonly metrics: Metrics
  readonly logger: Logger
  readonly trusted: TrustedProxies
  readonly commands: (shard: ShardIndex) => number | null
  readonly pages: HistoryCache
}

export type RestServer = { readonly api: Api; readonly readiness: Readiness }

export async function buildRestServer(parts: RestParts): Promise<RestServer> {
  const { markets, venue, marketData, auth, limits, metrics, logger, trusted } = parts
  const shards = new Shards(markets, venue)
  const instruments = new Instruments(markets)
  const readiness = new Readiness(venue, shards, marketData)
  const api: Api = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    handlerTimeout: HANDLER_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // What still arrives while stopping gets the catalogue's answer, below.
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    trustProxy: trusted,
    routerOptions: { maxParamLength: PARAMETER_CHARS_MAX },
    frameworkErrors: (error, _request, reply: unknown) => {
      const fault = new ApiFault(error.code === 'FST_ERR_BAD_URL' ? 'REQUEST_MALFORMED' : 'NOT_FOUND')
      sendFault(reply as FastifyReply, fault)
    },
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
      else
        refuse(
          socket,
          new ApiFault('REQUEST_MALFORMED', { message: 'This is not HTTP, is too long, or came too slowly.' }),
        )
    },
  })
  api.server.maxConnections = CONNECTIONS_MAX
  api.setValidatorCompiler(validatorCompiler)
  // Answers are made of values that are right already; their schemas are for the description.
  api.setSerializerCompiler(() => JSON.stringify)
  addErrorHandler(api, logger)
  addNotFound(api)
  api.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    reply.header('cache-control', 'no-store')
    const refused = readiness.stopping && request.routeOptions.config.access !== 'probe'
    done(refused ? new ApiFault('NOT_READY') : undefined)
  })
  api.addHook('onSend', (_request, reply, payload, done) => {
    // A connection that stays open would bring more to a process that is about to stop, and hold that up.
    if (readiness.draining) reply.header('connection', 'close')
    done(null, payload)
  })
  addAuditing(api, auth.audit)
  addAccessControl(api, { authenticator: auth.authenticator, limits })
  addHttpMetrics(api, metrics)
  addVenueMetrics(metrics, venue, shards)
  await addDocumentation(api, API_VERSION)

  const opening = new AccountOpening({ ...parts, accounts: auth.accounts })
  addOperationRoutes(api, { ...parts, shards, readiness })
  await api.register(
    async (v1) => {
      const routes = v1 as Api
      addAuthRoutes(routes, { auth, opening })
      addReferenceRoutes(routes, { ...parts, shards })
      addOrderRoutes(routes, { ...parts, shards, instruments })
      addFundsRoutes(routes, { ...parts, shards, instruments })
      addMarketRoutes(routes, { ...parts, shards })
      addOperatorRoutes(routes, { ...parts, shards, instruments })
      addAuditRoutes(routes, auth.database)
    },
    { prefix: API_PREFIX },
  )
  addDocumentationRoutes(api)
  await api.ready()
  return { api, readiness }
}
