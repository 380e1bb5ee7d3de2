// What an append costs on three voters with lossless semi-sync, beside a server of the same kind that waits for nobody: batches of 4 and 64 KB, one
// at a time and a whole window under way.

import { BATCH, batchBytes, type Epoch, type RegionName, type ShardIndex } from '@wintrades/domain'
import { type JournalDatabase, MysqlJournal } from '@wintrades/venue'
import { nextBatch } from '@wintrades/venue/test-batches'
import { type LabMysql, startLab } from '../cluster/lab/index.ts'
import { openDatabase, startTrio } from '../cluster/trio.ts'
import type { BenchOptions, Figure } from './figure.ts'

const SIZES = [4, 64] as const
const WINDOWS = [1, 16] as const
const ORIGIN = 1
const WARM_UP_MS = 1_000
/** Bytes of one command of these batches, about. */
const COMMAND_BYTES = 60

export async function run(options: BenchOptions): Promise<Figure[]> {
  const lab = await startLab({ say: options.say, storage: 'disk' })
  const figures: Figure[] = []
  try {
    const trio = await startTrio(lab)
    const alone = await lab.mysql({ name: 'stand_alone', region: 'us-east', serverId: 9, port: 3308, role: 'voter' })
    await alone.query('SET GLOBAL super_read_only = OFF')
    await alone.query('SET GLOBAL read_only = OFF')
    let shard = 0
    const measure = async (server: LabMysql, kilobytes: number, window: number): Promise<number> => {
      const database = openDatabase([server])
      try {
        return await appendsPerSecond(
          database,
          shard++ as ShardIndex,
          kilobytes * 1_024,
          window,
          options.seconds * 1_000,
        )
      } finally {
        database.close()
      }
    }
    for (const kilobytes of SIZES) {
      for (const window of WINDOWS) {
        const single = await measure(alone, kilobytes, window)
        const acknowledged = await measure(trio.primary, kilobytes, window)
        options.say(
          `${kilobytes} KB, ${window} under way: ${Math.round(acknowledged)} appends/s with semi-sync, ${Math.round(single)} stand-alone`,
        )
        figures.push({
          name: `journal.append_${kilobytes}k_${window}`,
          value: 1_000 / acknowledged,
          unit: 'ms each',
          reference: 1_000 / single,
        })
        figures.push({
          name: `journal.append_${kilobytes}k_${window}_ratio`,
          value: single / acknowledged,
          unit: 'times stand-alone',
          reference: null,
        })
      }
    }
    return figures
  } finally {
    await lab.close()
  }
}

async function appendsPerSecond(
  database: JournalDatabase,
  index: ShardIndex,
  bytes: number,
  window: number,
  measure_ms: number,
): Promise<number> {
  await database.prepare([{ index }])
  const journal = new MysqlJournal(database, { index, name: `bench-${index}` }, ORIGIN)
  const region = 'us-east' as RegionName
  const claim = { region, origin: ORIGIN, early: true, ttl_ms: 600_000, pinned: false }
  const { epoch } = await journal.readLease()
  await journal.claim({ ...claim, seen: epoch })
  const template = nextBatch(null, 1, epoch + 1, Math.ceil((bytes - batchBytes(0)) / COMMAND_BYTES))
  let seq = 0
  let appended = 0
  let from_ms = Number.POSITIVE_INFINITY
  const until_ms = performance.now() + WARM_UP_MS + measure_ms
  const begin_ms = performance.now() + WARM_UP_MS
  const worker = async () => {
    while (performance.now() < until_ms) {
      // The journal looks at the seq alone; that hashes follow each other is the leader's.
      const batch = template.slice()
      new DataView(batch.buffer).setBigUint64(BATCH.seq, BigInt(++seq), true)
      const result = await journal.append((epoch + 1) as Epoch, batch)
      if (result !== 'committed') throw new Error(`batch ${seq}: ${result}`)
      if (performance.now() < begin_ms) continue
      from_ms = Math.min(from_ms, performance.now())
      appended++
    }
  }
  await Promise.all(Array.from({ length: window }, worker))
  return (appended * 1_000) / (performance.now() - from_ms)
}
