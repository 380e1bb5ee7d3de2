// The risk rules under long random command sequences: whatever an account was let do, its limits held when it did it; losses and highest
// results are what the trades say; and a replay and a restored snapshot come to the same. A failing seed is in the test's name.

import { EventType, OrderFlag, OrderType, RejectCode, Side, TimeInForce } from '@wintrades/domain'
import { expect, test } from 'vitest'
import { Engine } from '../src/index.ts'
import { NaiveRisk } from './support/naive-risk.ts'
import { Random } from './support/random.ts'
import { BTC, command, ETH, type Event, hex, instrument, TestShard } from './support/shard.ts'

const SEEDS = Number(process.env['RISK_SEEDS'] ?? 6)
const COMMANDS = 800
const ACCOUNTS = [1, 2, 3, 4]
const KEYS = [0, 0, 5, 6]
const REFERENCES = new Map([
  [1, 1_000],
  [2, 500],
])
const STRESS_PPM = new Map([
  [1, 200_000],
  [2, 300_000],
])
/** Assets by their value in lots of an instrument. */
const PRICED_BY = new Map([
  [BTC, 1],
  [ETH, 2],
])
const HOUR_US = 3_600_000_000

type Limits = Readonly<typeof NONE>
type Fields = {
  account: number
  instrument: number
  side: number
  price: number
  quantity: number
  timeInForce: number
}

/** How an account stands before an order. */
type Before = {
  readonly lots: number
  readonly buy: number
  readonly sell: number
  readonly open: number
  readonly equity: bigint
  /** What the stress moves cost with so many more lots on order. */
  readonly stress: (buy: number, sell: number) => bigint
  readonly result: bigint
  readonly loss: bigint
  readonly leastFall: bigint
  readonly mostFall: bigint
}

function fallFrom(peak: bigint | undefined, result: bigint): bigint {
  return peak === undefined || peak < result ? 0n : peak - result
}

const NONE = {
  positionValueMax: 0,
  riskLimit_ppm: 0,
  orderNotionalMax: 0,
  openOrdersMax: 0,
  ordersPerSecondMax: 0,
  dailyLossMax: 0,
  drawdownMax: 0,
  priceBand_ppm: 0,
  duplicateWindow_ms: 0,
}

function randomLimits(random: Random): Limits {
  const maybe = (low: number, high: number) => (random.chance(40) ? random.between(low, high) : 0)
  return {
    positionValueMax: maybe(20_000, 200_000),
    riskLimit_ppm: maybe(1, 12),
    orderNotionalMax: maybe(5_000, 20_000),
    openOrdersMax: maybe(2, 12),
    ordersPerSecondMax: maybe(2, 6),
    dailyLossMax: maybe(50, 2_000),
    drawdownMax: maybe(50, 3_000),
    priceBand_ppm: maybe(5_000, 100_000),
    duplicateWindow_ms: maybe(1, 2_000),
  }
}

/** One shard, its oracle, and the limits as they were set. */
class Run {
  readonly random: Random
  readonly shard: TestShard
  readonly naive = new NaiveRisk(REFERENCES)
  readonly limits = new Map<string, Limits>()
  /** The highest results if only fills are looked at, and if orders are too, whichever rule refuses them. */
  readonly peaks = new Map<number, bigint>()
  readonly closePeaks = new Map<number, bigint>()
  readonly refused = new Map<number, number>()
  private count = 0
  private last: (Fields & { readonly apiKey: number }) | null = null

  constructor(seed: number) {
    this.random = new Random(seed)
    this.shard = new TestShard().open({ makerFee_ppm: 700, takerFee_ppm: 1_300, referencePrice: 1_000 })
    this.shard.apply(instrument({ instrument: 2, base: ETH, referencePrice: 500, stressMove_ppm: STRESS_PPM.get(2) }))
    this.shard.fund(...ACCOUNTS)
    for (const account of ACCOUNTS) this.shard.deposit(account, ETH, 1_000_000)
  }

  step(): void {
    const { random, shard } = this
    if (random.chance(10)) shard.timestamp += random.chance(20) ? random.below(30) * HOUR_US : random.below(1_500_000)
    const kind = random.below(100)
    if (kind < 70) this.order()
    else if (kind < 80) this.replace()
    else if (kind < 92) this.cancel()
    else if (kind < 98) this.limit()
    else this.book(shard.apply(command('mass_cancel', { account: random.pick(ACCOUNTS), instrument: 0, side: null })))
  }

