// Candles and tickers are sums over trades, each counted once, however trades, history and views come together.

import {
  EventType,
  forEachEvent,
  type InstrumentId,
  type Price,
  type Quantity,
  Side,
  type Timestamp,
  TRADE,
} from '@wintrades/domain'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Candle, CandleSeries } from '../src/live/candles.ts'
import type { InstrumentMarket, MarketHistory } from '../src/live/instrument-market.ts'
import { MarketDataLoader } from '../src/live/loader.ts'
import { MarketData } from '../src/live/market-data.ts'
import { type PublicTrade, RecentTrades } from '../src/live/recent-trades.ts'
import { instrumentOf, markets } from './support/markets.ts'
import { Flow, START, type TestBatch, TestShard } from './support/test-shard.ts'

const MINUTE = 60_000_000
const instrument = instrumentOf('AAPL-USD')

function tradesOf(batches: readonly TestBatch[], id: InstrumentId): PublicTrade[] {
  const trades: PublicTrade[] = []
  for (const { events, timestamp } of batches) {
    forEachEvent(events, (type, offset) => {
      if (type !== EventType.trade || events[offset + 3] !== id) return
      trades.push({
        tradeNumber: events[offset + TRADE.tradeNumber] as number,
        price: events[offset + TRADE.price] as Price,
        quantity: events[offset + TRADE.quantity] as Quantity,
        takerSide: events[offset + TRADE.takerSide] as Side,
        notional: events[offset + TRADE.notional] as number,
        timestamp,
      })
    })
  }
  return trades
}

/** Candles in the plainest way. */
function candlesFrom(trades: readonly PublicTrade[], length_us: number): Candle[] {
  const byTime = Map.groupBy(trades, (trade) => trade.timestamp - (trade.timestamp % length_us))
  return [...byTime].map(([openTime, all]) => ({
    openTime: openTime as Timestamp,
    open: (all[0] as PublicTrade).price,
    high: Math.max(...all.map((trade) => trade.price)) as Price,
    low: Math.min(...all.map((trade) => trade.price)) as Price,
    close: (all.at(-1) as PublicTrade).price,
    volume: all.reduce((sum, trade) => sum + trade.quantity, 0),
    quoteVolume: all.reduce((sum, trade) => sum + BigInt(trade.notional), 0n),
    tradeCount: all.length,
    firstTradeNumber: (all[0] as PublicTrade).tradeNumber,
    lastTradeNumber: (all.at(-1) as PublicTrade).tradeNumber,
  }))
}

const everything = (series: CandleSeries) => series.range(0 as Timestamp, Number.MAX_SAFE_INTEGER as Timestamp, 1e6)

