// The archiver's thread, from the main thread's side: started, told which shards are led here, stopped.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Venue } from '@wintrades/venue'
import type { ArchiverThreadOptions, ToArchiver } from './archiver-messages.ts'
import { HistoryPace } from './history-pace.ts'

const TELL_MS = 500
/** Commands applied a second from which on the archiver leaves the processors to trading. */
const BUSY_COMMANDS_PER_SECOND = 4_000
/** What it works then, where the journal is a file of this machine. */
const BUSY_SHARE = 1 / 4

export function startArchiver(
  options: Omit<ArchiverThreadOptions, 'region'> & {
    readonly venue: Venue
    readonly onFailure: (error: Error) => void
  },
): { stop(): Promise<void> } {
  const { venue, markets, dataDirectory, journal, logLevel } = options
  const workerData: ArchiverThreadOptions = { region: venue.region, markets, dataDirectory, journal, logLevel }
  const worker = new Worker(new URL('./archiver-thread.ts', import.meta.url), { workerData, name: 'archiver' })
  let ended = false
  worker.on('error', (error) => options.onFailure(error instanceof Error ? error : new Error(String(error))))
  worker.on('exit', () => {
    ended = true
  })
  const tell = (message: ToArchiver) => worker.postMessage(message)
  let told = ''
  let toldShare = 1
  let applied = 0
  const pace = journal.mysql === null ? null : new HistoryPace()
  const timer = setInterval(() => {
    const { shards: all, metrics } = venue.status()
    const shards = all.flatMap((one) => (one.leading ? [one.shard] : []))
    if (shards.join() !== told) tell({ kind: 'leading', shards })
    told = shards.join()
    const appliedNow = metrics['wintrades_venue_applied_commands_total'] ?? 0
    const isBusy = (appliedNow - applied) / (TELL_MS / 1_000) >= BUSY_COMMANDS_PER_SECOND
    applied = appliedNow
    const appends = {
      batches: metrics['wintrades_venue_appended_batches_total'] ?? 0,
      heldUp: metrics['wintrades_venue_appends_held_up_total'] ?? 0,
    }
    const share = pace === null ? (isBusy ? BUSY_SHARE : 1) : pace.see(appends, isBusy)
    if (share !== toldShare) tell({ kind: 'share', share })
    toldShare = share
  }, TELL_MS)
  return {
    stop: async () => {
      clearInterval(timer)
      if (ended) return
      tell({ kind: 'stop' })
      await once(worker, 'exit')
    },
  }
}
