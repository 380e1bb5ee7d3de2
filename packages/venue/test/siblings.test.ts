// Several processes of one region: whichever leads, the others of it come next, and everybody can trade through each of them.

import { type AccountId, EventType, ORDER_ACCEPTED, type OrderId, type RegionName, Side } from '@wintrades/domain'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Cluster, deposit, limitOrder, type Outcome, SAP, send } from './support/cluster.ts'

const EU = 1
const EUR = SAP.quote.id
const MILLION = 1_000_000_000_000
const HOME = ['eu-west', 'eu-west/1', 'eu-west/2'] as const
const PLACES = [...HOME, 'us-east', 'asia-pacific', 'asia-pacific/1']

let cluster: Cluster

beforeEach(async () => {
  cluster = new Cluster({ failBack_ms: 300 }, PLACES)
  await cluster.start()
  await expect.poll(() => isMeshed(), { timeout: 10_000 }).toBe(true)
})

afterEach(async () => {
  await cluster.remove()
})

/** Everybody sees everybody, and a leader of every shard. */
function isMeshed(): boolean {
  return [...cluster.venues.values()].every((venue) => {
    const { links, shards } = venue.status()
    const seen = links.reduce((sum, { processes }) => sum + processes, 0)
    return seen === cluster.venues.size - 1 && shards.every((one) => one.leader !== null)
  })
}

function leadingPlace(): string | null {
  for (const [place, venue] of cluster.venues) if (venue.status().shards[EU]?.leading === true) return place
  return null
}

function committed(outcome: Outcome): Exclude<Outcome, string> {
  if (typeof outcome === 'string') throw new Error(`the command is ${outcome}`)
  return outcome
}

function epoch(): number {
  return Math.max(...[...cluster.venues.values()].map((venue) => venue.status().shards[EU]?.epoch ?? 0))
}

test('one process of the home region leads, and a command takes effect through each process', async () => {
  expect(HOME).toContain(leadingPlace())
  const outcomes = await Promise.all(
    PLACES.map((place) => send(cluster.at(place), EU, deposit(11, EUR, MILLION, `from-${place}`))),
  )
  for (const outcome of outcomes) expect(committed(outcome).events[0]).toBe(EventType.funds_moved)
  const last = Math.max(...outcomes.map((one) => committed(one).batch.seq))
  for (const place of PLACES) {
    expect(await cluster.at(place).waitFor(EU as never, last as never, 5_000)).toBe(true)
    const { value } = await cluster.at(place).account(EU as never, 11 as AccountId)
    expect(value.balances).toEqual([{ asset: EUR, available: PLACES.length * MILLION, held: 0 }])
  }
})

test('processes that end one after the other: the shard stays at home as long as one of them is left', async () => {
  committed(await send(cluster.at('us-east'), EU, deposit(11, EUR, MILLION, 'eur')))
  for (const left of [2, 1, 0]) {
    const place = leadingPlace() as string
    expect(HOME).toContain(place)
    const before = epoch()
    await cluster.at(place).close()
    cluster.venues.delete(place)
    const order = committed(await send(cluster.at('us-east'), EU, limitOrder(11, Side.buy, 19_000, 1, `left-${left}`)))
    expect(order.events[0]).toBe(EventType.order_accepted)
    expect(cluster.at('us-east').status().shards[EU]?.leader).toBe(left > 0 ? 'eu-west' : 'us-east')
    // It was handed over to one, and nobody else got in between.
    expect(epoch()).toBe(before + 1)
  }
  await cluster.startRegion('eu-west/1')
  await expect.poll(() => leadingPlace(), { timeout: 10_000 }).toBe('eu-west/1')
})

test('a hand-over to a region goes to one of its processes, and back', async () => {
  committed(await send(cluster.at('us-east'), EU, deposit(11, EUR, MILLION, 'eur')))
  const place = leadingPlace() as string
  // Whoever is asked: it passes the wish on to the leader.
  await cluster.at('us-east').handOver(EU as never, 'asia-pacific' as RegionName)
  const away = leadingPlace() as string
  expect(away.startsWith('asia-pacific')).toBe(true)
  const order = committed(await send(cluster.at(place), EU, limitOrder(11, Side.buy, 19_000, 1, 'away')))
  await cluster.at(away).handOver(EU as never, 'eu-west' as RegionName)
  expect(HOME).toContain(leadingPlace())
  const found = await cluster.at(leadingPlace() as string).order(order.events[ORDER_ACCEPTED.order] as OrderId)
  expect(found.value).toMatchObject({ clientOrderId: 'away' })
})
