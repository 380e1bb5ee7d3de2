// The engine against the oracle: long random command sequences, every trade, end, replacement, reduction and level compared,
// invariants checked after each command. `ORACLE_COMMANDS` and `ORACLE_SEED` make it longer or repeat a failure.

import {
  assert,
  BOTH_SIDES,
  type Command,
  commandOfOrder,
  OrderFlag,
  type OrderId,
  OrderLink,
  OrderType,
  Phase,
  Side,
  TimeInForce,
} from '@wintrades/domain'
import { expect, test } from 'vitest'
import { Engine } from '../src/index.ts'
import { NaiveOrderBook } from './support/naive-order-book.ts'
import { Random } from './support/random.ts'
import { BTC, command, type Event, hex, TestShard, USD } from './support/shard.ts'

const COMMANDS = Number(process.env['ORACLE_COMMANDS'] ?? 6_000)
const SEED = Number(process.env['ORACLE_SEED'] ?? 1)
const SEQUENCE = 2_000
const ACCOUNTS = [1, 2, 3, 4]

/** What the oracle does not know of (money) or may say in another order (levels). */
function comparable(events: readonly Event[], isTime: boolean): object[] {
  const rest: Record<string, unknown>[] = []
  const levels: Record<string, unknown>[] = []
  for (const event of events) {
    if (UNKNOWN.has(event.type) || (event['command'] === -1) !== isTime) continue
    ;(event.type === 'level' ? levels : rest).push(strip(event))
  }
  const key = (event: Record<string, unknown>) => `${event['side']}:${event['price']}`
  return [...rest, ...levels.sort((a, b) => (key(a) < key(b) ? -1 : 1))]
}

const UNKNOWN = new Set(['balance', 'position', 'funds'])
const UNCOMPARED = new Set([
  'command',
  'account',
  'subject',
  'commandType',
  'bookVersion',
  'takerFee',
  'makerFee',
  'code',
  'limit',
  'value',
])

function strip(event: Event): Record<string, unknown> {
  if (event.type === 'accepted') return { type: 'accepted', order: event['order'] }
  const out: Record<string, unknown> = {}
  for (const key in event) if (!UNCOMPARED.has(key)) out[key] = event[key]
  return out
}

/** Each the same as the other, in order. Compared by hand, which is many times faster; what differs is told by `expect`. */
function expectSame(actual: readonly object[], events: readonly Event[], where: string): void {
  const expected = events.map((event) => strip(event))
  const isSame = actual.length === expected.length && expected.every((event, i) => isAlike(event, actual[i] as Event))
  if (!isSame) expect(actual, where).toEqual(expected)
}

function isAlike(one: Record<string, unknown>, other: Record<string, unknown>): boolean {
  const keys = Object.keys(one)
  if (keys.length !== Object.keys(other).length) return false
  return keys.every((key) => one[key] === other[key])
}

const PHASES = [Phase.closed, Phase.pre_open, Phase.opening_auction, Phase.closing_auction, Phase.halted]
const TRIGGERS = [OrderType.stop, OrderType.stop_limit, OrderType.take_profit, OrderType.take_profit_limit]

type Fields = Record<string, number>

