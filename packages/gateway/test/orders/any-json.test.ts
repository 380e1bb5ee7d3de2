// Whatever JSON arrives as an order, a name, a change or a message: an answer of the catalogue comes out, once, and nothing throws.

import type { AccountId } from '@wintrades/domain'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AccountPrincipal } from '../../src/auth/principal.ts'
import { errorCatalogue } from '../../src/errors.ts'
import type { OrderReply } from '../../src/orders/answers.ts'
import { OrderEntry } from '../../src/orders/order-entry.ts'
import { StreamPeer } from '../streams/stream-peer.ts'
import { StreamRegion } from '../streams/stream-region.ts'
import { TestHistory } from '../support/test-history.ts'
import { markets, TestVenue } from '../support/test-venue.ts'

const CODES = new Set(errorCatalogue().map((entry) => entry.code))
const principal: AccountPrincipal = {
  kind: 'user',
  userId: 'user-1',
  account: 1 as AccountId,
  scopes: new Set(['read', 'trade']),
  apiKey: 0,
  limitKey: 'user-1',
}

let venue: TestVenue
let history: TestHistory
let entry: OrderEntry
const faults: unknown[] = []

beforeAll(() => {
  venue = new TestVenue()
  history = new TestHistory(venue)
  const limits = { orders: () => 0, requests: () => 0 }
  entry = new OrderEntry({ markets, venue, history: history.reader, limits, onFault: (error) => faults.push(error) })
})

afterAll(() => {
  entry.close()
  history.close()
  expect(faults).toEqual([])
})

const word = fc.oneof(
  fc.constantFrom(
    'BUY',
    'SELL',
    'LIMIT',
    'MARKET',
    'STOP',
    'GTC',
    'IOC',
    'FOK',
    'DAY',
    'DECREMENT',
    'NONE',
    'SAP-EUR',
    'BTC-USD',
    '',
    '0',
    '1',
    '10',
    '190.00',
    '0.0001',
    '1e9',
    '-1',
    '99999999999999999999',
    '160',
    '__proto__',
  ),
  fc.string({ unit: 'binary', maxLength: 50 }),
)
const anything = fc.oneof(word, fc.boolean(), fc.jsonValue({ maxDepth: 2 }))
const FIELDS = [
  'symbol',
  'side',
  'type',
  'timeInForce',
  'price',
  'quantity',
  'quoteAmount',
  'stopPrice',
  'trailingOffset',
  'displayQuantity',
  'minimumQuantity',
  'expireTime',
  'postOnly',
  'reduceOnly',
  'selfTradePrevention',
  'cancelOnDisconnect',
  'clientOrderId',
]

/** Objects that are nearly orders, and things that are nothing like one. */
const order = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record(Object.fromEntries(FIELDS.map((field) => [field, anything])), {
      requiredKeys: ['symbol', 'side', 'type'],
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record(
      {
        symbol: fc.constantFrom('SAP-EUR', 'BTC-USD', 'BTC-JPY'),
        side: fc.constantFrom('BUY', 'SELL'),
        type: fc.constantFrom('LIMIT', 'LIMIT', 'MARKET', 'STOP', 'STOP_LIMIT', 'TAKE_PROFIT_LIMIT', 'TRAILING_STOP'),
        timeInForce: fc.constantFrom('GTC', 'IOC', 'FOK', 'DAY', 'GTD'),
        price: fc.constantFrom('190.00', '191', '60000', '0', '99999999999', 'x'),
        quantity: fc.constantFrom('1', '10', '0.0001', '500001', '0', 7),
        quoteAmount: fc.constantFrom('100', '0.000001', '999999999'),
        stopPrice: fc.constantFrom('180.00', '200.00', '61000', 'x'),
        trailingOffset: fc.constantFrom('1.00', '500'),
        displayQuantity: fc.constantFrom('1', '0.0001', '20'),
        minimumQuantity: fc.constantFrom('1', '20'),
        expireTime: fc.constantFrom(1_767_571_300_000, 4_000_000_000_000, 1, 0.5, 1e300),
        postOnly: fc.boolean(),
        reduceOnly: fc.boolean(),
        cancelOnDisconnect: fc.boolean(),
        selfTradePrevention: fc.constantFrom('NONE', 'CANCEL_NEWEST', 'CANCEL_OLDEST', 'CANCEL_BOTH', 'DECREMENT'),
        clientOrderId: fc.constantFrom('a', 'b', 'c', 'd'),
      },
      { requiredKeys: ['symbol', 'side', 'type', 'quantity'] },
    ),
  },
  { weight: 2, arbitrary: fc.jsonValue() },
)
const list = fc.oneof(
  fc.record({ kind: fc.constant('OCO'), orders: fc.array(order, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant('BRACKET'), entry: order, exits: fc.array(order, { maxLength: 3 }) }),
  fc.record({ kind: anything, orders: anything, entry: order, exits: anything }, { requiredKeys: [] }),
  fc.jsonValue(),
)
const name = fc.oneof(
  fc.record({ orderId: anything, clientOrderId: anything, symbol: anything }, { requiredKeys: [] }),
  fc.record({ clientOrderId: fc.constantFrom('a', 'b'), symbol: fc.constant('SAP-EUR') }),
  fc.jsonValue(),
)
const change = fc.oneof(fc.record({ price: anything, quantity: anything }, { requiredKeys: [] }), fc.jsonValue())

/** As it would arrive. */
function sent(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value) ?? 'null')
}

