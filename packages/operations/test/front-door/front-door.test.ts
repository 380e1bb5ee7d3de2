// The front door with real servers behind it: choosing a region, losing one, streams, and what it refuses.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createLogger } from '@wintrades/platform'
import { afterEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { FrontDoor } from '../../src/front-door/index.ts'

const logger = createLogger('test', { level: 'silent' })
const cleanups: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

type Region = {
  readonly name: string
  readonly port: number
  readonly requests: string[]
  readonly server: Server
  readonly sockets: Set<Socket>
  ready: boolean
}

/** A small region: says who it is, repeats bodies and stream messages, and drops the connection on /die. */
async function startRegion(name: string, port = 0): Promise<Region> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    if (request.url === '/health/ready') return void response.writeHead(region.ready ? 200 : 503).end()
    region.requests.push(`${request.method} ${request.url}`)
    if (request.url === '/die') return void request.socket.destroy()
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ name, url: request.url, body, forwardedFor: request.headers['x-forwarded-for'] }))
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const streams = new WebSocketServer({ server, path: '/ws' })
  streams.on('connection', (socket) => socket.on('message', (data) => socket.send(`${name}: ${String(data)}`)))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const region: Region = {
    name,
    port: (server.address() as AddressInfo).port,
    requests: [],
    server,
    sockets,
    ready: true,
  }
  cleanups.push(() => stopRegion(region))
  return region
}

async function stopRegion(region: Region): Promise<void> {
  if (!region.server.listening) return
  const closed = once(region.server, 'close')
  region.server.close()
  for (const socket of region.sockets) socket.destroy()
  await closed
}

async function startDoor(regions: readonly Region[]): Promise<string> {
  const peers = regions.map((region) => ({ region: region.name, host: '127.0.0.1', port: region.port }))
  const door = new FrontDoor({ host: '127.0.0.1', port: 0, regions: peers, logger })
  const url = `http://127.0.0.1:${await door.start()}`
  cleanups.push(() => door.stop())
  await expect.poll(async () => healthyRegions(url)).toEqual(regions.filter((one) => one.ready).map((one) => one.name))
  return url
}

async function healthyRegions(url: string): Promise<string[]> {
  const status = (await (await fetch(`${url}/front-door/status`)).json()) as {
    regions: { region: string; healthy: boolean }[]
  }
  return status.regions.filter((region) => region.healthy).map((region) => region.region)
}

type Answer = { name: string; url: string; body: string; forwardedFor: string }

async function ask(url: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url, init)
  expect(response.status).toBe(200)
  return (await response.json()) as Answer
}

test('the first healthy region answers; a header or a path chooses another', async () => {
  const url = await startDoor([await startRegion('us-east'), await startRegion('eu-west')])
  expect(await ask(`${url}/a?b=c`)).toMatchObject({ name: 'us-east', url: '/a?b=c', forwardedFor: '127.0.0.1' })
  expect(await ask(`${url}/a`, { headers: { 'X-WinTrades-Region': 'eu-west' } })).toMatchObject({ name: 'eu-west' })
  expect(await ask(`${url}/region/eu-west/a?b=c`)).toMatchObject({ name: 'eu-west', url: '/a?b=c' })
  const posted = await ask(`${url}/orders`, { method: 'POST', body: '{"x":1}' })
  expect(posted.body).toBe('{"x":1}')
  const response = await fetch(`${url}/region/eu-west/`)
  expect(response.headers.get('x-wintrades-region')).toBe('eu-west')
})

test('a region that does not exist is refused', async () => {
  const url = await startDoor([await startRegion('us-east')])
  const response = await fetch(`${url}/region/mars/health`)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: { code: 'REGION_UNKNOWN' } })
})

test('a client cannot pretend another address', async () => {
  const url = await startDoor([await startRegion('us-east')])
  const answer = await ask(url, { headers: { 'X-Forwarded-For': '203.0.113.7' } })
  expect(answer.forwardedFor).toBe('127.0.0.1')
})

