// What is traded where: instruments, assets, shards.

import type { Markets } from '@wintrades/domain'
import type { Venue } from '@wintrades/venue'
import { listOf } from '../schemas/common.ts'
import * as schemas from '../schemas/market.ts'
import type { Shards } from './consistency.ts'
import { answers } from './documentation.ts'
import type { Api } from './http.ts'
import { instrumentView } from './instruments.ts'

const tags = ['market']
const config = { access: 'public' } as const

export type ReferenceRouteParts = { readonly markets: Markets; readonly venue: Venue; readonly shards: Shards }

export function addReferenceRoutes(api: Api, { markets, venue, shards }: ReferenceRouteParts): void {
  const instruments = markets.instruments.map((one) => instrumentView(one, shards.name(one.shard)))
  const assets = markets.assets.map(({ code, kind, scale }) => ({ code, kind, scale }))

  api.get(
    '/instruments',
    {
      config,
      schema: { tags, summary: 'Every instrument', response: answers({ 200: listOf(schemas.InstrumentView) }) },
    },
    () => ({ items: instruments }),
  )

  api.get(
    '/assets',
    { config, schema: { tags, summary: 'Every asset', response: answers({ 200: listOf(schemas.AssetView) }) } },
    () => ({ items: assets }),
  )

  api.get(
    '/shards',
    {
      config,
      schema: {
        tags,
        summary: 'Every shard, and who leads it as far as this region knows',
        response: answers({ 200: listOf(schemas.ShardView) }),
      },
    },
    () => {
      const status = new Map(venue.status().shards.map((one) => [one.shard, one]))
      return {
        items: markets.shards.map(({ index, name, regions }) => {
          const { leader = null, epoch = 0, seq = 0 } = status.get(index) ?? {}
          return { name, regions, leader, epoch, seq }
        }),
      }
    },
  )
}
