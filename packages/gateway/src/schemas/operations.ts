// What operators and their tools ask: health, and a region's own report.

import { Type } from 'typebox'
import { closed, nullable, RegionName } from './common.ts'

export const Alive = Type.Object({ status: Type.Literal('alive') })

export const Readiness = Type.Object({
  ready: Type.Boolean(),
  region: RegionName,
  reasons: Type.Array(Type.String(), { description: 'Why it is not ready.' }),
})

export const RegionQuery = closed({
  hash: Type.Optional(
    Type.String({
      pattern: '^[01]$',
      description: '1: with the state hash of each replica; it walks the whole state.',
    }),
  ),
})

export const RegionView = Type.Object({
  region: RegionName,
  memory_bytes: Type.Integer(),
  engineVersion: Type.Integer({ description: 'The newest rules that this process’s engine knows.' }),
  shards: Type.Array(
    Type.Object({
      shard: Type.Integer(),
      name: RegionName,
      leader: nullable(RegionName),
      leading: Type.Boolean({ description: 'This process leads it.' }),
      epoch: Type.Integer(),
      seq: Type.Integer(),
      commands: nullable(Type.Integer({ description: 'Commands in the journal up to seq.' })),
      fault: nullable(Type.String()),
      pending: Type.Integer(),
      version: Type.Integer({ description: 'The engine’s rules in force.' }),
      stateHash: nullable(Type.String()),
    }),
  ),
  links: Type.Array(
    Type.Object({ region: RegionName, connected: Type.Boolean(), processes: Type.Integer({ minimum: 0 }) }),
  ),
})
