// The history that the platform has written while clients traded, held against the one that its journals give: rebuilt from them, and compared row
// for row. Where a journal no longer reaches back to its first batch, the rows of later batches are compared.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Markets, readBatchHeader, type Shard } from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import {
  compareHistory,
  type HistoryDifference,
  type HistoryRowsSource,
  historyEnd,
  rebuildHistory,
} from '@wintrades/marketdata'
import type { ShardRecord } from './history.ts'
import { until } from './watch.ts'

export type WrittenHistory = {
  /** Batches whose rows were compared, over all shards. */
  readonly batches: number
  /** One line for each shard whose history is another one, or does not get as far as its journal. */
  readonly faults: readonly string[]
}

/** The history is written behind the trading, and more slowly when the machine is busy. */
const CATCH_UP_TIMEOUT_MS = 120_000

/** Of shards that nobody trades on any more: rows of batches that came after the records would be told as too many. */
export async function compareWrittenHistory(
  records: readonly ShardRecord[],
  actual: HistoryRowsSource,
  markets: Markets,
): Promise<WrittenHistory> {
  const faults: string[] = []
  let batches = 0
  for (const record of records) {
    const shard = markets.shards[record.shard]
    if (shard === undefined) throw new RangeError(`shard ${record.shard} is not in markets.yml`)
    const fault = await faultOf(record, shard, actual, markets)
    if (fault !== null) faults.push(fault)
    batches += record.journal.length
  }
  return { batches, faults }
}

async function faultOf(
  record: ShardRecord,
  shard: Shard,
  actual: HistoryRowsSource,
  markets: Markets,
): Promise<string | null> {
  const last = record.journal.at(-1)
  if (last === undefined) return null
  const through = readBatchHeader(last.bytes).seq
  const reached = await until(async () => {
    const end = await historyEnd(actual, shard.index)
    return end >= through ? end : null
  }, CATCH_UP_TIMEOUT_MS)
  if (reached === null) {
    const end = await historyEnd(actual, shard.index)
    return `${shard.name}: its history ends at seq ${end}, its journal at ${through}, after ${CATCH_UP_TIMEOUT_MS / 1_000} s`
  }
  const directory = await mkdtemp(join(tmpdir(), 'wintrades-rebuilt-'))
  try {
    const expected = await rebuildHistory(directory, markets, shard.index, batchesOf(record))
    const differences = await compareHistory(expected, actual, {
      markets,
      shard: shard.index,
      afterSeq: record.base?.seq ?? 0,
    })
    return differences.length === 0 ? null : describe(shard, differences)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function* batchesOf(record: ShardRecord): AsyncGenerator<{ bytes: Uint8Array; events: Float64Array }> {
  const engine = record.base === null ? new Engine(record.shard) : Engine.restore(record.base.bytes)
  for (const { bytes } of record.journal) yield { bytes, events: engine.apply(bytes) }
}

const DIFFERENCE_LENGTH_MAX = 400

function describe(shard: Shard, differences: readonly HistoryDifference[]): string {
  const text = JSON.stringify(differences[0]).slice(0, DIFFERENCE_LENGTH_MAX)
  return `${shard.name}: ${differences.length} rows or more are not what the journal says; the first: ${text}`
}
