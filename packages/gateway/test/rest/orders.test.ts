// Orders over REST: entered, found, listed, changed, cancelled, sent twice; and reads that are never older than what was seen.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { LIMIT_BUY, User } from './client.ts'
import { startRegion, type TestRegion } from './region.ts'

let region: TestRegion

beforeAll(async () => {
  region = await startRegion()
})

afterAll(async () => {
  expect(region.errors).toEqual([])
  await region.stop()
})

test('an order rests, is found by both its ids, changed and cancelled', async () => {
  const user = await User.register(region)
  const placed = await user.order({ clientOrderId: 'mine' })
  expect(placed).toMatchObject({ status: 201, body: { status: 'NEW', leavesQty: '10', shard: 'eu-west' } })
  expect(placed.headers.get('x-wt-shard')).toBe('eu-west')
  expect(placed.headers.get('x-wt-seq')).toBe(String(placed.body.seq))
  const { orderId } = placed.body
  expect((await user.get(`/orders/${orderId}`)).body).toMatchObject({ orderId, clientOrderId: 'mine', status: 'NEW' })
  expect((await user.get('/orders/by-client-id/mine?symbol=SAP-EUR')).body).toMatchObject({ orderId })
  const changed = await user.call('PATCH', `/orders/${orderId}`, { body: { quantity: '4' } })
  expect(changed).toMatchObject({ status: 200, body: { orderId, quantity: '4', leavesQty: '4' } })
  const cancelled = await user.call('DELETE', `/orders/${orderId}`)
  expect(cancelled).toMatchObject({ status: 200, body: { orderId, status: 'CANCELLED' } })
  const again = await user.call('DELETE', `/orders/${orderId}`)
  expect([404, 422]).toContain(again.status)
})

test('two orders trade, and both sides see it', async () => {
  const [maker, taker] = [await User.register(region), await User.register(region)]
  const resting = await maker.order({ symbol: 'ASML-EUR', side: 'SELL', price: '800.0', quantity: '3' })
  const filled = await taker.order({ symbol: 'ASML-EUR', price: '801.0', quantity: '3' })
  expect(filled).toMatchObject({ status: 201, body: { status: 'FILLED', cumQty: '3', avgPrice: '800.0' } })
  const minSeq = `${filled.body.shard}:${filled.body.seq}`
  expect((await maker.get(`/orders/${resting.body.orderId}?minSeq=${minSeq}`)).body).toMatchObject({ status: 'FILLED' })
  const closed = await maker.get(`/orders?status=closed&symbol=ASML-EUR&minSeq=${minSeq}`)
  expect(closed.body).toMatchObject({ items: [{ orderId: resting.body.orderId, status: 'FILLED' }], cursor: null })
  const trades = await taker.get(`/trades?symbol=ASML-EUR&minSeq=${minSeq}`)
  expect(trades.body.items).toMatchObject([
    { orderId: filled.body.orderId, side: 'BUY', price: '800.0', quantity: '3', liquidity: 'TAKER', feeAsset: 'EUR' },
  ])
  const positions = await maker.get(`/positions?shard=eu-west&minSeq=${minSeq}`)
  expect(positions.body.items).toMatchObject([{ symbol: 'ASML-EUR', quantity: '-3', avgPrice: '800.0' }])
  const market = await taker.get('/market/ASML-EUR/trades')
  expect(market.body.items).toMatchObject([{ price: '800.0', quantity: '3', takerSide: 'BUY' }])
  expect((await taker.get('/market/ASML-EUR/candles?interval=1h')).body.items).toMatchObject([
    { close: '800.0', tradeCount: 1 },
  ])
  expect((await taker.get('/market/ASML-EUR/ticker')).body).toMatchObject({ last: '800.0', volume: '3' })
})

test('an order that is sent twice happens once', async () => {
  const user = await User.register(region)
  const first = await user.order({ clientOrderId: 'once' })
  const second = await user.order({ clientOrderId: 'once', quantity: '99' })
  expect(second).toMatchObject({ status: 200, body: { orderId: first.body.orderId, quantity: '10', duplicate: true } })
  expect((await user.get('/orders')).body.items).toHaveLength(1)
})

test('the engine’s refusal has the order, the code, the limit and the value', async () => {
  const user = await User.register(region)
  const refused = await user.order({ price: '200.00', quantity: '100000' })
  expect(refused).toMatchObject({
    status: 422,
    body: {
      status: 'REJECTED',
      rejectCode: 'FUNDS_INSUFFICIENT',
      error: { code: 'FUNDS_INSUFFICIENT', details: { limit: '1000000' } },
    },
  })
})

test('a batch answers each order in its place', async () => {
  const user = await User.register(region)
  const orders = [
    { ...LIMIT_BUY, clientOrderId: 'b-0' },
    { ...LIMIT_BUY, price: '100.001' },
    { ...LIMIT_BUY, clientOrderId: 'b-2', symbol: 'BTC-USD', price: '50000', quantity: '0.1' },
    { ...LIMIT_BUY, unknown: 1 },
  ]
  const answer = await user.post('/orders/batch', { orders })
  expect(answer).toMatchObject({
    status: 200,
    body: {
      results: [
        { clientOrderId: 'b-0', status: 'NEW' },
        { error: { code: 'DECIMAL_INVALID' } },
        { clientOrderId: 'b-2', status: 'NEW', shard: 'us-east' },
        { error: { code: 'REQUEST_MALFORMED' } },
      ],
    },
  })
  const tooMany = await user.post('/orders/batch', { orders: Array.from({ length: 501 }, () => LIMIT_BUY) })
  expect(tooMany).toMatchObject({ status: 400, body: { error: { code: 'REQUEST_MALFORMED' } } })
})

