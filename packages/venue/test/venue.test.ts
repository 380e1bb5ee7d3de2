// The venue with real journals and links: three regions in one process.

import {
  type AccountId,
  type Amount,
  CommandType,
  EventType,
  ORDER_ACCEPTED,
  type OrderId,
  type RegionName,
  type Seq,
  type ShardIndex,
  Side,
  TimeInForce,
  type Timestamp,
} from '@wintrades/domain'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HandOverRefused, journalPath, SqliteJournal, type Submission } from '../src/index.ts'
import {
  Cluster,
  cancelOrder,
  deposit,
  limitOrder,
  markets,
  type Outcome,
  REGIONS,
  SAP,
  send,
} from './support/cluster.ts'

const EU = 1 as ShardIndex
const EUR = SAP.quote.id
const SHARE = SAP.base.id
const MILLION = 1_000_000_000_000

let cluster: Cluster

beforeEach(() => {
  cluster = new Cluster({ failBack_ms: 300 })
})

afterEach(async () => {
  await cluster.remove()
})

async function ready(regions: readonly string[] = REGIONS): Promise<void> {
  await expect
    .poll(
      () =>
        regions.every((region) =>
          cluster
            .at(region)
            .status()
            .shards.every((one) => one.leader !== null),
        ),
      {
        timeout: 10_000,
      },
    )
    .toBe(true)
}

function committed(outcome: Outcome): Exclude<Outcome, string> {
  if (typeof outcome === 'string') throw new Error(`the command is ${outcome}`)
  return outcome
}

function leaders(region: string): (string | null)[] {
  return cluster
    .at(region)
    .status()
    .shards.map((one) => one.leader)
}

async function hashes(shard: ShardIndex): Promise<string[]> {
  const all = [...cluster.venues.values()]
  const seq = Math.max(...all.map((venue) => venue.status().shards[shard]?.seq ?? 0)) as Seq
  for (const venue of all) expect(await venue.waitFor(shard, seq, 5_000)).toBe(true)
  return await Promise.all(all.map(async (venue) => (await venue.stateHash(shard)).value))
}

function orderOf(outcome: Outcome): number {
  const { events } = committed(outcome)
  expect(events[0]).toBe(EventType.order_accepted)
  return events[ORDER_ACCEPTED.order] as number
}

test('each region leads its own shard, and a command takes effect wherever it is sent', async () => {
  await cluster.start()
  await ready()
  expect(leaders('us-east')).toEqual(REGIONS)
  expect(leaders('asia-pacific')).toEqual(REGIONS)
  const outcomes = await Promise.all(
    REGIONS.map((region) => send(cluster.at(region), EU, deposit(11, EUR, MILLION, `from-${region}`))),
  )
  for (const outcome of outcomes) expect(committed(outcome).events[0]).toBe(EventType.funds_moved)
  const there = await cluster.at('asia-pacific').account(EU, 11 as AccountId)
  expect(there.value.balances).toEqual([{ asset: EUR, available: 3 * MILLION, held: 0 }])
  expect(new Set(await hashes(EU)).size).toBe(1)
})

test('thousands of commands from every region: each is answered once, in order, and all replicas agree', async () => {
  await cluster.start()
  await ready()
  for (const [i, region] of REGIONS.entries()) {
    committed(await send(cluster.at(region), EU, deposit(20 + i, EUR, MILLION, 'eur')))
    committed(await send(cluster.at(region), EU, deposit(20 + i, SHARE, 1_000_000, 'shares')))
  }
  const perRegion = 3_000
  const outcomes = await Promise.all(
    REGIONS.flatMap((region, i) =>
      Array.from({ length: perRegion }, (_, k) =>
        send(
          cluster.at(region),
          EU,
          limitOrder(20 + i, k % 2 === 0 ? Side.buy : Side.sell, 19_500 + (k % 7), 1, `o-${k}`),
        ),
      ),
    ),
  )
  const ids = new Set(outcomes.map(orderOf))
  expect(ids.size).toBe(perRegion * REGIONS.length)
  expect(new Set(await hashes(EU)).size).toBe(1)
  const { batches, commands } = cluster.at('eu-west').core.node(EU).figures
  expect(batches).toBeLessThan(commands / 4)
})

