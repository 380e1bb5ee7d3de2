// Order entry against real engines: what goes in as JSON, what comes out, and that everything is answered exactly once.

import type { AccountId, ShardIndex } from '@wintrades/domain'
import { OrderFlag } from '@wintrades/domain'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AccountPrincipal } from '../../src/auth/principal.ts'
import type { OrderReply } from '../../src/orders/answers.ts'
import { OrderEntry } from '../../src/orders/order-entry.ts'
import { TestHistory } from '../support/test-history.ts'
import { markets, TestVenue } from '../support/test-venue.ts'

const STREAM = 7
const buy = { symbol: 'SAP-EUR', side: 'BUY', type: 'LIMIT', price: '190.00', quantity: '10' } as const
const sell = { ...buy, side: 'SELL' } as const
const EU_WEST = 1 as ShardIndex

let venue: TestVenue
let history: TestHistory
let entry: OrderEntry
let faults: unknown[]
let wait_ms: number

beforeEach(() => {
  venue = new TestVenue()
  history = new TestHistory(venue)
  faults = []
  wait_ms = 0
  entry = new OrderEntry({
    markets,
    venue,
    history: history.reader,
    limits: { orders: () => wait_ms, requests: () => wait_ms },
    onFault: (error) => faults.push(error),
  })
})

afterEach(() => {
  entry.close()
  history.close()
  expect(faults).toEqual([])
})

function principal(account = 1): AccountPrincipal {
  return {
    kind: 'user',
    userId: `user-${account}`,
    account: account as AccountId,
    scopes: new Set(['read', 'trade']),
    apiKey: 0,
    limitKey: `user-${account}`,
  }
}

type Body = Readonly<Record<string, unknown>> & {
  readonly orderId: string
  readonly error: { readonly code: string; readonly details: unknown }
}
type Answer = { readonly status: number; readonly body: Body; readonly reply: OrderReply }

/** Resolves with the first answer; a second one is a fault. */
function answered(ask: (done: (reply: OrderReply) => void) => void): Promise<Answer> {
  let count = 0
  return new Promise((resolve) =>
    ask((reply) => {
      if (++count > 1) faults.push(new Error(`answered ${count} times`))
      resolve({ status: reply.status, body: JSON.parse(reply.json) as Body, reply })
    }),
  )
}

function place(order: unknown, options: { account?: number; session?: number } = {}): Promise<Answer> {
  return answered((done) => entry.place(principal(options.account), order, options.session ?? 0, done))
}

async function find(name: unknown, account = 1): Promise<Answer> {
  const reply = await entry.find(principal(account), name)
  return { status: reply.status, body: JSON.parse(reply.json) as Body, reply }
}

test('an order that rests: a request of its own is told the whole order', async () => {
  const { status, body, reply } = await place({ ...buy, clientOrderId: 'mine-1', postOnly: true })
  expect(status).toBe(201)
  expect(body).toEqual({
    orderId: expect.stringMatching(/^[0-9]+$/),
    clientOrderId: 'mine-1',
    status: 'NEW',
    symbol: 'SAP-EUR',
    side: 'BUY',
    type: 'LIMIT',
    timeInForce: 'GTC',
    price: '190.00',
    quantity: '10',
    cumQty: '0',
    leavesQty: '10',
    postOnly: true,
    acceptedAt: expect.any(Number),
    updatedAt: expect.any(Number),
    shard: 'eu-west',
    seq: reply.seq,
  })
  expect(reply).toMatchObject({ shard: 'eu-west', seq: venue.engine(EU_WEST).seq })
})

test('a stream is told id, status and quantities', async () => {
  const { body } = await place({ ...buy, clientOrderId: 'mine-1' }, { session: STREAM })
  expect(body).toEqual({
    orderId: expect.any(String),
    clientOrderId: 'mine-1',
    status: 'NEW',
    cumQty: '0',
    leavesQty: '10',
    shard: 'eu-west',
    seq: venue.engine(EU_WEST).seq,
  })
})