function randomOrder(random: Random, time: number): Fields {
  const kind = random.below(100)
  const orderType =
    kind < 12 ? OrderType.market : kind < 28 ? random.pick([...TRIGGERS, OrderType.trailing_stop]) : OrderType.limit
  const isMarket = orderType === OrderType.market
  const hasTrigger = orderType > OrderType.market
  const isTrailing = orderType === OrderType.trailing_stop
  const priced =
    orderType === OrderType.limit || orderType === OrderType.stop_limit || orderType === OrderType.take_profit_limit
  const resting = [0, 0, 0, 0, 0, TimeInForce.day, TimeInForce.gtd]
  const timeInForce = isMarket ? random.pick([1, 1, 2]) : random.pick(priced ? [...resting, 1, 2] : resting)
  const byQuote = isMarket && random.chance(40)
  const rests = timeInForce !== TimeInForce.ioc && timeInForce !== TimeInForce.fok
  const quantity = random.chance(5) ? random.between(100, 300) : random.between(1, 20)
  const isPost = priced && rests && random.chance(8)
  const atOnce = !hasTrigger && !byQuote && !isPost && random.chance(10)
  return {
    account: random.pick(ACCOUNTS),
    side: random.below(2),
    orderType,
    timeInForce,
    selfTradePrevention: byQuote ? 0 : random.pick([0, 0, 1, 2, 3, 4]),
    flags: isPost ? OrderFlag.post_only : 0,
    price: !priced ? 0 : random.chance(3) ? random.between(1, 1_000_000) : random.between(990, 1010),
    quantity: byQuote ? 0 : quantity,
    quoteAmount: byQuote ? random.between(1, 30_000) : 0,
    displayQuantity: priced && rests && random.chance(25) ? random.between(1, quantity) : 0,
    minimumQuantity: atOnce ? random.between(1, quantity) : 0,
    stopPrice: hasTrigger && !isTrailing ? random.between(985, 1015) : 0,
    trailingOffset: isTrailing ? (random.chance(5) ? random.between(900, 1100) : random.between(1, 8)) : 0,
    expireTime: timeInForce === TimeInForce.gtd ? time + random.between(0, 300) : 0,
    link: 0,
    named: 0,
  }
}

/** The legs of a list, mostly such as fit together. */
function randomList(random: Random, time: number): Fields[] {
  const base = () => ({ ...randomOrder(random, time), quoteAmount: 0, minimumQuantity: 0 })
  const account = random.pick(ACCOUNTS)
  const side = random.below(2)
  const quantity = random.between(1, 30)
  const leg = (orderType: number, legSide: number, link: number): Fields => {
    const priced = orderType === OrderType.limit || orderType === OrderType.stop_limit
    const isTrailing = orderType === OrderType.trailing_stop
    return {
      ...base(),
      account,
      side: legSide,
      orderType,
      quantity: random.chance(97) ? quantity : quantity + 1,
      timeInForce: random.pick([0, 0, 0, TimeInForce.day]),
      expireTime: 0,
      flags: 0,
      displayQuantity: 0,
      price: priced ? random.between(990, 1010) : 0,
      stopPrice: orderType >= OrderType.stop && !isTrailing ? random.between(985, 1015) : 0,
      trailingOffset: isTrailing ? random.between(1, 8) : 0,
      link,
    }
  }
  const stop = random.pick([OrderType.stop, OrderType.stop_limit, OrderType.trailing_stop])
  const target = random.pick([OrderType.limit, OrderType.limit, OrderType.take_profit])
  const entryType = random.pick([OrderType.limit, OrderType.limit, OrderType.stop])
  const shape = random.below(3)
  if (shape === 0) return [leg(stop, side, OrderLink.pending), leg(target, side, OrderLink.pair)]
  if (shape === 1) return [leg(stop, side, OrderLink.pending), leg(entryType, 1 - side, OrderLink.entry)]
  const exits = [leg(stop, side, OrderLink.pending), leg(target, side, OrderLink.pending_pair)]
  return [...exits, leg(entryType, 1 - side, OrderLink.entry)]
}

test(`${COMMANDS} random commands from seed ${SEED}: the oracle says the same`, { timeout: 3_600_000 }, () => {
  for (let seed = SEED; (seed - SEED) * SEQUENCE < COMMANDS; seed++) compareSequence(seed)
})

/** One sequence: an engine and the oracle side by side, and a second engine that is now and then restored from a snapshot. */
class Sequence {
  readonly random: Random
  readonly shard = new TestShard(0, true)
  readonly naive = new NaiveOrderBook()
  readonly clientIds = new Map<number, string>()
  restored: Engine
  version = 0
  step = 0
  readonly seed: number

