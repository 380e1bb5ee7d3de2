// A process that holds an engine with many open orders, or with many instruments on which nothing rests, and tells what memory it
// takes. A process of its own, so that nothing else is in the figure.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Command } from '@wintrades/domain'
import { CommandType } from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import { BatchWriter, limitOrder, openMarket, restOrders } from './engine-ground.ts'

/** What to hold, as the only argument, in JSON. */
export type MemoryJob =
  | { readonly hold: 'orders'; readonly orders: number; readonly accounts: number }
  | { readonly hold: 'instruments'; readonly instruments: number }

/** Sent to the parent. */
export type MemoryResult = {
  /** Of the whole process, as the operating system counts it: now, and the most it ever was. */
  readonly process_bytes: number
  readonly processMost_bytes: number
  /** Heap and array buffers, more than before. */
  readonly held_bytes: number
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heldBytes(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Opens the market, and trades each instrument once and cancels what rests: idle, but not untouched. */
function idleInstruments(engine: Engine, instruments: number): void {
  const writer = new BatchWriter()
  openMarket(writer, { instruments, accounts: 2 }, (batch) => void engine.apply(batch))
  for (let instrument = 1; instrument <= instruments; instrument++) {
    writer.add(limitOrder(1, instrument, `a-${instrument}`, 0, 20_000, 2) as unknown as Command)
    writer.add(limitOrder(2, instrument, `b-${instrument}`, 1, 20_000, 1) as unknown as Command)
    writer.add(limitOrder(2, instrument, `c-${instrument}`, 1, 20_001, 1) as unknown as Command)
    engine.apply(writer.take())
  }
  for (const account of [1, 2]) {
    const all = { type: CommandType.mass_cancel, origin: 1, correlation: 0, account, instrument: 0, side: null }
    writer.add(all as unknown as Command)
  }
  engine.apply(writer.take())
  const book = engine.book(1 as never, 1)
  if (book.bids.length + book.asks.length > 0) throw new Error('something still rests')
}

const job = JSON.parse(process.argv[2] as string) as MemoryJob
const before_bytes = heldBytes()
const engine = new Engine(0 as never)
if (job.hold === 'orders') restOrders(engine, job.orders, job.accounts)
else idleInstruments(engine, job.instruments)
const held_bytes = heldBytes() - before_bytes
process.send?.({
  process_bytes: process.memoryUsage.rss(),
  processMost_bytes: process.resourceUsage().maxRSS * 1_024,
  held_bytes,
} satisfies MemoryResult)
// Used after the measurement, so that it is there during it.
if (engine.seq === 0) throw new Error('nothing was applied')
