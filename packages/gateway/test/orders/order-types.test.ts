// Every order type, time in force and list through order entry, against real engines: what is refused at the door, what is answered,
// and what becomes of it.

import { type AccountId, CommandType, type InstrumentId, Phase, type ShardIndex } from '@wintrades/domain'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AccountPrincipal } from '../../src/auth/principal.ts'
import type { OrderReply } from '../../src/orders/answers.ts'
import { OrderEntry } from '../../src/orders/order-entry.ts'
import { TestHistory } from '../support/test-history.ts'
import { markets, TestVenue } from '../support/test-venue.ts'

const EU_WEST = 1 as ShardIndex
const STREAM = 7
const SAP = markets.instruments.find((instrument) => instrument.symbol === 'SAP-EUR')?.id as InstrumentId
const buy = { symbol: 'SAP-EUR', side: 'BUY', type: 'LIMIT', price: '190.00', quantity: '10' } as const
const sell = { ...buy, side: 'SELL' } as const
const stop = { symbol: 'SAP-EUR', side: 'SELL', type: 'STOP', stopPrice: '185.00', quantity: '10' } as const
/** Batch time at which tests begin, milliseconds. */
const START_MS = 1_767_571_200_000

let venue: TestVenue
let history: TestHistory
let entry: OrderEntry
let faults: unknown[]

beforeEach(() => {
  venue = new TestVenue()
  history = new TestHistory(venue)
  faults = []
  entry = new OrderEntry({
    markets,
    venue,
    history: history.reader,
    limits: { orders: () => 0, requests: () => 0 },
    onFault: (error) => faults.push(error),
  })
})

afterEach(() => {
  entry.close()
  history.close()
  venue.engine(EU_WEST).checkInvariants()
  expect(faults).toEqual([])
})

type Answer = {
  readonly status: number
  readonly body: Record<string, unknown> & { readonly results: Answer['body'][] }
}

function principal(account: number): AccountPrincipal {
  return {
    kind: 'user',
    userId: `user-${account}`,
    account: account as AccountId,
    scopes: new Set(['read', 'trade']),
    apiKey: 0,
    limitKey: `user-${account}`,
  }
}

function answerOf({ status, json }: OrderReply): Answer {
  return { status, body: JSON.parse(json) as Answer['body'] }
}

function place(order: unknown, account = 1, session = 0): Promise<Answer> {
  return new Promise((resolve) => entry.place(principal(account), order, session, (reply) => resolve(answerOf(reply))))
}

function placeList(list: unknown, session = 0): Promise<Answer> {
  return new Promise((resolve) => entry.placeList(principal(1), list, session, (reply) => resolve(answerOf(reply))))
}

async function find(orderId: unknown): Promise<Answer['body']> {
  return answerOf(await entry.find(principal(1), { orderId })).body
}

/** Accounts 2 and 3 trade one lot. */
async function trade(price: string): Promise<void> {
  await place({ ...sell, price, quantity: '1' }, 2)
  expect((await place({ ...buy, price, quantity: '1' }, 3)).body).toMatchObject({ status: 'FILLED' })
}

describe('fields that a type does not have, or lacks', () => {
  const limitStop = { ...stop, type: 'STOP_LIMIT', price: '184.00' }
  const trailing = { symbol: 'SAP-EUR', side: 'SELL', type: 'TRAILING_STOP', quantity: '10', trailingOffset: '2.00' }
  test.each([
    [{ ...stop, stopPrice: undefined }, 'stopPrice', /missing/],
    [{ ...stop, price: '180.00' }, 'price', /not for STOP/],
    [{ ...limitStop, price: undefined }, 'price', /missing/],
    [{ ...limitStop, stopPrice: undefined }, 'stopPrice', /missing/],
    [{ ...stop, quantity: undefined }, 'quantity', /missing/],
    [{ ...stop, quoteAmount: '100' }, 'quoteAmount', /market orders/],
    [{ ...stop, trailingOffset: '1.00' }, 'trailingOffset', /TRAILING_STOP/],
    [{ ...trailing, trailingOffset: undefined }, 'trailingOffset', /missing/],
    [{ ...trailing, stopPrice: '180.00' }, 'stopPrice', /trailingOffset/],
    [{ ...buy, stopPrice: '180.00' }, 'stopPrice', /not for LIMIT/],
    [{ ...stop, displayQuantity: '1' }, 'displayQuantity', /limit price/],
    [{ ...buy, timeInForce: 'IOC', displayQuantity: '1' }, 'displayQuantity', /rest/],
    [{ ...stop, minimumQuantity: '1' }, 'minimumQuantity', /LIMIT and MARKET/],
    [{ ...buy, postOnly: true, minimumQuantity: '1' }, 'minimumQuantity', /postOnly/],
    [{ ...buy, timeInForce: 'GTD' }, 'expireTime', /missing/],
    [{ ...buy, expireTime: START_MS }, 'expireTime', /GTD/],
    [{ ...buy, timeInForce: 'GTD', expireTime: '2026-01-05' }, 'expireTime', /milliseconds/],
    [{ ...buy, timeInForce: 'GTD', expireTime: 1e300 }, 'expireTime', /milliseconds/],
    [{ ...stop, stopPrice: '185.001' }, 'stopPrice', /multiple/],
    [{ ...trailing, trailingOffset: 2 }, 'trailingOffset', /quotes/],
    [{ ...buy, displayQuantity: '0' }, 'displayQuantity', /greater/],
  ])('%j: %s', async (order, path, message) => {
    const { status, body } = await place(order)
    expect(status).toBe(400)
    expect(body['error']).toMatchObject({ details: [{ path, message: expect.stringMatching(message) }] })
    expect(venue.submitted).toEqual([])
  })
})

