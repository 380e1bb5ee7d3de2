// Deposits, withdrawals and transfers: each once per id, between the right shards, and never more than there is.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { call, operator, User } from './client.ts'
import { startRegion, type TestRegion } from './region.ts'

let region: TestRegion

beforeAll(async () => {
  region = await startRegion()
})

afterAll(async () => {
  expect(region.errors).toEqual([])
  await region.stop()
})

async function available(user: User, shard: string, asset: string): Promise<string | undefined> {
  const { body } = await user.get(`/balances?shard=${shard}`)
  return body.items.find((item: { asset: string }) => item.asset === asset)?.available
}

test('a deposit happens once per id, and answers with the first one’s amount', async () => {
  const user = await User.register(region)
  const deposit = { asset: 'EUR', amount: '12.5', region: 'eu-west', transferId: 'd-1' }
  const first = await user.post('/deposits', deposit)
  expect(first).toMatchObject({
    status: 201,
    body: { transferId: 'd-1', amount: '12.500000', shard: 'eu-west', status: 'settled' },
  })
  expect(first.headers.get('x-wt-seq')).toBe(String(first.body.seq))
  const second = await user.post('/deposits', { ...deposit, amount: '99' })
  expect(second).toMatchObject({ status: 200, body: { amount: '12.500000', duplicate: true } })
  expect(await available(user, 'eu-west', 'EUR')).toBe('1000012.500000')
})

test('a withdrawal of more than there is, is refused with the limit', async () => {
  const user = await User.register(region)
  const body = { asset: 'EUR', amount: '1000000.000001', region: 'eu-west', transferId: 'w-1' }
  const refused = await user.post('/withdrawals', body)
  expect(refused).toMatchObject({
    status: 422,
    body: { error: { code: 'FUNDS_INSUFFICIENT', details: { limit: '1000000.000000', value: '1000000.000001' } } },
  })
  // The id is used up: what became of it stays what it was.
  const again = await user.post('/withdrawals', { ...body, amount: '1' })
  expect(again).toMatchObject({ status: 422, body: { error: { details: { duplicate: true } } } })
  expect((await user.post('/withdrawals', { ...body, amount: '1', transferId: 'w-2' })).status).toBe(201)
})

test('a transfer leaves one shard and arrives in the other', async () => {
  const user = await User.register(region)
  const transfer = { asset: 'BTC', amount: '2', fromRegion: 'us-east', toRegion: 'asia-pacific', transferId: 't-1' }
  const sent = await user.post('/transfers', transfer)
  expect(sent).toMatchObject({ status: 201, body: { status: 'in_flight', shard: 'us-east', amount: '2.00000000' } })
  await expect.poll(() => available(user, 'asia-pacific', 'BTC')).toBe('22.00000000')
  expect(await available(user, 'us-east', 'BTC')).toBe('18.00000000')
  const listed = async () =>
    (await user.get('/transfers?limit=50')).body.items.find((item: { transferId: string }) => item.transferId === 't-1')
  await expect.poll(listed).toMatchObject({
    kind: 'TRANSFER',
    fromRegion: 'us-east',
    toRegion: 'asia-pacific',
    status: 'settled',
    amount: '2.00000000',
  })
  const again = await user.post('/transfers', transfer)
  expect(again).toMatchObject({ status: 200, body: { duplicate: true, status: 'settled' } })
  expect(await available(user, 'us-east', 'BTC')).toBe('18.00000000')
})

test('an id that an order has is not taken for a movement', async () => {
  const user = await User.register(region)
  await user.order({ clientOrderId: 'shared' })
  const deposit = { asset: 'EUR', amount: '1', region: 'eu-west', transferId: 'shared' }
  expect(await user.post('/deposits', deposit)).toMatchObject({
    status: 400,
    body: { error: { code: 'CLIENT_ID_INVALID' } },
  })
})

test('a repeated movement whose record has not come yet is unknown, not refused', async () => {
  const user = await User.register(region)
  region.holdHistory(true)
  const deposit = { asset: 'USD', amount: '1', region: 'us-east', transferId: 'early' }
  expect((await user.post('/deposits', deposit)).status).toBe(201)
  expect(await user.post('/deposits', deposit)).toMatchObject({
    status: 504,
    body: { error: { code: 'OUTCOME_UNKNOWN' } },
  })
  region.holdHistory(false)
  expect(await user.post('/deposits', deposit)).toMatchObject({ status: 200, body: { duplicate: true } })
})

test('the operator moves the funds of any account, and says whose', async () => {
  const user = await User.register(region)
  const body = { asset: 'EUR', amount: '5', region: 'eu-west', transferId: 'o-1', accountId: user.accountId }
  expect((await call(region, 'POST', '/api/v1/deposits', { ...operator(region), body })).status).toBe(201)
  const nobody = await call(region, 'POST', '/api/v1/deposits', {
    ...operator(region),
    body: { ...body, accountId: undefined },
  })
  expect(nobody).toMatchObject({ status: 400, body: { error: { details: [{ path: 'accountId' }] } } })
  const other = await User.register(region)
  expect((await other.post('/withdrawals', { ...body, transferId: 'o-2' })).body.error.code).toBe('OPERATOR_ONLY')
})

test.each([
  [{ amount: '0' }, 'DECIMAL_INVALID'],
  [{ amount: '0.0000001' }, 'DECIMAL_INVALID'],
  [{ amount: '99999999999999999999' }, 'DECIMAL_INVALID'],
  [{ amount: 5 }, 'REQUEST_MALFORMED'],
  [{ amount: '-5' }, 'REQUEST_MALFORMED'],
  [{ asset: 'DOGE' }, 'ASSET_NOT_LISTED'],
  [{ fromRegion: 'mars' }, 'REGION_UNKNOWN'],
  [{ toRegion: 'eu-west' }, 'REQUEST_MALFORMED'],
  [{ transferId: 'a b' }, 'REQUEST_MALFORMED'],
  [{ more: 1 }, 'REQUEST_MALFORMED'],
])('a transfer with %j is %s', async (fields, code) => {
  const user = await User.register(region)
  const body = { asset: 'EUR', amount: '1', fromRegion: 'eu-west', toRegion: 'us-east', transferId: 'x-1', ...fields }
  expect((await user.post('/transfers', body)).body.error.code).toBe(code)
})
