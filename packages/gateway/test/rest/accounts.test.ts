// Registration, sessions and API keys over REST, and what a new account gets.

import { randomUUID } from 'node:crypto'
import { CommandType } from '@wintrades/domain'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { amountInQuotes } from '../../src/rest/account-opening.ts'
import { demoDeposits } from '../../src/rest/demo-funds.ts'
import { call, PASSWORD, signedCall, User } from './client.ts'
import { startRegion, type TestRegion } from './region.ts'

let region: TestRegion

beforeAll(async () => {
  region = await startRegion()
})

afterAll(async () => {
  expect(region.errors).toEqual([])
  await region.stop()
})

const credentials = () => ({ email: `${randomUUID()}@example.com`, password: PASSWORD })

test('a registered user logs in, renews the session and logs out', async () => {
  const body = credentials()
  const registered = await call(region, 'POST', '/api/v1/auth/register', { body })
  expect(registered).toMatchObject({ status: 201, body: { userId: expect.any(String), accountId: expect.any(Number) } })
  const session = await call(region, 'POST', '/api/v1/auth/login', { body })
  expect(session).toMatchObject({
    status: 200,
    body: { accountId: registered.body.accountId, expiresIn: expect.any(Number) },
  })
  const { refreshToken } = session.body
  const renewed = await call(region, 'POST', '/api/v1/auth/refresh', { body: { refreshToken } })
  expect(renewed.status).toBe(200)
  const again = await call(region, 'POST', '/api/v1/auth/refresh', { body: { refreshToken } })
  expect(again).toMatchObject({ status: 401, body: { error: { code: 'TOKEN_REUSED' } } })
  const out = await call(region, 'POST', '/api/v1/auth/logout', { body: { refreshToken: renewed.body.refreshToken } })
  expect(out).toMatchObject({ status: 204, text: '' })
})

test('an e-mail address is taken once, and a wrong password is refused', async () => {
  const body = credentials()
  await call(region, 'POST', '/api/v1/auth/register', { body })
  const second = await call(region, 'POST', '/api/v1/auth/register', { body })
  expect(second).toMatchObject({ status: 409, body: { error: { code: 'EMAIL_TAKEN' } } })
  const wrong = await call(region, 'POST', '/api/v1/auth/login', { body: { ...body, password: 'something else 1' } })
  expect(wrong).toMatchObject({ status: 401, body: { error: { code: 'CREDENTIALS_INVALID' } } })
})

test('a new account has its demo funds, of every asset in each shard that trades it', async () => {
  const user = await User.register(region)
  const balances = (await user.get('/balances')).body.items.map((item: { asset: string; shard: string }) => [
    item.shard,
    item.asset,
  ])
  const deposits = demoDeposits(region.markets).map(({ shard, asset }) => [shard.name, asset.code])
  expect(balances.toSorted()).toEqual(deposits.toSorted())
  expect(deposits).toContainEqual(['asia-pacific', 'BTC'])
})

test('logging in again does not bring more', async () => {
  const user = await User.register(region)
  const before = (await user.get('/balances')).body
  await call(region, 'POST', '/api/v1/auth/login', { body: { email: user.email, password: PASSWORD } })
  expect((await user.get('/balances')).body).toEqual(before)
})

test('an API key signs requests within its scopes, until it is deleted', async () => {
  const user = await User.register(region)
  const made = await user.post('/keys', { label: 'reader', scopes: ['read'] })
  expect(made).toMatchObject({ status: 201, body: { label: 'reader', scopes: ['read'], secret: expect.any(String) } })
  const key = made.body
  expect((await user.get('/keys')).body.items).toEqual([expect.not.objectContaining({ secret: expect.anything() })])
  expect((await signedCall(region, key, 'GET', '/api/v1/balances?shard=us-east')).status).toBe(200)
  const trade = await signedCall(region, key, 'POST', '/api/v1/orders', { body: { symbol: 'SAP-EUR' } })
  expect(trade).toMatchObject({ status: 403, body: { error: { code: 'SCOPE_MISSING' } } })
  const deposit = { asset: 'EUR', amount: '1', region: 'eu-west', transferId: 'k-1' }
  const moved = await signedCall(region, key, 'POST', '/api/v1/deposits', { body: deposit })
  expect(moved).toMatchObject({
    status: 403,
    body: { error: { code: 'SCOPE_MISSING', details: { scope: 'transfer' } } },
  })
  const late = await signedCall(region, key, 'GET', '/api/v1/balances', { timestamp_ms: Date.now() - 120_000 })
  expect(late.body.error.code).toBe('TIMESTAMP_OUTSIDE_WINDOW')
  expect((await user.call('DELETE', `/keys/${key.keyId}`)).status).toBe(204)
  const gone = await signedCall(region, key, 'GET', '/api/v1/balances')
  expect(gone).toMatchObject({ status: 401, body: { error: { code: 'SIGNATURE_INVALID' } } })
})