test('orders that meet: fills, fees and the average price', async () => {
  await place({ ...sell, quantity: '4' }, { account: 2 })
  await place({ ...sell, quantity: '6', price: '190.01' }, { account: 2 })
  const { body } = await place({ ...buy, price: '191.00', quantity: '12' })
  expect(body).toMatchObject({ status: 'PARTIALLY_FILLED', cumQty: '10', leavesQty: '2', avgPrice: '190.006' })
  expect(body['fills']).toEqual([
    { tradeId: '1', price: '190.00', quantity: '4', fee: '0.38', feeAsset: 'EUR', liquidity: 'TAKER' },
    { tradeId: '2', price: '190.01', quantity: '6', fee: '0.57003', feeAsset: 'EUR', liquidity: 'TAKER' },
  ])
})

test.each([
  [
    'immediate or cancel',
    { ...buy, timeInForce: 'IOC', quantity: '20' },
    { status: 'EXPIRED', cumQty: '10', reason: 'IMMEDIATE_REMAINDER' },
  ],
  [
    'fill or kill',
    { ...buy, timeInForce: 'FOK', quantity: '20' },
    { status: 'EXPIRED', cumQty: '0', reason: 'NOT_FILLABLE' },
  ],
  [
    'market',
    { symbol: 'SAP-EUR', side: 'BUY', type: 'MARKET', quantity: '3' },
    { status: 'FILLED', cumQty: '3', avgPrice: '190.00' },
  ],
  [
    'market by amount',
    { symbol: 'SAP-EUR', side: 'BUY', type: 'MARKET', quoteAmount: '500' },
    { status: 'FILLED', cumQty: '2' },
  ],
])('%s', async (_name, order, expected) => {
  await place(sell, { account: 2 })
  expect((await place(order, { session: STREAM })).body).toMatchObject({ ...expected, leavesQty: '0' })
})

test('without a client order id one is made up, another each time', async () => {
  const first = (await place(buy)).body['clientOrderId']
  const second = (await place(buy)).body['clientOrderId']
  expect(first).toMatch(/^gabcdef01-/)
  expect(second).not.toBe(first)
})

test('a refusal says which limit was broken, in the units of the instrument', async () => {
  const { status, body } = await place({ ...buy, price: '20000.00', clientOrderId: 'mine-1' })
  expect(status).toBe(422)
  expect(body).toMatchObject({
    orderId: expect.any(String),
    clientOrderId: 'mine-1',
    status: 'REJECTED',
    rejectCode: 'PRICE_OUT_OF_RANGE',
    shard: 'eu-west',
    error: { code: 'PRICE_OUT_OF_RANGE', details: { limit: '10000.00', value: '20000.00' } },
  })
  const poor = await place({ ...buy, quantity: '500000', price: '10000.00' })
  expect(poor.body.error).toMatchObject({
    code: 'FUNDS_INSUFFICIENT',
    details: { limit: '100000000', value: '5002500000' },
  })
})

test.each([
  [{ ...buy, nonsense: 1 }, 'REQUEST_MALFORMED', 'nonsense'],
  [{ ...buy, symbol: 'NO-SUCH' }, 'SYMBOL_UNKNOWN', 'symbol'],
  [{ ...buy, side: 'buy' }, 'REQUEST_MALFORMED', 'side'],
  [{ ...buy, type: 'toString' }, 'REQUEST_MALFORMED', 'type'],
  [{ ...buy, timeInForce: null }, 'REQUEST_MALFORMED', 'timeInForce'],
  [{ ...buy, price: 190 }, 'DECIMAL_INVALID', 'price'],
  [{ ...buy, price: '190.001' }, 'DECIMAL_INVALID', 'price'],
  [{ ...buy, price: '-1' }, 'DECIMAL_INVALID', 'price'],
  [{ ...buy, quantity: '1e3' }, 'DECIMAL_INVALID', 'quantity'],
  [{ ...buy, quantity: '0' }, 'DECIMAL_INVALID', 'quantity'],
  [{ ...buy, quantity: undefined }, 'REQUEST_MALFORMED', 'quantity'],
  [{ ...buy, quoteAmount: '5' }, 'REQUEST_MALFORMED', 'quoteAmount'],
  [{ ...buy, type: 'MARKET' }, 'REQUEST_MALFORMED', 'price'],
  [{ ...buy, postOnly: 'yes' }, 'REQUEST_MALFORMED', 'postOnly'],
  [{ ...buy, cancelOnDisconnect: true }, 'REQUEST_MALFORMED', 'cancelOnDisconnect'],
  [{ ...buy, clientOrderId: 'with space' }, 'CLIENT_ID_INVALID', 'clientOrderId'],
  [null, 'REQUEST_MALFORMED', 'order'],
  [[buy], 'REQUEST_MALFORMED', 'order'],
])('%j is %s at %s', async (order, code, path) => {
  const { body, status } = await place(order)
  expect(status).toBeGreaterThanOrEqual(400)
  expect(body.error.code).toBe(code)
  expect([body.error.details].flat()).toMatchObject([{ path }])
  expect(venue.submitted).toEqual([])
})