  constructor(seed: number) {
    this.seed = seed
    this.random = new Random(seed)
    this.shard.open()
    for (const account of ACCOUNTS) {
      this.shard.deposit(account, USD, 100_000_000_000_000)
      this.shard.deposit(account, BTC, 100_000_000)
    }
    this.restored = Engine.restore(this.shard.engine.snapshot())
  }

  compare(given: Command, expect_: () => Event[]): void {
    this.step++
    const { shard, naive } = this
    const time = naive.pass(shard.timestamp + 1)
    const expected = expect_()
    const events = shard.apply(given)
    const where = `seed ${this.seed}, step ${this.step}`
    expectSame(comparable(events, true), time, `${where}, time`)
    expectSame(comparable(events, false), expected, where)
    for (const event of events) if (event.type === 'level') assert(event['bookVersion'] === ++this.version, where)
    this.restored.apply(shard.batches.at(-1) as Uint8Array)
    if (this.step % 97 !== 0) return
    expect(hex(this.restored.stateHash()), where).toBe(hex(shard.engine.stateHash()))
    this.restored = Engine.restore(this.restored.snapshot())
    this.restored.checkInvariants()
    expect(hex(this.restored.stateHash()), `${where}, restored`).toBe(hex(shard.engine.stateHash()))
  }

  place(fields: Fields): number {
    const id = Number(this.shard.engine.nextCommand) * 16
    const clientOrderId = `c${this.step}`
    this.clientIds.set(id, clientOrderId)
    const linkedClientOrderId = this.clientIds.get(fields['named'] as number) ?? ''
    const linked = fields['link'] === 0 ? {} : { linkedClientOrderId }
    this.compare(command('new_order', { ...fields, ...linked, clientOrderId }), () =>
      this.naive.place({ id, ...fields } as unknown as Parameters<NaiveOrderBook['place']>[0]),
    )
    return id
  }

  next(): void {
    const { random, shard, naive } = this
    const kind = random.below(100)
    if (random.below(400) === 0) shard.timestamp += 61_000_000
    if (kind < 58) this.place(randomOrder(random, shard.timestamp))
    else if (kind < 64) {
      let named = 0
      for (const leg of randomList(random, shard.timestamp)) named = this.place({ ...leg, named })
    } else if (kind < 82) {
      const target = random.chance(95) && naive.orders.length > 0 ? random.pick(naive.orders) : undefined
      const order = target?.id ?? Number(shard.engine.nextCommand) * 16
      const given = command('cancel_order', { account: target?.account ?? 1, order, clientOrderId: '' })
      this.compare(given, () => naive.cancel(order))
    } else if (kind < 96) {
      if (naive.orders.length === 0) return
      const { id, account, price: old, quantity: of } = random.pick(naive.orders)
      const price = random.chance(40) && old !== 0 ? old : random.between(990, 1010)
      const quantity = random.chance(30) ? of : random.between(1, of + 5)
      const given = command('replace_order', { account, order: id, clientOrderId: '', price, quantity })
      this.compare(given, () => naive.replace(id, price, quantity))
    } else if (kind < 98) {
      const account = random.pick(ACCOUNTS)
      const side = random.pick([null, Side.buy, Side.sell])
      this.compare(command('mass_cancel', { account, instrument: 1, side }), () => naive.massCancel(account, side))
    } else if (naive.phase !== Phase.continuous || random.chance(40)) {
      const phase = random.chance(60) ? Phase.continuous : random.pick(PHASES)
      this.compare(command('set_phase', { instrument: 1, phase }), () => naive.setPhase(phase))
    }
  }
}

function compareSequence(seed: number): void {
  const sequence = new Sequence(seed)
  while (sequence.step < SEQUENCE) sequence.next()
  const { shard, naive } = sequence
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
    } else shard.apply(command('new_order', { ...randomOrder(random, shard.timestamp), clientOrderId: `c${i}` }))
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
