// Every order type on a running platform: entered in one region, triggered, expired or cancelled by its pair through another, and told to
// the account's stream in a third.

import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Platform, startPlatform } from '@wintrades/operations'
import { ApiClient, StreamClient, valueOrThrow } from '@wintrades/operations/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OrderAnswer, type OrderRequest, PASSWORD, type Stream, User } from './client.ts'

let dataDirectory: string
let platform: Platform
let user: User
let others: readonly [User, User]
let stream: Stream

const sell = { symbol: 'SAP-EUR', side: 'SELL', quantity: '10' } as const
const buy = { ...sell, side: 'BUY' } as const

beforeAll(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'wintrades-e2e-'))
  platform = await startPlatform({ dataDirectory })
  user = await User.register(platform.baseUrl)
  others = [await User.register(platform.baseUrl), await User.register(platform.baseUrl)]
  stream = await user.stream([{ channel: 'orders' }], 'asia-pacific')
  await tradeAt('190.00')
})

afterAll(async () => {
  stream.close()
  await platform.stop()
  await rm(dataDirectory, { recursive: true, force: true })
})

/** The others trade one lot, so that this is the last price. */
async function tradeAt(price: string): Promise<void> {
  const [maker, taker] = others
  await maker.order({ ...sell, type: 'LIMIT', price, quantity: '1' }, 'us-east')
  const { body } = await taker.order({ ...buy, type: 'LIMIT', price, quantity: '1' }, 'us-east')
  expect(body.status).toBe('FILLED')
}

async function enter(order: OrderRequest): Promise<string> {
  const { status, body } = await user.order(order, 'us-east')
  expect([status, body]).toMatchObject([201, { orderId: expect.any(String) }])
  return body.orderId
}

async function statusOf(orderId: string): Promise<string> {
  let answer = await user.get<OrderAnswer>(`/api/v1/orders/${orderId}`, 'eu-west')
  // History is written a moment later; on a loaded machine the region may ask for another attempt.
  while (answer.status === 503) answer = await user.get<OrderAnswer>(`/api/v1/orders/${orderId}`, 'eu-west')
  const { body } = answer
  return body.reason === undefined ? body.status : `${body.status} ${body.reason}`
}

/** What the account's stream was told of an order. */
function changesOf(orderId: string): unknown[] {
  type Told = { readonly orders: readonly { readonly orderId: string; readonly change?: string }[] }
  return stream.pushed.flatMap((frame) =>
    ((frame['data'] as Told | undefined)?.orders ?? [])
      .filter((order) => order.orderId === orderId && order.change !== undefined)
      .map((order) => order.change),
  )
}

test('stops, take-profits and trailing stops trigger', async () => {
  await others[0].order({ ...buy, type: 'LIMIT', price: '180.00', quantity: '50' }, 'us-east')
  const low = await Promise.all([
    enter({ ...sell, type: 'STOP', stopPrice: '185.00' }),
    enter({ ...sell, type: 'STOP_LIMIT', stopPrice: '185.00', price: '180.00' }),
    enter({ ...sell, type: 'TRAILING_STOP', trailingOffset: '4.00' }),
  ])
  const high = await Promise.all([
    enter({ ...sell, type: 'TAKE_PROFIT', stopPrice: '195.00' }),
    enter({ ...sell, type: 'TAKE_PROFIT_LIMIT', stopPrice: '195.00', price: '180.00' }),
  ])
  for (const order of [...low, ...high]) expect(await statusOf(order)).toBe('WAITING')
  await tradeAt('195.00')
  for (const order of high) expect.soft(await statusOf(order)).toBe('FILLED')
  // Those sales at 180 were trades, too: they met the stops below.
  for (const order of low) expect.soft(await statusOf(order)).toBe('FILLED')
  for (const order of [...low, ...high]) {
    await expect.poll(() => changesOf(order), { timeout: 5_000 }).toEqual(['ACCEPTED', 'TRIGGERED', 'FILL'])
  }
})

test('an order with a date expires, an iceberg hides, a minimum is kept', async () => {
  const dated = await enter({
    ...buy,
    type: 'LIMIT',
    price: '150.00',
    timeInForce: 'GTD',
    expireTime: Date.now() + 1_500,
  })
  expect(await statusOf(dated)).toBe('NEW')
  await expect.poll(() => statusOf(dated), { timeout: 10_000 }).toBe('EXPIRED EXPIRED')

  const iceberg = await enter({ ...sell, type: 'LIMIT', price: '199.00', quantity: '50', displayQuantity: '5' })
  type Depth = { readonly asks: readonly (readonly [string, string])[] }
  const depth = async () => (await user.get<Depth>('/api/v1/market/SAP-EUR/depth', 'us-east')).body.asks
  await expect.poll(depth).toEqual([['199.00', '5']])
  const { body } = await others[0].order({
    ...buy,
    type: 'LIMIT',
    price: '199.00',
    quantity: '60',
    minimumQuantity: '51',
  })
  expect(body).toMatchObject({ status: 'EXPIRED', reason: 'NOT_FILLABLE', cumQty: '0' })
  expect((await others[0].order({ ...buy, type: 'MARKET', quantity: '50' })).body).toMatchObject({ status: 'FILLED' })
  expect(await statusOf(iceberg)).toBe('FILLED')
})

