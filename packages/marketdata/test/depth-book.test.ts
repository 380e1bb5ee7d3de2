// The book that market data keeps is the engine's book, at every version; what streams send adds up to it.

import { type BookView, type InstrumentId, Phase, type Price, type Quantity, Side } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { DepthBook, type DepthLevel } from '../src/live/depth-book.ts'
import { MarketData } from '../src/live/market-data.ts'
import { markets } from './support/markets.ts'
import { Flow, TestShard } from './support/test-shard.ts'

function emptyView(bookVersion = 0): BookView {
  return {
    instrument: 1 as InstrumentId,
    phase: Phase.continuous,
    bookVersion,
    lastTradeNumber: 0,
    lastPrice: 0 as Price,
    bids: [],
    asks: [],
  }
}

const change = (book: DepthBook, side: Side, price: number, quantity: number, version: number) =>
  book.apply(side, price as Price, quantity as Quantity, version)

test('follows the engine at every batch', () => {
  const shard = new TestShard()
  const marketData = new MarketData(markets)
  for (const market of marketData.instruments) market.initialise(emptyView())
  const flow = new Flow(shard, 11)
  flow.begin()
  for (const batch of shard.batches) marketData.apply(batch)
  let levels = 0
  for (let round = 0; round < 300; round++) {
    flow.run(1)
    marketData.apply(shard.batches.at(-1) as (typeof shard.batches)[number])
    for (const market of marketData.instruments.filter((one) => one.instrument.shard === 0)) {
      const view = shard.engine.book(market.instrument.id, 1_000)
      const snapshot = market.book.snapshot(1_000)
      expect(snapshot.version).toBe(view.bookVersion)
      expect(snapshot.bids).toEqual(view.bids.map((level) => [level.price, level.quantity]))
      expect(snapshot.asks).toEqual(view.asks.map((level) => [level.price, level.quantity]))
      expect(market.book.bestBid).toBe(view.bids[0]?.price ?? 0)
      expect(market.book.bestAskQuantity).toBe(view.asks[0]?.quantity ?? 0)
      expect(market.lastPrice).toBe(view.lastPrice)
      levels += view.bids.length
    }
  }
  expect(levels).toBeGreaterThan(100)
})

test('a client that applies updates has the book, whenever it asks for them', () => {
  const shard = new TestShard()
  const book = new DepthBook()
  book.initialise(emptyView())
  const flow = new Flow(shard, 12)
  flow.begin()
  const marketData = new MarketData(markets)
  for (const market of marketData.instruments) market.initialise(emptyView())
  for (const batch of shard.batches) marketData.apply(batch)
  const market = marketData.bySymbol('AAPL-USD')
  if (market === undefined) throw new Error('no AAPL-USD')
  const client = { version: market.book.version, sides: [new Map<number, number>(), new Map<number, number>()] }
  let updates = 0
  for (let round = 0; round < 400; round++) {
    flow.run(1)
    marketData.apply(shard.batches.at(-1) as (typeof shard.batches)[number])
    if (round % 7 !== 0) continue
    const update = market.book.updateSince(client.version)
    if (update === null) continue
    if (update === 'reset') throw new Error('no client was so late')
    expect(update.firstVersion).toBe(client.version + 1)
    applyLevels(client.sides[Side.buy] as Map<number, number>, update.bids)
    applyLevels(client.sides[Side.sell] as Map<number, number>, update.asks)
    client.version = update.lastVersion
    updates++
    const snapshot = market.book.snapshot(1_000)
    expect([...(client.sides[Side.buy] as Map<number, number>)].sort((a, b) => b[0] - a[0])).toEqual(snapshot.bids)
    expect([...(client.sides[Side.sell] as Map<number, number>)].sort((a, b) => a[0] - b[0])).toEqual(snapshot.asks)
  }
  expect(updates).toBeGreaterThan(20)
})

function applyLevels(side: Map<number, number>, levels: readonly DepthLevel[]): void {
  for (const [price, quantity] of levels) {
    if (quantity === 0) side.delete(price)
    else side.set(price, quantity)
  }
}

test('an update names each level once, with its latest quantity', () => {
  const book = new DepthBook()
  book.initialise(emptyView())
  change(book, Side.buy, 100, 5, 1)
  change(book, Side.buy, 100, 7, 2)
  change(book, Side.sell, 101, 3, 3)
  change(book, Side.sell, 101, 0, 4)
  expect(book.updateSince(0)).toEqual({ firstVersion: 1, lastVersion: 4, bids: [[100, 7]], asks: [[101, 0]] })
  expect(book.updateSince(4)).toBeNull()
})

test('a client that is too late, or ahead, has to start over', () => {
  const book = new DepthBook({ changesKept: 4 })
  book.initialise(emptyView(10))
  for (let version = 11; version <= 16; version++) change(book, Side.buy, 100 + version, 1, version)
  expect(book.updateSince(12)).toMatchObject({ firstVersion: 13, lastVersion: 16 })
  expect(book.updateSince(11)).toBe('reset')
  expect(book.updateSince(17)).toBe('reset')
})

test('changes that come before the first view wait for it', () => {
  const book = new DepthBook()
  expect(change(book, Side.buy, 100, 5, 7)).toBe('waiting')
  expect(change(book, Side.buy, 99, 4, 8)).toBe('waiting')
  const view = { ...emptyView(7), bids: [{ price: 100 as Price, quantity: 5 as Quantity, orderCount: 1 }] }
  expect(book.initialise(view)).toBe(true)
  expect(book.snapshot(10)).toEqual({
    version: 8,
    bids: [
      [100, 5],
      [99, 4],
    ],
    asks: [],
  })
  expect(change(book, Side.buy, 100, 5, 7)).toBe('old')
})

test('a missing version stops the book until a newer view has come', () => {
  const book = new DepthBook()
  book.initialise(emptyView())
  change(book, Side.buy, 100, 5, 1)
  expect(change(book, Side.buy, 99, 5, 3)).toBe('needs_view')
  expect(book.ready).toBe(false)
  expect(book.updateSince(1)).toBe('reset')
  // A view from before the gap does not do.
  expect(book.initialise(emptyView(1))).toBe(false)
  expect(book.initialise(emptyView(4))).toBe(true)
  expect(change(book, Side.buy, 98, 2, 5)).toBe('applied')
})
