// A call auction as clients see it: what it would do, what it did, and the trades of orders that both rested.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { call, operator, User } from './client.ts'
import { startRegion, type TestRegion } from './region.ts'

const symbol = 'SAP-EUR'
let region: TestRegion

beforeAll(async () => {
  region = await startRegion()
})

afterAll(() => region.stop())

async function phase(name: string): Promise<void> {
  const body = { symbol, phase: name }
  expect((await call(region, 'POST', '/api/v1/operator/phase', { ...operator(region), body })).status).toBe(200)
}

const auction = async () => (await call(region, 'GET', `/api/v1/market/${symbol}/auction`)).body

test('orders gather, the price is told before they meet, and the younger one is the taker', async () => {
  const [seller, buyer] = [await User.register(region), await User.register(region)]
  expect(await auction()).toEqual({ symbol, phase: 'CONTINUOUS', price: null, volume: '0', surplus: '0' })
  await phase('OPENING_AUCTION')
  const ask = (await seller.order({ side: 'SELL', price: '190.00', quantity: '10' })).body
  await expect.poll(auction).toMatchObject({ phase: 'OPENING_AUCTION', price: null })
  const bid = (await buyer.order({ price: '190.00', quantity: '15' })).body
  expect([ask.status, bid.status]).toEqual(['NEW', 'NEW'])
  await expect.poll(auction).toMatchObject({ price: '190.00', volume: '10', surplus: '5' })
  expect((await call(region, 'GET', `/api/v1/market/${symbol}/ticker`)).body).toMatchObject({
    phase: 'OPENING_AUCTION',
  })

  await phase('CONTINUOUS')
  expect((await seller.get(`/orders/${ask.orderId}`)).body).toMatchObject({ status: 'FILLED', avgPrice: '190.00' })
  expect((await buyer.get(`/orders/${bid.orderId}`)).body).toMatchObject({ status: 'PARTIALLY_FILLED', leavesQty: '5' })
  const fills = async (user: User) => (await user.get('/trades')).body.items
  await expect.poll(() => fills(seller)).toMatchObject([{ side: 'SELL', liquidity: 'MAKER', quantity: '10' }])
  expect(await fills(buyer)).toMatchObject([{ side: 'BUY', liquidity: 'TAKER', quantity: '10' }])
  const trades = async () => (await call(region, 'GET', `/api/v1/market/${symbol}/trades`)).body.items
  await expect.poll(trades).toMatchObject([{ price: '190.00', quantity: '10', takerSide: 'BUY' }])
})