test('lists: a bracket goes live with its entry, and one exit cancels the other', async () => {
  await tradeAt('190.00')
  const list = {
    kind: 'BRACKET',
    entry: { ...buy, type: 'LIMIT', price: '190.00', clientOrderId: 'in' },
    exits: [
      { ...sell, type: 'LIMIT', price: '200.00', clientOrderId: 'up' },
      { ...sell, type: 'STOP', stopPrice: '170.00', clientOrderId: 'down' },
    ],
  }
  type Results = { readonly results: readonly OrderAnswer[] }
  const first = await user.post<Results>('/api/v1/orders/list', list, 'us-east')
  expect(first.body.results.map((order) => order.status)).toEqual(['NEW', 'WAITING', 'WAITING'])
  const [entry, up, down] = first.body.results.map((order) => order.orderId) as [string, string, string]
  // Sent again, over the stream and in another region, it is the same list.
  const again = (await stream.ask({ op: 'order.place_list', ...list })) as Results
  expect(again.results).toMatchObject([entry, up, down].map((orderId) => ({ orderId, duplicate: true })))
  await others[1].order({ ...sell, type: 'LIMIT', price: '190.00' }, 'asia-pacific')
  expect(await statusOf(entry)).toBe('FILLED')
  expect([await statusOf(up), await statusOf(down)]).toEqual(['NEW', 'WAITING'])
  await others[1].order({ ...buy, type: 'LIMIT', price: '200.00' }, 'asia-pacific')
  expect([await statusOf(up), await statusOf(down)]).toEqual(['FILLED', 'CANCELLED LINKED_ORDER'])
  await expect.poll(() => changesOf(up), { timeout: 5_000 }).toEqual(['ACCEPTED', 'ACTIVATED', 'FILL'])
  await expect.poll(() => changesOf(down), { timeout: 5_000 }).toEqual(['ACCEPTED', 'ACTIVATED', 'DONE'])
})

test('the client library enters lists, by request and over a stream', async () => {
  const baseUrls = [platform.baseUrl]
  const api = new ApiClient({ baseUrls, region: 'eu-west' })
  valueOrThrow(await api.login(user.email, PASSWORD), 'log-in')
  const authenticate = async () =>
    ({ ok: true, value: { token: valueOrThrow(await api.accessToken(), 'token') } }) as const
  const live = new StreamClient({ baseUrls, region: 'us-east', authenticate })
  const pair = [
    { ...sell, type: 'LIMIT', price: '210.00' },
    { ...sell, type: 'STOP', stopPrice: '170.00' },
  ] as const
  try {
    valueOrThrow(await live.connect(), 'connection')
    for (const client of [api, live]) {
      const { results } = valueOrThrow(await client.placeList({ kind: 'OCO', orders: pair }), 'list')
      expect(results).toMatchObject([{ status: 'NEW' }, { status: 'WAITING' }])
      const [{ orderId }] = results as readonly [OrderAnswer]
      valueOrThrow(await api.cancelOrder(orderId), 'cancel')
      expect(await statusOf((results[1] as OrderAnswer).orderId)).toBe('CANCELLED LINKED_ORDER')
    }
  } finally {
    live.close()
    await api.close()
  }
})

test('one cancels the other, over a stream; a day ends', async () => {
  const orders = [
    { ...sell, type: 'LIMIT', price: '210.00' },
    { ...sell, type: 'STOP', stopPrice: '175.00' },
  ]
  const { results } = (await stream.ask({ op: 'order.place_list', kind: 'OCO', orders })) as {
    readonly results: readonly OrderAnswer[]
  }
  const [limit, stop] = results.map((order) => order.orderId) as [string, string]
  expect([await statusOf(limit), await statusOf(stop)]).toEqual(['NEW', 'WAITING'])
  await others[0].order({ ...buy, type: 'LIMIT', price: '174.00', quantity: '30' })
  await tradeAt('175.00')
  expect([await statusOf(limit), await statusOf(stop)]).toEqual(['CANCELLED LINKED_ORDER', 'FILLED'])

  const day = await enter({ ...buy, type: 'LIMIT', price: '150.00', timeInForce: 'DAY' })
  const key = readFileSync(join(dataDirectory, 'secrets/operator-api.key'), 'utf8').trim()
  const closed = await fetch(`${platform.baseUrl}/api/v1/operator/phase`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ symbol: 'SAP-EUR', phase: 'CLOSED' }),
  })
  expect(closed.status).toBe(200)
  expect(await statusOf(day)).toBe('EXPIRED EXPIRED')
})