  /** Everything that the trades of a step change for the oracle. */
  private book(events: readonly Event[]): Event[] {
    for (const event of events) {
      if (event.type !== 'trade') continue
      const isBuy = event['takerSide'] === Side.buy
      const taker = event['account'] as number
      const maker = event['makerAccount'] as number
      const fees = [event['takerFee'] as number, event['makerFee'] as number] as const
      this.naive.add({
        time_us: this.shard.timestamp,
        instrument: event['subject'] as number,
        buyer: isBuy ? taker : maker,
        seller: isBuy ? maker : taker,
        price: event['price'] as number,
        quantity: event['quantity'] as number,
        buyerFee: isBuy ? fees[0] : fees[1],
        sellerFee: isBuy ? fees[1] : fees[0],
      })
      this.look(taker)
      this.look(maker)
    }
    const rejected = events.find((event) => event.type === 'rejected')
    if (rejected !== undefined) {
      const code = rejected['code'] as number
      this.refused.set(code, (this.refused.get(code) ?? 0) + 1)
    }
    return [...events]
  }

  private look(account: number): void {
    const now = this.naive.result(account)
    const peak = this.peaks.get(account)
    if (peak !== undefined && now > peak) this.peaks.set(account, now)
    this.lookClosely(account, now)
  }

  private lookClosely(account: number, result: bigint): void {
    const peak = this.closePeaks.get(account)
    if (peak !== undefined && result > peak) this.closePeaks.set(account, result)
  }

  private limit(): void {
    const { random, shard } = this
    const account = random.pick(ACCOUNTS)
    const apiKey = random.pick(KEYS)
    const limits = random.chance(25) ? NONE : randomLimits(random)
    const before = this.limits.get(`${account}:${apiKey}`)?.drawdownMax ?? 0
    this.limits.set(`${account}:${apiKey}`, limits)
    this.book(shard.apply(command('set_account_limits', { account, apiKey, ...limits })))
    if (before === limits.drawdownMax) return
    const isLimited = KEYS.some((key) => (this.limits.get(`${account}:${key}`)?.drawdownMax ?? 0) !== 0)
    for (const peaks of [this.peaks, this.closePeaks]) {
      if (isLimited) peaks.set(account, this.naive.result(account))
      else peaks.delete(account)
    }
  }

  private order(): void {
    const { random } = this
    const isMarket = random.chance(10)
    const id = random.between(1, 2)
    const account = random.pick(ACCOUNTS)
    const apiKey = random.pick(KEYS)
    const side = random.below(2)
    const middle = this.naive.priceOf(id)
    const price = isMarket ? 0 : Math.max(1, middle + random.between(-15, 15))
    const quantity = random.between(1, 20)
    const timeInForce = isMarket || random.chance(15) ? TimeInForce.ioc : TimeInForce.gtc
    const fresh = { account, apiKey, instrument: id, side, price, quantity, timeInForce }
    if (isMarket) this.send(fresh, OrderType.market, random.chance(20) ? OrderFlag.reduce_only : 0)
    else {
      if (this.last === null || !random.chance(10)) this.last = fresh
      this.send(this.last, OrderType.limit, 0)
    }
  }

  private send(fields: Fields & { readonly apiKey: number }, orderType: number, flags: number): void {
    const { shard } = this
    const { account, instrument: id, apiKey } = fields
    const isMarket = orderType === OrderType.market
    const middle = this.naive.priceOf(id)
    const before = this.standing(account, id)
    const clientOrderId = `c${++this.count}`
    const events = this.book(shard.apply(command('new_order', { ...fields, orderType, flags, clientOrderId })))
    this.lookClosely(account, before.result)
    if (!events.some((event) => event.type === 'accepted')) this.checkRefusal(events[0] as Event, fields, before)
    else if (!isMarket) for (const key of new Set([0, apiKey])) this.checkAccepted(fields, key, before, middle)
  }

