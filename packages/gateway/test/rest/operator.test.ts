// The operator's commands: who may give them, and what they do to trading.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { call, LIMIT_BUY, operator, User } from './client.ts'
import { startRegion, type TestRegion } from './region.ts'

let region: TestRegion
let user: User

beforeAll(async () => {
  region = await startRegion()
  user = await User.register(region)
})

afterAll(() => region.stop())

const command = (path: string, body: object) =>
  call(region, 'POST', `/api/v1/operator/${path}`, { ...operator(region), body })

test('only the operator commands', async () => {
  const body = { scope: 'ACCOUNT', accountId: 1001, blocked: true }
  const answer = await user.post('/operator/kill-switch', body)
  expect([answer.status, answer.body.error.code]).toEqual([403, 'OPERATOR_ONLY'])
})

test('an account that is blocked loses its orders and enters none, until it may again', async () => {
  const resting = await user.post('/orders', LIMIT_BUY)
  expect(resting.status).toBe(201)
  const target = { scope: 'ACCOUNT', accountId: user.accountId }
  const blocked = await command('kill-switch', { ...target, blocked: true })
  expect(blocked.body.results.map((one: { shard: string }) => one.shard)).toEqual([
    'us-east',
    'eu-west',
    'asia-pacific',
  ])
  expect((await user.get(`/orders/${resting.body.orderId}`)).body.status).toBe('CANCELLED')
  expect((await user.post('/orders', LIMIT_BUY)).body.error.code).toBe('ACCOUNT_BLOCKED')
  await command('kill-switch', { ...target, blocked: false })
  expect((await user.post('/orders', LIMIT_BUY)).status).toBe(201)
})

test('an instrument that is halted takes no market order; a shard that is blocked takes none at all', async () => {
  const { symbol } = LIMIT_BUY
  const market = { symbol, side: 'BUY', type: 'MARKET', quantity: '1' }
  expect((await command('phase', { symbol, phase: 'CLOSED' })).status).toBe(200)
  expect((await user.post('/orders', market)).body.error.code).toBe('MARKET_CLOSED')
  await command('phase', { symbol, phase: 'CONTINUOUS' })
  const shard = 'eu-west'
  await command('kill-switch', { scope: 'SHARD', shard, blocked: true })
  expect((await user.post('/orders', LIMIT_BUY)).body.error.code).toBe('SHARD_BLOCKED')
  await command('kill-switch', { scope: 'SHARD', shard, blocked: false })
  expect((await user.post('/orders', LIMIT_BUY)).status).toBe(201)
})

test('limits of an account hold from the command on, and name themselves', async () => {
  const limited = await User.register(region)
  await command('account-limits', { accountId: limited.accountId, openOrdersMax: 1 })
  expect((await limited.post('/orders', LIMIT_BUY)).status).toBe(201)
  const refused = await limited.post('/orders', LIMIT_BUY)
  expect(refused.body.error).toMatchObject({ code: 'OPEN_ORDERS_LIMIT', details: { limit: '1', value: '2' } })
  await command('account-limits', { accountId: limited.accountId })
  expect((await limited.post('/orders', LIMIT_BUY)).status).toBe(201)
})

test('rules that no engine knows are refused', async () => {
  const refused = await command('activate-version', { version: 60_000 })
  expect(refused.body.error.code).toBe('VERSION_NOT_SUPPORTED')
})

test('what does not exist is named', async () => {
  expect((await command('phase', { symbol: 'NO-NE', phase: 'CLOSED' })).body.error.code).toBe('SYMBOL_UNKNOWN')
  const shard = { scope: 'SHARD', shard: 'mars', blocked: true }
  expect((await command('kill-switch', shard)).body.error.code).toBe('SHARD_UNKNOWN')
})

test('whatever the operator commands is in the audit log, with its outcome; refusals too, secrets never', async () => {
  const audited = await User.register(region)
  await command('kill-switch', { scope: 'ACCOUNT', accountId: audited.accountId, blocked: false })
  await command('phase', { symbol: 'NONE-SUCH', phase: 'CLOSED' })
  const deposit = { accountId: audited.accountId, asset: 'USD', amount: '5', region: 'us-east', transferId: 'audited' }
  await call(region, 'POST', '/api/v1/deposits', { ...operator(region), body: deposit })
  const wrongKey = { headers: { 'x-api-key': 'not-the-key-of-this-platform' } }
  await call(region, 'GET', '/api/v1/operator/audit', wrongKey)
  const page = await call(region, 'GET', '/api/v1/operator/audit?limit=1000', operator(region))
  const about = (action: string) => page.body.items.find((one: { action: string }) => one.action === action)
  const { accountId } = audited
  expect(about('operator: kill switch')).toMatchObject({
    principal: 'operator',
    accountId,
    address: '127.0.0.1',
    target: `account ${accountId}`,
    outcome: 'done',
    details: { scope: 'ACCOUNT', blocked: false },
  })
  expect(about('operator: phase')).toMatchObject({ outcome: 'SYMBOL_UNKNOWN', target: 'instrument NONE-SUCH' })
  expect(about('operator: deposit')).toMatchObject({ outcome: 'done', details: { amount: '5', transferId: 'audited' } })
  expect(about('use operator key')).toMatchObject({ principal: 'nobody', outcome: 'OPERATOR_ONLY' })
  expect(about('register')).toMatchObject({ principal: 'user', accountId, outcome: 'done' })
  expect(page.text).not.toContain(region.secrets.operatorApiKey)
  expect(page.text).not.toContain('not-the-key-of-this-platform')
})

test('the audit log is read in pages without holes', async () => {
  const path = '/api/v1/operator/audit'
  const all = (await call(region, 'GET', `${path}?limit=1000`, operator(region))).body.items
  const paged: unknown[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { body } = await call(region, 'GET', `${path}?limit=3${more}`, operator(region))
    paged.push(...body.items)
    cursor = body.cursor
  }
  expect(all.length).toBeGreaterThan(6)
  expect(paged).toEqual(all)
})
