// The gateway as a server: streams beside REST, whose address counts, and an orderly stop.

import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { call, signedHeaders, User } from './client.ts'
import { startRegion, type TestRegion } from './region.ts'

let region: TestRegion

beforeEach(async () => {
  region = await startRegion()
})

afterEach(async () => {
  await region.stop()
})

type Push = {
  readonly channel?: string
  readonly type?: string
  readonly data?: unknown
  readonly id?: number
  readonly ok?: boolean
}

async function openStream(): Promise<{ readonly socket: WebSocket; readonly heard: Push[] }> {
  const socket = new WebSocket(`${region.url.replace('http', 'ws')}/ws`)
  const heard: Push[] = []
  socket.addEventListener('message', (event) => heard.push(JSON.parse(String(event.data)) as Push))
  await once(socket, 'open')
  return { socket, heard }
}

test('an order over REST is told to the account’s stream, and its trade to everybody', async () => {
  const [maker, taker] = [await User.register(region), await User.register(region)]
  const { socket, heard } = await openStream()
  const channels = [{ channel: 'orders' }, { channel: 'trades', symbol: 'SAP-EUR' }]
  socket.send(JSON.stringify({ id: 1, op: 'auth', token: maker.token }))
  await expect.poll(() => heard).toContainEqual(expect.objectContaining({ id: 1, ok: true }))
  socket.send(JSON.stringify({ id: 2, op: 'subscribe', channels }))
  await expect.poll(() => heard.filter(({ type }) => type === 'snapshot')).toHaveLength(4)
  const { orderId } = (await maker.order({ side: 'SELL', price: '200.00' })).body
  await taker.order({ price: '200.00' })
  await expect.poll(() => JSON.stringify(heard.filter(({ channel }) => channel === 'orders'))).toContain(orderId)
  await expect
    .poll(() => JSON.stringify(heard.filter(({ channel, type }) => channel === 'trades' && type === 'update')))
    .toContain('200.00')
  socket.close()
})

test('an upgrade anywhere else is refused', async () => {
  const answer = await raw('GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  expect(answer).toMatch(/^HTTP\/1\.1 404 .*"code":"NOT_FOUND"/s)
})

test('what is not HTTP gets an answer of the catalogue', async () => {
  expect(await raw('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*"code":"REQUEST_MALFORMED"/s)
})

test('only a trusted proxy says whose request it is', async () => {
  const user = await User.register(region)
  const { body: key } = await user.post('/keys', { label: 'office', scopes: ['read'], ipAllowList: ['203.0.113.7'] })
  const ask = (forwarded: string) =>
    call(region, 'GET', '/api/v1/balances', {
      headers: { ...signedHeaders(key, 'GET', '/api/v1/balances', ''), 'x-forwarded-for': forwarded },
    })
  expect((await ask('203.0.113.7')).status).toBe(200)
  expect((await ask('203.0.113.8')).body.error.code).toBe('ADDRESS_NOT_ALLOWED')
  // A client may write what it likes before what the proxy adds.
  expect((await ask('203.0.113.7, 203.0.113.8')).body.error.code).toBe('ADDRESS_NOT_ALLOWED')
})

test('a stop finishes what is in flight, takes nothing new, and tells streams to go elsewhere', async () => {
  const user = await User.register(region)
  const { socket } = await openStream()
  const closed = once(socket, 'close') as Promise<[CloseEvent]>
  const account = region.venue.account.bind(region.venue)
  let reached = () => {}
  let release = () => {}
  const inFlight = new Promise<void>((resolve) => {
    reached = resolve
  })
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  region.venue.account = async (...question) => {
    reached()
    await held
    return await account(...question)
  }
  const asked = user.get('/balances')
  await inFlight
  const stopped = region.stopGateway()
  expect((await closed)[0].code).toBe(1012)
  await expect(call(region, 'GET', '/health')).rejects.toThrow()
  release()
  const answer = await asked
  expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close'])
  await stopped
})

test('before it stops it drains: balancers are told 404, whoever comes is served, and connections are not kept', async () => {
  const draining = await startRegion({ DRAIN_MS: '2000' })
  const health = async () => (await fetch(`${draining.url}/health`)).status
  expect(await health()).toBe(200)
  const stopped = draining.stop()
  await expect.poll(health, { interval: 5 }).toBe(404)
  expect((await fetch(`${draining.url}/health/ready`)).status).toBe(503)
  const served = await fetch(`${draining.url}/api/v1/instruments`)
  expect([served.status, served.headers.get('connection')]).toEqual([200, 'close'])
  await stopped
  await expect(fetch(`${draining.url}/health`)).rejects.toThrow()
})

/** Sends bytes; everything that comes back until the other side ends. */
async function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(region.url)
  const socket = connect(Number(port), hostname)
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk.toString()
  })
  socket.write(text)
  await once(socket, 'close')
  return answer
}
