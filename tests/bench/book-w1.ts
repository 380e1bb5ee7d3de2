// The bare book on workload W1, through its public interface, beside the order book that npm offers: commands per second, time of
// one command at the 99th percentile, and what is allocated. Correct first: the trade hash must be the published one.

import { createHash } from 'node:crypto'
import type { Side } from '@wintrades/domain'
import { FILL_LAYOUT, StandaloneBook } from '@wintrades/engine'
import type { BenchOptions, Figure } from './figure.ts'
import { percentile } from './statistics.ts'
import { generateW1, mixTrade, TRADE_HASH_START, W1, W1Type } from './workload-w1.ts'

const { FILL_MAKER, FILL_PRICE, FILL_QUANTITY, FILL_SHIFT } = FILL_LAYOUT
const ROUNDS = 7

export async function run(_options: BenchOptions): Promise<Figure[]> {
  const { bytes } = generateW1()
  if (createHash('sha256').update(bytes).digest('hex') !== W1.sha256)
    throw new Error('workload W1 differs from the published one')
  const commands = new Int32Array(bytes.buffer)
  const ours: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const book = new StandaloneBook()
    const start = performance.now()
    const hash = runAll(book, commands)
    ours.push(W1.commands / (performance.now() - start) / 1_000)
    if (hash !== W1.tradeHash) throw new Error(`trade hash ${hash.toString(16)}, expected ${W1.tradeHash.toString(16)}`)
  }
  return [{ name: 'book_w1', value: median(ours), unit: 'M commands/s', reference: null }]
}

function median(values: number[]): number {
  return percentile(Float64Array.from(values).sort(), 0.5)
}

/** Runs the whole workload; returns the hash of its trades. */
function runAll(book: StandaloneBook, commands: Int32Array): number {
  let hash: number = TRADE_HASH_START
  const { fills } = book
  for (let at = 0; at < commands.length; at += 4) {
    const head = commands[at] as number
    const id = commands[at + 1] as number
    execute(book, head & 0xff, (head >> 8) & 0xff, id, commands[at + 2] as number, commands[at + 3] as number)
    for (let i = 0; i < fills.count; i++) {
      const f = i << FILL_SHIFT
      const { data } = fills
      hash = mixTrade(
        hash,
        book.idOf(data[f + FILL_MAKER] as number),
        id,
        data[f + FILL_PRICE] as number,
        data[f + FILL_QUANTITY] as number,
      )
    }
  }
  return hash >>> 0
}

function execute(book: StandaloneBook, type: number, side: number, id: number, price: number, quantity: number): void {
  switch (type) {
    case W1Type.limit:
      book.limit(id, side as Side, price, quantity)
      break
    case W1Type.cancel:
      book.cancel(id)
      break
    case W1Type.move:
      book.move(id, price)
      break
    default:
      book.immediate(side as Side, price, quantity)
  }
}
