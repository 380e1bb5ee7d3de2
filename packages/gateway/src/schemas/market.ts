// Public data: what is traded where, and how it trades.

import { PHASE_NAMES } from '@wintrades/domain'
import { CANDLE_INTERVALS } from '@wintrades/marketdata'
import { Type } from 'typebox'
import {
  AssetCode,
  closed,
  Decimal,
  nullable,
  RegionName,
  SideName,
  SignedDecimal,
  SymbolName,
  Time,
} from './common.ts'

export const LEVELS_MAX = 1_000
export const LEVELS_DEFAULT = 50
export const PUBLIC_TRADES_MAX = 1_000
export const CANDLES_MAX = 1_500
export const MARKET_ITEMS_DEFAULT = 100

export const InstrumentView = Type.Object({
  symbol: SymbolName,
  kind: Type.Union([Type.Literal('crypto'), Type.Literal('equity')]),
  base: AssetCode,
  quote: AssetCode,
  shard: RegionName,
  tickSize: Decimal,
  lotSize: Decimal,
  priceMin: Decimal,
  priceMax: Decimal,
  quantityMin: Decimal,
  quantityMax: Decimal,
  notionalMin: Decimal,
  makerFee: Decimal,
  takerFee: Decimal,
  referencePrice: nullable(Decimal),
})

export const AssetView = Type.Object({
  code: AssetCode,
  kind: Type.Union([Type.Literal('currency'), Type.Literal('crypto'), Type.Literal('equity')]),
  scale: Type.Integer({ description: 'Decimal places that the ledger keeps.' }),
})

export const ShardView = Type.Object({
  name: RegionName,
  regions: Type.Array(RegionName, { description: 'Where it may be led, home first.' }),
  leader: nullable(RegionName),
  epoch: Type.Integer(),
  seq: Type.Integer({ description: 'The last batch that the answering region has applied.' }),
})

export const SymbolPath = closed({ symbol: SymbolName })
export const DepthQuery = closed({
  levels: Type.Optional(Type.Integer({ minimum: 1, maximum: LEVELS_MAX, default: LEVELS_DEFAULT })),
})

const Side = Type.Array(Type.Tuple([Decimal, Decimal]), { description: '[price, quantity], best first.' })

export const DepthView = Type.Object({
  symbol: SymbolName,
  sequence: Type.Integer({ description: 'The depth stream goes on from here; the same in every region.' }),
  bids: Side,
  asks: Side,
})

export const AuctionView = Type.Object({
  symbol: SymbolName,
  phase: Type.Enum(Object.values(PHASE_NAMES)),
  price: nullable(Decimal),
  volume: Decimal,
  /** What would be left at that price: positive to buy, negative to sell. */
  surplus: SignedDecimal,
})

export const PublicTradesQuery = closed({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PUBLIC_TRADES_MAX, default: MARKET_ITEMS_DEFAULT })),
})

export const PublicTradeView = Type.Object({
  tradeId: Type.Integer(),
  price: Decimal,
  quantity: Decimal,
  quoteQuantity: Decimal,
  takerSide: SideName,
  time: Time,
})

export const CandlesQuery = closed({
  interval: Type.Optional(Type.Enum([...CANDLE_INTERVALS], { default: '1m' })),
  from: Type.Optional(Type.Integer({ minimum: 0, maximum: 8_640_000_000_000, description: 'Milliseconds, included.' })),
  to: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 8_640_000_000_000, description: 'Milliseconds, not included.' }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: CANDLES_MAX, default: MARKET_ITEMS_DEFAULT })),
})

export const CandleView = Type.Object({
  openTime: Time,
  open: Decimal,
  high: Decimal,
  low: Decimal,
  close: Decimal,
  volume: Decimal,
  quoteVolume: Decimal,
  tradeCount: Type.Integer(),
})

export const TickerView = Type.Object({
  symbol: SymbolName,
  time: Time,
  phase: Type.Enum(Object.values(PHASE_NAMES)),
  last: nullable(Decimal),
  open: nullable(Decimal),
  high: nullable(Decimal),
  low: nullable(Decimal),
  change: nullable(SignedDecimal),
  volume: Decimal,
  quoteVolume: Decimal,
  tradeCount: Type.Integer(),
  bid: nullable(Decimal),
  bidQuantity: nullable(Decimal),
  ask: nullable(Decimal),
  askQuantity: nullable(Decimal),
})