test('the same client order id again gives the first outcome: open, done or rejected', async () => {
  const first = (await place({ ...sell, clientOrderId: 'twice' })).body
  const again = await place({ ...sell, clientOrderId: 'twice', price: '500.00' })
  expect(again).toMatchObject({
    status: 200,
    body: { orderId: first.orderId, status: 'NEW', price: '190.00', duplicate: true },
  })
  await place(buy, { account: 2 })
  const done = await place({ ...sell, clientOrderId: 'twice' }, { session: STREAM })
  expect(done).toMatchObject({
    status: 200,
    body: { orderId: first.orderId, status: 'FILLED', cumQty: '10', duplicate: true },
  })

  const rejected = await place({ ...buy, price: '20000.00', clientOrderId: 'bad' })
  const rejectedAgain = await place({ ...buy, clientOrderId: 'bad' })
  expect(rejectedAgain).toMatchObject({
    status: 422,
    body: {
      orderId: rejected.body.orderId,
      status: 'REJECTED',
      duplicate: true,
      error: { code: 'PRICE_OUT_OF_RANGE', details: { limit: '10000.00', value: '20000.00' } },
    },
  })
})

test('a done order is waited for until history has it', async () => {
  await place({ ...sell, clientOrderId: 'slow' })
  history.hold(true)
  await place(buy, { account: 2 })
  const again = place({ ...sell, clientOrderId: 'slow' })
  setTimeout(() => history.hold(false), 50)
  expect((await again).body).toMatchObject({ status: 'FILLED', duplicate: true })
})

test('orders are found by either name, open and done, and only by their account', async () => {
  const { orderId } = (await place({ ...sell, clientOrderId: 'find-me' })).body
  expect(await find({ orderId })).toMatchObject({ status: 200, body: { status: 'NEW', side: 'SELL' } })
  expect(await find({ clientOrderId: 'find-me', symbol: 'SAP-EUR' })).toMatchObject({ body: { orderId } })
  expect(await find({ orderId }, 2)).toMatchObject({ status: 404, body: { error: { code: 'NOT_FOUND' } } })
  await place({ ...buy, quantity: '10' }, { account: 2 })
  const done = await find({ orderId })
  expect(done.body).toMatchObject({ status: 'FILLED', cumQty: '10', avgPrice: '190.00', fills: [{ quantity: '10' }] })
  expect((await find({ clientOrderId: 'find-me', symbol: 'SAP-EUR' })).body).toMatchObject({
    orderId,
    status: 'FILLED',
  })
  expect(await find({ orderId }, 2)).toMatchObject({ status: 404 })
  expect(await find({ orderId: '16' })).toMatchObject({ status: 404 })
})

test.each([
  {},
  { orderId: 5 },
  { orderId: '01' },
  { orderId: '15' },
  { orderId: '1', symbol: 'SAP-EUR' },
  { clientOrderId: 'a' },
  { other: 1 },
  null,
  'x',
])('%j names no order', async (name) => {
  expect((await find(name)).body.error.code).toMatch(/REQUEST_MALFORMED/)
  expect((await answered((done) => entry.cancel(principal(), name, done))).status).toBe(400)
  expect((await answered((done) => entry.replace(principal(), name, { price: '1' }, done))).status).toBe(400)
})

