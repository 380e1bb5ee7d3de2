// Every route of the API: it answers what its description says, refuses who has not proven who they are, and refuses what is malformed.
// A route that is not in the table below fails the test.

import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { errorCatalogue } from '../../src/errors.ts'
import { type Answer, call, LIMIT_BUY, operator, PASSWORD, User } from './client.ts'
import { type Operation, operationsOf } from './openapi.ts'
import { startRegion, type TestRegion } from './region.ts'

let region: TestRegion
let user: User
/** Its session is renewed and ended. */
let leaving: User
let keyId: string
let operations: readonly Operation[]

beforeAll(async () => {
  region = await startRegion()
  user = await User.register(region)
  leaving = await User.register(region)
  keyId = (await user.post('/keys', { label: 'to be deleted', scopes: ['read'] })).body.keyId
  operations = operationsOf((await call(region, 'GET', '/openapi.json')).body)
})

afterAll(async () => {
  expect(region.errors).toEqual([])
  await region.stop()
})

type Example = {
  readonly status: number
  readonly body?: () => unknown
  readonly path?: () => Promise<string> | string
  /** How it can be malformed; null: it takes nothing. */
  readonly malformed: { readonly body?: unknown; readonly path?: string } | null
}

const v1 = '/api/v1'
const email = () => `${Math.random().toString(36).slice(2)}@example.com`
const orderPath = async () => `${v1}/orders/${(await user.order()).body.orderId}`
const movement = () => ({
  asset: 'USD',
  amount: '1',
  region: 'us-east',
  transferId: `m-${Math.random().toString(36).slice(2)}`,
})

