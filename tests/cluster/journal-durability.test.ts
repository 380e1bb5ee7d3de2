// The journal over three voters: what a claim waits for, what is read after a crash, and where an append goes when the primary is another.

import type { Epoch, RegionName, Seq, ShardIndex } from '@wintrades/domain'
import { type JournalDatabase, MysqlJournal } from '@wintrades/venue'
import { CONTRACT_ORIGIN } from '@wintrades/venue/journal-contract'
import { nextBatch } from '@wintrades/venue/test-batches'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Lab, startLab, until } from './lab/index.ts'
import { follow, openDatabase, openPrimary, startTrio, status, type Trio } from './trio.ts'

const US = 'us-east' as RegionName
const EU = 'eu-west' as RegionName
const CLAIM = { early: true, ttl_ms: 60_000, pinned: false, origin: CONTRACT_ORIGIN } as const

const PATIENCE = { timeout_ms: 60_000 }
const WAITING_FOR_LEASE =
  "SELECT 1 FROM performance_schema.data_locks WHERE object_name = 'lease' AND lock_status = 'WAITING'"
const APPENDS_UNDER_WAY = `SELECT DISTINCT engine_transaction_id FROM performance_schema.data_locks
  WHERE object_name = 'lease' AND lock_type = 'RECORD' AND lock_mode LIKE 'S%' AND lock_status = 'GRANTED'`

let lab: Lab
let trio: Trio
let database: JournalDatabase
let shards = 0

beforeAll(async () => {
  lab = await startLab()
  trio = await startTrio(lab)
  database = openDatabase([trio.primary, ...trio.replicas])
})

afterAll(async () => {
  database?.close()
  await lab?.close()
})

async function newJournal(): Promise<{ index: ShardIndex; open(at?: JournalDatabase): MysqlJournal }> {
  const index = shards++ as ShardIndex
  await database.prepare([{ index }])
  return { index, open: (at = database) => new MysqlJournal(at, { index, name: `shard-${index}` }, CONTRACT_ORIGIN) }
}

/** Nobody acknowledges what the primary commits until `resume`. */
async function holdAcknowledgements(): Promise<{ resume(): Promise<void> }> {
  for (const replica of trio.replicas) await replica.query('STOP REPLICA IO_THREAD')
  return {
    resume: async () => {
      for (const replica of trio.replicas) await replica.query('START REPLICA IO_THREAD')
    },
  }
}

test('a claim waits for an append that is not acknowledged yet, and finds it', async () => {
  const { open } = await newJournal()
  const journal = open()
  expect(await journal.claim({ ...CLAIM, region: US, seen: 0 as Epoch })).toBe(1)
  const first = nextBatch(null, 1, 1)
  expect(await journal.append(1 as Epoch, first)).toBe('committed')
  const held = await holdAcknowledgements()
  onTestFinished(held.resume)
  const order: string[] = []
  const appended = journal.append(1 as Epoch, nextBatch(first, 2, 1)).then((result) => order.push(`append ${result}`))
  await until(
    'the append waits',
    async () => Number(await status(trio.primary, 'Rpl_semi_sync_source_wait_sessions')) > 0,
    PATIENCE,
  )
  const claimed = open()
    .claim({ ...CLAIM, region: EU, seen: 1 as Epoch })
    .then((epoch) => order.push(`claim ${epoch}`))
  await until(
    'the claim waits for the row',
    async () => (await trio.primary.query(WAITING_FOR_LEASE)).length > 0,
    PATIENCE,
  )
  expect(order).toEqual([])
  await held.resume()
  await Promise.all([appended, claimed])
  expect(order[0]).toBe('append committed')
  expect(order[1]).toBe('claim 2')
  expect(await journal.extent()).toEqual({ first: 1, last: 2 })
})

test('after a fail-over the same bytes are committed once, at the new primary, though the append seemed to fail', async () => {
  const { index, open } = await newJournal()
  const journal = open()
  expect(await journal.claim({ ...CLAIM, region: US, seen: 0 as Epoch })).toBe(1)
  const first = nextBatch(null, 1, 1)
  expect(await journal.append(1 as Epoch, first)).toBe('committed')
  const second = nextBatch(first, 2, 1)
  const third = nextBatch(second, 3, 1)
  await holdAcknowledgements()
  // In the old primary's binlog and nowhere else; then it dies.
  const broken = Promise.allSettled([second, third].map((batch) => journal.append(1 as Epoch, batch)))
  await until('the appends wait', async () => (await trio.primary.query(APPENDS_UNDER_WAY)).length > 1, PATIENCE)
  await trio.primary.kill()
  expect((await broken).map((one) => one.status)).toEqual(['rejected', 'rejected'])
  const [next, other] = trio.replicas
  await next.query('STOP REPLICA')
  await other.query('STOP REPLICA')
  await next.query('RESET REPLICA ALL')
  await follow(other, next)
  await openPrimary(next, 2)
  expect(await journal.append(1 as Epoch, third)).toBe('committed')
  expect(await journal.append(1 as Epoch, second)).toBe('committed')
  expect(await journal.append(1 as Epoch, second)).toBe('committed')
  const rows = await open().read(1 as Seq, 1_000_000)
  expect(rows.map((row) => row.seq)).toEqual([1, 2, 3])
  const there = await other.query('SELECT COUNT(*) AS rows_there FROM wintrades.journal WHERE shard = ?', [index])
  expect(there).toHaveLength(1)
  expect(database.figures).toMatchObject({ primary: `${next.host}:${next.port}`, term: 2 })

  // The old one comes back, shows what nobody acknowledged, and even opens itself: it is asked for nothing.
  await trio.primary.start()
  await trio.primary.query('SET GLOBAL super_read_only = OFF')
  await trio.primary.query('SET GLOBAL read_only = OFF')
  const [phantoms] = await trio.primary.query<{ last: number }>(
    'SELECT MAX(seq) AS last FROM wintrades.journal WHERE shard = ?',
    [index],
  )
  expect(Number(phantoms?.last)).toBeGreaterThan(1)
  const fresh = openDatabase([trio.primary, next, other])
  try {
    expect(await open(fresh).append(1 as Epoch, nextBatch(third, 4, 1))).toBe('committed')
    expect(fresh.figures.primary).toBe(`${next.host}:${next.port}`)
  } finally {
    fresh.close()
    fresh.close()
  }
})
