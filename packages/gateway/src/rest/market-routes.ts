// Public market data: depth, trades, candles and tickers, from what this region has applied; what is older comes from history.

import {
  formatPrice,
  formatQuantity,
  type InstrumentId,
  PHASE_NAMES,
  Phase,
  type Quantity,
  type Timestamp,
} from '@wintrades/domain'
import {
  type Candle,
  type CandleInterval,
  candleJson,
  depthJson,
  type HistoryReader,
  type InstrumentMarket,
  type MarketData,
  type PublicTrade,
  tickerJson,
  tradeJson,
} from '@wintrades/marketdata'
import type { Venue } from '@wintrades/venue'
import { ApiFault } from '../errors.ts'
import { listOf } from '../schemas/common.ts'
import * as schemas from '../schemas/market.ts'
import { type Shards, stamp } from './consistency.ts'
import { answers } from './documentation.ts'
import type { Api } from './http.ts'

/** Phases in which orders gather for a call auction. */
const AUCTIONS: ReadonlySet<Phase> = new Set([
  Phase.pre_open,
  Phase.opening_auction,
  Phase.closing_auction,
  Phase.volatility_auction,
])

const tags = ['market']
const config = { access: 'public' } as const
const US_PER_MS = 1_000
const RETRY_AFTER_MS = 500

export type MarketRouteParts = {
  readonly marketData: MarketData
  readonly history: HistoryReader
  readonly shards: Shards
  readonly venue: Pick<Venue, 'auction'>
}

export function addMarketRoutes(api: Api, { marketData, history, shards, venue }: MarketRouteParts): void {
  const auctions = new Map<InstrumentId, ReturnType<Venue['auction']>>()
  /** All who ask at the same time share one question. */
  const auctionOf = (id: InstrumentId): ReturnType<Venue['auction']> => {
    const asked = auctions.get(id) ?? venue.auction(id).finally(() => auctions.delete(id))
    auctions.set(id, asked)
    return asked
  }
  const named = (symbol: string): InstrumentMarket => {
    const market = marketData.bySymbol(symbol)
    if (market === undefined) throw new ApiFault('SYMBOL_UNKNOWN', { details: { symbol } })
    // Half a book would be a lie: what is not loaded yet is not shown.
    if (!market.ready) throw new ApiFault('NOT_READY', { retryAfter_ms: RETRY_AFTER_MS })
    return market
  }
  const stampOf = (reply: Parameters<typeof stamp>[0], { instrument }: InstrumentMarket) =>
    stamp(reply, shards.name(instrument.shard), marketData.seq(instrument.shard))
  const ticker = (market: InstrumentMarket) =>
    tickerJson(market, market.ticker(marketData.timestamp(market.instrument.shard)))

  api.get(
    '/market/:symbol/depth',
    {
      config,
      schema: {
        tags,
        summary: 'The book, best prices first',
        params: schemas.SymbolPath,
        querystring: schemas.DepthQuery,
        response: answers({ 200: schemas.DepthView }),
      },
    },
    (request, reply) => {
      const market = named(request.params.symbol)
      stampOf(reply, market)
      const { levels = schemas.LEVELS_DEFAULT } = request.query
      reply.send(depthJson(market.instrument, market.book.snapshot(levels)))
    },
  )

  api.get(
    '/market/:symbol/trades',
    {
      config,
      schema: {
        tags,
        summary: 'The last trades, newest first',
        params: schemas.SymbolPath,
        querystring: schemas.PublicTradesQuery,
        response: answers({ 200: listOf(schemas.PublicTradeView) }),
      },
    },
    async (request, reply) => {
      const market = named(request.params.symbol)
      stampOf(reply, market)
      const { limit = schemas.MARKET_ITEMS_DEFAULT } = request.query
      const trades = await lastTrades(market, history, limit)
      return { items: trades.toReversed().map((trade) => tradeJson(market.instrument, trade)) }
    },
  )

  api.get(
    '/market/:symbol/candles',
    {
      config,
      schema: {
        tags,
        summary: 'Candles, oldest first; of more than the limit the newest',
        params: schemas.SymbolPath,
        querystring: schemas.CandlesQuery,
        response: answers({ 200: listOf(schemas.CandleView) }),
      },
    },
    async (request, reply) => {
      const market = named(request.params.symbol)
      stampOf(reply, market)
      const { interval = '1m', from = 0, to, limit = schemas.MARKET_ITEMS_DEFAULT } = request.query
      const range = {
        interval: interval as CandleInterval,
        from: (from * US_PER_MS) as Timestamp,
        to: (to === undefined ? Number.MAX_SAFE_INTEGER : to * US_PER_MS) as Timestamp,
        limit,
      }
      const candles = await candlesOf(market, history, range)
      return { items: candles.map((candle) => candleJson(market.instrument, candle)) }
    },
  )

  api.get(
    '/market/:symbol/ticker',
    {
      config,
      schema: {
        tags,
        summary: 'Best prices, last price, and the last 24 hours',
        params: schemas.SymbolPath,
        response: answers({ 200: schemas.TickerView }),
      },
    },
    (request, reply) => {
      const market = named(request.params.symbol)
      stampOf(reply, market)
      reply.send(ticker(market))
    },
  )

  api.get(
    '/market/:symbol/auction',
    {
      config,
      schema: {
        tags,
        summary: 'What a call auction would do if it ended now; outside of one there is no price',
        params: schemas.SymbolPath,
        response: answers({ 200: schemas.AuctionView }),
      },
    },
    async (request, reply) => {
      const market = named(request.params.symbol)
      const { instrument, phase } = market
      const { shard, seq, value } = await auctionOf(instrument.id)
      stamp(reply, shards.name(shard), seq)
      const isAuction = AUCTIONS.has(phase) && value.volume > 0
      return {
        symbol: instrument.symbol,
        phase: PHASE_NAMES[phase],
        price: isAuction ? formatPrice(instrument, value.price) : null,
        volume: formatQuantity(instrument, isAuction ? value.volume : (0 as Quantity)),
        surplus: formatQuantity(instrument, (isAuction ? value.surplus : 0) as Quantity),
      }
    },
  )

  api.get(
    '/market/tickers',
    {
      config,
      schema: {
        tags,
        summary: 'The ticker of every instrument',
        response: answers({ 200: listOf(schemas.TickerView) }),
      },
    },
    () => ({ items: marketData.instruments.filter((market) => market.ready).map(ticker) }),
  )
}

/** Oldest first. */
async function lastTrades(market: InstrumentMarket, history: HistoryReader, limit: number): Promise<PublicTrade[]> {
  const live = market.trades.latest(limit)
  const missing = limit - live.length
  const first = live[0]?.tradeNumber ?? market.trades.lastTradeNumber + 1
  if (missing <= 0 || first <= 1) return live
  return [...(await history.trades(market.instrument.id, Math.max(1, first - missing), first - 1, missing)), ...live]
}

type CandleRange = {
  readonly interval: CandleInterval
  readonly from: Timestamp
  readonly to: Timestamp
  readonly limit: number
}

/** Live candles, and before them those of history: the two meet where the live ones begin. */
async function candlesOf(
  market: InstrumentMarket,
  history: HistoryReader,
  { interval, from, to, limit }: CandleRange,
): Promise<Candle[]> {
  const series = market.candles[interval]
  const live = series.range(from, to, limit)
  const { oldest } = series
  if (live.length >= limit || from >= oldest) return live
  const before = Math.min(to, oldest === 0 ? to : oldest) as Timestamp
  if (from >= before) return live
  const older = await history.candles(market.instrument.id, interval, from, before, limit - live.length)
  return [...older, ...live]
}
