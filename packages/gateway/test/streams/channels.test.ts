// Channels as a client hears them: snapshots and what follows fit together, a client that comes back misses nothing or is told, and
// what an account does is told to that account only.

import { afterEach, expect, test } from 'vitest'
import { type Message, StreamPeer } from './stream-peer.ts'
import { StreamRegion } from './stream-region.ts'

const buy = { symbol: 'SAP-EUR', side: 'BUY', type: 'LIMIT', price: '190.00', quantity: '10' } as const
const sell = { ...buy, side: 'SELL' } as const
const depth = { channel: 'depth', symbol: 'SAP-EUR' }

type Levels = readonly (readonly [price: string, quantity: string])[]
type Depth = {
  readonly firstSequence?: number
  readonly sequence: number
  readonly bids: Levels
  readonly asks: Levels
}
type Told = {
  readonly shard: string
  readonly orders: readonly { readonly orderId: string; readonly change?: string; readonly status: string }[]
}

let region: StreamRegion

afterEach(async () => {
  await region.stop()
  expect(region.faults).toEqual([])
})

/** The book as a client has it after these pushes. */
function bookOf(pushes: readonly Message[]) {
  const sides = { bids: new Map<string, string>(), asks: new Map<string, string>() }
  let sequence = 0
  for (const push of pushes) {
    if (push.type === 'reset') continue
    const data = push.data as Depth
    if (push.type === 'snapshot') {
      sides.bids.clear()
      sides.asks.clear()
    } else if (data.firstSequence !== sequence + 1) throw new Error(`${data.firstSequence} does not follow ${sequence}`)
    sequence = push.sequence as number
    for (const side of ['bids', 'asks'] as const) {
      for (const [price, quantity] of data[side]) {
        if (/^0(\.0*)?$/.test(quantity)) sides[side].delete(price)
        else sides[side].set(price, quantity)
      }
    }
  }
  const sorted = (side: Map<string, string>) => [...side].sort(([a], [b]) => Number(a) - Number(b))
  return { sequence, bids: sorted(sides.bids).reverse(), asks: sorted(sides.asks) }
}

async function trueBook() {
  const view = (await region.venue.book(7 as never, 100)).value
  const level = ({ price, quantity }: { price: number; quantity: number }) => [
    (price / 100).toFixed(2),
    String(quantity),
  ]
  return { sequence: view.bookVersion, bids: view.bids.map(level), asks: view.asks.map(level) }
}

test('depth: a snapshot, then differences without a gap, whoever comes when', async () => {
  region = await StreamRegion.start()
  const [trader, early, late] = [
    await StreamPeer.of(region.url, 1),
    await StreamPeer.open(region.url),
    await StreamPeer.open(region.url),
  ]
  await early.subscribe(depth)
  for (let i = 0; i < 40; i++) {
    const side = i % 2 === 0 ? buy : sell
    await trader.place({ ...side, price: `${190 + ((i * 7) % 5)}.00`, quantity: String(1 + (i % 3)) })
    if (i === 20) await late.subscribe(depth)
  }
  await expect.poll(() => bookOf(early.pushes('depth'))).toEqual(await trueBook())
  await expect.poll(() => bookOf(late.pushes('depth'))).toEqual(await trueBook())
  expect(late.pushes('depth')[0]).toMatchObject({ symbol: 'SAP-EUR', type: 'snapshot' })
  const sent = early.pushes('depth').length
  expect(sent).toBeLessThan((await trueBook()).sequence)
})

test('depth: a client that comes back with a sequence hears what it missed, or "reset"', async () => {
  region = await StreamRegion.start()
  const trader = await StreamPeer.of(region.url, 1)
  const first = await StreamPeer.open(region.url)
  await first.subscribe(depth)
  await trader.place(buy)
  await expect.poll(() => bookOf(first.pushes('depth')).sequence).toBe(1)
  await first.close()
  await trader.place({ ...buy, price: '189.00' })
  const second = await StreamPeer.open(region.url)
  await second.subscribe({ ...depth, sequence: 1 })
  await expect
    .poll(() => second.pushes('depth'))
    .toMatchObject([{ type: 'update', sequence: 2, data: { firstSequence: 2 } }])
  const third = await StreamPeer.open(region.url)
  await third.subscribe({ ...depth, sequence: 900 })
  await expect.poll(() => third.pushes('depth')).toMatchObject([{ type: 'reset' }, { type: 'snapshot', sequence: 2 }])
})

test('depth: who subscribes before the book is known gets its snapshot when it is', async () => {
  region = await StreamRegion.start({ loaded: false })
  const peer = await StreamPeer.of(region.url, 1)
  await peer.subscribe(depth, { channel: 'ticker', symbol: 'SAP-EUR' })
  await peer.place(buy)
  expect(peer.pushes('depth')).toEqual([])
  await region.load()
  await expect
    .poll(() => peer.pushes('depth'))
    .toMatchObject([{ type: 'snapshot', sequence: 1, data: { bids: [['190.00', '10']] } }])
  await expect.poll(() => peer.pushes('ticker')).toMatchObject([{ type: 'snapshot' }])
})

