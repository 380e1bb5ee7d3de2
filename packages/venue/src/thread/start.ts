// Starts the venue in a thread of its own, and gives the main thread its client.

import { randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { At, Venue } from '../api.ts'
import { type CoreChannel, VenueClient } from '../client.ts'
import { HandOverRefused } from '../shard-node.ts'
import type { FromVenue, ToVenue, VenueThreadOptions } from './messages.ts'

export type StartVenueOptions = Omit<VenueThreadOptions, 'origin'> & {
  /** The thread has ended by a fault: nothing can be traded here any more. */
  readonly onFailure: (error: Error) => void
  readonly deadline_ms?: number
}

type Waiting = { readonly resolve: (answer: never) => void; readonly reject: (error: Error) => void }

/** Resolves when every shard is recovered; rejects when the thread cannot start. */
export async function startVenue({ onFailure, deadline_ms, ...rest }: StartVenueOptions): Promise<Venue> {
  const workerData: VenueThreadOptions = { ...rest, origin: newOrigin() }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData, name: 'venue' })
  const waiting = new Map<number, Waiting>()
  let client: VenueClient | null = null
  let failure: Error | null = null
  let count = 0
  const post = (message: ToVenue, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer)
  const request = <Answer>(make: (id: number) => ToVenue): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (failure !== null) return reject(failure)
      const id = ++count
      waiting.set(id, { resolve, reject })
      post(make(id))
    })
  const channel: CoreChannel = {
    submit: (shard, records, first, length) =>
      post({ kind: 'commands', shard, records, first, count: length }, [records.buffer as ArrayBuffer]),
    forgetThrough: (shard, through) => post({ kind: 'forget', shard, through }),
    ask: (question) => request<At<unknown>>((id) => ({ kind: 'ask', id, question })),
    handOver: (shard, to) => request((id) => ({ kind: 'hand_over', id, shard, to })),
    close: () => request((id) => ({ kind: 'close', id })),
  }
  return await new Promise<Venue>((resolve, reject) => {
    const fail = (error: Error) => {
      failure ??= error
      for (const one of waiting.values()) one.reject(failure)
      waiting.clear()
      if (client === null) reject(error)
      else onFailure(error)
    }
    worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', (code) => {
      if (code !== 0) fail(new Error(`the venue's thread ended with code ${code}`))
    })
    worker.on('message', (message: FromVenue) => {
      switch (message.kind) {
        case 'batch':
          client?.takeBatch(message.batch, message.outcomes)
          break
        case 'status':
          client?.takeStatus(message.status)
          break
        case 'ready':
          client = makeClient(channel, message, deadline_ms)
          resolve(client)
          break
        case 'answer':
          waiting.get(message.id)?.resolve(message.answer as never)
          waiting.delete(message.id)
          break
        case 'refused':
          waiting.get(message.id)?.reject(refusal(message.name, message.message))
          waiting.delete(message.id)
          break
      }
    })
  })
}

function makeClient(
  channel: CoreChannel,
  { status }: Extract<FromVenue, { kind: 'ready' }>,
  deadline_ms: number | undefined,
): VenueClient {
  return new VenueClient({
    channel,
    status,
    now_ms: () => performance.now(),
    soon: (action) => void setImmediate(action),
    every: (interval_ms, action) => {
      const timer = setInterval(action, interval_ms)
      return () => clearInterval(timer)
    },
    ...(deadline_ms === undefined ? {} : { deadline_ms }),
  })
}

function refusal(name: string, message: string): Error {
  return name === 'HandOverRefused' ? new HandOverRefused(message) : new Error(message)
}

/** Names this process in every command it sends: random, new at each start, never 0. */
export function newOrigin(): number {
  return randomBytes(4).readUInt32LE() || 1
}
