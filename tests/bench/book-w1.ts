// The bare book on workload W1, through its public interface, beside the order book that npm offers: commands per second of
// processor time, and the time of one command. Correct first: the trade hash must be the published one.

import { createHash } from 'node:crypto'
import type { Side } from '@wintrades/domain'
import { FILL_LAYOUT, StandaloneBook } from '@wintrades/engine'
import type { BenchOptions, Figure } from './figure.ts'
import { runNpmBook } from './npm-order-book.ts'
import { median, percentile } from './statistics.ts'
import { measured } from './thread-time.ts'
import { generateW1, mixTrade, TRADE_HASH_START, W1, W1Type } from './workload-w1.ts'

const { FILL_MAKER, FILL_PRICE, FILL_QUANTITY, FILL_SHIFT } = FILL_LAYOUT
const ROUNDS = 7
/** The peer is slow: it runs after every second round, and is held against that round. */
const PEER_EVERY = 2
const RATIO_TARGET = 60
const RATE_TARGET = 25
const P99_TARGET_US = 0.5

export async function run({ say }: BenchOptions): Promise<Figure[]> {
  const { bytes } = generateW1()
  if (createHash('sha256').update(bytes).digest('hex') !== W1.sha256)
    throw new Error('workload W1 differs from the published one')
  const commands = new Int32Array(bytes.buffer)
  const ours: number[] = []
  const peer: number[] = []
  const ratios: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const { result: hash, cpu_seconds } = measured(() => runAll(new StandaloneBook(), commands))
    if (hash !== W1.tradeHash) throw new Error(`trade hash ${hash.toString(16)}, expected ${W1.tradeHash.toString(16)}`)
    const rate = W1.commands / cpu_seconds / 1e6
    ours.push(rate)
    let beside = ''
    if (round % PEER_EVERY === PEER_EVERY - 1) {
      const peerRate = W1.commands / measured(() => runNpmBook(commands)).cpu_seconds / 1e6
      peer.push(peerRate)
      ratios.push(rate / peerRate)
      beside = `, nodejs-order-book ${peerRate.toFixed(3)}`
    }
    say(`round ${round + 1}: ${rate.toFixed(2)}${beside} M commands/processor second`)
  }
  const times_us = timeCommands(commands)
  const unit = 'M commands/processor second'
  return [
    { name: 'book_w1.ratio_to_npm', value: median(ratios), unit: 'times nodejs-order-book', reference: RATIO_TARGET },
    { name: 'book_w1', value: median(ours), unit, reference: RATE_TARGET },
    { name: 'book_w1.best_round', value: Math.max(...ours), unit, reference: RATE_TARGET },
    { name: 'book_w1.nodejs_order_book', value: median(peer), unit, reference: null },
    { name: 'book_w1.p50', value: percentile(times_us, 0.5), unit: 'µs', reference: null },
    { name: 'book_w1.p99', value: percentile(times_us, 0.99), unit: 'µs', reference: P99_TARGET_US },
    { name: 'book_w1.p999', value: percentile(times_us, 0.999), unit: 'µs', reference: null },
  ]
}

/** Each command by itself, the clock's own time included; sorted. */
function timeCommands(commands: Int32Array): Float64Array {
  const times_us = new Float64Array(W1.commands)
  const book = new StandaloneBook()
  for (let i = 0; i < W1.commands; i++) {
    const at = i * 4
    const head = commands[at] as number
    const [id, price, quantity] = [commands[at + 1] as number, commands[at + 2] as number, commands[at + 3] as number]
    const start_ms = performance.now()
    execute(book, head & 0xff, (head >> 8) & 0xff, id, price, quantity)
    times_us[i] = (performance.now() - start_ms) * 1_000
  }
  return times_us.sort()
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
