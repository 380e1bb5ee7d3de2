// A venue whose core runs in the caller's own thread: for tests and tools. The app runs it in a thread of its own (`thread/`).

import { VenueClient } from './client.ts'
import { systemClock } from './clock.ts'
import { VenueCore, type VenueCoreOptions } from './core.ts'
import type { Clock } from './ports.ts'

export type InProcessOptions = Omit<VenueCoreOptions, 'clock' | 'onBatch' | 'onStatus'> & {
  readonly deadline_ms?: number
  /** The system's if not given. */
  readonly clock?: Clock
}

/** Starts a venue; resolves when every shard is recovered. */
export async function startVenueInProcess(
  options: InProcessOptions,
): Promise<VenueClient & { readonly core: VenueCore }> {
  let client: VenueClient | null = null
  const core = new VenueCore({
    ...options,
    clock: options.clock ?? systemClock,
    onBatch: (batch, outcomes) =>
      client?.takeBatch({ ...batch, bytes: batch.bytes.slice(), events: batch.events.slice() }, outcomes),
    onStatus: (status) => client?.takeStatus(status),
  })
  client = new VenueClient({
    channel: {
      submit: (shard, records, first, count) => core.submit(shard, records, first, count),
      forgetThrough: (shard, correlation) => core.forgetThrough(shard, correlation),
      ask: async (question) => core.ask(question),
      handOver: (shard, to) => core.handOver(shard, to),
      close: () => core.close(),
    },
    status: core.status(),
    now_ms: () => performance.now(),
    soon: (action) => void setImmediate(action),
    every: (interval_ms, action) => {
      const timer = setInterval(action, interval_ms)
      return () => clearInterval(timer)
    },
    ...(options.deadline_ms === undefined ? {} : { deadline_ms: options.deadline_ms }),
  })
  await core.start()
  return Object.assign(client, { core })
}