test('cancel by either name; what is not there says so', async () => {
  const one = (await place({ ...buy, clientOrderId: 'one' })).body
  const cancelled = await answered((done) => entry.cancel(principal(), { orderId: one.orderId }, done))
  expect(cancelled).toMatchObject({
    status: 200,
    body: {
      orderId: one.orderId,
      status: 'CANCELLED',
      cumQty: '0',
      leavesQty: '0',
      reason: 'CANCELLED_BY_CLIENT',
      shard: 'eu-west',
    },
  })
  const two = (await place({ ...buy, clientOrderId: 'two' })).body
  const name = { clientOrderId: 'two', symbol: 'SAP-EUR' }
  expect(await answered((done) => entry.cancel(principal(), name, done))).toMatchObject({
    body: { orderId: two.orderId, clientOrderId: 'two', status: 'CANCELLED' },
  })
  expect(await answered((done) => entry.cancel(principal(), name, done))).toMatchObject({
    status: 422,
    body: { rejectCode: 'ORDER_NOT_OPEN', error: { code: 'ORDER_NOT_OPEN' } },
  })
  const three = (await place(buy)).body
  expect(await answered((done) => entry.cancel(principal(2), { orderId: three.orderId }, done))).toMatchObject({
    status: 404,
    body: { orderId: three.orderId, error: { code: 'ORDER_OF_OTHER_ACCOUNT' } },
  })
})

test('replace by either name', async () => {
  const { orderId } = (await place({ ...buy, clientOrderId: 'r' })).body
  const less = await answered((done) => entry.replace(principal(), { orderId }, { quantity: '4' }, done))
  expect(less).toMatchObject({
    status: 200,
    body: { orderId, status: 'NEW', quantity: '4', leavesQty: '4', cumQty: '0' },
  })
  await place({ ...sell, price: '195.00', quantity: '3' }, { account: 2 })
  const name = { clientOrderId: 'r', symbol: 'SAP-EUR' }
  const moved = await answered((done) => entry.replace(principal(), name, { price: '195.00' }, done))
  expect(moved.body).toMatchObject({ status: 'PARTIALLY_FILLED', cumQty: '3', leavesQty: '1', avgPrice: '195.00' })
  const refused = await answered((done) => entry.replace(principal(), name, { quantity: '2' }, done))
  expect(refused.body.error).toMatchObject({ code: 'REPLACE_BELOW_FILLED', details: { limit: '3', value: '2' } })
  for (const change of [{}, { price: 5 }, { price: '195.001' }, { side: 'BUY' }, null]) {
    expect((await answered((done) => entry.replace(principal(), name, change, done))).status).toBe(400)
  }
  expect(await answered((done) => entry.replace(principal(2), { orderId }, { price: '1.00' }, done))).toMatchObject({
    status: 404,
    body: { error: { code: 'ORDER_OF_OTHER_ACCOUNT' } },
  })
})

test('mass cancel: everywhere, or where the filter says', async () => {
  await place(buy)
  await place({ ...buy, symbol: 'ASML-EUR', price: '800.0' })
  await place({ symbol: 'AAPL-USD', side: 'SELL', type: 'LIMIT', price: '300.00', quantity: '1' })
  const cancel = (filter: unknown) => answered((done) => entry.massCancel(principal(), filter, done))
  expect(await cancel({ symbol: 'SAP-EUR', side: 'SELL' })).toMatchObject({
    body: { cancelled: 0 },
    reply: { shard: 'eu-west' },
  })
  expect((await cancel({ symbol: 'SAP-EUR' })).body).toEqual({ cancelled: 1 })
  expect(await cancel({})).toMatchObject({ status: 200, body: { cancelled: 2 }, reply: { shard: null } })
  expect((await cancel({ side: 'BOTH' })).body.error.code).toBe('REQUEST_MALFORMED')
  venue.refuse = 'unavailable'
  expect(await cancel({})).toMatchObject({
    status: 503,
    body: { error: { code: 'SHARD_UNAVAILABLE', details: { cancelled: 0 } } },
  })
})

