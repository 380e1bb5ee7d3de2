// Links between processes, over real sockets on loopback: who finds whom, how many links there are, and what a process concludes about another.

import { existsSync } from 'node:fs'
import type { RegionName } from '@wintrades/domain'
import { createLogger } from '@wintrades/platform'
import { afterEach, expect, test } from 'vitest'
import type { Peer } from '../../src/links/address-book.ts'
import { TcpTransport, type TcpTransportOptions } from '../../src/links/tcp.ts'
import type { VenueProcess } from '../../src/ports.ts'
import { freePort } from '../support/cluster.ts'
import { NameServer } from '../support/name-server.ts'

const KEY = new Uint8Array(32).fill(7)
const US = 'us-east' as RegionName
const EU = 'eu-west' as RegionName
const SIGN_OF_LIFE = 'still here'
/** Linux has all of 127.0.0.0/8 on its loopback. */
const hasManyAddresses = existsSync('/proc/net')

class Node {
  readonly self: VenueProcess
  readonly transport: TcpTransport
  readonly up = new Set<number>()
  readonly downs: number[] = []
  readonly frames: string[] = []
  looks = 0
  #pulse: NodeJS.Timeout | undefined

  constructor(options: Omit<TcpTransportOptions, 'key' | 'tls' | 'logger'> & Partial<TcpTransportOptions>) {
    this.self = { region: options.region, origin: options.origin }
    this.transport = new TcpTransport({
      key: KEY,
      tls: null,
      logger: createLogger('test', { level: process.env['VENUE_LOG'] === undefined ? 'silent' : 'info' }),
      ...options,
    })
  }

  async start(): Promise<this> {
    nodes.push(this)
    await this.transport.start({
      up: ({ origin }) => {
        expect(this.up.has(origin)).toBe(false)
        this.up.add(origin)
      },
      down: ({ origin }) => {
        expect(this.up.delete(origin)).toBe(true)
        this.downs.push(origin)
      },
      looked: () => void this.looks++,
      received: (origin, frame) => {
        const text = Buffer.from(frame).toString()
        if (text !== SIGN_OF_LIFE) this.frames.push(`${origin}: ${text}`)
      },
    })
    this.#pulse = setInterval(() => {
      for (const origin of this.up) this.say(origin, SIGN_OF_LIFE)
    }, 400)
    return this
  }

  async stop(): Promise<void> {
    clearInterval(this.#pulse)
    await this.transport.close()
  }

  /** Its connections stay, and it reads: as a process that is stuck, or cut off while its machine answers. */
  fallSilent(): void {
    clearInterval(this.#pulse)
  }

  say(origin: number, text: string): boolean {
    return this.transport.send(origin, [Buffer.from(text)])
  }
}

const nodes: Node[] = []
const servers: NameServer[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()))
  for (const server of servers.splice(0)) server.close()
})

async function nameServer(): Promise<NameServer> {
  const server = await NameServer.start()
  servers.push(server)
  return server
}

function isMeshed(all: readonly Node[]): boolean {
  return all.every((one) => all.every((other) => one === other || one.up.has(other.self.origin)))
}

/** Two questions about each of two names are one look. */
async function everybodyHasLookedAgain(dns: NameServer, processes: number): Promise<void> {
  const before = dns.asked
  await expect.poll(() => dns.asked, { timeout: 10_000 }).toBeGreaterThanOrEqual(before + 2 * 4 * processes)
}

test('nine processes that start at once: one link for each pair, and every frame comes once, in order', async () => {
  const places = await Promise.all(
    Array.from({ length: 9 }, async (_, i) => ({
      region: i % 3 === 0 ? US : EU,
      host: '127.0.0.1',
      port: await freePort(),
    })),
  )
  const all = places.map(
    (place, i) => new Node({ ...place, origin: [7, 3, 9, 1, 8, 2, 6, 4, 5][i] as number, peers: places }),
  )
  await Promise.all(all.map((node) => node.start()))
  await expect.poll(() => isMeshed(all), { timeout: 10_000 }).toBe(true)
  for (const node of all) expect(node.up.size).toBe(8)
  for (const from of all) {
    for (const to of all) {
      if (from === to) continue
      for (const word of ['one', 'two', 'three']) expect(from.say(to.self.origin, word)).toBe(true)
    }
  }
  await expect.poll(() => all.every((node) => node.frames.length === 24), { timeout: 5_000 }).toBe(true)
  for (const node of all) {
    for (const { self } of all) {
      if (self.origin === node.self.origin) continue
      const from = node.frames.filter((one) => one.startsWith(`${self.origin}:`))
      expect(from).toEqual(['one', 'two', 'three'].map((word) => `${self.origin}: ${word}`))
    }
  }
})

test('who has fallen silent is noticed, though all that is sent to it goes out', async () => {
  const [a, b] = [await freePort(), await freePort()]
  const peers: Peer[] = [
    { region: US, host: '127.0.0.1', port: a },
    { region: EU, host: '127.0.0.1', port: b },
  ]
  const talking = await new Node({ region: US, origin: 1, host: '127.0.0.1', port: a, peers }).start()
  const silent = await new Node({ region: EU, origin: 2, host: '127.0.0.1', port: b, peers }).start()
  await expect.poll(() => isMeshed([talking, silent]), { timeout: 10_000 }).toBe(true)
  silent.fallSilent()
  await expect.poll(() => talking.downs, { timeout: 5_000 }).toContain(2)
})

