// Nothing is allocated per command in steady state: the same mix of every kind of command runs until tables and compiled code have
// settled, and then the heap must not grow with the number of commands.

import { Phase, Side } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { order } from './support/orders.ts'
import { Random } from './support/random.ts'
import { BTC, batchOf, command, TestShard, USD } from './support/shard.ts'

const BATCH_COMMANDS = 500
const ROUNDS = 24
/** A batch costs its view and its header, a few hundred bytes: less than this for each of its commands. */
const BYTES_A_COMMAND_MAX = 16

const SHAPES: readonly ((random: Random) => string)[] = [
  (random) => `buy ${random.between(1, 9)} @ ${random.between(990, 1003)}`,
  (random) => `sell ${random.between(1, 9)} @ ${random.between(997, 1010)}`,
  (random) => `buy ${random.between(1, 9)} @ ${random.between(1000, 1010)} ioc decrement`,
  (random) => `sell ${random.between(1, 9)} market ioc`,
  (random) => `buy 9 @ ${random.between(990, 1003)} show 2 oldest`,
  (random) => `sell ${random.between(1, 9)} stop trigger ${random.between(960, 985)}`,
  (random) => `buy ${random.between(1, 9)} stop trigger ${random.between(1015, 1030)} @ ${random.between(1015, 1030)}`,
  (random) => `sell ${random.between(1, 9)} trail ${random.between(3, 12)}`,
  (random) => `sell 5 @ ${random.between(1000, 1010)} min 3`,
]

test('the heap does not grow with the number of commands', () => {
  const random = new Random(5)
  const shard = new TestShard(0, false).open()
  for (const account of [1, 2, 3, 4]) {
    shard.deposit(account, USD, 100_000_000_000_000)
    shard.deposit(account, BTC, 100_000_000)
  }
  let { seq, nextCommand } = shard.engine
  let time = shard.timestamp
  let placed = 0
  const nextBatch = (): Uint8Array => {
    const commands = Array.from({ length: BATCH_COMMANDS - 5 }, () => {
      const account = random.between(1, 4)
      if (random.chance(25))
        return command('cancel_order', { account, order: 0, clientOrderId: `c${random.below(placed + 1)}` })
      return order(account, `c${placed++}`, random.pick(SHAPES)(random))
    })
    const closing = [1, 2, 3, 4].map((account) => command('mass_cancel', { account, instrument: 1, side: null }))
    const phase = command('set_phase', { instrument: 1, phase: Phase.continuous })
    const bytes = batchOf(0, ++seq, ++time, nextCommand, [...commands, ...closing, phase])
    nextCommand = (nextCommand + BATCH_COMMANDS) as typeof nextCommand
    return bytes
  }
  shard.apply(command('new_order', { account: 1, side: Side.buy, price: 1000, quantity: 1, clientOrderId: 'first' }))
  shard.apply(command('new_order', { account: 2, side: Side.sell, price: 1000, quantity: 1, clientOrderId: 'second' }))
  seq = shard.engine.seq
  nextCommand = shard.engine.nextCommand
  time = shard.timestamp
  // Until every table that the remembered ids need is there: they grow by doubling, the last time at 16,384.
  for (let i = 0; i < 60; i++) shard.engine.apply(nextBatch())
  const grown: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const batches = [nextBatch(), nextBatch(), nextBatch()]
    const before = process.memoryUsage().heapUsed
    for (const batch of batches) shard.engine.apply(batch)
    grown.push((process.memoryUsage().heapUsed - before) / (batches.length * BATCH_COMMANDS))
  }
  // A collection makes a round negative, growth of a table makes one large: the middle one is what commands cost.
  const middle = grown.filter((bytes) => bytes >= 0).sort((a, b) => a - b)
  expect(middle.length).toBeGreaterThan(ROUNDS / 2)
  expect(middle[Math.floor(middle.length / 2)]).toBeLessThan(BYTES_A_COMMAND_MAX)
})
