// What operators, supervisors and the front door ask: is it alive, may it be used, what does this region know, its figures.

import type { Seq, ShardIndex } from '@wintrades/domain'
import type { Metrics } from '@wintrades/platform/metrics'
import type { Venue } from '@wintrades/venue'
import * as schemas from '../schemas/operations.ts'
import type { Shards } from './consistency.ts'
import { answers } from './documentation.ts'
import type { Api } from './http.ts'
import type { Readiness } from './readiness.ts'

const tags = ['operation']
const probe = { access: 'probe' } as const

export type OperationRouteParts = {
  readonly venue: Venue
  readonly shards: Shards
  readonly readiness: Readiness
  readonly metrics: Metrics
  /** Commands in a shard's journal up to the last batch heard; null: none heard yet. */
  readonly commands: (shard: ShardIndex) => number | null
}

export function addOperationRoutes(api: Api, parts: OperationRouteParts): void {
  const { venue, shards, readiness, metrics, commands } = parts
  const hashes = new StateHashes(venue)

  api.get(
    '/health',
    {
      config: probe,
      schema: {
        tags,
        summary:
          'For balancers: 200 when this process may be used, 404 when it is about to stop and takes no new clients, else 503',
        response: { 200: schemas.Readiness, 404: schemas.Readiness, 503: schemas.Readiness },
      },
    },
    async (_request, reply) => {
      const reasons = await readiness.reasons()
      const ready = reasons.length === 0
      // HAProxy's `http-check disable-on-404`: what runs here goes on, nobody else is sent.
      const otherwise = readiness.draining ? 404 : 503
      return reply.code(ready ? 200 : otherwise).send({ ready, region: venue.region, reasons })
    },
  )

  api.get(
    '/health/live',
    { config: probe, schema: { tags, summary: 'The process is alive', response: answers({ 200: schemas.Alive }) } },
    () => ({ status: 'alive' }),
  )

  api.get(
    '/health/ready',
    {
      config: probe,
      schema: {
        tags,
        summary: 'This process may be used: 200, or 503 with the reasons why not',
        response: { 200: schemas.Readiness, 503: schemas.Readiness },
      },
    },
    async (_request, reply) => {
      const reasons = await readiness.reasons()
      const ready = reasons.length === 0
      return reply.code(ready ? 200 : 503).send({ ready, region: venue.region, reasons })
    },
  )

  api.get(
    '/health/region',
    {
      config: probe,
      schema: {
        tags,
        summary: 'What this region knows of every shard',
        querystring: schemas.RegionQuery,
        response: answers({ 200: schemas.RegionView }),
      },
    },
    async (request) => {
      const status = venue.status()
      const withHash = request.query.hash === '1'
      const reports = status.shards.map(async ({ shard, leader, leading, epoch, seq, fault, pending, version }) => {
        const hash = withHash && fault === null ? await hashes.of(shard) : null
        return {
          shard,
          name: shards.name(shard),
          leader,
          leading,
          epoch,
          seq: hash?.seq ?? seq,
          commands: commands(shard),
          fault,
          pending,
          version,
          stateHash: hash?.value ?? null,
        }
      })
      const { links } = status
      return {
        region: status.region,
        memory_bytes: process.memoryUsage.rss(),
        engineVersion: status.engineVersion,
        shards: await Promise.all(reports),
        links,
      }
    },
  )

  api.get(
    '/metrics',
    { config: probe, schema: { tags, summary: 'Figures for Prometheus' } },
    async (_request, reply) => {
      const { contentType, text } = await metrics.render()
      return reply.type(contentType).send(text)
    },
  )
}

type Hash = { readonly seq: Seq; readonly value: string }

/** A hash walks the whole state: those who ask for the same at the same time share one. */
class StateHashes {
  readonly #venue: Venue
  readonly #running = new Map<ShardIndex, Promise<Hash>>()

  constructor(venue: Venue) {
    this.#venue = venue
  }

  of(shard: ShardIndex): Promise<Hash> {
    const running = this.#running.get(shard) ?? this.#venue.stateHash(shard).finally(() => this.#running.delete(shard))
    this.#running.set(shard, running)
    return running
  }
}