describe('over a flow of trades', () => {
  const shard = new TestShard()
  const flow = new Flow(shard, 21)
  flow.begin()
  const before = shard.batches.length
  flow.run(1_500)
  const trades = tradesOf(shard.batches, instrument.id)

  function started(): MarketData {
    const marketData = new MarketData(markets)
    for (const market of marketData.instruments) market.initialise(viewOf(market.instrument.id))
    return marketData
  }

  test('candles of every length are the plain sums', () => {
    const marketData = started()
    for (const batch of shard.batches) marketData.apply(batch)
    const market = marketData.get(instrument.id) as InstrumentMarket
    expect(trades.length).toBeGreaterThan(200)
    expect(everything(market.candles['1m'])).toEqual(candlesFrom(trades, MINUTE))
    expect(everything(market.candles['15m'])).toEqual(candlesFrom(trades, 15 * MINUTE))
    expect(everything(market.candles['1d'])).toEqual(candlesFrom(trades, 1_440 * MINUTE))
  })

  test('the ticker covers the last 24 hours by the minute', () => {
    const marketData = started()
    for (const batch of shard.batches) marketData.apply(batch)
    const market = marketData.get(instrument.id) as InstrumentMarket
    const now = marketData.timestamp(shard.shard)
    const from = now - (now % MINUTE) - 1_439 * MINUTE
    const recent = trades.filter((trade) => trade.timestamp >= from)
    expect(recent.length).toBeLessThan(trades.length)
    const ticker = market.ticker(now)
    expect(ticker).toMatchObject({
      open: recent[0]?.price,
      high: Math.max(...recent.map((trade) => trade.price)),
      low: Math.min(...recent.map((trade) => trade.price)),
      last: trades.at(-1)?.price,
      volume: recent.reduce((sum, trade) => sum + trade.quantity, 0),
      quoteVolume: recent.reduce((sum, trade) => sum + BigInt(trade.notional), 0n),
      tradeCount: recent.length,
    })
    const later = market.ticker((now + 1_500 * MINUTE) as Timestamp)
    expect(later).toMatchObject({ tradeCount: 0, volume: 0, last: trades.at(-1)?.price })
  })

  test('a process that starts late has the same candles, from history and live batches that overlap', async () => {
    const whole = started()
    for (const batch of shard.batches) whole.apply(batch)
    const late = new MarketData(markets)
    const joinAt = before + 700
    const history = historyOf(shard.batches.slice(0, joinAt + 100))
    for (const batch of shard.batches.slice(joinAt, joinAt + 200)) late.apply(batch)
    const loader = new MarketDataLoader(late, viewsAt(shard, joinAt + 150), history)
    await loader.load()
    for (const batch of shard.batches.slice(joinAt + 200)) late.apply(batch)
    const [mine, theirs] = [late, whole].map((one) => one.get(instrument.id)) as [InstrumentMarket, InstrumentMarket]
    expect(mine.missingTrades).toEqual([])
    expect(everything(mine.candles['5m'])).toEqual(everything(theirs.candles['5m']))
    expect(mine.book.snapshot(100)).toEqual(theirs.book.snapshot(100))
    expect(mine.trades.latest(500)).toEqual(theirs.trades.latest(500))
    expect(mine.ticker(late.timestamp(shard.shard))).toEqual(theirs.ticker(whole.timestamp(shard.shard)))
  })

  test('trades that neither history nor live batches had are filled in when history has them', async () => {
    const late = new MarketData(markets)
    const joinAt = before + 700
    const history = historyOf(shard.batches.slice(0, joinAt - 300))
    const loader = new MarketDataLoader(late, viewsAt(shard, joinAt), history)
    const first = await loader.load()
    expect(first.unready).toBe(0)
    for (const batch of shard.batches.slice(joinAt)) late.apply(batch)
    const market = late.get(instrument.id) as InstrumentMarket
    expect(market.missingTrades).toHaveLength(1)
    history.batches = shard.batches
    const second = await loader.load()
    expect(second).toEqual({ unready: 0, missingTrades: 0 })
    expect(everything(market.candles['1m'])).toEqual(candlesFrom(trades, MINUTE))
    expect(market.trades.latest(2_000)).toEqual(trades.slice(-1_024))
  })
})

/** An empty book before anything happened. */
function viewOf(id: InstrumentId) {
  return {
    instrument: id,
    phase: 3 as const,
    bookVersion: 0,
    lastTradeNumber: 0,
    lastPrice: 0 as Price,
    bids: [],
    asks: [],
  }
}

/** Views of a replica that has applied the first `count` batches; other shards are empty. */
function viewsAt(shard: TestShard, count: number) {
  const replica = new TestShard(shard.shard)
  for (const batch of shard.batches.slice(0, count)) replica.engine.apply(batch.bytes)
  return {
    book: async (id: InstrumentId, levelsMax: number) => {
      const here = markets.instruments.some((one) => one.id === id && one.shard === shard.shard)
      return { value: here ? replica.engine.book(id, levelsMax) : viewOf(id) }
    },
  }
}

