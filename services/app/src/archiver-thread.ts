// The archiver's thread: history, snapshots and pruning for the shards that this process leads, with whatever the processors have left.

import { constants, setPriority } from 'node:os'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { ShardIndex } from '@wintrades/domain'
import { HistoryWriter } from '@wintrades/marketdata'
import { createLogger } from '@wintrades/platform'
import { Archiver, journalPath, SnapshotFiles, SqliteJournal } from '@wintrades/venue'
import { type ArchiverThreadOptions, historyDirectory, type ToArchiver } from './archiver-messages.ts'

const IDLE_MS = 100
const { region, markets, dataDirectory, logLevel } = workerData as ArchiverThreadOptions
const logger = createLogger('archiver', { level: logLevel, fields: { region } })

// On Linux this is the thread's own priority: trading comes first, the journal waits.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

const leading = new Set<ShardIndex>()
let stopping = false
parentPort?.on('message', (message: ToArchiver) => {
  if (message.kind === 'stop') {
    stopping = true
    return
  }
  leading.clear()
  for (const shard of message.shards) leading.add(shard)
})

const journals = markets.shards.map((shard) => new SqliteJournal(journalPath(dataDirectory, shard)))
const history = new HistoryWriter(historyDirectory(dataDirectory), markets)
const archiver = new Archiver({
  markets,
  journals,
  snapshots: new SnapshotFiles(dataDirectory, markets),
  history,
  logger,
  isLeading: (shard) => leading.has(shard),
})

while (!stopping) {
  if (await archiver.turn()) await turn()
  else await pause(IDLE_MS)
}
history.close()
for (const journal of journals) journal.close()
parentPort?.close()