describe('what the engine refuses, in the units of the order', () => {
  test.each([
    [{ ...stop, stopPrice: '195.00' }, 'WOULD_TRIGGER_IMMEDIATELY', { limit: '190.00', value: '195.00' }],
    [{ ...stop, stopPrice: '20000.00' }, 'STOP_PRICE_OUT_OF_RANGE', { limit: '10000.00', value: '20000.00' }],
    [{ ...stop, timeInForce: 'IOC' }, 'TIME_IN_FORCE_NOT_SUPPORTED', { limit: 'GTC', value: 'IOC' }],
    [{ ...buy, displayQuantity: '11' }, 'DISPLAY_QUANTITY_INVALID', { limit: '10', value: '11' }],
    [{ ...buy, minimumQuantity: '11' }, 'MINIMUM_QUANTITY_INVALID', { limit: '10', value: '11' }],
    [
      { ...buy, timeInForce: 'GTD', expireTime: START_MS - 1_000 },
      'EXPIRE_TIME_INVALID',
      { value: String(START_MS - 1_000) },
    ],
  ])('%j: %s', async (order, code, details) => {
    await trade('190.00')
    const { status, body } = await place(order)
    expect([status, body['rejectCode']]).toEqual([422, code])
    expect(body['error']).toMatchObject({ code, details })
  })
})

test.each([
  ['STOP', { ...stop }, '184.00', { avgPrice: '180.00' }],
  ['STOP_LIMIT', { ...stop, type: 'STOP_LIMIT', price: '179.00' }, '184.00', { avgPrice: '180.00' }],
  ['TAKE_PROFIT', { ...stop, type: 'TAKE_PROFIT', stopPrice: '195.00' }, '196.00', { avgPrice: '180.00' }],
  [
    'TAKE_PROFIT_LIMIT',
    { ...stop, type: 'TAKE_PROFIT_LIMIT', stopPrice: '195.00', price: '180.00' },
    '196.00',
    { avgPrice: '180.00' },
  ],
  [
    'TRAILING_STOP',
    { symbol: 'SAP-EUR', side: 'SELL', type: 'TRAILING_STOP', quantity: '10', trailingOffset: '5.00' },
    '184.00',
    { trailingOffset: '5.00', avgPrice: '180.00' },
  ],
])('%s waits for its price, and trades when it comes', async (type, order, price, filled) => {
  await trade('190.00')
  await place({ ...buy, price: '180.00', quantity: '50' }, 2)
  const { status, body } = await place(order)
  expect(status).toBe(201)
  expect(body).toMatchObject({
    type,
    status: 'WAITING',
    leavesQty: '10',
    stopPrice: expect.stringMatching(/^1[89]5\.00$/),
  })
  expect(await find(body['orderId'])).toMatchObject({ type, status: 'WAITING', stopPrice: body['stopPrice'] })
  await trade(price)
  expect(await find(body['orderId'])).toMatchObject({ status: 'FILLED', cumQty: '10', ...filled })
})

test('a stream is told that an order waits', async () => {
  await trade('190.00')
  expect((await place(stop, 1, STREAM)).body).toMatchObject({ status: 'WAITING', cumQty: '0', leavesQty: '10' })
})

test('an order that the order it triggers trades with: its answer has that fill, as maker', async () => {
  await trade('190.00')
  await place({ ...stop, stopPrice: '185.00' }, 2)
  await place({ ...sell, price: '185.00', quantity: '1' }, 3)
  const { body } = await place({ ...buy, price: '186.00', quantity: '20' })
  expect(body).toMatchObject({ status: 'PARTIALLY_FILLED', cumQty: '11', leavesQty: '9' })
  expect(body['fills']).toMatchObject([
    { quantity: '1', price: '185.00', liquidity: 'TAKER' },
    { quantity: '10', price: '186.00', liquidity: 'MAKER' },
  ])
})