/** A history that knows what happened in these batches. */
function historyOf(batches: readonly TestBatch[]) {
  return {
    batches,
    async marketHistory(id: InstrumentId): Promise<MarketHistory> {
      const trades = tradesOf(this.batches, id)
      const candles = (minutes: number) => candlesFrom(trades, minutes * MINUTE)
      return {
        lastTradeNumber: trades.at(-1)?.tradeNumber ?? 0,
        candles: {
          '1m': candles(1),
          '5m': candles(5),
          '15m': candles(15),
          '1h': candles(60),
          '4h': candles(240),
          '1d': candles(1_440),
        },
        trades: trades.slice(-1_024),
      }
    },
    async trades(id: InstrumentId, first: number, last: number, limit: number): Promise<PublicTrade[]> {
      const trades = tradesOf(this.batches, id)
      return trades.filter((trade) => trade.tradeNumber >= first && trade.tradeNumber <= last).slice(0, limit)
    },
  }
}

const arbitraryTrades = fc
  .array(
    fc.record({
      price: fc.integer({ min: 1, max: 2_147_483_647 }),
      quantity: fc.integer({ min: 1, max: 2_147_483_647 }),
      notional: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      wait: fc.integer({ min: 0, max: 5 * MINUTE }),
    }),
    { maxLength: 40 },
  )
  .map((raw) => {
    let timestamp = START
    return raw.map((one, i): PublicTrade => {
      timestamp += one.wait
      return {
        tradeNumber: i + 1,
        price: one.price as Price,
        quantity: one.quantity as Quantity,
        takerSide: Side.buy,
        notional: one.notional,
        timestamp: timestamp as Timestamp,
      }
    })
  })

test('a candle does not depend on the order in which its trades, or parts of it, come', () => {
  fc.assert(
    fc.property(arbitraryTrades, fc.integer(), (trades, seed) => {
      const shuffled = trades
        .map((trade, i) => ({ trade, key: Math.imul(i + 1, seed | 1) }))
        .sort((a, b) => a.key - b.key)
      const series = new CandleSeries('1m')
      for (const { trade } of shuffled.slice(0, 20)) {
        series.add(trade.timestamp, trade.price, trade.quantity, trade.notional, trade.tradeNumber)
      }
      const rest = new CandleSeries('1m')
      for (const { trade } of shuffled.slice(20)) {
        rest.add(trade.timestamp, trade.price, trade.quantity, trade.notional, trade.tradeNumber)
      }
      for (const candle of everything(rest)) series.merge(candle)
      expect(everything(series)).toEqual(candlesFrom(trades, MINUTE))
    }),
  )
})

test('candles are bounded: the oldest go first, and what is older is not counted', () => {
  const series = new CandleSeries('1m', 100)
  for (let minute = 0; minute < 1_000; minute++) {
    series.add((START + minute * MINUTE) as Timestamp, 5 as Price, 1, 5, minute + 1)
  }
  expect(series.count).toBeGreaterThanOrEqual(100)
  expect(series.count).toBeLessThanOrEqual(113)
  expect(series.last()?.openTime).toBe(START + 999 * MINUTE)
  const revision = series.revision
  series.add(START as Timestamp, 9 as Price, 1, 9, 0)
  expect(series.revision).toBe(revision)
})

test('recent trades resume from a number, or say that they cannot', () => {
  const trades = new RecentTrades(4)
  for (let number = 1; number <= 6; number++) {
    trades.add(number, (100 + number) as Price, 1 as Quantity, Side.buy, 100, START as Timestamp)
  }
  expect(trades.since(4)).toMatchObject([{ tradeNumber: 5 }, { tradeNumber: 6 }])
  expect(trades.since(6)).toEqual([])
  expect(trades.since(2)).toHaveLength(4)
  expect(trades.since(1)).toBe('reset')
  expect(trades.since(7)).toBe('reset')
  expect(trades.latest(2)).toMatchObject([{ tradeNumber: 5, price: 105 }, { tradeNumber: 6 }])
})
