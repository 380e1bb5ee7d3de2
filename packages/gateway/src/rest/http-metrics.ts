// Figures of the REST server and of the venue for /metrics.

import { observeCircuit } from '@wintrades/platform/circuit-breaker'
import type { Metrics } from '@wintrades/platform/metrics'
import type { Venue } from '@wintrades/venue'
import type { Auth } from '../auth/auth.ts'
import type { HistoryCache } from '../cache/history-cache.ts'
import type { Shards } from './consistency.ts'
import type { Api } from './http.ts'

/** Counts and times every request by its route, never by its path: clients could make as many as they like. */
export function addHttpMetrics(api: Api, metrics: Metrics): void {
  const labels = ['method', 'route'] as const
  const requests = metrics.counter('wintrades_http_requests_total', 'Requests answered.', [...labels, 'status'])
  const seconds = metrics.histogram('wintrades_http_request_seconds', 'From request to answer.', labels)
  api.addHook('onResponse', (request, reply, done) => {
    const { method } = request
    const route = request.routeOptions.url ?? 'unknown'
    requests.inc({ method, route, status: reply.statusCode })
    seconds.observe({ method, route }, reply.elapsedTime / 1_000)
    done()
  })
}

/** The venue's figures, read when they are scraped. */
export function addVenueMetrics(metrics: Metrics, venue: Venue, shards: Shards): void {
  const perShard = (
    name: string,
    help: string,
    read: (status: ReturnType<Venue['status']>['shards'][number]) => number,
  ) =>
    metrics.gauge(name, help, ['shard'], (gauge) => {
      for (const status of venue.status().shards) gauge.set({ shard: shards.name(status.shard) }, read(status))
    })
  perShard('wintrades_shard_seq', 'Last batch that this region has applied.', ({ seq }) => seq)
  perShard('wintrades_shard_epoch', 'Fencing number of the leader.', ({ epoch }) => epoch)
  perShard('wintrades_shard_leading', '1: this region leads the shard.', ({ leading }) => Number(leading))
  perShard('wintrades_shard_pending_commands', 'Commands waiting for their outcome.', ({ pending }) => pending)
  perShard('wintrades_shard_faulty', '1: the replica has stopped itself.', ({ fault }) => Number(fault !== null))
  metrics.gauge('wintrades_venue', 'Counters and gauges of the venue thread, by name.', ['name'], (gauge) => {
    for (const [name, value] of Object.entries(venue.status().metrics)) gauge.set({ name }, value)
  })
}

/** The figures of the streams, read when they are scraped. */
/** The servers behind the accounts, and what has not reached the audit log. */
export function addAccountsMetrics(metrics: Metrics, { audit, database }: Pick<Auth, 'audit' | 'database'>): void {
  for (const circuit of database.circuits) observeCircuit(metrics, circuit)
  metrics.gauge('wintrades_audit_waiting', 'Records that are not in the audit log yet.', [], (gauge) => {
    gauge.set(audit.figures.waiting)
  })
  metrics.gauge(
    'wintrades_audit_lost_total',
    'Records that could not be kept for the audit log; they are in the log.',
    [],
    (gauge) => {
      gauge.set(audit.figures.lost)
    },
  )
}

export function addStreamMetrics(metrics: Metrics, figures: () => Readonly<Record<string, number>>): void {
  metrics.gauge('wintrades_streams', 'Counters and gauges of the streams, by name.', ['name'], (gauge) => {
    for (const [name, value] of Object.entries(figures())) gauge.set({ name }, value)
  })
}

/** Pages of history that were asked for, read when they are scraped. */
export function addCacheMetrics(metrics: Metrics, pages: HistoryCache): void {
  const help = 'Pages of history asked for: hits were kept from before, misses were read.'
  metrics.gauge('wintrades_history_cache_total', help, ['outcome'], (gauge) => {
    const { hits, misses } = pages.figures()
    gauge.set({ outcome: 'hit' }, hits)
    gauge.set({ outcome: 'miss' }, misses)
  })
}