test('a leader that ends hands over, nothing is lost, and the shard goes home when its region is back', async () => {
  await cluster.start()
  await ready()
  committed(await send(cluster.at('us-east'), EU, deposit(11, EUR, MILLION, 'first')))
  const epoch = cluster.at('us-east').status().shards[EU]?.epoch ?? 0
  await cluster.at('eu-west').close()
  cluster.venues.delete('eu-west')
  const order = orderOf(await send(cluster.at('asia-pacific'), EU, limitOrder(11, Side.buy, 19_000, 1, 'while-away')))
  expect(leaders('asia-pacific')[EU]).toBe('us-east')
  expect(cluster.at('us-east').status().shards[EU]?.epoch).toBeGreaterThan(epoch)
  await cluster.startRegion('eu-west')
  await expect.poll(() => leaders('asia-pacific')[EU], { timeout: 10_000 }).toBe('eu-west')
  expect((await cluster.at('eu-west').order(order as OrderId)).value).toMatchObject({ clientOrderId: 'while-away' })
  committed(await send(cluster.at('us-east'), EU, cancelOrder(11, order)))
  expect(new Set(await hashes(EU)).size).toBe(1)
})

test('a planned hand-over under load: every command is answered, none is unknown', async () => {
  await cluster.start()
  await ready()
  committed(await send(cluster.at('us-east'), EU, deposit(11, EUR, MILLION, 'eur')))
  const outcomes: Promise<Outcome>[] = []
  let sending = true
  const load = (async () => {
    for (let k = 0; sending; k++) {
      for (const region of REGIONS) {
        outcomes.push(send(cluster.at(region), EU, limitOrder(11, Side.buy, 18_000, 1, `${region}-${k}`)))
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const began_ms = performance.now()
  await cluster.at('eu-west').handOver(EU, 'us-east' as RegionName)
  expect(leaders('eu-west')[EU]).toBe('us-east')
  expect(performance.now() - began_ms).toBeLessThan(3_000)
  sending = false
  await load
  const answered = await Promise.all(outcomes)
  expect(new Set(answered.map(orderOf)).size).toBe(answered.length)
  // An operator moved it: it stays.
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(leaders('asia-pacific')[EU]).toBe('us-east')
})

test('a hand-over that cannot take place is refused and says why', async () => {
  await cluster.start(['us-east', 'eu-west'])
  await ready(['us-east', 'eu-west'])
  await expect(cluster.at('us-east').handOver(EU, 'asia-pacific' as RegionName)).rejects.toThrow(HandOverRefused)
  expect(leaders('us-east')[EU]).toBe('eu-west')
  await expect(cluster.at('eu-west').handOver(EU, 'asia-pacific' as RegionName)).rejects.toThrow(
    /no link to asia-pacific/,
  )
  await expect(cluster.at('eu-west').handOver(EU, 'mars' as RegionName)).rejects.toThrow(/never led by mars/)
  expect(leaders('us-east')[EU]).toBe('eu-west')
})

test('funds move between shards once, are seen in flight, and settle', async () => {
  await cluster.start()
  await ready()
  committed(await send(cluster.at('us-east'), 0, deposit(11, EUR, MILLION, 'eur')))
  const transfer = {
    type: CommandType.transfer_out,
    account: 11 as AccountId,
    asset: EUR,
    amount: 5_000_000 as Amount,
    toShard: EU,
    transferId: 'move-1',
  } as const
  committed(await send(cluster.at('asia-pacific'), 0, transfer))
  const again = committed(await send(cluster.at('us-east'), 0, transfer))
  expect(again.events[0]).toBe(EventType.command_duplicate)
  await expect
    .poll(async () => (await cluster.at('us-east').account(EU, 11 as AccountId)).value.balances, { timeout: 5_000 })
    .toEqual([{ asset: EUR, available: 5_000_000, held: 0 }])
  await expect
    .poll(async () => (await cluster.at('us-east').trialBalance(0 as ShardIndex)).value.inFlight, { timeout: 5_000 })
    .toEqual([])
})

test('everything stops and starts again: the state is what it was', async () => {
  await cluster.start()
  await ready()
  committed(await send(cluster.at('us-east'), EU, deposit(11, EUR, MILLION, 'eur')))
  const order = orderOf(await send(cluster.at('us-east'), EU, limitOrder(11, Side.buy, 19_000, 1, 'stays')))
  await cluster.stop()
  await cluster.start()
  await ready()
  expect((await cluster.at('asia-pacific').order(order as OrderId)).value).toMatchObject({ clientOrderId: 'stays' })
  const repeated = committed(await send(cluster.at('us-east'), EU, limitOrder(11, Side.buy, 19_000, 1, 'stays')))
  expect(repeated.events[0]).toBe(EventType.command_duplicate)
})

test('a damaged journal row stops the shard here, and says where', async () => {
  await cluster.start()
  await ready()
  for (let i = 0; i < 5; i++) committed(await send(cluster.at('us-east'), EU, deposit(11, EUR, MILLION, `d-${i}`)))
  await cluster.stop()
  const { DatabaseSync } = await import('node:sqlite')
  const shard = markets.shards[EU]
  if (shard === undefined) throw new Error('there is no eu-west')
  const database = new DatabaseSync(journalPath(cluster.dataDirectory, shard))
  const row = database.prepare('SELECT seq, batch FROM journal WHERE seq = 3').get() as { batch: Uint8Array }
  row.batch[120] = (row.batch[120] ?? 0) ^ 1
  database.prepare('UPDATE journal SET batch = ? WHERE seq = 3').run(row.batch)
  database.close()
  const venue = await cluster.startRegion('eu-west')
  expect(venue.status().shards[EU]?.fault).toMatch(
    /journal of shard eu-west, batch 3: its hash is not that of its bytes/,
  )
  expect(venue.status().shards[0]?.fault).toBeNull()
  const journal = new SqliteJournal(journalPath(cluster.dataDirectory, shard))
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect((await journal.readLease()).holder).toBeNull()
  journal.close()
})

test('a process without the link key gets no link', async () => {
  await cluster.start(['us-east', 'eu-west'])
  const stranger = await cluster.startRegion('asia-pacific', new Uint8Array(32).fill(8))
  const linked = { region: 'eu-west', connected: true, processes: 1 }
  await expect.poll(() => cluster.at('us-east').status().links, { timeout: 5_000 }).toContainEqual(linked)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(stranger.status().links.every((link) => !link.connected)).toBe(true)
  expect(cluster.at('us-east').status().links).toContainEqual({
    region: 'asia-pacific',
    connected: false,
    processes: 0,
  })
})

test('an order that ends in a hundred years makes no batches meanwhile; one that ends soon ends', async () => {
  await cluster.start()
  await ready()
  const venue = cluster.at('eu-west')
  committed(await send(venue, EU, deposit(1, EUR, MILLION, 'd-1')))
  const dated = (clientOrderId: string, inMilliseconds: number) => ({
    ...(limitOrder(1, Side.buy, 100_00, 1, clientOrderId) as Extract<Submission, { type: 1 }>),
    timeInForce: TimeInForce.gtd,
    expireTime: ((Date.now() + inMilliseconds) * 1_000) as Timestamp,
  })
  committed(await send(venue, EU, dated('late', 100 * 365 * 86_400_000)))
  const seq = () => venue.status().shards[EU]?.seq ?? 0
  await expect.poll(seq).toBeGreaterThan(2)
  const before = seq()
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(seq() - before).toBeLessThan(3)
  committed(await send(venue, EU, dated('soon', 400)))
  const open = async () => (await venue.account(EU, 1 as AccountId)).value.openOrders.map((one) => one.clientOrderId)
  expect(await open()).toEqual(['late', 'soon'])
  await expect.poll(open, { timeout: 5_000 }).toEqual(['late'])
})
