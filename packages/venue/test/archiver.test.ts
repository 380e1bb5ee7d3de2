// What the archiver does when something is slow or out of reach: nothing is lost, and nobody who was held up finds the journal gone.

import {
  type Epoch,
  type RegionName,
  readBatchHeader,
  type Seq,
  type ShardIndex,
  type Timestamp,
} from '@wintrades/domain'
import { createLogger } from '@wintrades/platform'
import { beforeEach, expect, test } from 'vitest'
import {
  Archiver,
  type HistorySink,
  JournalDamage,
  MemoryJournal,
  MemoryJournalStore,
  MemorySnapshots,
  type StoredBatch,
} from '../src/index.ts'
import { nextBatch } from './support/batches.ts'
import { markets } from './support/cluster.ts'

const US = 0 as ShardIndex

/** A journal whose reads can be made to fail. */
class UnreliableJournal extends MemoryJournal {
  failure: Error | null = null

  override async read(from: Seq, bytesMax: number): Promise<readonly StoredBatch[]> {
    if (this.failure !== null) throw this.failure
    return await super.read(from, bytesMax)
  }
}

/** As strict as the real one: what waits for a flush is followed by the next batch, and only by that. */
class StrictHistory implements HistorySink {
  readonly kept: number[] = []
  #waiting: number[] = []

  async begin(): Promise<Seq> {
    this.#waiting = []
    return (this.kept.at(-1) ?? 0) as Seq
  }

  async write(batch: Uint8Array): Promise<void> {
    const { seq } = readBatchHeader(batch)
    expect(seq).toBe((this.#waiting.at(-1) ?? this.kept.at(-1) ?? 0) + 1)
    this.#waiting.push(seq)
  }

  async sync(): Promise<void> {
    await this.flush()
  }

  async flush(): Promise<void> {
    this.kept.push(...this.#waiting.splice(0))
  }
}

let store: MemoryJournalStore
let journal: UnreliableJournal
let history: StrictHistory
let archiver: Archiver
let last: Uint8Array | null
let now_ms: number
let isLeading: boolean

beforeEach(() => {
  store = new MemoryJournalStore(() => (now_ms * 1_000) as Timestamp)
  journal = new UnreliableJournal(store)
  history = new StrictHistory()
  last = null
  now_ms = 1_000
  isLeading = true
  const region = 'us-east' as RegionName
  store.claim({ region, origin: 1, seen: 0 as Epoch, early: false, ttl_ms: 60_000, pinned: false })
  archiver = new Archiver({
    markets,
    journals: markets.shards.map(() => journal),
    snapshots: new MemorySnapshots(),
    history,
    logger: createLogger('test', { level: 'silent' }),
    isLeading: (shard) => shard === US && isLeading,
    snapshotCommands: 10,
    journalKept_ms: 60_000,
    now_ms: () => now_ms,
  })
})

function append(count: number): void {
  for (let i = 0; i < count; i++) {
    last = nextBatch(last, (store.extent()?.last ?? 0) + 1, 1)
    expect(store.append(1 as Epoch, last)).toBe('committed')
  }
}

async function drain(): Promise<void> {
  while (await archiver.turn());
}

test('the journal is not pruned behind a snapshot before those who were held up could read it', async () => {
  for (let round = 0; round < 6; round++) {
    append(10)
    await drain()
    now_ms += 10_000
  }
  expect(store.extent()).toEqual({ first: 1, last: 60 })
  append(10)
  await drain()
  // The first snapshot is a minute old.
  expect(store.extent()?.first).toBe(11)
})

test('a journal that cannot be read is read again later, and the history misses nothing', async () => {
  append(5)
  await drain()
  journal.failure = new Error('database is locked')
  append(5)
  await drain()
  expect(history.kept.length).toBe(5)
  journal.failure = null
  now_ms += 1_000
  await drain()
  expect(history.kept).toEqual(Array.from({ length: 10 }, (_, i) => i + 1))
})

test('damage ends the history of the shard for good', async () => {
  append(5)
  journal.failure = new JournalDamage('a row is not what was written')
  await drain()
  journal.failure = null
  now_ms += 3_600_000
  await drain()
  expect(history.kept).toEqual([])
})

test('a region that leads again goes on where the history ends', async () => {
  // More than one turn reads: what the first one took is not committed yet.
  append(1_000)
  expect(await archiver.turn()).toBeGreaterThan(0)
  isLeading = false
  await drain()
  append(5)
  isLeading = true
  await drain()
  expect(history.kept).toEqual(Array.from({ length: 1_005 }, (_, i) => i + 1))
})