  /** What was accepted keeps the limits of the account, and of the key. */
  private checkAccepted(order: Fields, key: number, before: Before, middle: number): void {
    const { account, side, price, quantity } = order
    const limits = this.limits.get(`${account}:${key}`)
    if (limits === undefined) return
    const { positionValueMax, orderNotionalMax, openOrdersMax, dailyLossMax, drawdownMax, priceBand_ppm } = limits
    const isBuy = side === Side.buy
    const isReducing = quantity <= (isBuy ? -before.lots - before.buy : before.lots - before.sell)
    if (orderNotionalMax !== 0) expect(price * quantity).toBeLessThanOrEqual(orderNotionalMax)
    if (dailyLossMax !== 0 && !isReducing) expect(before.loss < BigInt(dailyLossMax)).toBe(true)
    if (drawdownMax !== 0 && !isReducing) expect(before.leastFall < BigInt(drawdownMax)).toBe(true)
    if (priceBand_ppm !== 0) expect(Math.abs(price - middle) * 1_000_000).toBeLessThanOrEqual(middle * priceBand_ppm)
    if (openOrdersMax !== 0 && key === 0 && order.timeInForce === TimeInForce.gtc) {
      expect(before.open).toBeLessThan(openOrdersMax)
    }
    const after = isBuy ? before.lots + before.buy + quantity : -before.lots + before.sell + quantity
    const isGrowing = after > Math.max(0, isBuy ? -before.lots : before.lots)
    if (positionValueMax !== 0 && isGrowing) expect(after * middle).toBeLessThanOrEqual(positionValueMax)
    const stress = before.stress(isBuy ? quantity : 0, isBuy ? 0 : quantity)
    if (limits.riskLimit_ppm === 0 || stress === before.stress(0, 0)) return
    expect(stress <= (before.equity * BigInt(limits.riskLimit_ppm)) / 1_000_000n).toBe(true)
  }

  /** A refusal names its limit and what broke it; that of a loss limit, what the trades say. */
  private checkRefusal(event: Event, order: Fields, before: Before): void {
    const code = event['code'] as number
    const limit = event['limit'] as number
    const value = event['value'] as number
    if (code < 400 || code >= 500) return
    if (code === RejectCode.daily_loss_limit) expect(BigInt(value)).toBe(before.loss)
    // A market order counts with what it would reach.
    if (code === RejectCode.risk_limit && order.price !== 0) {
      const { side, quantity } = order
      expect(BigInt(value)).toBe(before.stress(side === Side.buy ? quantity : 0, side === Side.buy ? 0 : quantity))
    }
    if (code === RejectCode.drawdown_limit) {
      expect(BigInt(value) >= before.leastFall).toBe(true)
      expect(BigInt(value) <= before.mostFall).toBe(true)
    }
    if (code === RejectCode.price_band) expect(value).not.toBe(limit)
    else if (code === RejectCode.duplicate_order_guard) expect(value).toBeLessThan(limit)
    else if (code === RejectCode.daily_loss_limit || code === RejectCode.drawdown_limit)
      expect(value).toBeGreaterThanOrEqual(limit)
    else expect(value).toBeGreaterThan(limit)
  }

  private standing(account: number, id: number): Before {
    const result = this.naive.result(account)
    const loss = this.naive.dayLoss(account, this.shard.timestamp + 1)
    const leastFall = fallFrom(this.peaks.get(account), result)
    const mostFall = fallFrom(this.closePeaks.get(account), result)
    const { balances, positions, openOrders } = this.shard.engine.account(account as never)
    const lots = positions.find((one) => one.instrument === id)?.quantity ?? 0
    expect(BigInt(lots)).toBe(this.naive.lots(account, id))
    const open = (side: number, of = id) =>
      openOrders
        .filter((one) => one.instrument === of && one.side === side)
        .reduce((sum, one) => sum + one.leavesQty, 0)
    const orders = { buy: open(Side.buy), sell: open(Side.sell), open: openOrders.length }
    let equity = 0n
    for (const { asset, available, held } of balances) {
      const pricedBy = PRICED_BY.get(asset)
      equity += BigInt(available + held) * (pricedBy === undefined ? 1n : BigInt(this.naive.priceOf(pricedBy)))
    }
    const standings = [1, 2].map((one) => {
      const held = Number(this.naive.lots(account, one))
      return { one, held, buy: open(Side.buy, one), sell: open(Side.sell, one), price: this.naive.priceOf(one) }
    })
    const stress = (moreBuy: number, moreSell: number) => {
      let cost = 0n
      for (const { one, held, buy, sell, price } of standings) {
        const isOwn = one === id
        const most = held + buy + (isOwn ? moreBuy : 0)
        const least = held - sell - (isOwn ? moreSell : 0)
        const value = BigInt(Math.max(Math.abs(most), Math.abs(least))) * BigInt(price)
        cost += (value * BigInt(STRESS_PPM.get(one) as number) + 999_999n) / 1_000_000n
      }
      return cost
    }
    return { lots, ...orders, equity, stress, result, loss, leastFall, mostFall }
  }

