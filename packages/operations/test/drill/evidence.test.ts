// The follower against a real journal and real snapshots: what it copies while the platform prunes is enough to judge by.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Epoch,
  hashOf,
  type RegionName,
  readBatchHeader,
  readMarkets,
  type Seq,
  type Shard,
} from '@wintrades/domain'
import { readYamlFile } from '@wintrades/platform'
import { journalPath, SnapshotFiles, SqliteJournal } from '@wintrades/venue'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkHistory } from '../../src/drill/checker.ts'
import { JournalFollower } from '../../src/drill/evidence.ts'
import { inRepository } from '../../src/repository.ts'
import { ALICE, RecordedVenue, US, USD } from './recorded-venue.ts'

const read = readYamlFile(inRepository('markets.yml'), readMarkets)
if (!read.ok) throw new Error('markets.yml has faults')
const { markets } = read
const shard = markets.shards[US] as Shard
const region = 'us-east' as RegionName

let directory: string
let journal: SqliteJournal
let snapshots: SnapshotFiles
let venue: RecordedVenue
let epoch: Epoch

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-evidence-'))
  journal = new SqliteJournal(journalPath(directory, shard))
  snapshots = new SnapshotFiles(directory, markets)
  venue = new RecordedVenue()
  const claim = { region, origin: 1, seen: 0 as Epoch, early: false, ttl_ms: 60_000, pinned: false }
  epoch = (await journal.claim(claim)) as Epoch
})

afterEach(() => {
  journal.close()
  rmSync(directory, { recursive: true })
})

/** Appends to the file what the venue's shard has and the file has not. */
async function save(): Promise<void> {
  const saved = (await journal.extent())?.last ?? 0
  for (const { bytes } of venue.history().shards[US]?.journal ?? []) {
    if (readBatchHeader(bytes).seq <= saved) continue
    expect(await journal.append(epoch, bytes)).toBe('committed')
  }
}

async function saveSnapshot(): Promise<Seq> {
  const { seq, bytes } = venue.snapshot(US)
  const last = venue.history().shards[US]?.journal.at(-1)?.bytes as Uint8Array
  await snapshots.write(US, { seq, epoch, hash: hashOf(last), engine: bytes })
  return seq
}

async function deposits(count: number): Promise<void> {
  for (let i = 0; i < count; i++) venue.deposit(US, ALICE, USD, 5, `d${venue.sendings.length}`)
  await save()
}

test('a journal is copied from its first batch, past what is pruned meanwhile', async () => {
  await deposits(3)
  const follower = await JournalFollower.open(shard, new SqliteJournal(journalPath(directory, shard)), snapshots)
  await deposits(4)
  const stop = new AbortController()
  const followed = follower.follow(stop.signal)
  await journal.prune(await saveSnapshot())
  await deposits(2)
  const replicas = venue.history().replicas.filter((one) => one.shard === US)
  stop.abort()
  await followed
  const record = await follower.finish(replicas)
  follower.close()
  expect(record.base).toBeNull()
  expect(record.journal.length).toBe(venue.engine(US).seq)
  expect(record.snapshots.map((one) => one.seq)).toEqual([venue.engine(US).seq - 2])
  const verdict = checkHistory({ ...venue.history(), shards: [record], replicas, ownAccounts: [ALICE] })
  expect(verdict.checks.filter((one) => !one.passed)).toEqual([])
})

test('a journal without its beginning is copied from the newest snapshot', async () => {
  await deposits(5)
  const base = await saveSnapshot()
  await journal.prune(base)
  const from = venue.sendings.length
  await deposits(2)
  const follower = await JournalFollower.open(shard, new SqliteJournal(journalPath(directory, shard)), snapshots)
  await deposits(2)
  const replicas = venue.history().replicas.filter((one) => one.shard === US)
  const record = await follower.finish(replicas)
  follower.close()
  expect(record.base?.seq).toBe(base)
  const sendings = venue.sendings.slice(from)
  const verdict = checkHistory({ ...venue.history(), sendings, shards: [record], replicas, venuePaysIn: true })
  expect(verdict.checks.filter((one) => !one.passed)).toEqual([])
  expect(verdict.counts.shardsWhole).toBe(0)
})

test('a journal that neither begins at its first batch nor after a snapshot is refused', async () => {
  await deposits(5)
  await journal.prune(3 as Seq)
  await expect(
    JournalFollower.open(shard, new SqliteJournal(journalPath(directory, shard)), snapshots),
  ).rejects.toThrow('no snapshot leads up to it')
})

test('a replica that is ahead of the journal is an error of the evidence', async () => {
  await deposits(1)
  const follower = await JournalFollower.open(shard, new SqliteJournal(journalPath(directory, shard)), snapshots)
  const [replica] = venue.history().replicas
  const ahead = { ...replica, seq: 1_000 as Seq } as NonNullable<typeof replica>
  await expect(follower.finish([ahead])).rejects.toThrow('its journal ends at')
  follower.close()
})
