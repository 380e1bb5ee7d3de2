// A leader whose journal does not answer: what waits is bounded, and once it answers everything that was taken takes effect in order.

import { type Epoch, LIMITS, type RegionName, readBatchHeader } from '@wintrades/domain'
import { createLogger } from '@wintrades/platform'
import { expect, test } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { encodeAll } from '../src/encode.ts'
import { type AppendResult, type Journal, MemoryJournalStore, Replica } from '../src/index.ts'
import { MemoryJournal } from '../src/journal/memory.ts'
import { Leader } from '../src/leader.ts'
import { depositCommand } from './support/batches.ts'
import { markets } from './support/cluster.ts'

const FRAME = 8_000

function frame(first: number, count: number, origin: number): Uint8Array {
  return encodeAll(Array.from({ length: count }, (_, i) => depositCommand(first + i, origin))).records
}

test('past a bound nothing is taken while the journal is silent; what was taken is appended when it answers', {
  timeout: 90_000,
}, async () => {
  const [shard] = markets.shards
  if (shard === undefined) throw new Error('there is no shard')
  const store = new MemoryJournalStore(systemClock.now_us)
  store.claim({
    region: 'us-east' as RegionName,
    origin: 1,
    seen: 0 as Epoch,
    early: false,
    ttl_ms: 60_000,
    pinned: false,
  })
  let isSilent = false
  const answering = Promise.withResolvers<void>()
  const journal = new MemoryJournal(store)
  const silent = Object.assign(Object.create(journal) as MemoryJournal, {
    append: async (epoch: Epoch, batch: Uint8Array) => {
      if (isSilent) await answering.promise
      return journal.append(epoch, batch)
    },
  })
  const replica = new Replica(shard)
  let commands = 0
  const leader = new Leader({
    epoch: 1 as Epoch,
    journal: silent,
    replica,
    clock: systemClock,
    logger: createLogger('test', { level: 'silent' }),
    figures: { batches: 0, commands: 0, appendSeconds: 0, heldUp: 0, retries: 0 },
    listener: {
      committed: (batch) => {
        commands += readBatchHeader(batch).commandCount
        replica.applyOwn(batch)
      },
      fenced: () => {},
      broken: (reason) => expect.fail(reason),
    },
  })
  expect(await leader.begin(new Uint8Array(0), 0)).toBe(true)
  isSilent = true
  for (let i = 0; i < 60; i++) leader.offer(frame(i * FRAME + 1, FRAME, 7), FRAME)
  const full = leader.waiting
  expect(full).toBeLessThan(262_144 + FRAME)
  expect(full).toBeGreaterThan(200_000)
  leader.offer(frame(1, 10, 0), 10)
  leader.offer(frame(60 * FRAME + 1, FRAME, 7), FRAME)
  expect(leader.waiting).toBe(full)
  isSilent = false
  answering.resolve()
  await expect.poll(() => leader.waiting, { timeout: 60_000 }).toBe(0)
  await leader.stop()
  expect(commands).toBe(full)
})

test('the venue’s own commands do not pile up behind what waits', async () => {
  const [shard] = markets.shards
  if (shard === undefined) throw new Error('there is no shard')
  const leader = new Leader({
    epoch: 1 as Epoch,
    journal: new MemoryJournal(new MemoryJournalStore(systemClock.now_us)),
    replica: new Replica(shard),
    clock: { ...systemClock, soon: () => {} },
    logger: createLogger('test', { level: 'silent' }),
    figures: { batches: 0, commands: 0, appendSeconds: 0, heldUp: 0, retries: 0 },
    listener: { committed: () => {}, fenced: () => {}, broken: () => {} },
  })
  for (let i = 0; i < 100; i++) leader.offer(frame(1, 500, 0), 500)
  expect(leader.waiting).toBeLessThan(LIMITS.batch_commands_max + 500)
})

/** A journal that takes several appends at once and answers each when the test says so. */
function answeringOneByOne(): {
  readonly journal: Journal
  readonly underWay: { readonly seq: number; readonly answer: (result: AppendResult) => void }[]
} {
  const underWay: { readonly seq: number; readonly answer: (result: AppendResult) => void }[] = []
  const memory = new MemoryJournal(new MemoryJournalStore(systemClock.now_us))
  const journal: Journal = Object.assign(Object.create(memory) as MemoryJournal, {
    appendsInFlight_max: 3,
    append: (_epoch: Epoch, batch: Uint8Array) =>
      new Promise<AppendResult>((resolve) => underWay.push({ seq: readBatchHeader(batch).seq, answer: resolve })),
  })
  return { journal, underWay }
}

async function beginning(): Promise<
  ReturnType<typeof answeringOneByOne> & { leader: Leader; committed: number[]; ends: string[] }
> {
  const [shard] = markets.shards
  if (shard === undefined) throw new Error('there is no shard')
  const parts = answeringOneByOne()
  const replica = new Replica(shard)
  const committed: number[] = []
  const ends: string[] = []
  const leader = new Leader({
    epoch: 1 as Epoch,
    journal: parts.journal,
    replica,
    clock: systemClock,
    logger: createLogger('test', { level: 'silent' }),
    figures: { batches: 0, commands: 0, appendSeconds: 0, heldUp: 0, retries: 0 },
    listener: {
      committed: (batch) => {
        committed.push(readBatchHeader(batch).seq)
        replica.applyOwn(batch)
      },
      fenced: () => ends.push('fenced'),
      broken: (reason) => ends.push(reason),
    },
  })
  const begun = leader.begin(new Uint8Array(0), 0)
  leader.offer(frame(1, 1, 7), 1)
  // The first batch of an epoch is alone, whatever waits.
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(parts.underWay.map((one) => one.seq)).toEqual([1])
  parts.underWay.shift()?.answer('committed')
  expect(await begun).toBe(true)
  await expect.poll(() => parts.underWay.length).toBe(1)
  return { ...parts, leader, committed, ends }
}

test('several appends under way take effect in order, however they are answered; a full window makes larger batches', async () => {
  const { leader, underWay, committed } = await beginning()
  leader.offer(frame(2, 1, 7), 1)
  await expect.poll(() => underWay.length).toBe(2)
  leader.offer(frame(3, 1, 7), 1)
  await expect.poll(() => underWay.length).toBe(3)
  for (let i = 4; i < 10; i++) leader.offer(frame(i, 1, 7), 1)
  expect(leader.waiting).toBe(6)
  const [second, third, fourth] = underWay.splice(0)
  fourth?.answer('committed')
  third?.answer('committed')
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(committed).toEqual([1])
  expect(underWay).toEqual([])
  second?.answer('committed')
  await expect.poll(() => underWay.map((one) => one.seq)).toEqual([5])
  expect(committed).toEqual([1, 2, 3, 4])
  expect(leader.waiting).toBe(0)
  const stopped = leader.stop()
  underWay.shift()?.answer('committed')
  await stopped
  expect(committed).toEqual([1, 2, 3, 4, 5])
})

test('one fenced append ends the leader: nothing after it takes effect, and who waits for the end is told', async () => {
  const { leader, underWay, committed, ends } = await beginning()
  leader.offer(frame(2, 1, 7), 1)
  await expect.poll(() => underWay.length).toBe(2)
  const stopped = leader.stop()
  const [second, third] = underWay.splice(0)
  third?.answer('fenced')
  second?.answer('committed')
  await stopped
  expect(ends).toEqual(['fenced'])
  expect(committed).toEqual([1])
  leader.offer(frame(3, 1, 7), 1)
  expect(leader.waiting).toBe(0)
})
