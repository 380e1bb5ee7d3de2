// The whole engine on workload W1, from encoded batches to encoded events: decode in place, de-duplicate, check, hold, match, settle,
// book in the ledger. 1,000 accounts, with fees. Correct first: the trades must hash to the published value.

import { commandOfOrder, EventType, forEachEvent, type OrderId, TRADE } from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import { BatchWriter, openMarket, W1Commands } from './engine-ground.ts'
import type { BenchOptions, Figure } from './figure.ts'
import { median, percentile } from './statistics.ts'
import { measured } from './thread-time.ts'
import { generateW1, mixTrade, TRADE_HASH_START, W1 } from './workload-w1.ts'

const ROUNDS = 5
const ACCOUNTS = 1_000
const BATCH_COMMANDS = 1_024
const RATE_TARGET = 4
const SLOWEST_TARGET_US = 5

/** The batches that open the market, those of the workload, and the workload's order id of each of its commands. */
type Recording = { readonly opening: Uint8Array[]; readonly batches: Uint8Array[]; readonly ids: Int32Array }

export async function run({ say }: BenchOptions): Promise<Figure[]> {
  const records = new Int32Array(generateW1().bytes.buffer)
  const plain = record(records, BATCH_COMMANDS, false)
  checkTrades(plain)
  const rates = measureRate(plain, say)
  const limited = measureRate(record(records, BATCH_COMMANDS, true), say)
  const times_us = timeCommands(record(records, 1, false))
  const at = (share: number) => percentile(times_us, share)
  const unit = 'M commands/processor second'
  return [
    { name: 'engine_w1', value: median(rates), unit, reference: RATE_TARGET },
    { name: 'engine_w1.best_round', value: Math.max(...rates), unit, reference: RATE_TARGET },
    { name: 'engine_w1.with_account_limits', value: median(limited), unit, reference: null },
    { name: 'engine_w1.p50', value: at(0.5), unit: 'µs', reference: null },
    { name: 'engine_w1.p99', value: at(0.99), unit: 'µs', reference: null },
    { name: 'engine_w1.p999', value: at(0.999), unit: 'µs', reference: SLOWEST_TARGET_US },
    { name: 'engine_w1.slowest', value: at(1), unit: 'µs', reference: null },
  ]
}

function record(records: Int32Array, batchCommands: number, limits: boolean): Recording {
  const writer = new BatchWriter()
  const opening: Uint8Array[] = []
  openMarket(writer, { instruments: 1, accounts: ACCOUNTS, limits }, (batch) => void opening.push(batch))
  const workload = new W1Commands(1, records, ACCOUNTS)
  const batches: Uint8Array[] = []
  const ids = new Int32Array(W1.commands)
  for (let i = 0; i < W1.commands; i++) {
    ids[i] = workload.next(writer)
    if (writer.pending === batchCommands) batches.push(writer.take())
  }
  if (writer.pending > 0) batches.push(writer.take())
  return { opening, batches, ids }
}

function open({ opening }: Recording): Engine {
  const engine = new Engine(0 as never)
  for (const batch of opening) engine.apply(batch)
  return engine
}

function measureRate(recording: Recording, say: (line: string) => void): number[] {
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const engine = open(recording)
    const { seconds, cpu_seconds } = measured(() => {
      for (const batch of recording.batches) engine.apply(batch)
    })
    rates.push(W1.commands / cpu_seconds / 1e6)
    const wall = W1.commands / seconds / 1e6
    say(`round ${round + 1}: ${rates.at(-1)?.toFixed(2)} M commands/processor second, ${wall.toFixed(2)} M commands/s`)
  }
  return rates
}

/** Every command in a batch of its own, so that what is timed has a batch's header in it too; sorted, in µs. */
function timeCommands(recording: Recording): Float64Array {
  const times_us = new Float64Array(recording.batches.length)
  // Twice: the first time compiles.
  for (let round = 0; round < 2; round++) {
    const engine = open(recording)
    for (let i = 0; i < recording.batches.length; i++) {
      const start_ms = performance.now()
      engine.apply(recording.batches[i] as Uint8Array)
      times_us[i] = (performance.now() - start_ms) * 1_000
    }
  }
  return times_us.sort()
}

/** Throws unless the engine's trades are the published ones. */
function checkTrades(recording: Recording): void {
  const engine = open(recording)
  const first = engine.nextCommand
  let hash: number = TRADE_HASH_START
  let trades = 0
  let refused = 0
  const idOf = (order: number) => recording.ids[commandOfOrder(order as OrderId) - first] as number
  for (const batch of recording.batches) {
    const events = engine.apply(batch)
    forEachEvent(events, (type, at) => {
      if (type === EventType.command_rejected) refused++
      if (type !== EventType.trade) return
      trades++
      const [taker, maker] = [events[at + TRADE.takerOrder] as number, events[at + TRADE.makerOrder] as number]
      const [price, quantity] = [events[at + TRADE.price] as number, events[at + TRADE.quantity] as number]
      hash = mixTrade(hash, idOf(maker), idOf(taker), price, quantity)
    })
  }
  if (hash >>> 0 !== W1.tradeHash || trades !== W1.trades) {
    throw new Error(`${trades} trades with hash ${(hash >>> 0).toString(16)}, ${refused} commands refused`)
  }
}