test('a region that refuses connections is passed over, even for a request that must not be repeated', async () => {
  const [first, second] = [await startRegion('us-east'), await startRegion('eu-west')]
  const url = await startDoor([first, second])
  await stopRegion(first)
  expect(await ask(`${url}/orders`, { method: 'POST', body: 'once' })).toMatchObject({ name: 'eu-west', body: 'once' })
  expect(second.requests).toEqual(['POST /orders'])
})

test('a request that may have happened is not sent again: its outcome is unknown', async () => {
  const [first, second] = [await startRegion('us-east'), await startRegion('eu-west')]
  const url = await startDoor([first, second])
  const response = await fetch(`${url}/die`, { method: 'POST', body: 'once' })
  expect(response.status).toBe(504)
  expect(await response.json()).toMatchObject({ error: { code: 'OUTCOME_UNKNOWN' } })
  expect(second.requests).toEqual([])
})

test('a read that broke is read elsewhere', async () => {
  const first = await startRegion('us-east')
  const second = await startRegion('eu-west')
  const url = await startDoor([first, second])
  first.server.prependListener('request', (request) => request.url === '/read' && request.socket.destroy())
  expect(await ask(`${url}/read`)).toMatchObject({ name: 'eu-west' })
})

test('a region that is not ready is not used, and is used again when it is', async () => {
  const [first, second] = [await startRegion('us-east'), await startRegion('eu-west')]
  const url = await startDoor([first, second])
  first.ready = false
  await expect.poll(() => healthyRegions(url)).toEqual(['eu-west'])
  expect(await ask(url)).toMatchObject({ name: 'eu-west' })
  const strict = { 'X-WinTrades-Region': 'us-east', 'X-WinTrades-Region-Strict': 'true' }
  expect((await fetch(url, { headers: strict })).status).toBe(503)
  first.ready = true
  await expect.poll(() => healthyRegions(url)).toEqual(['us-east', 'eu-west'])
  expect(await ask(url)).toMatchObject({ name: 'us-east' })
})

test('without any region the answer says so in the catalogue’s shape', async () => {
  const region = await startRegion('us-east')
  region.ready = false
  const url = await startDoor([region])
  const response = await fetch(url)
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await response.json()).toMatchObject({ error: { code: 'REGION_UNAVAILABLE', retryAfter_ms: 1_000 } })
})

test('a WebSocket is a pipe to the region it chose, and ends with it', async () => {
  const [first, second] = [await startRegion('us-east'), await startRegion('eu-west')]
  const url = (await startDoor([first, second])).replace('http', 'ws')
  const socket = new WebSocket(`${url}/region/eu-west/ws`)
  await once(socket, 'open')
  const count = 2_000
  const received: string[] = []
  const all = new Promise<void>((resolve) => {
    socket.on('message', (data) => received.push(String(data)) === count && resolve())
  })
  for (let i = 0; i < count; i += 1) socket.send(String(i))
  await all
  expect(received).toEqual(Array.from({ length: count }, (_, i) => `eu-west: ${i}`))
  const closed = once(socket, 'close')
  await stopRegion(second)
  await closed
})

test('a WebSocket to a lost region is opened at the next', async () => {
  const [first, second] = [await startRegion('us-east'), await startRegion('eu-west')]
  const url = (await startDoor([first, second])).replace('http', 'ws')
  await stopRegion(first)
  const socket = new WebSocket(`${url}/ws`)
  await once(socket, 'open')
  const answer = once(socket, 'message')
  socket.send('hello')
  expect(String((await answer)[0])).toBe('eu-west: hello')
  socket.close()
  await once(socket, 'close')
})

test.each([
  ['not HTTP', 'GARBAGE\r\n\r\n', 'HTTP/1.1 400'],
  ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`, 'HTTP/1.1 431'],
])('%s is refused', async (_, request, expected) => {
  const url = new URL(await startDoor([await startRegion('us-east')]))
  const socket = connect(Number(url.port), url.hostname)
  socket.write(request)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toContain(expected)
  expect(answer.toString()).toContain('"error"')
  socket.destroy()
})
