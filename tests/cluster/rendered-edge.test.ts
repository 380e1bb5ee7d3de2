// The load balancer and the cache at work: whose region answers, what happens when it does not, what is kept and what never is.

import { createServer } from 'node:net'
import { INNER_PORTS } from '@wintrades/topology'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from './lab/until.ts'
import { type Answer, Edge } from './rendered/edge.ts'
import { type Container, Ground, type NetworkAddresses } from './rendered/ground.ts'

/** The node's own addresses: what listens there must not be in anybody's way. */
let doorPort = 0
let network: NetworkAddresses
let ground: Ground
let edge: Edge
const apps: Record<string, Container> = {}

beforeAll(async () => {
  const ports = await freePorts(3)
  doorPort = ports[0] ?? 0
  ground = await Ground.open((raw, addresses) => {
    network = addresses
    // Whoever asks from this machine is a client of eu-west, or over IPv6 of asia-pacific.
    const regions = raw['regions'] as { networks?: string[] }[]
    Object.assign(regions[1] ?? {}, { networks: [`${addresses.gateway}/32`] })
    Object.assign(regions[2] ?? {}, { networks: [`${addresses.gateway6}/128`] })
    Object.assign(raw, {
      operations: { stats_port: ports[0], operator_port: ports[1], prometheus_port: ports[2] },
      // As many files as a process may have open on any machine.
      balancer: { requests_per_second_per_key: 5, connections_max: 2_000 },
    })
  })
  edge = await Edge.start(ground)
  for (const service of ['app_us_east', 'app_eu_west', 'app_asia_pacific']) apps[service] = await edge.app(service)
  await until('every region answers', async () => {
    for (const region of ['us-east', 'eu-west', 'asia-pacific']) expect(await askedRegion(region)).toBe(region)
    return true
  })
  await until('the cache is used, and has found the origins', async () => {
    const { status, headers } = await edge.client('/assets/first.js')
    return status === 200 && headers['x-cache'] !== undefined
  })
})
afterAll(() => ground?.close())

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function regionOf({ headers }: Answer): unknown {
  return headers['x-wintrades-region']
}

async function askedRegion(region: string): Promise<unknown> {
  return regionOf(await edge.client('/api/v1/orders', { headers: { 'X-WinTrades-Region': region } }))
}

async function ownRegion(): Promise<unknown> {
  return regionOf(await edge.client('/api/v1/orders'))
}

test('a client lands in the region of its network, and in the one that it asks for', async () => {
  expect(await ownRegion()).toBe('eu-west')
  expect(await askedRegion('asia-pacific')).toBe('asia-pacific')
  expect(await askedRegion('nowhere')).toBe('eu-west')
})

test('a client over IPv6 is known by its address too', async () => {
  const answer = await edge.client6('/api/v1/orders')
  expect([regionOf(answer), answer.text]).toEqual([
    'asia-pacific',
    expect.stringContaining(` GET ${network.gateway6} `),
  ])
})

test('what is said of the client is what the balancer sees, whatever the client says', async () => {
  const { text } = await edge.client('/api/v1/orders', { headers: { 'X-Forwarded-For': '192.0.2.1' } })
  expect(text).toMatch(new RegExp(`^app_eu_west GET ${network.gateway.replaceAll('.', '\\.')} `))
})

test('HTTP leads to HTTPS, security headers are set, figures are not for clients', async () => {
  const plain = await edge.http(edge.balancer.address, INNER_PORTS.clientsHttp, '/a?b=c', {
    headers: { Host: 'trade.example:80' },
  })
  expect([plain.status, plain.headers['location']]).toEqual([308, 'https://trade.example/a?b=c'])
  const { headers } = await edge.client('/api/v1/orders')
  expect(headers).toMatchObject({
    'strict-transport-security': 'max-age=31536000',
    'x-content-type-options': 'nosniff',
  })
  expect((await edge.client('/metrics')).status).toBe(404)
  expect((await edge.client('/', { method: 'PURGE' })).status).toBe(405)
})

