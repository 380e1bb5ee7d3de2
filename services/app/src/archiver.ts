// The archiver's thread, from the main thread's side: started, told which shards are led here, stopped.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Venue } from '@wintrades/venue'
import type { ArchiverThreadOptions, ToArchiver } from './archiver-messages.ts'

const TELL_MS = 200

export function startArchiver(
  options: Omit<ArchiverThreadOptions, 'region'> & {
    readonly venue: Venue
    readonly onFailure: (error: Error) => void
  },
): { stop(): Promise<void> } {
  const { venue, markets, dataDirectory, logLevel } = options
  const workerData: ArchiverThreadOptions = { region: venue.region, markets, dataDirectory, logLevel }
  const worker = new Worker(new URL('./archiver-thread.ts', import.meta.url), { workerData, name: 'archiver' })
  let ended = false
  worker.on('error', (error) => options.onFailure(error instanceof Error ? error : new Error(String(error))))
  worker.on('exit', () => {
    ended = true
  })
  let told = ''
  const timer = setInterval(() => {
    const shards = venue.status().shards.flatMap((one) => (one.leading ? [one.shard] : []))
    if (shards.join() === told) return
    told = shards.join()
    worker.postMessage({ kind: 'leading', shards } satisfies ToArchiver)
  }, TELL_MS)
  return {
    stop: async () => {
      clearInterval(timer)
      if (ended) return
      worker.postMessage({ kind: 'stop' } satisfies ToArchiver)
      await once(worker, 'exit')
    },
  }
}