test('trades, ticker and candles', async () => {
  region = await StreamRegion.start()
  const [maker, taker] = [await StreamPeer.of(region.url, 1), await StreamPeer.of(region.url, 2)]
  const { symbol } = buy
  await taker.subscribe(
    { channel: 'trades', symbol },
    { channel: 'ticker', symbol },
    { channel: 'candles', symbol, interval: '1m' },
  )
  await maker.place(sell)
  await taker.place({ ...buy, quantity: '4' })
  await taker.place({ ...buy, quantity: '6' })
  const trades = () => taker.pushes('trades').flatMap((push) => push.data as { tradeId: number; quantity: string }[])
  await expect.poll(trades).toMatchObject([
    { tradeId: 1, quantity: '4', price: '190.00', takerSide: 'BUY' },
    { tradeId: 2, quantity: '6' },
  ])
  await expect
    .poll(() => taker.pushes('ticker').at(-1))
    .toMatchObject({ data: { last: '190.00', volume: '10', tradeCount: 2 } })
  await expect
    .poll(() => taker.pushes('candles').at(-1))
    .toMatchObject({
      symbol,
      type: 'update',
      data: { interval: '1m', candles: [{ close: '190.00', volume: '10', tradeCount: 2 }] },
    })
  const back = await StreamPeer.open(region.url)
  await back.subscribe({ channel: 'trades', symbol, sequence: 1 })
  await expect
    .poll(() => back.pushes('trades'))
    .toMatchObject([{ type: 'update', sequence: 2, data: [{ tradeId: 2 }] }])
})

test('orders: a snapshot of each shard, then every change, to their account only', async () => {
  region = await StreamRegion.start()
  const [mine, other] = [await StreamPeer.of(region.url, 1), await StreamPeer.of(region.url, 2)]
  const before = (await mine.place({ ...sell, clientOrderId: 'before' })).result?.['orderId']
  await mine.subscribe({ channel: 'orders' })
  await expect.poll(() => mine.pushes('orders')).toHaveLength(3)
  expect(
    mine.pushes('orders').map((push) => [push.type, (push.data as Told).shard, (push.data as Told).orders.length]),
  ).toEqual([
    ['snapshot', 'us-east', 0],
    ['snapshot', 'eu-west', 1],
    ['snapshot', 'asia-pacific', 0],
  ])
  await other.subscribe({ channel: 'orders' })
  await other.place({ ...buy, quantity: '4' })
  await mine.ask({ op: 'order.cancel', orderId: before })
  const changes = () =>
    mine
      .pushes('orders')
      .slice(3)
      .flatMap((push) => (push.data as Told).orders)
  await expect.poll(changes).toMatchObject([
    {
      orderId: before,
      change: 'FILL',
      status: 'PARTIALLY_FILLED',
      cumQty: '4',
      fill: { liquidity: 'MAKER', quantity: '4' },
    },
    { orderId: before, change: 'DONE', status: 'CANCELLED', reason: 'CANCELLED_BY_CLIENT', clientOrderId: 'before' },
  ])
  expect(JSON.stringify(other.pushes('orders'))).not.toContain(`"orderId":"${before}"`)
})

test('orders: a client that comes back with its cursors hears each later event once', async () => {
  region = await StreamRegion.start()
  const [keeper, first] = [await StreamPeer.of(region.url, 1), await StreamPeer.of(region.url, 1)]
  await keeper.subscribe({ channel: 'orders' })
  await first.subscribe({ channel: 'orders' })
  await first.place({ ...buy, clientOrderId: 'a' })
  await expect.poll(() => first.pushes('orders')).toHaveLength(4)
  const sequence = Object.assign({}, ...first.pushes('orders').map((push) => push.sequence)) as object
  await first.close()
  await keeper.place({ ...buy, clientOrderId: 'b' })
  await keeper.place({ ...buy, clientOrderId: 'c', symbol: 'AAPL-USD' })
  const second = await StreamPeer.of(region.url, 1)
  await second.subscribe({ channel: 'orders', sequence })
  const told = () =>
    second.pushes('orders').flatMap((push) => (push.data as { orders: { clientOrderId: string }[] }).orders)
  await expect
    .poll(() =>
      told()
        .map((order) => order.clientOrderId)
        .sort(),
    )
    .toEqual(['b', 'c'])
  expect(second.pushes('orders').every((push) => push.type === 'update')).toBe(true)

  const stranger = await StreamPeer.of(region.url, 1)
  await stranger.subscribe({ channel: 'orders', sequence: { 'eu-west': '1.0' } })
  await expect
    .poll(() => stranger.pushes('orders').filter((push) => (push.data as Told).shard === 'eu-west'))
    .toMatchObject([{ type: 'reset' }, { type: 'snapshot', data: { openOrders: 2 } }])
})