test('a key that asks too much is told to wait; others are not', async () => {
  const ask = (key: string) => edge.client('/api/v1/orders', { headers: { 'X-WT-Key': key } })
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('a')))
  const refused = answers.find(({ status }) => status === 429)
  expect(refused?.headers['retry-after']).toBe('1')
  expect(JSON.parse(refused?.text ?? '')).toMatchObject({ error: { code: 'RATE_LIMITED', retryAfter_ms: 1_000 } })
  expect((await ask('b')).status).toBe(200)
})

test('a process that says 404 gets nothing new; with none left the next region serves, and the first again when it is back', async () => {
  const second = await edge.app('app_eu_west', 'second')
  const { address } = apps['app_eu_west'] as Container
  await until(
    'the second process is found',
    async () => (await edge.client('/api/v1/orders')).headers['x-origin'] === 'second',
  )
  await edge.http(second.address, INNER_PORTS.http, '/drain')
  await until('the first alone serves', async () => {
    for (let i = 0; i < 6; i += 1) expect((await edge.client('/api/v1/orders')).headers['x-origin']).toBe('app_eu_west')
    return true
  })
  await edge.http(address, INNER_PORTS.http, '/break')
  const began_ms = performance.now()
  await until('the next region serves', async () => (await ownRegion()) === 'us-east')
  expect(performance.now() - began_ms).toBeLessThan(5_000)
  await second.stop()
  await apps['app_eu_west']?.stop()
  await apps['app_eu_west']?.start()
  await until('the region is back', async () => (await ownRegion()) === 'eu-west')
})

test('an evacuation sends clients elsewhere without a reload, and is taken back; it wants the password', async () => {
  const override = (method: string, path: string, asOperations = true) =>
    edge.http('127.0.0.1', doorPort, `/overrides/${path}`, { method, asOperations })
  expect((await override('PUT', 'eu-west/asia-pacific', false)).status).toBe(401)
  expect(await ownRegion()).toBe('eu-west')
  expect(JSON.parse((await override('PUT', 'eu-west/asia-pacific')).text)).toEqual({
    region: 'eu-west',
    sentTo: 'asia-pacific',
  })
  expect(await ownRegion()).toBe('asia-pacific')
  expect(await askedRegion('us-east')).toBe('us-east')
  expect(JSON.parse((await override('GET', 'eu-west')).text)).toEqual({ region: 'eu-west', sentTo: 'asia-pacific' })
  expect((await override('PUT', 'eu-west/moon')).status).toBe(404)
  expect(JSON.parse((await override('DELETE', 'eu-west')).text)).toEqual({ region: 'eu-west', sentTo: null })
  expect(await ownRegion()).toBe('eu-west')
})

test('statistics are behind the door, figures within the networks', async () => {
  expect((await edge.http('127.0.0.1', doorPort, '/', { asOperations: true })).text).toContain('Statistics Report')
  const { text } = await edge.http(edge.balancer.address, INNER_PORTS.balancerMetrics, '/metrics')
  expect(text).toMatch(/haproxy_backend_active_servers\{proxy="app_us_east"\} 1/)
})

test('the map of continents means to the balancer what it says: the longest network counts', async () => {
  const { text } = await edge.http(edge.balancer.address, INNER_PORTS.balancerMetrics, '/metrics')
  expect(text).toContain('haproxy_frontend_status')
  const { ask } = await mapReader()
  // Of the files that come with the platform: 36.0.0.0/6 is Asia, 37.0.0.0/8 in it Europe, 10.0.0.0/8 nobody's.
  expect(await Promise.all(['36.1.2.3', '37.1.2.3', '10.1.2.3', '8.8.8.8'].map((address) => ask(4, address)))).toEqual([
    'AS',
    'EU',
    '--',
    'NA',
  ])
  expect(await Promise.all(['2a00:1450::1', '2404:6800::1', 'fd00::1'].map((address) => ask(6, address)))).toEqual([
    'EU',
    'AS',
    '--',
  ])
})

