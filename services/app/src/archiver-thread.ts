// The archiver's thread: history, snapshots and pruning for the shards that this process leads, with whatever the processors have left.

import { constants, setPriority } from 'node:os'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { ShardIndex } from '@wintrades/domain'
import { MysqlHistoryWriter, SqliteHistoryWriter } from '@wintrades/marketdata'
import { createLogger } from '@wintrades/platform'
import { PrimaryFinder } from '@wintrades/platform/mysql'
import { Archiver, openJournals } from '@wintrades/venue'
import { type ArchiverThreadOptions, historyDirectory, type ToArchiver } from './archiver-messages.ts'

const IDLE_MS = 200
/** A round trip half around the world for as many commands as an archive takes in meanwhile. */
const READ_BYTES_FAR = 1024 * 1024
/** While there is much to do for clients, the archiver works for one part of the time in so many. */
const BUSY_PARTS = 4
/** However busy: farther behind than this many batches it does not fall. */
const BEHIND_MAX = 50_000
const US_PER_MS = 1_000
/** How often it is looked whether another server has become the primary. */
const WATCH_MS = 1_000
const { region, markets, dataDirectory, journal: place, logLevel } = workerData as ArchiverThreadOptions
const logger = createLogger('archiver', { level: logLevel, fields: { region } })

// On Linux this is the thread's own priority: trading comes first, the journal waits.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

const leading = new Set<ShardIndex>()
let stopping = false
let busy = false
parentPort?.on('message', (message: ToArchiver) => {
  if (message.kind === 'stop') {
    stopping = true
    return
  }
  if (message.kind === 'busy') {
    busy = message.busy
    return
  }
  leading.clear()
  for (const shard of message.shards) leading.add(shard)
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
  ...(place.mysql === null ? {} : { readBytes: READ_BYTES_FAR }),
})

while (!stopping) {
  const before = process.threadCpuUsage()
  const behind = await archiver.turn()
  const { user, system } = process.threadCpuUsage(before)
  if (behind === 0) await pause(IDLE_MS)
  // What it waited for a database took nothing from trading.
  else if (busy && behind < BEHIND_MAX) await pause(((user + system) / US_PER_MS) * (BUSY_PARTS - 1))
  else await turn()
}
await history.close()
finder?.close()
for (const journal of journals) journal.close()
parentPort?.close()