const EXAMPLES: Readonly<Record<string, Example>> = {
  'GET /health': { status: 200, malformed: null },
  'GET /health/live': { status: 200, malformed: null },
  'GET /health/ready': { status: 200, malformed: null },
  'GET /health/region': {
    status: 200,
    path: () => '/health/region?hash=1',
    malformed: { path: '/health/region?hash=2' },
  },
  'GET /metrics': { status: 200, malformed: null },
  'POST /api/v1/operator/hand-over': {
    status: 200,
    body: () => ({ shard: 'us-east', to: 'us-east' }),
    malformed: { body: { shard: 'us-east' } },
  },
  'POST /api/v1/operator/phase': {
    status: 200,
    body: () => ({ symbol: 'DBS-SGD', phase: 'CONTINUOUS' }),
    malformed: { body: { symbol: 'DBS-SGD', phase: 'LUNCH' } },
  },
  'POST /api/v1/operator/kill-switch': {
    status: 200,
    body: () => ({ scope: 'INSTRUMENT', symbol: 'DBS-SGD', blocked: false }),
    malformed: { body: { scope: 'ACCOUNT', symbol: 'DBS-SGD', blocked: true } },
  },
  'POST /api/v1/operator/account-limits': {
    status: 200,
    body: () => ({ accountId: 77, riskLimit: '0.5', openOrdersMax: 10 }),
    malformed: { body: { accountId: 77, riskLimit: '1.5' } },
  },
  'POST /api/v1/operator/activate-version': {
    status: 200,
    body: () => ({ version: region.venue.status().engineVersion }),
    malformed: { body: { version: 0 } },
  },
  'GET /api/v1/operator/audit': {
    status: 200,
    path: () => `${v1}/operator/audit?limit=2&accountId=${user.accountId}`,
    malformed: { path: `${v1}/operator/audit?cursor=yesterday` },
  },
  'POST /api/v1/auth/register': {
    status: 201,
    body: () => ({ email: email(), password: PASSWORD }),
    malformed: { body: { email: 5 } },
  },
  'POST /api/v1/auth/login': {
    status: 200,
    body: () => ({ email: user.email, password: PASSWORD }),
    malformed: { body: {} },
  },
  'POST /api/v1/auth/refresh': {
    status: 200,
    body: () => ({ refreshToken: leaving.refreshToken }),
    malformed: { body: { refreshToken: null } },
  },
  'POST /api/v1/auth/logout': {
    status: 204,
    body: () => ({ refreshToken: leaving.refreshToken }),
    malformed: { body: [] },
  },
  'POST /api/v1/keys': {
    status: 201,
    body: () => ({ label: 'k', scopes: ['read'] }),
    malformed: { body: { label: 'k', scopes: ['everything'] } },
  },
  'GET /api/v1/keys': { status: 200, malformed: null },
  'DELETE /api/v1/keys/{keyId}': {
    status: 204,
    path: () => `${v1}/keys/${keyId}`,
    malformed: { path: `${v1}/keys/a%20b` },
  },
  'GET /api/v1/instruments': { status: 200, malformed: null },
  'GET /api/v1/assets': { status: 200, malformed: null },
  'GET /api/v1/shards': { status: 200, malformed: null },
  'POST /api/v1/orders': { status: 201, body: () => LIMIT_BUY, malformed: { body: { ...LIMIT_BUY, side: 'buy' } } },
  'POST /api/v1/orders/batch': {
    status: 200,
    body: () => ({ orders: [LIMIT_BUY] }),
    malformed: { body: { orders: [] } },
  },
  'POST /api/v1/orders/list': {
    status: 200,
    body: () => ({
      kind: 'BRACKET',
      entry: LIMIT_BUY,
      exits: [{ symbol: 'SAP-EUR', side: 'SELL', type: 'STOP', stopPrice: '90.00', quantity: '10' }],
    }),
    malformed: { body: { kind: 'BRACKET', entry: LIMIT_BUY, exits: [] } },
  },
  'GET /api/v1/orders': {
    status: 200,
    path: () => `${v1}/orders?limit=3`,
    malformed: { path: `${v1}/orders?limit=0` },
  },
  'DELETE /api/v1/orders': { status: 200, malformed: { path: `${v1}/orders?side=UP` } },
  'GET /api/v1/orders/{orderId}': { status: 200, path: orderPath, malformed: { path: `${v1}/orders/abc` } },
  'DELETE /api/v1/orders/{orderId}': { status: 200, path: orderPath, malformed: { path: `${v1}/orders/-1` } },
  'PATCH /api/v1/orders/{orderId}': {
    status: 200,
    path: orderPath,
    body: () => ({ price: '99.00' }),
    malformed: { path: `${v1}/orders/16`, body: {} },
  },
  'GET /api/v1/orders/by-client-id/{clientOrderId}': {
    status: 200,
    path: async () => `${v1}/orders/by-client-id/${(await user.order()).body.clientOrderId}?symbol=SAP-EUR`,
    malformed: { path: `${v1}/orders/by-client-id/x` },
  },
  'GET /api/v1/trades': { status: 200, malformed: { path: `${v1}/trades?symbol=nothing` } },
  'GET /api/v1/balances': { status: 200, malformed: { path: `${v1}/balances?minSeq=5` } },
  'GET /api/v1/positions': { status: 200, malformed: { path: `${v1}/positions?what=5` } },
  'GET /api/v1/transfers': { status: 200, malformed: { path: `${v1}/transfers?limit=1001` } },
  'POST /api/v1/transfers': {
    status: 201,
    body: () => ({ asset: 'BTC', amount: '1', fromRegion: 'us-east', toRegion: 'eu-west', transferId: 'once' }),
    malformed: { body: { asset: 'BTC' } },
  },
  'POST /api/v1/deposits': { status: 201, body: movement, malformed: { body: { asset: 'usd' } } },
  'POST /api/v1/withdrawals': { status: 201, body: movement, malformed: { body: { ...movement(), amount: '1e3' } } },
  'GET /api/v1/market/{symbol}/depth': {
    status: 200,
    path: () => `${v1}/market/SAP-EUR/depth?levels=5`,
    malformed: { path: `${v1}/market/SAP-EUR/depth?levels=many` },
  },
  'GET /api/v1/market/{symbol}/trades': {
    status: 200,
    path: () => `${v1}/market/SAP-EUR/trades`,
    malformed: { path: `${v1}/market/SAP-EUR/trades?limit=-1` },
  },
  'GET /api/v1/market/{symbol}/candles': {
    status: 200,
    path: () => `${v1}/market/SAP-EUR/candles?interval=5m`,
    malformed: { path: `${v1}/market/SAP-EUR/candles?interval=7m` },
  },
  'GET /api/v1/market/{symbol}/ticker': {
    status: 200,
    path: () => `${v1}/market/SAP-EUR/ticker`,
    malformed: { path: `${v1}/market/sap/ticker` },
  },
  'GET /api/v1/market/{symbol}/auction': {
    status: 200,
    path: () => `${v1}/market/SAP-EUR/auction`,
    malformed: { path: `${v1}/market/sap/auction` },
  },
  'GET /api/v1/market/tickers': { status: 200, malformed: null },
}