test('open orders come newest first, in pages without repeats, though others come and go', async () => {
  const user = await User.register(region)
  for (let i = 0; i < 5; i++)
    await user.order({ clientOrderId: `p-${i}`, symbol: i % 2 === 0 ? 'SAP-EUR' : 'AAPL-USD' })
  const first = await user.get('/orders?limit=2')
  await user.order({ clientOrderId: 'p-5' })
  const second = await user.get(`/orders?limit=2&cursor=${first.body.cursor}`)
  const third = await user.get(`/orders?limit=2&cursor=${second.body.cursor}`)
  const ids = [first, second, third].flatMap(({ body }) =>
    body.items.map((item: { clientOrderId: string }) => item.clientOrderId),
  )
  expect(ids).toEqual(['p-4', 'p-3', 'p-2', 'p-1', 'p-0'])
  expect(third.body.cursor).toBeNull()
  expect(first.headers.get('x-wt-shard')).toBeNull()
  expect(first.headers.get('x-wt-seq')).toMatch(/^us-east:\d+,eu-west:\d+,asia-pacific:\d+$/)
  expect((await user.get('/orders?cursor=1:2,3')).body.error.code).toBe('CURSOR_INVALID')
})

test('closed orders come in pages over all shards', async () => {
  const user = await User.register(region)
  for (const [i, symbol] of ['SAP-EUR', 'AAPL-USD', 'SAP-EUR'].entries()) {
    const { body } = await user.order({ symbol, clientOrderId: `c-${i}` })
    await user.call('DELETE', `/orders/${body.orderId}`)
  }
  const first = await user.get('/orders?status=closed&limit=2')
  const second = await user.get(`/orders?status=closed&limit=2&cursor=${first.body.cursor}`)
  const ids = [first, second].flatMap(({ body }) =>
    body.items.map((item: { clientOrderId: string }) => item.clientOrderId),
  )
  expect(ids).toEqual(['c-2', 'c-1', 'c-0'])
})

test('a mass cancel takes what it is told to', async () => {
  const user = await User.register(region)
  await user.order({ clientOrderId: 'm-0' })
  await user.order({ clientOrderId: 'm-1', side: 'SELL', price: '900.00' })
  await user.order({ clientOrderId: 'm-2', symbol: 'AAPL-USD' })
  expect((await user.call('DELETE', '/orders?symbol=SAP-EUR&side=SELL')).body).toEqual({ cancelled: 1 })
  expect((await user.call('DELETE', '/orders')).body).toEqual({ cancelled: 2 })
  expect((await user.get('/orders')).body.items).toEqual([])
})

test('what belongs to others does not exist', async () => {
  const [owner, other] = [await User.register(region), await User.register(region)]
  const { orderId } = (await owner.order({ clientOrderId: 'private' })).body
  expect(await other.get(`/orders/${orderId}`)).toMatchObject({ status: 404, body: { error: { code: 'NOT_FOUND' } } })
  expect((await other.call('DELETE', `/orders/${orderId}`)).status).toBe(404)
  expect((await other.get('/orders/by-client-id/private?symbol=SAP-EUR')).status).toBe(404)
})

test('while history lags, an order that is done is waited for and never said to be unknown', async () => {
  const user = await User.register(region)
  const { orderId, shard } = (await user.order({ clientOrderId: 'lagging' })).body
  region.holdHistory(true)
  const cancelled = await user.call('DELETE', `/orders/${orderId}`)
  const asked = user.get(`/orders/${orderId}`)
  const listed = user.get(`/orders?status=closed&minSeq=${shard}:${cancelled.body.seq}`)
  const late = await user.get(`/orders/by-client-id/lagging?symbol=SAP-EUR`)
  expect(late).toMatchObject({ status: 503, body: { error: { code: 'NOT_CAUGHT_UP' } } })
  expect(late.headers.get('retry-after')).not.toBeNull()
  expect((await asked).status).toBe(503)
  expect((await listed).status).toBe(503)
  const again = user.get(`/orders/${orderId}`)
  region.holdHistory(false)
  expect(await again).toMatchObject({ status: 200, body: { status: 'CANCELLED' } })
})

test('a seq that has not been applied is waited for, then refused', async () => {
  const user = await User.register(region)
  const { body } = await user.order()
  expect((await user.get(`/balances?minSeq=${body.shard}:${body.seq}`)).status).toBe(200)
  const ahead = await user.get(`/balances?minSeq=${body.shard}:${body.seq + 1_000}`)
  expect(ahead).toMatchObject({ status: 503, body: { error: { code: 'NOT_CAUGHT_UP' } } })
  expect((await user.get('/balances?minSeq=nowhere:1')).body.error.code).toBe('SHARD_UNKNOWN')
  const merged = await user.get('/balances')
  expect((await user.get(`/balances?minSeq=${merged.headers.get('x-wt-seq')}`)).status).toBe(200)
})
