// Two processes in one region, with encrypted links: one leads, the other is next; and one that is replaced loses nobody's request.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Platform, startPlatform } from '@wintrades/operations'
import { ensureCertificates } from '@wintrades/operations/certificates'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { call, type OrderAnswer, User } from './client.ts'

const EU = ['eu-west', 'eu-west-2'] as const
const SHARD = 'eu-west'
/** A process starts within seconds; not so on a busy machine. */
const READY_MS = 110_000
const buy = { symbol: 'SAP-EUR', side: 'BUY', type: 'LIMIT', quantity: '10' } as const

let dataDirectory: string
let platform: Platform

beforeAll(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'wintrades-siblings-'))
  const certificates = join(dataDirectory, 'certificates')
  await ensureCertificates(certificates, [{ name: 'app', hosts: ['127.0.0.1'] }])
  const file = (name: string) => join(certificates, 'app', name)
  const environment = {
    LINK_CERTIFICATE_FILE: file('server.pem'),
    LINK_CERTIFICATE_KEY_FILE: file('server.key'),
    LINK_CA_FILE: file('ca.pem'),
    DRAIN_MS: '1500',
  }
  platform = await startPlatform({
    dataDirectory,
    processesPerRegion: { 'eu-west': 2 },
    environment,
    readyTimeout_ms: READY_MS,
  })
})

afterAll(async () => {
  await platform.stop()
  await rm(dataDirectory, { recursive: true, force: true })
})

type Health = {
  readonly shards: readonly {
    readonly name: string
    readonly leader: string
    readonly leading: boolean
    readonly epoch: number
  }[]
  readonly links: readonly { readonly region: string; readonly processes: number }[]
}

function urlOf(name: string): string {
  const { host, httpPort } = platform.processes().find((one) => one.name === name) ?? {}
  return `http://${host}:${httpPort}`
}

async function healthOf(name: string): Promise<Health | null> {
  try {
    return (await call<Health>(urlOf(name), 'GET', '/health/region')).body
  } catch {
    return null // it does not run at this moment
  }
}

/** Which process of eu-west leads its shard, and in which epoch. */
async function leading(): Promise<{ readonly name: string; readonly epoch: number } | null> {
  for (const name of EU) {
    const shard = (await healthOf(name))?.shards.find((one) => one.name === SHARD)
    if (shard?.leading === true) return { name, epoch: shard.epoch }
  }
  return null
}

async function until<Value>(find: () => Promise<Value | null>): Promise<Value> {
  let found: Value | null = null
  const look = async () => {
    found = await find()
    return found !== null
  }
  await expect.poll(look, { timeout: 60_000, interval: 20 }).toBe(true)
  return found as Value
}

test('every process has a link to every other one, and one of each region leads its shard', async () => {
  for (const { name, region } of platform.processes()) {
    if (region === undefined) continue
    const links = async () => (await healthOf(name))?.links.map((one) => [one.region, one.processes]) ?? []
    const expected = [
      ['us-east', region === 'us-east' ? 0 : 1],
      ['eu-west', region === 'eu-west' ? 1 : 2],
      ['asia-pacific', region === 'asia-pacific' ? 0 : 1],
    ]
    await expect.poll(links, { timeout: 20_000 }).toEqual(expected)
  }
  expect(EU).toContain((await until(leading)).name)
})

test('the leading process is killed: its sibling takes over, nothing acknowledged is lost', {
  timeout: 240_000,
}, async () => {
  const user = await User.register(platform.baseUrl)
  const before = await user.order({ ...buy, price: '152.00', clientOrderId: 'before' }, 'us-east')
  expect(before.status).toBe(201)
  const led = await until(leading)
  platform.kill(led.name, 'SIGKILL')
  const after = await user.order({ ...buy, price: '153.00', clientOrderId: 'after' }, 'us-east')
  expect(after.status).toBe(201)
  const next = await until(leading)
  expect(next).toEqual({ name: EU.find((name) => name !== led.name), epoch: led.epoch + 1 })
  for (const { body } of [before, after]) {
    const found = await user.get<OrderAnswer>(`/api/v1/orders/${body.orderId}`, 'us-east')
    expect(found.body).toMatchObject({ status: 'NEW' })
  }
  await platform.waitUntilReady(led.name, READY_MS)
  // It is back, and leads nothing: nobody has to give anything back.
  expect(await until(leading)).toEqual(next)
})

test('a process is replaced while clients trade: it drains, hands over to its sibling, and no request fails', {
  timeout: 240_000,
}, async () => {
  const user = await User.register(platform.baseUrl)
  const led = await until(leading)
  const statuses: number[] = []
  let trading = true
  const trade = (async () => {
    for (let i = 0; trading; i++) {
      const { status } = await user.order(
        { ...buy, price: '140.00', quantity: '1', clientOrderId: `d-${i}` },
        'eu-west',
      )
      statuses.push(status)
    }
  })()
  const pid = platform.processes().find((one) => one.name === led.name)?.pid
  const url = urlOf(led.name)
  expect((await fetch(`${url}/health`)).status).toBe(200)
  platform.kill(led.name, 'SIGTERM')
  await expect.poll(async () => (await fetch(`${url}/health`)).status, { timeout: 5_000, interval: 10 }).toBe(404)
  // Who has not heard of it yet is served all the same.
  expect((await fetch(`${url}/api/v1/instruments`)).status).toBe(200)
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  const next = await until(async () => {
    const now = await leading()
    return now === null || now.name === led.name ? null : now
  })
  expect(next).toEqual({ name: EU.find((name) => name !== led.name), epoch: led.epoch + 1 })
  await expect
    .poll(() => platform.processes().find((one) => one.name === led.name)?.pid, { timeout: 60_000 })
    .not.toBe(pid)
  await platform.waitUntilReady(led.name, READY_MS)
  trading = false
  await trade
  expect(statuses.length).toBeGreaterThan(10)
  expect(statuses.filter((status) => status !== 201)).toEqual([])
})
