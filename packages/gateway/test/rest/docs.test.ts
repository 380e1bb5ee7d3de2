// docs/api.md says what is: every code of the catalogue, every endpoint, and a signature that comes out as written.

import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { errorCatalogue } from '../../src/errors.ts'
import { call, User } from './client.ts'
import { operationsOf } from './openapi.ts'
import { startRegion, type TestRegion } from './region.ts'

const page = readFileSync(fileURLToPath(new URL('../../../../docs/api.md', import.meta.url)), 'utf8')
let region: TestRegion

beforeAll(async () => {
  region = await startRegion()
})

afterAll(async () => {
  await region.stop()
})

function section(title: string): string {
  const [, text] = page.split(`\n## ${title}\n`)
  if (text === undefined) throw new Error(`docs/api.md has no section ${title}`)
  return text.split('\n## ')[0] as string
}

test('the table of errors is the catalogue', () => {
  const rows = section('Errors')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  const catalogue = errorCatalogue().map(({ code, status, meaning }) => `| \`${code}\` | ${status} | ${meaning} |`)
  expect(rows).toEqual(catalogue)
})

test('the table of endpoints has every operation, and no other', async () => {
  const rows = section('Endpoints').matchAll(/`(GET|POST|PATCH|DELETE) (\/[^`]*)`/g)
  const written = [...rows].map((match) => `${match[1]} ${match[2]}`)
  const operations = operationsOf((await call(region, 'GET', '/openapi.json')).body)
  const described = operations.map(({ method, path }) => `${method} ${path.replace(/^\/api\/v1/, '')}`)
  expect(written.toSorted()).toEqual(described.toSorted())
})

test('every order and list of the page is entered as it is written', async () => {
  const [maker, user] = [await User.register(region), await User.register(region)]
  // A last price, and a book on both sides of it.
  await maker.order({ side: 'SELL', price: '191.00', quantity: '100' })
  await maker.order({ price: '191.00', quantity: '1' })
  await maker.order({ price: '189.00', quantity: '100' })
  const blocks = [...section('Orders').matchAll(/```json\n(.*?)```/gs)].map((match) => match[1] as string)
  const values = blocks.flatMap((block) =>
    (block.includes('"kind"') ? [block] : block.trim().split('\n')).map((text) => JSON.parse(text) as object),
  )
  expect(values.length).toBeGreaterThan(12)
  for (const value of values) {
    const answer = await user.post('kind' in value ? '/orders/list' : '/orders', value)
    expect(answer.status, `${JSON.stringify(value)}: ${answer.text}`).toBeLessThan(300)
    for (const order of answer.body.results ?? [answer.body]) expect(order.error, JSON.stringify(value)).toBeUndefined()
  }
})

test('the worked signature is right', () => {
  const text = section('Authentication')
  const body = /BODY='(.*)'/.exec(text)?.[1] ?? ''
  const vector = /the secret `(\w+)` and\s+the timestamp `(\d+)` sign to `(\w+)`/.exec(text)
  const [, secret = '', timestamp = '', signature] = vector ?? []
  const signed = `${timestamp}\nPOST\n/api/v1/orders\n${body}`
  expect(createHmac('sha256', secret).update(signed).digest('hex')).toBe(signature)
})