test('a batch has one result per order, in order', async () => {
  const orders = [buy, { ...buy, price: 1 }, { ...buy, symbol: 'AAPL-USD' }, { ...buy, price: '20000.00' }]
  const { status, body } = await answered((done) => entry.placeBatch(principal(), orders, STREAM, done))
  expect(status).toBe(200)
  expect(body['results']).toMatchObject([
    { status: 'NEW', shard: 'eu-west' },
    { error: { code: 'DECIMAL_INVALID', details: [{ path: 'orders.1.price' }] } },
    { status: 'NEW', shard: 'us-east' },
    { status: 'REJECTED', error: { code: 'PRICE_OUT_OF_RANGE' } },
  ])
  for (const wrong of [[], null, 'x', Array.from({ length: 501 }, () => buy)]) {
    expect((await answered((done) => entry.placeBatch(principal(), wrong, STREAM, done))).status).toBe(400)
  }
})

test('no answer in time is unknown; nothing sent is said so', async () => {
  venue.held = true
  const lost = place({ ...buy, clientOrderId: 'lost' })
  const cancel = answered((done) => entry.cancel(principal(), { orderId: '17' }, done))
  const all = answered((done) => entry.massCancel(principal(), { symbol: 'SAP-EUR' }, done))
  venue.lose()
  expect(await lost).toMatchObject({
    status: 504,
    body: { error: { code: 'OUTCOME_UNKNOWN', details: { clientOrderId: 'lost', shard: 'eu-west' } } },
  })
  expect((await cancel).body.error).toMatchObject({ code: 'OUTCOME_UNKNOWN', details: { orderId: '17' } })
  expect((await all).body.error).toMatchObject({ code: 'OUTCOME_UNKNOWN', details: { shards: ['eu-west'] } })
  venue.refuse = 'overloaded'
  expect(await place(buy)).toMatchObject({ status: 503, body: { error: { code: 'OVERLOADED', retryAfter_ms: 50 } } })
  venue.refuse = 'unavailable'
  expect((await place(buy)).body.error.code).toBe('SHARD_UNAVAILABLE')
})

test('scopes and limits are asked before anything else', async () => {
  const reader = { ...principal(), scopes: new Set(['read'] as const) }
  const denied = await answered((done) => entry.place(reader, buy, 0, done))
  expect(denied).toMatchObject({ status: 403, body: { error: { code: 'SCOPE_MISSING', details: { scope: 'trade' } } } })
  wait_ms = 12
  expect(await place(buy)).toMatchObject({ status: 429, body: { error: { code: 'RATE_LIMITED', retryAfter_ms: 12 } } })
  expect(await find({ orderId: '16' })).toMatchObject({ status: 429 })
  expect(venue.submitted).toEqual([])
})

test('when a stream ends, what it asked to be cancelled is cancelled, and nothing else', async () => {
  const bound = { ...buy, cancelOnDisconnect: true }
  const one = (await place(bound, { session: STREAM })).body
  const other = (await place(bound, { session: STREAM + 1 })).body
  const free = (await place(buy, { session: STREAM })).body
  expect(venue.submitted[0]).toMatchObject({ flags: OrderFlag.cancel_on_disconnect, session: STREAM })
  // The shard cannot be reached at first, then the answer is lost: it is told again.
  venue.refuse = 'unavailable'
  entry.endSession(STREAM)
  venue.refuse = null
  const statusOf = async ({ orderId }: Body) => (await find({ orderId })).body['status']
  await expect.poll(() => statusOf(one)).toBe('CANCELLED')
  expect(await statusOf(other)).toBe('NEW')
  expect(await statusOf(free)).toBe('NEW')
})

test('an order that is committed after its stream ended is cancelled too', async () => {
  venue.held = true
  const late = place({ ...buy, cancelOnDisconnect: true }, { session: STREAM })
  venue.refuse = 'unavailable'
  entry.endSession(STREAM)
  venue.refuse = null
  venue.held = false
  venue.commit()
  const { orderId } = (await late).body
  await expect.poll(async () => (await find({ orderId })).body['status']).toBe('CANCELLED')
})

test('a cancel of a stream that got no answer is sent again', async () => {
  const { orderId } = (await place({ ...buy, cancelOnDisconnect: true }, { session: STREAM })).body
  venue.held = true
  entry.endSession(STREAM)
  venue.lose()
  venue.held = false
  await expect.poll(async () => (await find({ orderId })).body['status']).toBe('CANCELLED')
})
