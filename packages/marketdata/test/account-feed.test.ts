// Whoever listens to an account knows its orders and balances as the engine does, and can resume from any event it saw.

import type { AccountId, Seq, ShardIndex } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { type AccountEvent, AccountFeed, formatCursor, INDEX_END, parseCursor } from '../src/live/account-feed.ts'
import { isDone } from '../src/order-status.ts'
import { Flow, followed, TestShard } from './support/test-shard.ts'

const ME = 2 as AccountId
const SHARD = 0 as ShardIndex

function flowing(seed: number): { shard: TestShard; flow: Flow } {
  const shard = new TestShard()
  const flow = new Flow(shard, seed)
  flow.begin()
  return { shard, flow }
}

function last(shard: TestShard) {
  return shard.batches.at(-1) as (typeof shard.batches)[number]
}

test('open orders and balances follow the engine', () => {
  const { shard, flow } = flowing(31)
  const feed = new AccountFeed({ eventsKept: 100_000 })
  const events: AccountEvent[] = []
  const { stream } = feed.subscribe(SHARD, ME, (some) => events.push(...some))
  expect(stream.initialise(shard.engine.account(ME).openOrders, shard.engine.seq)).toBe(true)
  const open = new Map<number, unknown>()
  const balances = new Map<number, unknown>()
  for (let round = 0; round < 800; round++) {
    flow.run(1)
    feed.apply(last(shard))
  }
  for (const event of events) {
    if (event.kind === 'balance') balances.set(event.asset, { available: event.available, held: event.held })
    if (event.kind !== 'order') continue
    if (isDone(event.order.status)) open.delete(event.order.order)
    else open.set(event.order.order, event.order)
  }
  const state = shard.engine.account(ME)
  expect(state.openOrders.length).toBeGreaterThan(0)
  expect([...open.values()]).toMatchObject([...state.openOrders].sort((a, b) => a.order - b.order).map(followed))
  for (const balance of state.balances) {
    if (!balances.has(balance.asset)) continue
    expect(balances.get(balance.asset)).toEqual({ available: balance.available, held: balance.held })
  }
  expect(new Set(events.filter((event) => event.kind === 'order').map((event) => event.change))).toEqual(
    new Set(['accepted', 'fill', 'done', 'rejected', 'replaced', 'reduced', 'activated', 'triggered']),
  )
  expect([...stream.openOrders].map((order) => order.order).sort()).toEqual(
    state.openOrders.map((one) => one.order).sort(),
  )
})

test('a fill says what the taker and the maker paid', () => {
  const { shard, flow } = flowing(32)
  const feed = new AccountFeed()
  const events: AccountEvent[] = []
  feed.subscribe(SHARD, ME, (some) => events.push(...some)).stream.initialise([], shard.engine.seq)
  while (!events.some((event) => event.kind === 'order' && event.fill?.liquidity === 'MAKER')) {
    flow.run(1)
    feed.apply(last(shard))
  }
  const fill = events.find((event) => event.kind === 'order' && event.fill !== null)
  expect(fill).toMatchObject({ change: 'fill', fill: { price: expect.any(Number), fee: expect.any(Number) } })
})

test('a client resumes from any cursor without repeats or holes', () => {
  const { shard, flow } = flowing(33)
  const feed = new AccountFeed()
  const events: AccountEvent[] = []
  const { stream } = feed.subscribe(SHARD, ME, (some) => events.push(...some))
  const begin = shard.engine.seq
  stream.initialise([], begin)
  for (let round = 0; round < 200; round++) {
    flow.run(1)
    feed.apply(last(shard))
  }
  const seq = shard.engine.seq
  for (let i = 0; i < events.length; i++) {
    const seen = events[i] as AccountEvent
    const next = events.findIndex((one) => one.seq > seen.seq || (one.seq === seen.seq && one.index > seen.index))
    const expected = next === -1 ? [] : events.slice(next)
    expect(stream.since(parseCursor(formatCursor(seen)) ?? { seq: 0, index: 0 }, seq)).toEqual(expected)
  }
  expect(stream.since({ seq: begin, index: INDEX_END }, seq)).toEqual(events)
  expect(stream.since({ seq: begin, index: 0 }, seq)).toBe('reset')
  expect(stream.since({ seq: seq + 1, index: 0 }, seq)).toBe('ahead')
})

test('past what is kept the answer is reset', () => {
  const { shard, flow } = flowing(34)
  const feed = new AccountFeed({ eventsKept: 16 })
  const { stream } = feed.subscribe(SHARD, ME, () => {})
  const begin = shard.engine.seq
  stream.initialise([], begin)
  for (let round = 0; round < 200; round++) {
    flow.run(1)
    feed.apply(last(shard))
  }
  expect(stream.since({ seq: begin, index: INDEX_END }, shard.engine.seq)).toBe('reset')
  expect(stream.since(stream.cursor, shard.engine.seq)).toEqual([])
})

test('what happens while the state is being fetched is neither lost nor told twice', () => {
  const { shard, flow } = flowing(35)
  const feed = new AccountFeed()
  const { stream } = feed.subscribe(SHARD, ME, () => {})
  let state = shard.engine.account(ME)
  let seq = shard.engine.seq
  for (let round = 0; round < 300; round++) {
    flow.run(1)
    feed.apply(last(shard))
    if (round === 150) {
      state = shard.engine.account(ME)
      seq = shard.engine.seq
    }
  }
  expect(stream.initialise(state.openOrders, seq)).toBe(true)
  expect(stream.cursor.seq).toBeGreaterThan(seq)
  expect([...stream.openOrders].map((order) => order.order).sort()).toEqual(
    shard.engine
      .account(ME)
      .openOrders.map((order) => order.order)
      .sort(),
  )
})

test('a state that is older than what was dropped while waiting is refused', () => {
  const { shard, flow } = flowing(36)
  const feed = new AccountFeed({ waitingBatchesMax: 4 })
  const { stream } = feed.subscribe(SHARD, ME, () => {})
  const old = { orders: shard.engine.account(ME).openOrders, seq: shard.engine.seq }
  for (let round = 0; round < 100; round++) {
    flow.run(1)
    feed.apply(last(shard))
  }
  expect(stream.initialise(old.orders, old.seq)).toBe(false)
  expect(stream.initialise(shard.engine.account(ME).openOrders, shard.engine.seq)).toBe(true)
})

test('a stream outlives its last listener for a while, and no longer', () => {
  const feed = new AccountFeed({ idleStreamsMax: 2 })
  const subscriptions = [1, 2, 3].map((account) => feed.subscribe(SHARD, account as AccountId, () => {}))
  const [first] = subscriptions
  first?.stream.initialise([], 1 as Seq)
  first?.close()
  expect(feed.subscribe(SHARD, 1 as AccountId, () => {}).stream).toBe(first?.stream)
  for (const subscription of subscriptions.slice(1)) subscription.close()
  expect(feed.streamCount).toBe(3)
  feed.subscribe(SHARD, 4 as AccountId, () => {}).close()
  expect(feed.streamCount).toBe(3)
})

test('cursors are what they were formatted from', () => {
  expect(formatCursor({ seq: 12, index: 3 })).toBe('12.3')
  expect(parseCursor(formatCursor({ seq: 12, index: INDEX_END }))).toEqual({ seq: 12, index: INDEX_END })
  for (const wrong of ['', '12', '12.', 'x.1', '1.2.3', '-1.2', '99999999999999999.1']) {
    expect(parseCursor(wrong)).toBeNull()
  }
})
