// Many instruments in one engine: the rate of 64 that are traded in turn beside that of one, and the memory that instruments, orders
// and accounts take.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Engine } from '@wintrades/engine'
import { BatchWriter, openMarket, W1Commands } from './engine-ground.ts'
import type { BenchOptions, Figure } from './figure.ts'
import type { MemoryJob, MemoryResult } from './memory-process.ts'
import { median } from './statistics.ts'
import { measured } from './thread-time.ts'
import { generateW1, W1 } from './workload-w1.ts'

const INSTRUMENTS = 64
const ACCOUNTS = 1_000
const BATCH_COMMANDS = 1_024
const ROUNDS = 5
const RATIO_TARGET = 0.5
const IDLE_INSTRUMENTS = 2_000
const IDLE_KB_TARGET = 64
const ORDERS = 1_000_000
const ORDER_ACCOUNTS = 100_000
const ORDERS_MB_TARGET = 600
const MB = 1_000_000

type Recording = { readonly opening: Uint8Array[]; readonly batches: Uint8Array[] }

export async function run(options: BenchOptions): Promise<Figure[]> {
  return [...measureRates(options), ...(await measureIdleInstrument()), ...(await measureOrders())]
}

/** The rounds alternate, so that what else the machine does falls on both; rates are per processor second of the thread. */
function measureRates({ say }: BenchOptions): Figure[] {
  const recordings = [record(1), record(INSTRUMENTS)] as const
  const rates: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    for (const which of [0, 1] as const) rates[which].push(rateOf(recordings[which]))
    say(`one ${rates[0].at(-1)?.toFixed(2)}, many ${rates[1].at(-1)?.toFixed(2)} M commands/processor second`)
  }
  const [one, many] = [median(rates[0]), median(rates[1])]
  const unit = 'M commands/processor second'
  return [
    { name: 'engine_many.ratio', value: many / one, unit: 'of the rate of one instrument', reference: RATIO_TARGET },
    { name: 'engine_many.one_instrument', value: one, unit, reference: null },
    { name: `engine_many.instruments_${INSTRUMENTS}`, value: many, unit, reference: one },
  ]
}

/** As many commands in all, whatever the number of instruments: each its own workload, one command of each in turn. */
function record(instruments: number): Recording {
  const writer = new BatchWriter()
  const opening: Uint8Array[] = []
  openMarket(writer, { instruments, accounts: ACCOUNTS }, (batch) => void opening.push(batch))
  const each = Math.floor(W1.commands / instruments)
  const workloads = Array.from({ length: instruments }, (_, i) => {
    const { bytes } = generateW1(each, W1.seed + BigInt(i))
    return new W1Commands(i + 1, new Int32Array(bytes.buffer), ACCOUNTS)
  })
  const batches: Uint8Array[] = []
  for (let i = 0; i < each; i++) {
    for (const workload of workloads) {
      workload.next(writer)
      if (writer.pending === BATCH_COMMANDS) batches.push(writer.take())
    }
  }
  if (writer.pending > 0) batches.push(writer.take())
  return { opening, batches }
}

function rateOf({ opening, batches }: Recording): number {
  const engine = new Engine(0 as never)
  for (const batch of opening) engine.apply(batch)
  const { cpu_seconds } = measured(() => {
    for (const batch of batches) engine.apply(batch)
  })
  return W1.commands / cpu_seconds / 1e6
}

async function measureIdleInstrument(): Promise<Figure[]> {
  const few = await inProcess({ hold: 'instruments', instruments: 1 })
  const many = await inProcess({ hold: 'instruments', instruments: 1 + IDLE_INSTRUMENTS })
  const value = (many.held_bytes - few.held_bytes) / IDLE_INSTRUMENTS / 1_024
  return [{ name: 'engine_many.idle_instrument', value, unit: 'KB', reference: IDLE_KB_TARGET }]
}

async function measureOrders(): Promise<Figure[]> {
  const result = await inProcess({ hold: 'orders', orders: ORDERS, accounts: ORDER_ACCOUNTS })
  const name = 'engine_many.million_orders'
  return [
    { name, value: result.process_bytes / MB, unit: 'MB', reference: ORDERS_MB_TARGET },
    { name: `${name}_engine_alone`, value: result.held_bytes / MB, unit: 'MB', reference: null },
    { name: `${name}_most`, value: result.processMost_bytes / MB, unit: 'MB', reference: null },
  ]
}

async function inProcess(job: MemoryJob): Promise<MemoryResult> {
  const child = fork(fileURLToPath(new URL('./memory-process.ts', import.meta.url)), [JSON.stringify(job)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  return Promise.race([
    once(child, 'message').then(([result]) => result as MemoryResult),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the memory process ended with ${code}`))),
  ])
}
