// Snapshots: whole or refused; the archiver: history first, then snapshot, then pruning; and a start from what it left.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AccountId, type Epoch, readBatchHeader, type Seq, type ShardIndex } from '@wintrades/domain'
import { createLogger } from '@wintrades/platform'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Archiver, type HistorySink, journalPath, SnapshotDamage, SnapshotFiles, SqliteJournal } from '../src/index.ts'
import { Cluster, deposit, markets, send } from './support/cluster.ts'

const US = 0 as ShardIndex
const logger = createLogger('test', { level: 'silent' })

test('a snapshot is read as it was written; any damage is named', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-snapshots-'))
  const store = new SnapshotFiles(directory, markets)
  expect(await store.list(US)).toEqual([])
  const engine = Uint8Array.from({ length: 500 }, (_, i) => i)
  const snapshot = { seq: 42 as Seq, epoch: 3 as Epoch, hash: new Uint8Array(32).fill(9), engine }
  await store.write(US, snapshot)
  await store.write(US, { ...snapshot, seq: 50 as Seq })
  expect(await store.list(US)).toEqual([50, 42])
  expect(await store.read(US, 42 as Seq)).toEqual(snapshot)
  const path = join(directory, 'snapshots', 'us-east', '42.snapshot')
  const sound = readFileSync(path)
  await fc.assert(
    fc.asyncProperty(
      fc.nat(sound.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, flip, cut) => {
        const bytes = Buffer.from(sound)
        bytes[at] = (bytes[at] ?? 0) ^ flip
        writeFileSync(path, cut ? sound.subarray(0, at) : bytes)
        await expect(store.read(US, 42 as Seq)).rejects.toThrow(SnapshotDamage)
        await expect(store.read(US, 42 as Seq)).rejects.toThrow('42.snapshot')
      },
    ),
    { numRuns: 60 },
  )
  await store.prune(US, 1)
  expect(await store.list(US)).toEqual([50])
  rmSync(directory, { recursive: true, force: true })
})

/** A history in memory that is durable up to its last flush. */
class MemoryHistory implements HistorySink {
  readonly rows = new Map<number, number>()
  #durable = 0
  #written = 0

  async begin(): Promise<Seq> {
    this.#written = this.#durable
    return this.#durable as Seq
  }

  async write(batch: Uint8Array, events: Float64Array): Promise<void> {
    const { seq } = readBatchHeader(batch)
    expect(seq).toBe(this.#written + 1)
    expect(this.rows.has(seq)).toBe(false)
    this.rows.set(seq, events.length)
    this.#written = seq
  }

  async sync(): Promise<void> {
    await this.flush()
  }

  async flush(): Promise<void> {
    this.#durable = this.#written
  }
}

let cluster: Cluster

beforeEach(() => {
  cluster = new Cluster()
})

afterEach(async () => {
  await cluster.remove()
})

async function trade(from: number, count: number): Promise<void> {
  const venue = cluster.at('us-east')
  for (let i = from; i < from + count; i++) {
    const outcome = await send(venue, US, deposit(11, 1, 1_000, `d-${i}`))
    if (typeof outcome === 'string') throw new Error(outcome)
  }
}

function archiver(history: HistorySink, journal: SqliteJournal, snapshotCommands: number): Archiver {
  return new Archiver({
    markets,
    journals: markets.shards.map(() => journal),
    snapshots: new SnapshotFiles(cluster.dataDirectory, markets),
    history,
    logger,
    isLeading: (shard) => shard === US,
    snapshotCommands,
    journalKept_ms: 0,
  })
}

test('every batch reaches the history once, the journal is pruned behind snapshots, and a start finds everything', async () => {
  await cluster.start()
  const shard = markets.shards[US]
  if (shard === undefined) throw new Error('there is no us-east')
  const journal = new SqliteJournal(journalPath(cluster.dataDirectory, shard))
  const history = new MemoryHistory()
  for (let round = 0; round < 5; round++) {
    await trade(round * 30, 30)
    // A new archiver each time: as after a crash, it goes on from the snapshot and from what the history has.
    const fresh = archiver(history, journal, 20)
    while (await fresh.turn());
  }
  const { last } = (await journal.extent()) ?? { last: 0 }
  expect([...history.rows.keys()]).toEqual(Array.from({ length: last }, (_, i) => i + 1))
  const store = new SnapshotFiles(cluster.dataDirectory, markets)
  const snapshots = await store.list(US)
  expect(snapshots.length).toBe(3)
  expect((await journal.extent())?.first).toBe((snapshots.at(-1) ?? 0) + 1)
  const before = (await cluster.at('us-east').account(US, 11 as AccountId)).value.balances
  await cluster.stop()

  // The newest snapshot is damaged: an older one and the journal give the same.
  const newest = join(cluster.dataDirectory, 'snapshots', shard.name, `${snapshots[0]}.snapshot`)
  writeFileSync(newest, readFileSync(newest).subarray(0, 1_000))
  const venue = await cluster.startRegion('us-east')
  await expect.poll(() => venue.status().shards[US]?.leader, { timeout: 10_000 }).toBe('us-east')
  expect(venue.status().shards[US]?.fault).toBeNull()
  expect((await venue.account(US, 11 as AccountId)).value.balances).toEqual(before)
  journal.close()
})

test('without a snapshot a pruned journal is refused, and says where it begins', async () => {
  await cluster.start(['us-east'])
  await expect.poll(() => cluster.at('us-east').status().shards[US]?.leader, { timeout: 10_000 }).toBe('us-east')
  await trade(0, 10)
  await cluster.stop()
  const shard = markets.shards[US]
  if (shard === undefined) throw new Error('there is no us-east')
  const journal = new SqliteJournal(journalPath(cluster.dataDirectory, shard))
  await journal.prune(5 as Seq)
  journal.close()
  const venue = await cluster.startRegion('us-east')
  expect(venue.status().shards[US]?.fault).toMatch(/journal of shard us-east.*comes batch 6.*no snapshot/)
})
