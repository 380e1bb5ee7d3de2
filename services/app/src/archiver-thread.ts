// The archiver's thread: history, snapshots and pruning for the shards that this process leads, with whatever the processors have left.

import { constants, setPriority } from 'node:os'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { ShardIndex } from '@wintrades/domain'
import { historyDirectory, MysqlHistoryWriter, SqliteHistoryWriter } from '@wintrades/marketdata'
import { createLogger } from '@wintrades/platform'
import { PrimaryFinder } from '@wintrades/platform/mysql'
import { Archiver, openJournals } from '@wintrades/venue'
import type { ArchiverThreadOptions, ToArchiver } from './archiver-messages.ts'

const IDLE_MS = 200
/** Of a server's journal, read for one turn: a round trip half around the world for as many commands as an archive takes in meanwhile, … */
const READ_BYTES_FAR = 1024 * 1024
/** … and less the smaller its share of the time is, so that a turn does not hold up others for long. */
const READ_BYTES_MIN = 16 * 1024
/** The longest that it rests between two turns. */
const REST_MS_MAX = 30_000
/** However busy: farther behind than this many batches it does not fall. */
const BEHIND_MAX = 50_000
const US_PER_MS = 1_000
const MS_PER_S = 1_000
/** How often it is looked whether another server has become the primary. */
const WATCH_MS = 1_000
const { region, markets, dataDirectory, journal: place, logLevel } = workerData as ArchiverThreadOptions
const logger = createLogger('archiver', { level: logLevel, fields: { region } })

// On Linux this is the thread's own priority: trading comes first, the journal waits.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

const leading = new Set<ShardIndex>()
let stopping = false
let rest = new AbortController()
let share = 1
parentPort?.on('message', (message: ToArchiver) => {
  if (message.kind === 'stop') {
    stopping = true
    rest.abort()
    return
  }
  if (message.kind === 'share') {
    share = message.share
    // Nobody is in its way any more, however long it meant to rest.
    if (share === 1) rest.abort()
    return
  }
  leading.clear()
  for (const shard of message.shards) leading.add(shard)
  rest.abort()
})

const { journals, snapshots } = await openJournals(place, { markets, origin: 0, logger })
const finder = place.mysql === null ? null : new PrimaryFinder(place.mysql, logger)
finder?.watch(WATCH_MS)
const history =
  finder === null
    ? new SqliteHistoryWriter(historyDirectory(dataDirectory), markets)
    : new MysqlHistoryWriter(finder, markets, logger)
const archiver = new Archiver({
  markets,
  journals,
  snapshots,
  history,
  logger,
  isLeading: (shard) => leading.has(shard),
  ...(place.mysql === null ? {} : { readBytes: () => Math.max(READ_BYTES_MIN, READ_BYTES_FAR * share) }),
})

/** What servers have spent on transactions of the history. */
function writing_ms(): number {
  if (finder === null) return 0
  return markets.shards.reduce((sum, { index }) => sum + history.figures(index).writing_seconds * MS_PER_S, 0)
}

async function restFor(rest_ms: number): Promise<void> {
  rest = new AbortController()
  if (!stopping) await pause(rest_ms, undefined, { signal: rest.signal }).catch(ignoreAbort)
}

function ignoreAbort(error: Error): void {
  if (error.name !== 'AbortError') throw error
}

let counted_ms = 0
while (!stopping) {
  const before = process.threadCpuUsage()
  const behind = await archiver.turn()
  const { user, system } = process.threadCpuUsage(before)
  // What a file was waited for took nothing from trading; a server worked meanwhile.
  const written_ms = writing_ms()
  const worked_ms = (user + system) / US_PER_MS + (written_ms - counted_ms)
  counted_ms = written_ms
  if (behind === 0) await pause(IDLE_MS)
  else if (share < 1 && behind < BEHIND_MAX) await restFor(Math.min(worked_ms * (1 / share - 1), REST_MS_MAX))
  else await turn()
}
await history.close()
finder?.close()
for (const journal of journals) journal.close()
parentPort?.close()