  private replace(): void {
    const { random, shard } = this
    const account = random.pick(ACCOUNTS)
    const { openOrders } = shard.engine.account(account as never)
    if (openOrders.length === 0) return
    const target = random.pick(openOrders)
    const price = random.chance(50) ? 0 : Math.max(1, this.naive.priceOf(target.instrument) + random.between(-15, 15))
    const quantity = random.chance(50) ? 0 : random.between(1, 25)
    const result = this.naive.result(account)
    const events = this.book(
      shard.apply(command('replace_order', { account, order: target.order, clientOrderId: '', price, quantity })),
    )
    this.lookClosely(account, result)
    expect(events.length).toBeGreaterThan(0)
  }

  private cancel(): void {
    const { random, shard } = this
    const account = random.pick(ACCOUNTS)
    const { openOrders } = shard.engine.account(account as never)
    if (openOrders.length === 0) return
    const { order } = random.pick(openOrders)
    const events = this.book(shard.apply(command('cancel_order', { account, order, clientOrderId: '' })))
    expect(events.some((event) => event.type === 'done')).toBe(true)
  }
}

const RULES = [
  RejectCode.position_limit,
  RejectCode.risk_limit,
  RejectCode.order_size_limit,
  RejectCode.open_orders_limit,
  RejectCode.order_rate_limit,
  RejectCode.price_band,
  RejectCode.daily_loss_limit,
  RejectCode.drawdown_limit,
  RejectCode.duplicate_order_guard,
  RejectCode.reduce_only,
]

test(`${SEEDS} sequences of ${COMMANDS} commands: limits hold, and each of them has refused something`, () => {
  const refused = new Set<number>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = new Run(seed)
    try {
      for (let i = 0; i < COMMANDS; i++) run.step()
      checkResults(run)
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    }
    for (const code of run.refused.keys()) refused.add(code)
    expect(hex(run.shard.replayed().stateHash()), `seed ${seed}`).toBe(hex(run.shard.engine.stateHash()))
  }
  expect(RULES.filter((code) => !refused.has(code))).toEqual([])
})

/** What the engine says of positions is what the trades say; what all have won together is what the fees took. */
function checkResults(run: Run): void {
  let all = 0n
  for (const account of ACCOUNTS) {
    let sum = 0n
    for (const one of run.shard.engine.account(account as never).positions) {
      const worth = BigInt(one.quantity) * BigInt(run.naive.priceOf(one.instrument))
      sum += BigInt(one.realisedProfit) + worth - BigInt(one.cost)
    }
    const result = run.naive.result(account)
    all += result
    expect(sum - result >= 0n).toBe(true)
  }
  const [usd] = run.shard.engine.trialBalance()
  expect(-all).toBe(BigInt(usd?.fees ?? 0))
}

test('a snapshot in the middle goes on like the engine that wrote it', () => {
  const run = new Run(99)
  for (let i = 0; i < 300; i++) run.step()
  const copy = Engine.restore(run.shard.engine.snapshot())
  expect(hex(copy.stateHash())).toBe(hex(run.shard.engine.stateHash()))
  for (let i = 0; i < 300; i++) {
    const before = run.shard.batches.length
    run.step()
    for (const batch of run.shard.batches.slice(before)) {
      const events = Array.from(copy.apply(batch))
      expect(events[0] ?? EventType.level_changed).toBeGreaterThan(0)
      expect(hex(copy.stateHash()), `command ${i}`).toBe(hex(run.shard.engine.stateHash()))
    }
  }
  copy.checkInvariants()
})
