// The history that was written against the one that the journals give: the same is the same, and every kind of difference is told.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { assert, type Seq, type ShardIndex } from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import { historyPath, rebuildHistory, sqliteRows } from '@wintrades/marketdata'
import { Flow, TestShard } from '@wintrades/marketdata/testing'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { ShardRecord } from '../../src/drill/history.ts'
import { readTargetMarkets } from '../../src/drill/target.ts'
import { compareWrittenHistory } from '../../src/drill/written-history.ts'

const SHARD = 0 as ShardIndex
const BATCHES = 120
const { markets } = readTargetMarkets()
const [shard] = markets.shards
assert(shard !== undefined, 'markets.yml has a shard')

const testShard = new TestShard(SHARD)
const flow = new Flow(testShard, 7)
flow.begin()
flow.run(BATCHES)
const { batches } = testShard
const entry = ({ bytes }: { readonly bytes: Uint8Array }) => ({ bytes, holder: null, committedAt_ms: null })
const whole: ShardRecord = { shard: SHARD, journal: batches.map(entry), base: null, snapshots: [] }

let directory: string

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-written-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  await rebuildHistory(directory, markets, SHARD, inOrder())
})

async function* inOrder() {
  yield* batches
}

async function faultsOf(record: ShardRecord): Promise<readonly string[]> {
  return (await compareWrittenHistory([record], sqliteRows(directory, markets), markets)).faults
}

const change = (sql: string) => {
  const database = new DatabaseSync(historyPath(directory, shard))
  const { changes } = database.prepare(sql).run()
  database.close()
  expect(Number(changes)).toBeGreaterThan(0)
}

test('what the journal says, from its first batch or from a snapshot on', async () => {
  const { batches: compared, faults } = await compareWrittenHistory([whole], sqliteRows(directory, markets), markets)
  expect([compared, faults]).toEqual([batches.length, []])
  const middle = Math.floor(batches.length / 2)
  const engine = new Engine(SHARD)
  for (const { bytes } of batches.slice(0, middle)) engine.apply(bytes)
  const base = { name: 'middle', seq: middle as Seq, bytes: engine.snapshot() }
  expect(await faultsOf({ ...whole, base, journal: batches.slice(middle).map(entry) })).toEqual([])
})

test.each([
  ['a row too few', 'DELETE FROM executions WHERE seq = (SELECT MAX(seq) FROM executions)', 'executions'],
  [
    'another price',
    'UPDATE trades SET price = price + 1 WHERE trade_number = (SELECT MAX(trade_number) FROM trades)',
    'trades',
  ],
  ['another hash', "UPDATE progress SET hash = 'another'", 'progress'],
])('%s is told', async (_, sql, table) => {
  change(sql)
  const [fault, ...others] = await faultsOf(whole)
  expect(others).toEqual([])
  expect(fault).toContain(`${shard.name}: `)
  expect(fault).toContain(`"table":"${table}"`)
})
