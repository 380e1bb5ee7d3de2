// Walks the API's own description and sends whatever JSON to every operation, with and without credentials. Promises: every answer is
// a success or a catalogued error, never INTERNAL, and a request that was refused changed nothing in any shard.

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { errorCatalogue } from '../../src/errors.ts'
import { type Answer, call, operator, User } from './client.ts'
import { type Operation, operationsOf, type Parameter } from './openapi.ts'
import { startRegion, type TestRegion } from './region.ts'

let region: TestRegion
let user: User
let operations: readonly Operation[]

beforeAll(async () => {
  region = await startRegion()
  user = await User.register(region)
  await user.order({ clientOrderId: 'there' })
  operations = operationsOf((await call(region, 'GET', '/openapi.json')).body)
})

afterAll(async () => {
  expect(region.errors).toEqual([])
  await region.stop()
})

const STATUSES = new Map(errorCatalogue().map(({ code, status }) => [code, status]))
/** Answers after which something may have changed. */
const MAY_HAVE_HAPPENED = 504

const RUNS_PER_OPERATION = 80

/** What gets past the first checks, by the name of the field or parameter. */
const FITTING: Readonly<Record<string, readonly unknown[]>> = {
  // Nothing is blocked or closed for long, or the other requests would not get far.
  phase: ['CONTINUOUS', 'LUNCH'],
  scope: ['ACCOUNT', 'INSTRUMENT', 'SHARD', 'WORLD'],
  blocked: [false],
  apiKey: [1, 4_294_967_295, 0],
  riskLimit: ['0', '1.0', '0.5', '1.1'],
  priceBand: ['0', '1', '0.1234567'],
  positionValueMax: ['0', '90071992547409.93', '1'],
  orderNotionalMax: ['0', '1000000000'],
  dailyLossMax: ['0', '1000000000'],
  drawdownMax: ['0', '1000000000'],
  openOrdersMax: [0, 2_147_483_647, -1],
  ordersPerSecondMax: [0, 2_147_483_647],
  duplicateWindow_ms: [0, 1_000, 999_999_999],
  version: [1, 0, 60_000],
  symbol: ['SAP-EUR', 'SAP-EUR', 'SAP-EUR', 'BTC-USD', 'TM-JPY', 'NOPE-USD'],
  side: ['BUY', 'SELL'],
  type: ['LIMIT', 'LIMIT', 'LIMIT', 'MARKET', 'STOP', 'TAKE_PROFIT_LIMIT', 'TRAILING_STOP'],
  timeInForce: ['GTC', 'GTC', 'IOC', 'FOK', 'DAY', 'GTD'],
  stopPrice: ['90.00', '210.00', '0'],
  trailingOffset: ['1.00', '500.00'],
  displayQuantity: ['1', '5'],
  minimumQuantity: ['1', '10'],
  expireTime: [4_000_000_000_000, 1, 9_007_199_254_740_991],
  kind: ['OCO', 'BRACKET', 'TRIO'],
  selfTradePrevention: ['NONE', 'CANCEL_BOTH'],
  price: ['100.00', '150.00', '195.5', '0.01', '1000000', '0', '100.001', '90071992547409.93'],
  quantity: ['1', '10', '500000', '0.0001', '99999999999'],
  quoteAmount: ['1000', '0.000001'],
  postOnly: [true, false],
  reduceOnly: [true, false],
  cancelOnDisconnect: [true, false],
  clientOrderId: ['there', 'new-1', 'new-2', 'with space'],
  orderId: ['16', '417', '33', '9007199254740991', '9007199254740993'],
  status: ['open', 'closed'],
  shard: ['eu-west', 'us-east', 'mars'],
  region: ['eu-west', 'us-east', 'mars'],
  to: ['us-east', 'eu-west', 'mars', '0', '1767571200000'],
  fromRegion: ['us-east', 'eu-west'],
  toRegion: ['us-east', 'eu-west', 'asia-pacific'],
  asset: ['USD', 'EUR', 'BTC', 'DOGE'],
  amount: ['1', '0.5', '0', '99999999', '9007199254740993'],
  transferId: ['t-1', 't-2', 'there'],
  accountId: [1, 1_001, 4_000_000],
  minSeq: ['eu-west:1', 'us-east:1,eu-west:1', 'mars:1'],
  cursor: ['0:1.1.1', '1:9.0.0,2:9.0.0', '1:2', '99:1', '0:0'],
  limit: ['1', '1000', '1001'],
  levels: ['1', '1000', '0'],
  interval: ['1m', '1d', '1y'],
  from: ['0', '1767571200000', '8640000000001'],
  hash: ['0', '1'],
  keyId: ['wtk_unknown', 'x'],
  label: ['a key', ''],
  scopes: [['read'], ['read', 'trade'], ['read', 'read'], []],
  ipAllowList: [['10.0.0.0/8'], ['nowhere'], []],
  email: ['ada@example.com', 'nobody'],
  password: ['correct horse battery staple', 'short'],
  refreshToken: ['a.b', `${'a'.repeat(22)}.${'b'.repeat(43)}`],
}

const oddText = fc.constantFrom(
  ...['', ' ', '\u0000', '"', '💥', '../..', '%00', '__proto__', 'constructor', 'NaN', '1e9', '-1', 'a'.repeat(600)],
)
const scalar = fc.oneof(
  oddText,
  fc.string({ maxLength: 40 }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
)
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(fc.constantFrom(...Object.keys(FITTING), '__proto__', 'constructor'), fc.string({ maxLength: 8 })),
      tie('json'),
      { maxKeys: 8 },
    ),
  ),
}))