test('an order with a date ends at that time', async () => {
  const expireTime = START_MS + 60_000
  const { body } = await place({ ...buy, timeInForce: 'GTD', expireTime })
  expect(body).toMatchObject({ status: 'NEW', timeInForce: 'GTD', expireTime })
  venue.wait(61_000_000)
  await trade('195.00')
  expect(await find(body['orderId'])).toMatchObject({ status: 'EXPIRED', reason: 'EXPIRED', expireTime })
})

test('a day’s order ends when its instrument closes', async () => {
  const { body } = await place({ ...buy, timeInForce: 'DAY' })
  const phase = Phase.closed
  venue.operate(EU_WEST, { type: CommandType.set_phase, account: 0 as AccountId, instrument: SAP, phase })
  expect(await find(body['orderId'])).toMatchObject({ status: 'EXPIRED', timeInForce: 'DAY', reason: 'EXPIRED' })
})

test('an iceberg shows its part', async () => {
  const { body } = await place({ ...sell, displayQuantity: '3' })
  expect(body).toMatchObject({ status: 'NEW', quantity: '10', displayQuantity: '3' })
  expect(venue.engine(EU_WEST).book(SAP, 1).asks).toMatchObject([{ quantity: 3 }])
  await place({ ...buy, quantity: '4' }, 2)
  expect(await find(body['orderId'])).toMatchObject({ status: 'PARTIALLY_FILLED', cumQty: '4', displayQuantity: '3' })
})

test('a minimum that is not there trades nothing', async () => {
  await place({ ...sell, quantity: '4' }, 2)
  const { body } = await place({ ...buy, minimumQuantity: '5' })
  expect(body).toMatchObject({ status: 'EXPIRED', reason: 'NOT_FILLABLE', cumQty: '0', minimumQuantity: '5' })
  expect((await place({ ...buy, minimumQuantity: '4' })).body).toMatchObject({
    status: 'PARTIALLY_FILLED',
    cumQty: '4',
  })
})