test('a signature covers the body as it was sent', async () => {
  const user = await User.register(region)
  const { body: key } = await user.post('/keys', { label: 'trader', scopes: ['read', 'trade'] })
  const order = {
    symbol: 'SAP-EUR',
    side: 'BUY',
    type: 'LIMIT',
    price: '100.00',
    quantity: '1',
    clientOrderId: 'ünused',
  }
  const placed = await signedCall(region, key, 'POST', '/api/v1/orders', {
    body: { ...order, clientOrderId: 'signed-1' },
  })
  expect(placed.status).toBe(201)
  // Beyond ASCII the signature still fits; it is the id that is refused.
  const beyond = await signedCall(region, key, 'POST', '/api/v1/orders', { body: order })
  expect(beyond.body.error.code).toBe('CLIENT_ID_INVALID')
})

test('an API key cannot make another one', async () => {
  const user = await User.register(region)
  const { body: key } = await user.post('/keys', { label: 'narrow', scopes: ['read', 'transfer'] })
  const wider = await signedCall(region, key, 'POST', '/api/v1/keys', { body: { label: 'wide', scopes: ['trade'] } })
  expect(wider).toMatchObject({ status: 403, body: { error: { code: 'SCOPE_MISSING' } } })
})

test('default limits are in force before the first order', async () => {
  const limited = await startRegion({ MAX_POSITION_SIZE: '5000', RISK_LIMIT: '0.5' })
  try {
    const user = await User.register(limited)
    const fits = await user.order({ price: '100.00', quantity: '10', clientOrderId: 'fits' })
    expect(fits.status).toBe(201)
    const tooMuch = await user.order({ price: '100.00', quantity: '100', clientOrderId: 'too-much' })
    expect(tooMuch).toMatchObject({
      status: 422,
      body: { rejectCode: 'POSITION_LIMIT', error: { details: { limit: '5000' } } },
    })
  } finally {
    await limited.stop()
  }
})

test.each([
  ['us-east', '5000', 5_000_000_000],
  ['us-east', '0.5000009', 500_000],
  // JPY is kept to four places, SGD to six: the coarsest counts.
  ['asia-pacific', '5000', 50_000_000],
  ['asia-pacific', '0.00001', 1],
  ['us-east', '999999999999999', Number.MAX_SAFE_INTEGER],
])('in %s MAX_POSITION_SIZE=%s is %i smallest units', (name, size, units) => {
  const shard = region.markets.shards.find((one) => one.name === name)
  expect(shard && amountInQuotes(region.markets, shard, size)).toBe(units)
})

test('in live mode a new account has nothing, and only the operator deposits', async () => {
  const live = await startRegion({ TRADING_MODE: 'live' })
  try {
    const user = await User.register(live)
    expect((await user.get('/balances')).body.items).toEqual([])
    const deposit = { asset: 'EUR', amount: '100', region: 'eu-west', transferId: 'd-1' }
    expect((await user.post('/deposits', deposit)).body.error.code).toBe('OPERATOR_ONLY')
    const headers = { 'x-api-key': live.secrets.operatorApiKey }
    const body = { ...deposit, accountId: user.accountId }
    const given = await call(live, 'POST', '/api/v1/deposits', { headers, body })
    expect(given).toMatchObject({ status: 201, body: { status: 'settled', amount: '100.000000' } })
    expect((await user.get('/balances')).body.items).toMatchObject([{ asset: 'EUR', available: '100.000000' }])
  } finally {
    await live.stop()
  }
})

test('an opening that was interrupted is finished by a log-in, once', async () => {
  const body = credentials()
  const submit = region.venue.submit.bind(region.venue)
  // The shard is gone in the middle of the registration: some deposits are refused at the door.
  let refused = 0
  region.venue.submit = (shard, command, handler) => {
    if (command.type === CommandType.deposit && shard === 2) {
      refused++
      return 'unavailable'
    }
    return submit(shard, command, handler)
  }
  const registered = await call(region, 'POST', '/api/v1/auth/register', { body })
  region.venue.submit = submit
  expect(refused).toBeGreaterThan(0)
  expect(registered).toMatchObject({ status: 503, body: { error: { code: 'SHARD_UNAVAILABLE' } } })
  expect(registered.headers.get('retry-after')).toBe('1')
  const session = await call(region, 'POST', '/api/v1/auth/login', { body })
  const headers = { authorization: `Bearer ${session.body.accessToken}` }
  const balances = await call(region, 'GET', '/api/v1/balances', { headers })
  expect(balances.body.items).toHaveLength(demoDeposits(region.markets).length)
  expect(balances.body.items).toContainEqual({
    asset: 'USD',
    available: '1000000.000000',
    held: '0.000000',
    shard: 'us-east',
  })
})
