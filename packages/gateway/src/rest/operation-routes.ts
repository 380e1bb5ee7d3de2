// What operators, supervisors and the front door ask: is it alive, may it be used, what does this region know, its figures; and the
// planned change of a shard's leader.

import type { RegionName, Seq, ShardIndex } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { Metrics } from '@wintrades/platform/metrics'
import type { Venue } from '@wintrades/venue'
import { ApiFault } from '../errors.ts'
import * as schemas from '../schemas/operations.ts'
import type { Shards } from './consistency.ts'
import { answers } from './documentation.ts'
import { API_PREFIX, type Api } from './http.ts'
import type { Readiness } from './readiness.ts'

const tags = ['operation']
const probe = { access: 'probe' } as const

export type OperationRouteParts = {
  readonly venue: Venue
  readonly shards: Shards
  readonly readiness: Readiness
  readonly metrics: Metrics
  readonly logger: Logger
  /** Commands in a shard's journal up to the last batch heard; null: none heard yet. */
  readonly commands: (shard: ShardIndex) => number | null
}

export function addOperationRoutes(api: Api, parts: OperationRouteParts): void {
  const { venue, shards, readiness, metrics, logger, commands } = parts
  const hashes = new StateHashes(venue)

  api.get(
    '/health',
    { config: probe, schema: { tags, summary: 'The process is alive', response: answers({ 200: schemas.Alive }) } },
    () => ({ status: 'alive' }),
  )

  api.get(
    '/health/ready',
    {
      config: probe,
      schema: {
        tags,
        summary: 'The region may be used: 200, or 503 with the reasons why not',
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
      const reports = status.shards.map(async ({ shard, leader, epoch, seq, fault, pending }) => {
        const hash = withHash && fault === null ? await hashes.of(shard) : null
        return {
          shard,
          name: shards.name(shard),
          leader,
          epoch,
          seq: hash?.seq ?? seq,
          commands: commands(shard),
          fault,
          pending,
          stateHash: hash?.value ?? null,
        }
      })
      const { links } = status
      return {
        region: status.region,
        memory_bytes: process.memoryUsage.rss(),
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

  api.post(
    `${API_PREFIX}/operator/hand-over`,
    {
      config: { access: 'operator' },
      schema: {
        tags,
        summary: 'Hand the leadership of a shard that is led here to another region; answers when it leads',
        body: schemas.HandOverRequest,
        response: answers({ 200: schemas.HandedOver }),
      },
    },
    async (request) => {
      const shard = shards.named(request.body.shard)
      const to = request.body.to as RegionName
      if (!shard.regions.includes(to)) throw new ApiFault('REGION_UNKNOWN', { details: { regions: shard.regions } })
      const status = venue.status().shards.find((one) => one.shard === shard.index)
      if (status?.leader === to) return { shard: shard.name, leader: to }
      if (status?.leading !== true) {
        throw new ApiFault('HAND_OVER_REFUSED', { details: { leader: status?.leader ?? null } })
      }
      try {
        await venue.handOver(shard.index, to)
      } catch (error) {
        logger.warn('hand-over failed', { shard: shard.name, to, error })
        throw new ApiFault('HAND_OVER_REFUSED', { details: { shard: shard.name, to } })
      }
      logger.info('handed over', { shard: shard.name, to })
      return { shard: shard.name, leader: to }
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