test('a process that has ended is gone, at a fixed address and in its whole region; one that starts there is another', async () => {
  const [a, b] = [await freePort(), await freePort()]
  const peers: Peer[] = [
    { region: US, host: '127.0.0.1', port: a },
    { region: EU, host: '127.0.0.1', port: b },
  ]
  const us = await new Node({ region: US, origin: 1, host: '127.0.0.1', port: a, peers }).start()
  const eu = await new Node({ region: EU, origin: 2, host: '127.0.0.1', port: b, peers }).start()
  await expect.poll(() => isMeshed([us, eu]), { timeout: 5_000 }).toBe(true)
  expect(us.transport.isGone(eu.self)).toBe(false)
  expect(us.transport.isDeserted(EU)).toBe(false)
  await eu.stop()
  await expect.poll(() => us.transport.isGone(eu.self), { timeout: 5_000 }).toBe(true)
  expect(us.transport.isDeserted(EU)).toBe(true)
  expect(us.looks).toBeGreaterThan(0)
  // It was never heard of, and there is nowhere it could be.
  expect(us.transport.isGone({ region: EU, origin: 99 })).toBe(true)
  const next = await new Node({ region: EU, origin: 3, host: '127.0.0.1', port: b, peers }).start()
  await expect.poll(() => isMeshed([us, next]), { timeout: 5_000 }).toBe(true)
  expect(us.transport.isGone(next.self)).toBe(false)
  // Where the other one opened the link, it is known there only when it has been looked.
  await expect.poll(() => us.transport.isGone(eu.self), { timeout: 5_000 }).toBe(true)
  expect(us.transport.isDeserted(EU)).toBe(false)
})

test.runIf(hasManyAddresses)(
  'processes behind a name are found as they come, this one is left out, and what goes is dropped',
  async () => {
    const dns = await nameServer()
    const port = await freePort()
    const peers: Peer[] = [
      { region: US, host: 'app_us_east', port },
      { region: EU, host: 'app_eu_west', port },
    ]
    const make = (region: RegionName, origin: number, host: string) =>
      new Node({ region, origin, host, port, peers, nameServers: [dns.address] })
    dns.set('app_us_east', ['127.0.0.1', '127.0.0.2'])
    dns.set('app_eu_west', ['127.0.0.3'])
    const first = [make(US, 11, '127.0.0.1'), make(US, 12, '127.0.0.2'), make(EU, 21, '127.0.0.3')]
    for (const node of first) await node.start()
    await expect.poll(() => isMeshed(first), { timeout: 5_000 }).toBe(true)

    // Two more tasks; the name server knows of them when they have long been there.
    const more = [make(EU, 22, '127.0.0.4'), make(EU, 23, '127.0.0.5')]
    for (const node of more) await node.start()
    dns.set('app_eu_west', ['127.0.0.3', '127.0.0.4', '127.0.0.5'])
    const all = [...first, ...more]
    await expect.poll(() => isMeshed(all), { timeout: 5_000 }).toBe(true)
    await everybodyHasLookedAgain(dns, all.length)

    // A name does not tell where processes can be: one that is only not known yet is not gone.
    expect(first[0]?.transport.isGone({ region: EU, origin: 99 })).toBe(false)

    // A link that works says more than the name server; one that is closed, of an address that is not listed, is a process that has ended.
    const [leaving] = more
    dns.set('app_eu_west', ['127.0.0.3', '127.0.0.5'])
    await everybodyHasLookedAgain(dns, all.length)
    expect(isMeshed(all)).toBe(true)
    await leaving?.stop()
    const rest = all.filter((one) => one !== leaving)
    await expect
      .poll(() => rest.every((one) => one.transport.isGone({ region: EU, origin: 22 })), { timeout: 5_000 })
      .toBe(true)
    expect(isMeshed(rest)).toBe(true)
  },
)

test.runIf(hasManyAddresses)('a name server that falls silent changes nothing', async () => {
  const dns = await nameServer()
  const port = await freePort()
  const peers: Peer[] = [{ region: US, host: 'app', port }]
  dns.set('app', ['127.0.0.1', '127.0.0.2'])
  const make = (origin: number, host: string) =>
    new Node({ region: US, origin, host, port, peers, nameServers: [dns.address] })
  const one = await make(1, '127.0.0.1').start()
  const two = await make(2, '127.0.0.2').start()
  await expect.poll(() => isMeshed([one, two]), { timeout: 5_000 }).toBe(true)
  dns.silent = true
  await two.stop()
  await expect.poll(() => one.transport.isGone(two.self), { timeout: 5_000 }).toBe(true)
  const three = await make(3, '127.0.0.2').start()
  await expect.poll(() => one.up.has(3), { timeout: 5_000 }).toBe(true)
  dns.silent = false
  await expect.poll(() => three.up.has(1), { timeout: 15_000 }).toBe(true)
})

test('a process of the own region that is not listed gets no link', async () => {
  const [a, b] = [await freePort(), await freePort()]
  const lists = await new Node({
    region: US,
    origin: 1,
    host: '127.0.0.1',
    port: a,
    peers: [{ region: US, host: '127.0.0.1', port: b }],
  }).start()
  const alone = await new Node({ region: US, origin: 2, host: '127.0.0.1', port: b, peers: [] }).start()
  await expect.poll(() => lists.looks, { timeout: 5_000 }).toBeGreaterThan(0)
  expect(lists.up.size + alone.up.size).toBe(0)
  // It was told that there is nobody else, and nobody else may claim otherwise.
  expect(alone.transport.isGone({ region: US, origin: 1 })).toBe(true)
})
