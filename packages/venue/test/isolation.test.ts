// A process that is cut off says so, and only that one: with links, or with the journal, it goes on.

import { setTimeout as pause } from 'node:timers/promises'
import { type RegionName, Side, type Timestamp } from '@wintrades/domain'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Isolation } from '../src/isolation.ts'
import { Cluster, limitOrder, REGIONS, SAP, send } from './support/cluster.ts'

const at = (ms: number) => (ms * 1_000) as Timestamp
const SILENCE_MS = 600
const LONG_MS = SILENCE_MS + 1

describe('as a table', () => {
  const cutOff = { regions: 0, journalAnsweredAt_us: at(0), areLeadersKnown: true }

  test.each([
    ['no links, and a journal that has been silent for long', cutOff, true],
    ['a journal that may still answer', { ...cutOff, journalAnsweredAt_us: at(1) }, false],
    ['one region with a link: then nobody reaches the journal', { ...cutOff, regions: 1 }, false],
    ['no links, and the journal: it is all there is left', { ...cutOff, journalAnsweredAt_us: at(LONG_MS) }, false],
  ])('%s', (_what, connections, isIsolated) => {
    const isolation = new Isolation(SILENCE_MS)
    expect(isolation.look(connections, at(LONG_MS))).toBe(isIsolated)
    expect(isolation.isIsolated).toBe(isIsolated)
  })

  test('links alone do not end it, nor the journal alone: it has to know who leads', () => {
    const isolation = new Isolation(SILENCE_MS)
    isolation.look(cutOff, at(LONG_MS))
    expect(isolation.look({ ...cutOff, regions: 2 }, at(LONG_MS + 1))).toBe(false)
    const answered = { ...cutOff, regions: 2, journalAnsweredAt_us: at(LONG_MS + 2) }
    expect(isolation.look({ ...answered, areLeadersKnown: false }, at(LONG_MS + 3))).toBe(false)
    expect(isolation.isIsolated).toBe(true)
    expect(isolation.look(answered, at(LONG_MS + 4))).toBe(true)
    expect(isolation.isIsolated).toBe(false)
  })
})

describe('three regions', () => {
  let cluster: Cluster
  const [US, EU, AP] = REGIONS as [RegionName, RegionName, RegionName]
  const of = (region: string) => cluster.at(region).status()
  const isTrading = (region: string) => of(region).shards.every(({ leader }) => leader !== null)

  beforeEach(async () => {
    cluster = new Cluster({ isolation_ms: SILENCE_MS })
    await cluster.start()
    await expect.poll(() => REGIONS.every(isTrading), { timeout: 10_000 }).toBe(true)
  })

  afterEach(async () => {
    cluster.unanswered.clear()
    await cluster.remove()
  })

  test('all without the journal: none is cut off', async () => {
    for (const region of REGIONS) cluster.unanswered.add(region)
    const seen: boolean[] = []
    const until_ms = performance.now() + 3 * SILENCE_MS
    while (performance.now() < until_ms) {
      seen.push(...REGIONS.map((region) => of(region).isIsolated))
      await pause(50)
    }
    expect(new Set(seen)).toEqual(new Set([false]))
  })

  test('one left, with the journal, trades; without it takes nothing; with it again trades', async () => {
    for (const region of [US, EU]) {
      await cluster.at(region).close()
      cluster.venues.delete(region)
    }
    await expect.poll(() => of(AP).shards.every(({ leading }) => leading), { timeout: 10_000 }).toBe(true)
    expect(of(AP).isIsolated).toBe(false)

    cluster.unanswered.add(AP)
    await expect.poll(() => of(AP).isIsolated, { timeout: 10_000 }).toBe(true)
    expect(of(AP).shards.map(({ leader }) => leader)).toEqual([null, null, null])
    const order = (id: string) => send(cluster.at(AP), SAP.shard, limitOrder(1, Side.buy, 100, 1, id))
    await expect
      .poll(async () => await order(`order-${Math.round(performance.now())}`), { timeout: 15_000 })
      .toBe('unavailable')

    cluster.unanswered.delete(AP)
    await expect.poll(() => of(AP).isIsolated, { timeout: 10_000 }).toBe(false)
    await expect
      .poll(async () => typeof (await order(`after-${performance.now()}`)), { timeout: 10_000 })
      .toBe('object')
  })
})
