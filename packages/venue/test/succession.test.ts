// Who comes next, as tables: how long each process leaves a free lease to others, and whom a leader gives its own to.

import type { Epoch, RegionName, Seq, Shard, ShardIndex } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { LeaseWatch } from '../src/lease-watch.ts'
import { Presence } from '../src/links/presence.ts'
import type { Lease, VenueProcess } from '../src/ports.ts'
import { TIMING } from '../src/shard-node.ts'
import { type Candidate, chooseHeir, patience_ms } from '../src/succession.ts'

const [US, EU, AP] = ['us-east', 'eu-west', 'asia-pacific'] as RegionName[] as [RegionName, RegionName, RegionName]
const SHARD: Shard = { index: 0 as ShardIndex, name: US, regions: [US, EU, AP] }
const LONG_UP_MS = 60_000

const us = (origin: number): VenueProcess => ({ region: US, origin })
const eu = (origin: number): VenueProcess => ({ region: EU, origin })
const ap = (origin: number): VenueProcess => ({ region: AP, origin })

function lease(change: Partial<Lease> = {}): Lease {
  return { epoch: 4 as Epoch, holder: US, origin: 1, remaining_ms: 0, reservedFor: null, pinned: false, ...change }
}

function patience(
  self: VenueProcess,
  linked: readonly VenueProcess[],
  change: Partial<Lease> = {},
  more: {
    readonly heir?: number
    readonly uptime_ms?: number
    readonly deserted?: readonly RegionName[]
    shard?: Shard
  } = {},
): number | null {
  const around = {
    self,
    linked,
    isPeer: () => true,
    isDeserted: (region: RegionName) => more.deserted?.includes(region) === true,
  }
  const { uptime_ms = LONG_UP_MS, heir = null, shard = SHARD } = more
  return patience_ms(shard, lease(change), around, { timing: TIMING, uptime_ms, heir })
}

test('processes of the home region claim one after the other, then those of the next region', () => {
  const rest = [us(2), us(3), us(4), eu(5), eu(6), ap(7)]
  const without = (one: VenueProcess) => rest.filter(({ origin }) => origin !== one.origin)
  expect(rest.map((one) => patience(one, without(one)))).toEqual([0, 50, 100, 150, 200, 300])
})

test('in another shard the same processes come in another order', () => {
  const shard = { ...SHARD, index: 1 as ShardIndex }
  expect([patience(us(2), [us(3)], {}, { shard }), patience(us(3), [us(2)], {}, { shard })]).toEqual([50, 0])
})

test('a region whose only process led is not waited for; one that is only cut off is', () => {
  expect(patience(eu(5), [ap(7)])).toBe(0)
  expect(patience(ap(7), [eu(5)])).toBe(150)
  expect(patience(ap(7), [], { holder: EU, origin: 5 })).toBe(150)
  expect(patience(ap(7), [], { holder: EU, origin: 5 }, { deserted: [US] })).toBe(0)
})

test('right after a start, a lease is left to those that may just be starting too', () => {
  expect(patience(eu(5), [], {}, { uptime_ms: 1_000 })).toBe(2_000)
  expect(patience(us(2), [], {}, { uptime_ms: 0 })).toBe(0)
})

test('what was released to a region goes to its heir, else to others of it, else to anybody', () => {
  const released = { holder: null, origin: 0, reservedFor: EU }
  expect(patience(eu(5), [eu(6)], released, { heir: 5 })).toBe(0)
  expect(patience(eu(6), [eu(5)], released, { heir: 5 })).toBe(200)
  expect(patience(eu(6), [eu(5)], released)).toBe(50)
  expect(patience(us(2), [eu(5)], released)).toBe(700)
  expect(patience(ap(7), [us(2), eu(5)], released)).toBe(1_000)
})

test('a region that may not lead a shard never claims it', () => {
  expect(patience({ region: 'mars' as RegionName, origin: 9 }, [])).toBeNull()
})

test('the heir is of the region, far enough, not leaving, and the one that came last', () => {
  const candidate = (process: VenueProcess, seq: number, isLeaving = false): Candidate => ({
    process,
    seq: seq as Seq,
    isLeaving,
  })
  const all = [candidate(us(2), 5_000), candidate(eu(5), 4_990), candidate(us(3), 5_000), candidate(us(4), 5_000, true)]
  expect(chooseHeir(all, US, 5_000 as Seq)).toEqual(us(3))
  expect(chooseHeir(all, EU, 5_000 as Seq)).toEqual(eu(5))
  expect(chooseHeir(all, AP, 5_000 as Seq)).toBeNull()
  expect(chooseHeir([candidate(us(2), 100), candidate(us(3), 0)], US, 5_000 as Seq)).toBeNull()
})

test('a lease that nobody renews is over after its time, whatever the clock of the database says', () => {
  const watch = new LeaseWatch(1_500)
  const look = (at_ms: number, remaining_ms: number, epoch = 4) =>
    watch.isAbandoned(lease({ remaining_ms, epoch: epoch as Epoch }), at_ms * 1_000)
  // Renewed: its end moves on.
  for (let at_ms = 0; at_ms <= 6_000; at_ms += 300) expect(look(at_ms, 1_300)).toBe(false)
  // Not renewed any more, by a clock that was set back an hour: its end stays where it is.
  for (let since_ms = 0; since_ms < 2_000; since_ms += 300)
    expect(look(10_000 + since_ms, 3_600_000 - since_ms)).toBe(false)
  expect(look(12_100, 3_600_000 - 2_100)).toBe(true)
  expect(look(12_400, 1_500, 5)).toBe(false)
})

test('a process is gone when another answers where it was, or nobody does, and not because a link was lost', () => {
  const presence = new Presence(us(1), [])
  presence.list('a', EU)
  presence.list('b', EU)
  presence.found('a', 5)
  presence.found('b', 6)
  presence.unsure('a')
  expect([presence.isGone(eu(5)), presence.isGone(eu(6)), presence.isDeserted(EU)]).toEqual([false, false, false])
  expect([presence.refused('a'), presence.refused('a')]).toEqual([true, false])
  expect(presence.isGone(eu(5))).toBe(true)
  presence.found('b', 7)
  expect([presence.isGone(eu(6)), presence.isGone(eu(7)), presence.isGone(eu(99))]).toEqual([true, false, false])
  presence.refused('b')
  expect(presence.isDeserted(EU)).toBe(true)
  // It is back after all: its port was closed for a moment.
  presence.alive(7)
  expect(presence.isGone(eu(7))).toBe(false)
})

test('where addresses are fixed, a process that is at none of them is gone; this one never is', () => {
  const presence = new Presence(us(1), [US, EU])
  presence.list('here', US)
  presence.list('a', EU)
  expect(presence.isGone(eu(99))).toBe(false)
  presence.refused('a')
  presence.found('here', 1)
  expect([presence.isGone(eu(99)), presence.isGone(us(99)), presence.isGone(us(1))]).toEqual([true, true, false])
})
