// Kept pages of history: whatever is committed, recorded and asked in whichever order, at several processes over one store, an answer is
// exactly what the database would say at the batch that it is stamped with, and never older than what was asked for.

import { type AccountId, EVENT_SLOTS, EventType, type Seq, type ShardIndex } from '@wintrades/domain'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AccountVersions } from '../../src/cache/account-versions.ts'
import { HistoryCache } from '../../src/cache/history-cache.ts'
import { MemoryQueryStore, type QueryStore } from '../../src/cache/query-store.ts'

const SHARD = 0 as ShardIndex
const ACCOUNTS = [1_001, 1_002] as AccountId[]

/** One shard's journal: which account each batch touched; and how much of it history has. */
class World {
  readonly touches: AccountId[] = []
  recorded = 0
  reads = 0
  commit(account: AccountId): Seq {
    this.touches.push(account)
    return this.touches.length as Seq
  }
  itemsAt(account: AccountId, seq: number): number[] {
    return this.touches.flatMap((touched, index) => (touched === account && index < seq ? [index + 1] : []))
  }
  read(account: AccountId) {
    this.reads += 1
    return {
      items: this.itemsAt(account, this.recorded),
      nextCursor: null,
      places: [{ shard: SHARD, seq: this.recorded as Seq }],
    }
  }
}

class Process {
  readonly versions = new AccountVersions()
  readonly cache: HistoryCache
  seen: number
  readonly #world: World
  constructor(world: World, store: QueryStore) {
    this.#world = world
    this.seen = world.touches.length
    this.cache = new HistoryCache(store, this.versions)
  }
  catchUp(count = Number.POSITIVE_INFINITY): void {
    for (let left = count; left > 0 && this.seen < this.#world.touches.length; left -= 1) {
      this.seen += 1
      this.versions.note(batch(this.seen as Seq, this.#world.touches[this.seen - 1] as AccountId))
    }
  }
  page(account: AccountId, minSeq = 0) {
    const query = { account, limit: 50, atLeast: [{ shard: SHARD, seq: minSeq as Seq }] }
    return this.cache.page('closed', query, async () => this.#world.read(account))
  }
}

function batch(seq: Seq, account: AccountId) {
  const events = new Float64Array(EVENT_SLOTS[EventType.balance_changed] as number)
  events.set([EventType.balance_changed, 0, account, 0])
  return { shard: SHARD, seq, events }
}

function parts() {
  const world = new World()
  const store = new MemoryQueryStore(100, () => 0)
  const [here, there] = [new Process(world, store), new Process(world, store)]
  const commit = (account: AccountId) => {
    world.commit(account)
    world.recorded = world.touches.length
    here.catchUp()
    there.catchUp()
  }
  return { world, here, there, commit }
}

test('the same question is asked of the database once, by all processes together', async () => {
  const { world, here, there, commit } = parts()
  commit(ACCOUNTS[0] as AccountId)
  for (const process of [here, there, here]) expect((await process.page(1_001 as AccountId)).items).toEqual([1])
  expect(world.reads).toBe(1)
})

test('a batch that touches the account makes it ask again, another’s does not', async () => {
  const { world, here, commit } = parts()
  commit(1_001 as AccountId)
  await here.page(1_001 as AccountId)
  commit(1_002 as AccountId)
  expect((await here.page(1_001 as AccountId)).places).toEqual([{ shard: SHARD, seq: 2 }])
  expect(world.reads).toBe(1)
  commit(1_001 as AccountId)
  expect((await here.page(1_001 as AccountId)).items).toEqual([1, 3])
  expect(world.reads).toBe(2)
})

test('nonsense in the store is no answer', async () => {
  const { world, commit } = parts()
  for (const text of ['', 'null', '[]', '{}', '{"items":1,"places":[]}', '{"items":[],"places":[{}]}', '{"items":[]']) {
    const store: QueryStore = { get: async () => text, set: () => {} }
    const process = new Process(world, store)
    commit(1_001 as AccountId)
    process.catchUp()
    expect((await process.page(1_001 as AccountId)).items).toEqual(world.itemsAt(1_001 as AccountId, world.recorded))
  }
})

test('an answer is what the database says at its batch, and never older than asked for', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('commit' as const), account: fc.nat(1) }),
    fc.record({ kind: fc.constant('record' as const), count: fc.nat(3) }),
    fc.record({ kind: fc.constant('apply' as const), process: fc.nat(2), count: fc.nat(3) }),
    fc.record({ kind: fc.constant('start' as const), process: fc.nat(2) }),
    fc.record({ kind: fc.constant('ask' as const), process: fc.nat(2), account: fc.nat(1), isExact: fc.boolean() }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
      const world = new World()
      const store = new MemoryQueryStore(100, () => 0)
      const processes = [0, 1, 2].map(() => new Process(world, store))
      for (const one of steps) {
        if (one.kind === 'commit') world.commit(ACCOUNTS[one.account] as AccountId)
        else if (one.kind === 'record') world.recorded = Math.min(world.touches.length, world.recorded + one.count)
        else if (one.kind === 'apply') processes[one.process]?.catchUp(one.count)
        else if (one.kind === 'start') processes[one.process] = new Process(world, store)
        else {
          const process = processes[one.process] as Process
          const account = ACCOUNTS[one.account] as AccountId
          // As the gateway does: the database is asked once it has what the client has seen.
          const minSeq = one.isExact ? world.recorded : 0
          const { items, places } = await process.page(account, minSeq)
          const { seq } = places[0] as { seq: number }
          expect(items).toEqual(world.itemsAt(account, seq))
          expect(seq).toBeGreaterThanOrEqual(minSeq)
        }
      }
    }),
    { numRuns: 300 },
  )
})
