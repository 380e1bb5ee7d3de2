// What is proven of a restored copy, on the running scratch server: the journal's replay, and the history against the one that the replay gives.

import { mkdir } from 'node:fs/promises'
import type { Markets, Shard } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { MysqlOptions } from '@wintrades/platform/mysql'
import { openJournals } from '@wintrades/venue'
import type { Progress } from '../create.ts'
import { SCRATCH_USER, type ScratchServer } from '../scratch/server.ts'
import { CopiedHistory, type HistoryProof } from './history.ts'
import { type ReplayedBatch, replayCopy, type ShardProof } from './replay.ts'

export type CopyProof = {
  readonly shards: readonly ShardProof[]
  /** Shards whose history was compared, row for row. */
  readonly history: readonly HistoryProof[]
}

export type ProveOptions = {
  readonly markets: Markets
  readonly logger: Logger
  /** For what is rebuilt to be compared. */
  readonly directory: string
  readonly progress: Progress
  readonly signal: AbortSignal
}

export async function proveCopy(server: ScratchServer, options: ProveOptions): Promise<CopyProof> {
  const { markets, logger, directory, progress, signal } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const mysql = optionsOf(server)
  const place = { dataDirectory: directory, mysql }
  const { journals, snapshots } = await openJournals(place, { markets, origin: 0, logger })
  const history = await CopiedHistory.open(server, markets, directory)
  try {
    progress('replaying the journal', null)
    const each = (shard: Shard, batch: ReplayedBatch) => history.take(shard, batch)
    const shards = await replayCopy({ markets, journals, snapshots, each, signal })
    progress('comparing the history', null)
    return { shards, history: await history.compare(mysql, shards) }
  } finally {
    await history.close()
    for (const journal of journals) journal.close()
  }
}

function optionsOf({ host, port, password }: ScratchServer): MysqlOptions {
  return {
    servers: [{ host, port }],
    readServer: null,
    database: 'wintrades',
    user: SCRATCH_USER,
    password: { text: password },
    caFile: null,
    connections_max: 4,
  }
}