function answered(ask: (done: (reply: OrderReply) => void) => void): Promise<OrderReply> {
  let count = 0
  return new Promise((resolve) =>
    ask((reply) => {
      if (++count > 1) faults.push(new Error('answered twice'))
      resolve(reply)
    }),
  )
}

function expectAnswer({ status, json }: OrderReply): void {
  expect(/^[\u0020-\u007e]*$/.test(json)).toBe(true)
  const body = JSON.parse(json) as { orderId?: string; status?: string; cancelled?: number; error?: { code: string } }
  if (status >= 400) expect(CODES).toContain(body.error?.code)
  else expect(body.error).toBeUndefined()
  expect(status).toBeLessThan(500)
}

test('orders', async () => {
  await fc.assert(
    fc.asyncProperty(order, fc.constantFrom(0, 5), async (value, session) => {
      expectAnswer(await answered((done) => entry.place(principal, sent(value), session, done)))
    }),
    { numRuns: 1_500 },
  )
  for (const { index } of markets.shards) venue.engine(index).checkInvariants()
})

test('lists', async () => {
  await fc.assert(
    fc.asyncProperty(list, fc.constantFrom(0, 5), async (value, session) => {
      expectAnswer(await answered((done) => entry.placeList(principal, sent(value), session, done)))
    }),
    { numRuns: 500 },
  )
  for (const { index } of markets.shards) venue.engine(index).checkInvariants()
})

test('names, changes and filters', async () => {
  await fc.assert(
    fc.asyncProperty(name, change, async (value, wanted) => {
      expectAnswer(await answered((done) => entry.cancel(principal, sent(value), done)))
      expectAnswer(await answered((done) => entry.replace(principal, sent(value), sent(wanted), done)))
      expectAnswer(await answered((done) => entry.massCancel(principal, sent(value), done)))
      expectAnswer(await entry.find(principal, sent(value)))
    }),
    { numRuns: 300 },
  )
})

test('messages of a stream: each is answered, and the connection stays', async () => {
  const region = await StreamRegion.start()
  try {
    const peer = await StreamPeer.of(region.url, 1)
    const operation = fc.constantFrom(
      'auth',
      'ping',
      'order.place',
      'order.place_batch',
      'order.place_list',
      'order.cancel',
      'order.replace',
      'order.mass_cancel',
      'order.get',
      'subscribe',
      'unsubscribe',
      'x',
    )
    const message = fc.oneof(
      fc.record(
        {
          op: operation,
          order,
          orders: fc.array(order, { maxLength: 3 }),
          channels: fc.jsonValue(),
          orderId: anything,
          token: anything,
        },
        { requiredKeys: ['op'] },
      ),
      fc.record({ op: fc.constant('order.place'), order }),
      list.map((value) => ({ ...(sent(value) as object), op: 'order.place_list' })),
      fc.record({
        op: fc.constantFrom('subscribe', 'unsubscribe'),
        channels: fc.array(
          fc.record(
            {
              channel: fc.constantFrom('depth', 'trades', 'candles', 'orders'),
              symbol: word,
              interval: word,
              sequence: fc.jsonValue(),
            },
            { requiredKeys: ['channel'] },
          ),
          { maxLength: 3 },
        ),
      }),
    )
    await fc.assert(
      fc.asyncProperty(message, async (value) => {
        const answer = await peer.ask(value)
        if (answer.ok !== true) expect(CODES).toContain(answer.error?.code)
      }),
      // A message that stays without an answer is named.
      { numRuns: 400, timeout: 10_000 },
    )
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), async (text) => {
        peer.socket.send(text)
      }),
      // A message that stays without an answer is named.
      { numRuns: 400, timeout: 10_000 },
    )
    expect((await peer.ask({ op: 'ping' })).ok).toBe(true)
    expect(region.faults).toEqual([])
  } finally {
    await region.stop()
  }
})