test('balances: what is there, then what changes, positions with it', async () => {
  region = await StreamRegion.start()
  const [peer, other] = [await StreamPeer.of(region.url, 1), await StreamPeer.of(region.url, 2)]
  await peer.subscribe({ channel: 'balances' })
  await expect.poll(() => peer.pushes('balances')).toHaveLength(3)
  const eu = peer.pushes('balances').find((push) => (push.data as Told).shard === 'eu-west')
  expect(eu).toMatchObject({
    type: 'snapshot',
    data: { balances: expect.arrayContaining([{ asset: 'EUR', available: '100000000.000000', held: '0.000000' }]) },
  })
  await other.place(sell)
  await peer.place({ ...buy, quantity: '2' })
  await expect
    .poll(() => peer.pushes('balances').at(-1))
    .toMatchObject({
      type: 'update',
      sequence: { 'eu-west': expect.stringMatching(/^[0-9]+\.[0-9]+$/) },
      data: {
        balances: expect.arrayContaining([expect.objectContaining({ asset: 'EUR' })]),
        positions: [{ symbol: 'SAP-EUR', quantity: '2', cost: '380.000000', realisedProfit: '0.000000' }],
      },
    })
})

test('subscribing while orders pour in: nothing is lost or told twice', async () => {
  region = await StreamRegion.start()
  const trader = await StreamPeer.of(region.url, 1)
  const pouring = Promise.all(Array.from({ length: 400 }, (_, i) => trader.place({ ...buy, clientOrderId: `p-${i}` })))
  const listeners: StreamPeer[] = []
  for (let i = 0; i < 10; i++) {
    const listener = await StreamPeer.of(region.url, 1)
    await listener.subscribe({ channel: 'orders' })
    listeners.push(listener)
  }
  await pouring
  for (const listener of listeners) {
    const ids = () =>
      listener.pushes('orders').flatMap((push) => (push.data as Told).orders.map((order) => order.orderId))
    await expect.poll(() => ids().length).toBe(400)
    expect(new Set(ids()).size).toBe(400)
  }
})

test('a connection that ends, and one that unsubscribes, hear nothing more', async () => {
  region = await StreamRegion.start()
  const [peer, gone] = [await StreamPeer.of(region.url, 1), await StreamPeer.of(region.url, 1)]
  for (const one of [peer, gone]) {
    await one.subscribe(depth, { channel: 'orders' })
    await expect.poll(() => one.pushes('orders')).toHaveLength(3)
  }
  await gone.close()
  await peer.ask({ op: 'unsubscribe', channels: [depth, { channel: 'orders' }] })
  await expect.poll(() => region.streams.figures()).toMatchObject({ connections: 1, subscriptions: 0, topics: 0 })
  const heard = peer.heard.length
  await peer.place(buy)
  await peer.ask({ op: 'ping' })
  expect(peer.heard.length).toBe(heard + 2)
})

test('orders: a list that comes about, a trigger that is met, and the order that its pair cancels', async () => {
  region = await StreamRegion.start()
  const [me, other] = [await StreamPeer.of(region.url, 1), await StreamPeer.of(region.url, 2)]
  await other.ask({ op: 'order.place', order: { ...sell, quantity: '1' } })
  await me.ask({ op: 'order.place', order: { ...buy, quantity: '1' } })
  await other.ask({ op: 'order.place', order: { ...buy, price: '180.00', quantity: '50' } })
  await me.ask({ op: 'subscribe', channels: [{ channel: 'orders' }] })
  await expect.poll(() => me.pushes('orders').length).toBeGreaterThan(0)
  const list = {
    kind: 'BRACKET',
    entry: { ...buy, clientOrderId: 'in' },
    exits: [
      { ...sell, price: '200.00', clientOrderId: 'up' },
      { symbol: 'SAP-EUR', side: 'SELL', type: 'STOP', stopPrice: '185.00', quantity: '10', clientOrderId: 'down' },
    ],
  }
  const answer = await me.ask({ op: 'order.place_list', ...list })
  expect(answer.result?.['results']).toMatchObject([{ status: 'NEW' }, { status: 'WAITING' }, { status: 'WAITING' }])
  await other.ask({ op: 'order.place', order: sell })
  await other.ask({ op: 'order.place', order: { ...sell, price: '180.00', quantity: '1' } })
  const told = (clientOrderId: string) =>
    me
      .pushes('orders')
      .filter((push) => push.type === 'update')
      .flatMap((push) => (push.data as { orders: Record<string, unknown>[] }).orders)
      .filter((order) => order['clientOrderId'] === clientOrderId)
      .map(({ change, status, reason, triggerPrice }) => [change, status, reason ?? triggerPrice])
  await expect
    .poll(() => told('down'))
    .toEqual([
      ['ACCEPTED', 'WAITING', undefined],
      ['ACTIVATED', 'WAITING', undefined],
      ['TRIGGERED', 'NEW', '180.00'],
      ['FILL', 'FILLED', undefined],
    ])
  expect(told('up')).toEqual([
    ['ACCEPTED', 'WAITING', undefined],
    ['ACTIVATED', 'NEW', undefined],
    ['DONE', 'CANCELLED', 'LINKED_ORDER'],
  ])
  expect(told('in').at(-1)).toEqual(['FILL', 'FILLED', undefined])
})