const CODES = new Map(errorCatalogue().map(({ code, status }) => [code, status]))
const anywhere: CallHeaders = {}
type CallHeaders = Readonly<Record<string, string>>

function exampleOf({ method, path }: Operation): Example {
  const example = EXAMPLES[`${method} ${path}`]
  if (example === undefined) throw new Error(`${method} ${path} has no example`)
  return example
}

function credentialsFor({ security }: Operation): CallHeaders {
  if (security.includes('bearer')) return { authorization: `Bearer ${user.token}` }
  if (security.includes('operator')) return operator(region).headers ?? {}
  return anywhere
}

function expectCatalogued(answer: Answer): void {
  const { code } = answer.body.error
  expect([code, CODES.get(code)]).toEqual([code, answer.status])
}

test('the table names every route, and nothing else', () => {
  expect(operations.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(Object.keys(EXAMPLES).toSorted())
})

test('every route answers what its description says', async () => {
  for (const operation of operations) {
    const { status, path, body } = exampleOf(operation)
    const headers = credentialsFor(operation)
    const options = { headers, ...(body === undefined ? {} : { body: body() }) }
    const answer = await call(region, operation.method, (await path?.()) ?? operation.path, options)
    const name = `${operation.method} ${operation.path}`
    expect([name, answer.status, answer.status === status ? '' : answer.text]).toEqual([name, status, ''])
    expect(answer.headers.get('x-request-id'), name).toMatch(/^[0-9a-f-]{36}$/)
    const schema = operation.answers[String(status)]
    if (schema === undefined || status === 204) continue
    const faults = Compile(schema as TSchema).Errors(answer.body)
    expect([name, faults]).toEqual([name, []])
  }
})

test('every route that is not public wants to know who asks', async () => {
  const closed = operations.filter(({ security }) => security.length > 0)
  expect(closed.length).toBeGreaterThan(15)
  for (const { method, path, security } of closed) {
    const nobody = await call(region, method, path, { raw: method === 'GET' ? undefined : '{' } as object)
    expect([method, path, nobody.body.error.code]).toEqual([method, path, 'AUTHENTICATION_REQUIRED'])
    const forged = await call(region, method, path, { headers: { authorization: 'Bearer no.such.token' } })
    expect([method, path, forged.body.error.code]).toEqual([method, path, 'TOKEN_INVALID'])
    if (security.includes('bearer')) continue
    const mere = await user.call(method, path.replace(v1, ''))
    expect([method, path, mere.body.error.code]).toEqual([method, path, 'OPERATOR_ONLY'])
  }
})

test('every route refuses what is malformed, and says where', async () => {
  for (const operation of operations) {
    const { malformed } = exampleOf(operation)
    if (malformed === null) continue
    const headers = credentialsFor(operation)
    const options = { headers, ...('body' in malformed ? { body: malformed.body } : {}) }
    const answer = await call(region, operation.method, malformed.path ?? operation.path, options)
    const name = `${operation.method} ${operation.path}`
    expect([name, answer.status, answer.body.error.code]).toEqual([name, 400, 'REQUEST_MALFORMED'])
    const details = [answer.body.error.details].flat()
    expect(details[0], name).toMatchObject({ path: expect.any(String), message: expect.any(String) })
  }
})

test.each([
  ['GET', '/api/v1/nothing', 404, 'NOT_FOUND'],
  ['GET', '/api/v2/orders', 404, 'NOT_FOUND'],
  ['PUT', '/api/v1/orders', 405, 'METHOD_NOT_ALLOWED'],
  ['POST', '/health', 405, 'METHOD_NOT_ALLOWED'],
  ['GET', '/api/v1/market/NOPE-USD/depth', 404, 'SYMBOL_UNKNOWN'],
  ['GET', '/api/v1/orders/%E0%A4%A', 400, 'REQUEST_MALFORMED'],
])('%s %s: %i %s', async (method, path, status, code) => {
  const answer = await call(region, method, path, { headers: { authorization: `Bearer ${user.token}` } })
  expect(answer).toMatchObject({ status, body: { error: { code } } })
  if (status === 405) expect(answer.headers.get('allow')).toMatch(/GET|POST/)
})

test('bodies have a limit and a type', async () => {
  const large = await user.call('POST', '/orders', {
    raw: JSON.stringify({ ...LIMIT_BUY, clientOrderId: 'x'.repeat(1_048_576) }),
  })
  expect(large).toMatchObject({ status: 413, body: { error: { code: 'BODY_TOO_LARGE' } } })
  const text = await user.call('POST', '/orders', { raw: 'hello', headers: { 'content-type': 'text/plain' } })
  expect(text).toMatchObject({ status: 415, body: { error: { code: 'MEDIA_TYPE_UNSUPPORTED' } } })
  const half = await user.call('POST', '/orders', { raw: '{"symbol":' })
  expect(half).toMatchObject({ status: 400, body: { error: { details: [{ path: 'body', message: 'must be JSON' }] } } })
  const polluted = await user.call('POST', '/transfers', { raw: '{"__proto__":{"asset":"USD"}}' })
  expect(polluted.body.error.code).toBe('REQUEST_MALFORMED')
})

test('a fault of the platform is logged under the request’s id, and does not leak', async () => {
  const account = region.venue.account.bind(region.venue)
  region.venue.account = () => Promise.reject(new Error('the inner truth'))
  const answer = await user.get('/balances')
  region.venue.account = account
  expect(answer).toMatchObject({ status: 500, body: { error: { code: 'INTERNAL' } } })
  expect(answer.text).not.toContain('inner truth')
  const [line] = region.errors
  expect(line).toContain('the inner truth')
  expect(line).toContain(answer.headers.get('x-request-id'))
  ;(region.errors as string[]).length = 0
})

test('the page and all that it needs come from here', async () => {
  const page = await call(region, 'GET', '/docs')
  expect(page.status).toBe(200)
  const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] as string)
  expect(assets.length).toBeGreaterThan(3)
  for (const asset of assets) {
    expect(asset).toMatch(/^\/docs\//)
    expect((await call(region, 'GET', asset)).status, asset).toBe(200)
  }
  expect((await call(region, 'GET', '/docs/json')).body.openapi).toBe('3.1.0')
  expectCatalogued(await call(region, 'GET', '/docs/nothing'))
})

test('the figures are named for Prometheus, by route and never by path', async () => {
  await user.get('/orders/16')
  const { text } = await call(region, 'GET', '/metrics')
  expect(text).toContain('route="/api/v1/orders/:orderId"')
  expect(text).not.toContain('/orders/16')
  expect(text).toMatch(/wintrades_shard_seq\{.*shard="eu-west".*\} \d+/)
})

test('too many requests are told how long to wait', async () => {
  const strict = await startRegion({ RATE_LIMIT_REQUESTS_PER_SECOND: '3' })
  try {
    const hasty = await User.register(strict)
    const answers = await Promise.all(Array.from({ length: 5 }, () => hasty.get('/balances')))
    const refused = answers.find(({ status }) => status === 429)
    expect(refused).toMatchObject({ body: { error: { code: 'RATE_LIMITED', retryAfter_ms: expect.any(Number) } } })
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  } finally {
    await strict.stop()
  }
})