/** The same program with the same maps, asked for an address that is not its client's. */
async function mapReader(): Promise<{ readonly ask: (version: 4 | 6, address: string) => Promise<string> }> {
  const rule = (version: 4 | 6) =>
    `  http-request return status 200 content-type text/plain lf-string "%[req.hdr(x-address),map_ip(/maps/continents-${version}.map)]" if { path /${version} }\n`
  const file = ground.write(
    'map-reader.cfg',
    `defaults\n  mode http\n  timeout connect 2s\n  timeout client 5s\n  timeout server 5s\nfrontend reader\n  bind :8000\n${rule(4)}${rule(6)}`,
  )
  const reader = await ground.start({
    image: 'haproxy',
    files: { [file]: '/reader.cfg:ro', [ground.at('deployment/haproxy/maps')]: '/maps:ro' },
    command: ['haproxy', '-W', '-db', '-f', '/reader.cfg'],
  })
  const ask = async (version: 4 | 6, address: string) =>
    (await edge.http(reader.address, 8_000, `/${version}`, { headers: { 'X-Address': address } })).text
  await until('the map is read', () => ask(4, '8.8.8.8'))
  return { ask }
}

test('what is public is kept, as long as it may be; what is somebody’s never is', async () => {
  const twice = async (path: string, headers = {}) => [
    await edge.client(path, { headers }),
    await edge.client(path, { headers }),
  ]
  const [first, second] = await twice('/assets/app.0123.js')
  expect(second?.text).toBe(first?.text)
  expect(second?.headers).toMatchObject({ 'x-cache': 'hit', 'cache-control': 'public, max-age=604800, immutable' })
  expect(second?.headers['set-cookie']).toBeUndefined()
  for (const headers of [{ Authorization: 'Bearer a' }, { 'X-WT-Key': 'c' }, { 'X-API-Key': 'd' }]) {
    const [one, other] = await twice('/assets/app.0123.js', headers)
    expect([one?.text === first?.text, one?.text === other?.text]).toEqual([false, false])
  }
  const [mine, again] = await twice('/api/v1/orders')
  expect(mine?.text).not.toBe(again?.text)
  // Straight at the cache too, should anything send it there.
  const direct = (headers = {}, method = 'GET') =>
    edge.http(edge.cache.address, INNER_PORTS.content, '/assets/app.0123.js', { headers, method })
  expect((await direct({ Authorization: 'Bearer a' })).text).not.toBe(first?.text)
  expect((await direct({}, 'PURGE')).status).toBe(405)
  expect((await direct({}, 'POST')).status).toBe(405)
})

test('PURGE works at the port of operations, and from their network alone', async () => {
  const refused = await edge.http(edge.cache.address, INNER_PORTS.contentOperations, '/', { method: 'PURGE' })
  expect([refused.status, refused.text]).toEqual([403, 'for the operations network alone'])
})

test('static content outlives every origin, market data a few seconds; a new origin is found', async () => {
  const kept = (await edge.client('/assets/kept.js')).text
  const market = '/api/v1/market/BTC-USD/ticker'
  expect((await edge.client(market)).status).toBe(200)
  await Promise.all(Object.values(apps).map((app) => app.stop()))
  await until('market data is told to be unavailable', async () => (await edge.client(market)).status === 503)
  expect((await edge.client('/assets/kept.js')).text).toBe(kept)
  expect((await edge.client('/api/v1/orders')).status).toBe(503)
  // Another name, and thereby another address.
  await edge.app('app_us_east', 'newcomer')
  await until('the newcomer is fetched from', async () => (await edge.client(market)).text.startsWith('newcomer'))
  expect((await edge.client('/assets/kept.js')).text).toBe(kept)
})

test('the health checks of the stack file say what is so', async () => {
  const { services } = ground.stack
  const checks = [
    ['global_loadbalancer', edge.balancer],
    ['operations_door', edge.door],
    ['cdn_cache', edge.cache],
  ] as const
  for (const [service, container] of checks) {
    expect([service, await container.health(services[service]?.healthcheck.test ?? [])]).toEqual([service, 0])
  }
  // The door leads to what is there no more.
  await edge.balancer.stop()
  expect(await edge.door.health(services['operations_door']?.healthcheck.test ?? [])).not.toBe(0)
})
