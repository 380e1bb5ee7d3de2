// The engine against the oracle: long random command sequences, every trade, end, replacement, reduction and level compared,
// invariants checked after each command. `ORACLE_COMMANDS` and `ORACLE_SEED` make it longer or repeat a failure.

import { BOTH_SIDES, commandOfOrder, OrderFlag, type OrderId, OrderType, Side, TimeInForce } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { Engine } from '../src/index.ts'
import { NaiveOrderBook } from './support/naive-order-book.ts'
import { Random } from './support/random.ts'
import { command, type Event, hex, TestShard } from './support/shard.ts'

const COMMANDS = Number(process.env['ORACLE_COMMANDS'] ?? 12_000)
const SEED = Number(process.env['ORACLE_SEED'] ?? 1)
const SEQUENCE = 3_000
const ACCOUNTS = [1, 2, 3, 4]

/** What the oracle does not know of (money) or may say in another order (levels). */
function comparable(events: readonly Event[]): object[] {
  const known = events.filter((event) => !['balance', 'position', 'funds'].includes(event.type))
  const plain = known.map(({ command: _c, account: _a, subject: _s, ...event }) => strip(event as Event))
  const levels = plain.filter((event) => event['type'] === 'level')
  const rest = plain.filter((event) => event['type'] !== 'level')
  const key = (event: Record<string, unknown>) => `${event['side']}:${event['price']}`
  return [...rest, ...levels.sort((a, b) => (key(a) < key(b) ? -1 : 1))]
}

const UNCOMPARED = ['commandType', 'bookVersion', 'takerFee', 'makerFee', 'code', 'limit', 'value']

function strip(event: Event): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(event)) if (!UNCOMPARED.includes(key)) out[key] = value
  if (event.type === 'accepted') return { type: 'accepted', order: event['order'] }
  return out
}

function randomOrder(random: Random): Record<string, number> {
  const isMarket = random.chance(12)
  const timeInForce = isMarket ? TimeInForce.ioc : random.pick([0, 0, 0, 0, 1, 2])
  const byQuote = isMarket && random.chance(40)
  const rests = !isMarket && timeInForce === TimeInForce.gtc
  const quantity = random.chance(5) ? random.between(100, 300) : random.between(1, 20)
  return {
    account: random.pick(ACCOUNTS),
    side: random.below(2),
    orderType: isMarket ? OrderType.market : OrderType.limit,
    timeInForce,
    selfTradePrevention: byQuote ? 0 : random.pick([0, 0, 1, 2, 3, 4]),
    flags: rests && random.chance(10) ? OrderFlag.post_only : 0,
    price: isMarket ? 0 : random.chance(3) ? random.between(1, 1_000_000) : random.between(990, 1010),
    quantity: byQuote ? 0 : quantity,
    quoteAmount: byQuote ? random.between(1, 30_000) : 0,
    displayQuantity: 0,
    minimumQuantity: 0,
  }
}

test(`${COMMANDS} random commands from seed ${SEED}: the oracle says the same`, () => {
  for (let seed = SEED; (seed - SEED) * SEQUENCE < COMMANDS; seed++) compareSequence(seed)
})

function compareSequence(seed: number): void {
  const random = new Random(seed)
  const shard = new TestShard().open().fund(...ACCOUNTS, ...ACCOUNTS, ...ACCOUNTS)
  const naive = new NaiveOrderBook()
  let version = 0
  for (let i = 0; i < SEQUENCE; i++) {
    const kind = random.below(100)
    const id = Number(shard.engine.nextCommand) * 16
    let events: Event[]
    let expected: Event[]
    if (kind < 68) {
      const fields = randomOrder(random)
      events = shard.apply(command('new_order', { ...fields, clientOrderId: `c${i}` }))
      expected = naive.place({ id, ...fields } as unknown as Parameters<NaiveOrderBook['place']>[0])
    } else if (kind < 85) {
      const target = random.chance(95) && naive.orders.length > 0 ? random.pick(naive.orders) : undefined
      const order = target?.id ?? id
      events = shard.apply(command('cancel_order', { account: target?.account ?? 1, order, clientOrderId: '' }))
      expected = naive.cancel(order)
    } else if (kind < 98) {
      if (naive.orders.length === 0) continue
      const target = random.pick(naive.orders)
      const price = random.chance(40) ? target.price : random.between(990, 1010)
      const quantity = random.between(1, target.quantity + 5)
      const named = { account: target.account, order: target.id, clientOrderId: '' }
      events = shard.apply(command('replace_order', { ...named, price, quantity }))
      expected = naive.replace(target.id, price, quantity)
    } else {
      const account = random.pick(ACCOUNTS)
      const side = random.pick([null, Side.buy, Side.sell])
      events = shard.apply(command('mass_cancel', { account, instrument: 1, side }))
      expected = naive.massCancel(account, side)
    }
    expect(comparable(events), `seed ${seed}, command ${i}`).toEqual(expected.map((event) => strip(event)))
    for (const event of events) if (event.type === 'level') expect(event['bookVersion']).toBe(++version)
  }
  const book = shard.engine.book(1 as never, 1_000)
  expect(book.bids).toEqual(naive.levels(Side.buy))
  expect(book.asks).toEqual(naive.levels(Side.sell))
  expect(hex(shard.replayed().stateHash())).toBe(hex(shard.engine.stateHash()))
}

test('a snapshot in the middle and the tail after it give what a replay from empty gives', () => {
  const random = new Random(77)
  const shard = new TestShard(3, false).open({ makerFee_ppm: 900, takerFee_ppm: 1_500 }).fund(...ACCOUNTS)
  let restored: Engine | null = null
  for (let i = 0; i < 2_000; i++) {
    if (i === 1_000) restored = Engine.restore(shard.engine.snapshot())
    const open = shard.engine.account(random.pick(ACCOUNTS) as never).openOrders
    if (random.chance(30) && open.length > 0) {
      const target = random.pick(open)
      shard.apply(command('cancel_order', { account: target.account, order: target.order, clientOrderId: '' }))
    } else shard.apply(command('new_order', { ...randomOrder(random), clientOrderId: `c${i}` }))
    if (restored !== null && i >= 1_000) {
      const events = restored.apply(shard.batches.at(-1) as Uint8Array)
      expect(events.length).toBeGreaterThan(0)
    }
  }
  expect(restored).not.toBeNull()
  const tail = restored as Engine
  tail.checkInvariants()
  expect(hex(tail.stateHash())).toBe(hex(shard.engine.stateHash()))
  expect(hex(shard.replayed().stateHash())).toBe(hex(shard.engine.stateHash()))
  expect(tail.snapshot().length).toBe(shard.engine.snapshot().length)
  expect(commandOfOrder((16 * 5) as OrderId)).toBe(5)
  expect(BOTH_SIDES).toBe(255)
})