describe('lists', () => {
  const target = { ...sell, price: '200.00' }
  const oco = { kind: 'OCO', orders: [target, stop] }
  const bracket = { kind: 'BRACKET', entry: buy, exits: [target, stop] }

  test.each([[oco], [{ ...oco, orders: [stop, target] }]])('one cancels the other: %j', async (list) => {
    await trade('190.00')
    const { status, body } = await placeList(list)
    expect(status).toBe(200)
    const [a, b] = body.results
    expect([a, b].map((order) => order?.['type'])).toEqual(list.orders.map((order) => order.type))
    expect(new Set([a, b].map((order) => order?.['status']))).toEqual(new Set(['NEW', 'WAITING']))
    expect(await find(a?.['orderId'])).toMatchObject({ linkedOrderId: b?.['orderId'] })
    expect((await place({ ...buy, price: '200.00' }, 2)).body).toMatchObject({ status: 'FILLED' })
    const [limit, waiting] = a?.['type'] === 'LIMIT' ? [a, b] : [b, a]
    expect(await find(limit?.['orderId'])).toMatchObject({ status: 'FILLED' })
    expect(await find(waiting?.['orderId'])).toMatchObject({ status: 'CANCELLED', reason: 'LINKED_ORDER' })
  })

  test('a bracket: the exits go live for what the entry has filled', async () => {
    await trade('190.00')
    const { body } = await placeList(bracket)
    const [entered, profit, loss] = body.results
    expect(body.results.map((order) => order['status'])).toEqual(['NEW', 'WAITING', 'WAITING'])
    expect(await find(profit?.['orderId'])).toMatchObject({ status: 'WAITING', linkedOrderId: entered?.['orderId'] })
    await place({ ...sell, quantity: '10' }, 2)
    expect(await find(entered?.['orderId'])).toMatchObject({ status: 'FILLED' })
    expect(await find(profit?.['orderId'])).toMatchObject({ status: 'NEW', linkedOrderId: loss?.['orderId'] })
    expect(await find(loss?.['orderId'])).toMatchObject({ status: 'WAITING' })
    await place({ ...buy, price: '180.00', quantity: '50' }, 2)
    await trade('185.00')
    expect(await find(loss?.['orderId'])).toMatchObject({ status: 'FILLED' })
    expect(await find(profit?.['orderId'])).toMatchObject({ status: 'CANCELLED', reason: 'LINKED_ORDER' })
  })

  test('a bracket with one exit; an entry that is a market order', async () => {
    await trade('190.00')
    await place(sell, 2)
    const entering = { symbol: 'SAP-EUR', side: 'BUY', type: 'MARKET', quantity: '10' }
    const { body } = await placeList({ kind: 'BRACKET', entry: entering, exits: [stop] }, STREAM)
    expect(body.results).toMatchObject([{ status: 'FILLED' }, { status: 'WAITING' }])
    const orders = venue.engine(EU_WEST).account(1 as AccountId).openOrders
    expect(orders).toMatchObject([{ quantity: 10, waiting: true }])
  })

  test('the same list again is the same orders', async () => {
    await trade('190.00')
    const named = {
      ...bracket,
      entry: { ...buy, clientOrderId: 'in' },
      exits: [
        { ...target, clientOrderId: 'up' },
        { ...stop, clientOrderId: 'down' },
      ],
    }
    const first = await placeList(named)
    const again = await placeList(named)
    expect(again.body.results.map((order) => [order['orderId'], order['duplicate']])).toEqual(
      first.body.results.map((order) => [order['orderId'], true]),
    )
    expect(venue.engine(EU_WEST).account(1 as AccountId).openOrders).toHaveLength(3)
  })

  test('a list that was interrupted goes on when it is sent again', async () => {
    await trade('190.00')
    const first = { ...stop, clientOrderId: 'down' }
    const second = { ...target, clientOrderId: 'up' }
    const list = { kind: 'OCO', orders: [second, first] }
    const submit = venue.submit.bind(venue)
    let room = 1
    venue.submit = (shard, command, handler) => (room-- > 0 ? submit(shard, command, handler) : 'overloaded')
    const interrupted = await placeList(list)
    expect(interrupted.body.results).toMatchObject([{ error: { code: 'OVERLOADED' } }, { status: 'WAITING' }])
    venue.submit = submit
    const again = await placeList(list)
    expect(again.body.results).toMatchObject([{ status: 'NEW' }, { status: 'WAITING', duplicate: true }])
    expect(await find(again.body.results[0]?.['orderId'])).toMatchObject({
      linkedOrderId: interrupted.body.results[1]?.['orderId'],
    })
  })

  test('a leg that the engine refuses takes the others with it', async () => {
    await trade('190.00')
    const { body } = await placeList({ ...bracket, entry: { ...buy, price: '20000.00' } })
    expect(body.results[0]).toMatchObject({ status: 'REJECTED', rejectCode: 'PRICE_OUT_OF_RANGE' })
    for (const exit of body.results.slice(1)) {
      expect(await find(exit['orderId'])).toMatchObject({ status: 'CANCELLED', reason: 'LINKED_ORDER' })
    }
  })

  test.each([
    [null, 'list'],
    [{ ...oco, kind: 'TRIO' }, 'kind'],
    [{ ...oco, entry: buy }, 'entry'],
    [{ ...oco, orders: [stop] }, 'orders'],
    [{ ...oco, orders: [target, target] }, 'orders.1.type'],
    [{ ...oco, orders: [target, { ...stop, quantity: '9' }] }, 'orders.1.quantity'],
    [{ ...oco, orders: [target, { ...stop, side: 'BUY' }] }, 'orders.1.side'],
    [{ ...oco, orders: [{ ...target, timeInForce: 'IOC' }, stop] }, 'orders.0.timeInForce'],
    [{ ...oco, orders: [{ ...target, minimumQuantity: '1' }, stop] }, 'orders.0.minimumQuantity'],
    [{ ...oco, orders: [target, { ...stop, stopPrice: '1.001' }] }, 'orders.1.stopPrice'],
    [
      {
        ...oco,
        orders: [
          { ...target, clientOrderId: 'x' },
          { ...stop, clientOrderId: 'x' },
        ],
      },
      'orders.1.clientOrderId',
    ],
    [{ ...oco, orders: [target, { ...stop, symbol: 'BTC-USD', quantity: '0.1' }] }, 'orders.1.symbol'],
    [{ ...bracket, entry: undefined }, 'entry'],
    [{ ...bracket, entry: { ...buy, side: 'SELL' } }, 'exits.0.side'],
    [{ ...bracket, exits: [] }, 'exits'],
    [{ ...bracket, exits: [{ ...target, quantity: '1' }] }, 'exits.0.quantity'],
    [{ ...bracket, exits: [{ ...stop, type: 'MARKET', stopPrice: undefined }] }, 'exits.0.type'],
    [
      { ...bracket, entry: { symbol: 'SAP-EUR', side: 'BUY', type: 'MARKET', quoteAmount: '100' } },
      'entry.quoteAmount',
    ],
  ])('%j is refused whole, at %s', async (list, path) => {
    const { status, body } = await placeList(list)
    expect(status).toBe(400)
    expect(body['error']).toMatchObject({ details: [{ path }] })
    expect(venue.submitted).toEqual([])
  })
})
