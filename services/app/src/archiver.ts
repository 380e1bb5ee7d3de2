// The archiver's thread, from the main thread's side: started, told which shards are led here, stopped.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Venue } from '@wintrades/venue'
import type { ArchiverThreadOptions, ToArchiver } from './archiver-messages.ts'

const TELL_MS = 500
/** Commands applied a second from which on the archiver leaves the processors to trading. */
const BUSY_COMMANDS_PER_SECOND = 4_000

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
  let toldBusy = false
  let applied = 0
  const timer = setInterval(() => {
    const { shards: all, metrics } = venue.status()
    const shards = all.flatMap((one) => (one.leading ? [one.shard] : []))
    if (shards.join() !== told) tell({ kind: 'leading', shards })
    told = shards.join()
    const appliedNow = metrics['wintrades_venue_applied_commands_total'] ?? 0
    const busy = (appliedNow - applied) / (TELL_MS / 1_000) >= BUSY_COMMANDS_PER_SECOND
    applied = appliedNow
    if (busy !== toldBusy) tell({ kind: 'busy', busy })
    toldBusy = busy
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
