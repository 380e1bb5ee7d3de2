// The history in a restored copy against the one that its journal gives: rebuilt beside the replay, up to where the copy's history ends, and compared
// row for row. Where the replay begins at a snapshot, the rows of later batches are compared.

import { type Markets, readBatchHeader, type Shard } from '@wintrades/domain'
import {
  compareHistory,
  type HistoryDifference,
  mysqlRows,
  SqliteHistoryWriter,
  sqliteRows,
} from '@wintrades/marketdata'
import { type MysqlOptions, MysqlPool } from '@wintrades/platform/mysql'
import type { ScratchServer } from '../scratch/server.ts'
import { VerificationFailed } from '../store/faults.ts'
import type { ReplayedBatch, ShardProof } from './replay.ts'

export type HistoryProof = { readonly shard: string; readonly afterSeq: number; readonly seq: number }

const MISSING_TABLE = 1146
const DEADLINE_MS = 60_000

export class CopiedHistory {
  readonly #markets: Markets
  readonly #directory: string
  /** By shard: the last batch that the copy's history has. */
  readonly #ends: ReadonlyMap<number, number>
  readonly #writer: SqliteHistoryWriter
  readonly #begun = new Set<number>()

  private constructor(markets: Markets, directory: string, ends: ReadonlyMap<number, number>) {
    this.#markets = markets
    this.#directory = directory
    this.#ends = ends
    this.#writer = new SqliteHistoryWriter(directory, markets)
  }

  static async open(server: ScratchServer, markets: Markets, directory: string): Promise<CopiedHistory> {
    return new CopiedHistory(markets, directory, await readEnds(server))
  }

  /** Given every batch that is replayed, in order. */
  async take({ index }: Shard, { bytes, events }: ReplayedBatch): Promise<void> {
    if (readBatchHeader(bytes).seq > (this.#ends.get(index) ?? 0)) return
    if (!this.#begun.has(index)) {
      this.#begun.add(index)
      await this.#writer.begin(index)
    }
    await this.#writer.write(bytes, events)
  }

  /** Throws {@link VerificationFailed} with the first differences. */
  async compare(options: MysqlOptions, shards: readonly ShardProof[]): Promise<readonly HistoryProof[]> {
    await this.#writer.close()
    const [address] = options.servers
    if (address === undefined) return []
    const pool = new MysqlPool(address, options)
    try {
      const actual = mysqlRows((work) => pool.use(work, DEADLINE_MS))
      const expected = sqliteRows(this.#directory, this.#markets)
      const compared: HistoryProof[] = []
      for (const { shard: name, from } of shards) {
        const shard = this.#markets.shards.find((one) => one.name === name)
        if (shard === undefined || !this.#begun.has(shard.index)) continue
        const range = { markets: this.#markets, shard: shard.index, afterSeq: from }
        const differences = await compareHistory(expected, actual, range)
        if (differences.length > 0) throw new VerificationFailed(describe(name, differences))
        compared.push({ shard: name, afterSeq: from, seq: this.#ends.get(shard.index) ?? 0 })
      }
      return compared
    } finally {
      pool.close()
    }
  }

  async close(): Promise<void> {
    await this.#writer.close()
  }
}

async function readEnds(server: ScratchServer): Promise<ReadonlyMap<number, number>> {
  try {
    const rows = await server.query<{ shard: number; seq: number }>('SELECT shard, seq FROM wintrades.progress')
    return new Map(rows.map(({ shard, seq }) => [Number(shard), Number(seq)]))
  } catch (error) {
    // No history was written yet.
    if ((error as { errno?: number }).errno === MISSING_TABLE) return new Map()
    throw error
  }
}

function describe(shard: string, differences: readonly HistoryDifference[]): string {
  const [first] = differences
  const text = JSON.stringify(first, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  return `the history of ${shard} is not the one that its journal gives, in ${differences.length} rows or more; the first: ${text.slice(0, 600)}`
}
