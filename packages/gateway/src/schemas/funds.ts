// What an account has: balances, positions, and what moves them in, out and between shards.

import { LIMITS } from '@wintrades/domain'
import { Type } from 'typebox'
import {
  AssetCode,
  ClientId,
  closed,
  Decimal,
  MinSeq,
  PageFilter,
  RegionName,
  ShardFilter,
  SignedDecimal,
  SymbolName,
  Time,
} from './common.ts'

export const StateQuery = closed({ ...ShardFilter, minSeq: Type.Optional(MinSeq) })

export const BalanceView = Type.Object({
  asset: AssetCode,
  available: SignedDecimal,
  held: Type.String({ description: 'Held by open orders.' }),
  shard: RegionName,
})

export const PositionView = Type.Object({
  symbol: SymbolName,
  quantity: SignedDecimal,
  cost: SignedDecimal,
  avgPrice: Type.Union([Type.String(), Type.Null()]),
  realisedProfit: SignedDecimal,
  shard: RegionName,
})

export const TransferRequest = closed({
  asset: AssetCode,
  amount: Decimal,
  fromRegion: RegionName,
  toRegion: RegionName,
  transferId: ClientId,
})

export const MovementRequest = closed({
  asset: AssetCode,
  amount: Decimal,
  region: RegionName,
  transferId: ClientId,
  accountId: Type.Optional(
    Type.Integer({ minimum: 1, maximum: LIMITS.accounts_max, description: 'The operator only: whose account.' }),
  ),
})

export const MovementView = Type.Object({
  transferId: Type.String(),
  asset: AssetCode,
  amount: Decimal,
  shard: RegionName,
  seq: Type.Integer(),
  status: Type.Union([Type.Literal('in_flight'), Type.Literal('settled')]),
  fromRegion: Type.Optional(RegionName),
  toRegion: Type.Optional(RegionName),
  duplicate: Type.Optional(
    Type.Boolean({ description: 'The transfer id was seen before: this is what became of it.' }),
  ),
})

export const TransferView = Type.Object({
  transferId: Type.String(),
  kind: Type.Union([Type.Literal('DEPOSIT'), Type.Literal('WITHDRAWAL'), Type.Literal('TRANSFER')]),
  asset: AssetCode,
  amount: Decimal,
  fromRegion: Type.Union([RegionName, Type.Null()]),
  toRegion: Type.Union([RegionName, Type.Null()]),
  status: Type.Union([Type.Literal('in_flight'), Type.Literal('settled')]),
  time: Time,
})

export const TransfersQuery = closed({ ...PageFilter, minSeq: Type.Optional(MinSeq) })