/** Mostly what fits, so that requests get far, and now and then anything. */
function fieldOf(name: string, odd: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  if (name === 'orders')
    return fc.oneof({ weight: 5, arbitrary: fc.array(objectOf(ORDER_FIELDS), { maxLength: 4 }) }, json)
  if (name === 'exits')
    return fc.oneof({ weight: 5, arbitrary: fc.array(leg('SELL'), { minLength: 1, maxLength: 2 }) }, json)
  if (name === 'entry') return fc.oneof({ weight: 5, arbitrary: leg('BUY') }, json)
  const fitting = FITTING[name]
  if (fitting === undefined) throw new Error(`${name} has no fitting values`)
  return fc.oneof({ weight: 40, arbitrary: fc.constantFrom(...fitting) }, { weight: 1, arbitrary: odd })
}

const LEG_FIELDS = ['symbol', 'type', 'price', 'stopPrice', 'quantity', 'clientOrderId']
const ORDER_FIELDS = ['symbol', 'side', 'type', 'price', 'quantity', 'timeInForce', 'clientOrderId', 'postOnly']

/** An order as it would be in a list. */
function leg(side: string): fc.Arbitrary<object> {
  return objectOf(LEG_FIELDS).map((order) => ({ side, ...order }))
}

/** Now and then a field is missing, and one nobody knows is there. */
function objectOf(names: readonly string[]): fc.Arbitrary<object> {
  const fields = Object.fromEntries(
    names.map((name) => [name, fc.option(fieldOf(name, json), { nil: undefined, freq: 30 })]),
  )
  const more = fc.option(fc.dictionary(fc.string({ maxLength: 5 }), json, { maxKeys: 1 }), { nil: {}, freq: 1 })
  return fc
    .tuple(fc.record(fields), fc.boolean(), fc.boolean(), more)
    .map(([known, a, b, extra]) => (a && b ? { ...extra, ...known } : known))
}

function bodyFor({ body }: Operation): fc.Arbitrary<unknown> {
  const names = Object.keys((body?.['properties'] ?? {}) as object)
  return fc.oneof({ weight: 6, arbitrary: objectOf(names) }, { weight: 1, arbitrary: json })
}

function pathFor({ path, parameters }: Operation): fc.Arbitrary<string> {
  const text = ({ name }: Parameter) => fieldOf(name, fc.oneof(oddText, fc.string({ maxLength: 20 }))).map(String)
  const steps = parameters.filter((parameter) => parameter.in === 'path')
  const query = parameters.filter((parameter) => parameter.in === 'query')
  const needed = query.filter(({ required }) => required === true).map(({ name }) => name)
  const queries = fc.record(Object.fromEntries(query.map((one) => [one.name, text(one)])), { requiredKeys: needed })
  return fc.tuple(fc.tuple(...steps.map(text)), queries).map(([values, asked]) => {
    let at = path
    for (const [index, { name }] of steps.entries()) {
      at = at.replace(`{${name}}`, encodeURIComponent((values[index] as string).toWellFormed()))
    }
    const search = new URLSearchParams(asked as Record<string, string>).toString()
    return search === '' ? at : `${at}?${search}`
  })
}

const credentials = fc.constantFrom('user', 'user', 'user', 'user', 'user', 'user', 'operator', 'nobody', 'forged')

function headersFor(kind: string): Readonly<Record<string, string>> {
  if (kind === 'user') return { authorization: `Bearer ${user.token}` }
  if (kind === 'operator') return operator(region).headers ?? {}
  if (kind === 'forged') return { 'x-wt-key': 'wtk_x', 'x-wt-timestamp': 'now', 'x-wt-signature': 'ff' }
  return {}
}

test('whatever is sent, the answer is of the catalogue, and what is refused changes nothing', async () => {
  for (const operation of operations) {
    const takesBody = operation.method !== 'GET'
    const request = fc.record({
      path: pathFor(operation),
      body: takesBody ? fc.option(bodyFor(operation), { nil: undefined }) : fc.constant(undefined),
      who: credentials,
    })
    await fc.assert(
      fc.asyncProperty(request, async ({ path, body, who }) => {
        const before = await region.stateHashes()
        const answer = await call(region, operation.method, path, {
          headers: headersFor(who),
          ...(body === undefined ? {} : { body }),
        })
        expectCatalogued(answer)
        // What the engine itself refuses it remembers: that is how the same id gets the same answer.
        const refusedAtTheDoor =
          answer.status >= 400 && answer.status !== MAY_HAVE_HAPPENED && !isOfEngine(operation, answer)
        if (refusedAtTheDoor) expect(await region.stateHashes()).toEqual(before)
      }),
      { numRuns: RUNS_PER_OPERATION },
    )
  }
}, 120_000)

function expectCatalogued(answer: Answer): void {
  if (answer.status < 400) return
  // Readiness tells its reasons instead.
  if (answer.body?.ready === false) return
  const code = answer.body?.error?.code
  expect(code, answer.text).not.toBe('INTERNAL')
  expect([code, answer.status]).toEqual([code, STATUSES.get(code)])
}

/** The engine was asked. A movement whose id something else has is refused after it was. */
function isOfEngine({ method, path }: Operation, { status, body }: Answer): boolean {
  const code = body?.error?.code
  const isMovement = method === 'POST' && /\/(deposits|withdrawals|transfers)$/.test(path)
  if (isMovement && code === 'CLIENT_ID_INVALID') return true
  return status === 422 || body?.status === 'REJECTED' || code === 'ORDER_UNKNOWN' || code === 'ORDER_OF_OTHER_ACCOUNT'
}
