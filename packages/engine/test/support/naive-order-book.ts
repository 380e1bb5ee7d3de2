// The oracle: price-time priority as one would write it on a blackboard. A list of orders, searched anew for the best one at
// each step. It knows no money: the random commands it is compared on are always paid for.

import { DoneReason, OrderFlag, OrderType, SelfTradePrevention, Side, TimeInForce } from '@wintrades/domain'
import type { Event } from './shard.ts'

type Fields = Record<string, number>

export type NaiveOrder = {
  readonly id: number
  readonly account: number
  readonly side: number
  readonly flags: number
  readonly selfTrade: number
  readonly display: number
  price: number
  quantity: number
  shown: number
  hidden: number
  cumQty: number
  cumQuote: number
  /** Smaller goes first among equal prices. */
  priority: number
}

export type NaiveNewOrder = {
  readonly id: number
  readonly account: number
  readonly side: number
  readonly orderType: number
  readonly timeInForce: number
  readonly selfTradePrevention: number
  readonly flags: number
  readonly price: number
  readonly quantity: number
  readonly quoteAmount: number
  readonly displayQuantity: number
  readonly minimumQuantity: number
}

const leavesOf = (order: NaiveOrder) => order.shown + order.hidden

export class NaiveOrderBook {
  orders: NaiveOrder[] = []
  tradeNumber = 0
  events: Event[] = []
  private nextPriority = 1

  place(entry: NaiveNewOrder): Event[] {
    return this.run(() => {
      const order: NaiveOrder = {
        id: entry.id,
        account: entry.account,
        side: entry.side,
        flags: entry.flags,
        selfTrade: entry.selfTradePrevention,
        display: entry.displayQuantity,
        price: entry.orderType === OrderType.market ? 0 : entry.price,
        quantity: entry.quoteAmount === 0 ? entry.quantity : this.lotsFor(entry),
        shown: 0,
        hidden: 0,
        cumQty: 0,
        cumQuote: 0,
        priority: 0,
      }
      order.shown = order.quantity
      const isMarket = entry.orderType === OrderType.market
      if (isMarket && this.best(order) === undefined) return this.say('rejected', { order: order.id })
      if (isMarket && order.quantity === 0) return this.say('rejected', { order: order.id })
      if ((entry.flags & OrderFlag.post_only) !== 0 && this.best(order) !== undefined) {
        return this.say('rejected', { order: order.id })
      }
      this.say('accepted', { order: order.id })
      const atOnce = entry.timeInForce === TimeInForce.fok ? entry.quantity : entry.minimumQuantity
      if (atOnce > 0 && this.reachable(order) < atOnce) {
        this.done(order, DoneReason.not_fillable)
        return
      }
      const rests = !isMarket && (entry.timeInForce === TimeInForce.gtc || entry.timeInForce === TimeInForce.day)
      this.enter(order, rests)
    })
  }

  cancel(id: number): Event[] {
    return this.run(() => {
      const order = this.orders.find((one) => one.id === id)
      if (order === undefined) return this.say('rejected', { order: id })
      this.leave(order, DoneReason.cancelled_by_client)
      this.say('command_done', { order: id, count: 1 })
    })
  }

  replace(id: number, price: number, quantity: number): Event[] {
    return this.run(() => {
      const order = this.orders.find((one) => one.id === id)
      if (order === undefined || quantity <= order.cumQty) return this.say('rejected', { order: id })
      const kept = price === order.price && quantity <= order.quantity
      const moved = { ...order, price }
      if (!kept && (order.flags & OrderFlag.post_only) !== 0 && this.best(moved) !== undefined) {
        return this.say('rejected', { order: id })
      }
      if (kept) this.cut(order, order.quantity - quantity)
      order.quantity = quantity
      this.say('replaced', {
        order: id,
        price,
        quantity,
        leavesQty: quantity - order.cumQty,
        priorityKept: kept ? 1 : 0,
      })
      if (!kept) {
        this.touch(order)
        this.orders = this.orders.filter((one) => one !== order)
        order.price = price
        order.shown = quantity - order.cumQty
        order.hidden = 0
        this.enter(order, true)
      }
      this.say('command_done', { order: id, count: 1 })
    })
  }

  massCancel(account: number, side: number | null): Event[] {
    return this.run(() => {
      const orders = this.orders
        .filter((one) => one.account === account && (side === null || side === one.side))
        .sort((a, b) => a.id - b.id)
      for (const order of orders) this.leave(order, DoneReason.mass_cancel)
      this.say('command_done', { order: 0, count: orders.length })
    })
  }

  /** Levels of a side, best first: price, displayed quantity, orders. */
  levels(side: number): { price: number; quantity: number; orderCount: number }[] {
    const prices = [...new Set(this.orders.filter((one) => one.side === side).map((one) => one.price))]
    prices.sort((a, b) => (side === Side.buy ? b - a : a - b))
    return prices.map((price) => {
      const there = this.orders.filter((one) => one.side === side && one.price === price)
      return { price, quantity: there.reduce((sum, one) => sum + one.shown, 0), orderCount: there.length }
    })
  }

  /** The events of a step, and after them one for each level that it touched. */
  private run(step: () => void): Event[] {
    this.events = []
    this.touched.clear()
    step()
    for (const key of [...this.touched].sort()) {
      const [side, price] = key.split(':').map(Number) as [number, number]
      const level = this.levels(side).find((one) => one.price === price)
      this.say('level', { side, price, quantity: level?.quantity ?? 0, orderCount: level?.orderCount ?? 0 })
    }
    return this.events
  }

  private readonly touched = new Set<string>()

  private touch(order: NaiveOrder): void {
    this.touched.add(`${order.side}:${order.price}`)
  }

  private say(type: string, fields: Fields): void {
    this.events.push({ type, ...fields })
  }

  /** Trades what it can; what is left rests or ends. */
  private enter(order: NaiveOrder, rests: boolean): void {
    const ended = this.match(order)
    if (leavesOf(order) === 0) {
      this.done(order, DoneReason.filled)
      return
    }
    if (ended) {
      this.done(order, DoneReason.self_trade_prevention)
      return
    }
    if (!rests) {
      this.done(order, DoneReason.immediate_remainder)
      return
    }
    if (order.display !== 0 && order.display < order.shown) {
      order.hidden = order.shown - order.display
      order.shown = order.display
    }
    order.priority = this.nextPriority++
    this.orders.push(order)
    this.touch(order)
  }

  /** The order that an incoming one would meet first. */
  private best(taker: NaiveOrder): NaiveOrder | undefined {
    const better = (a: NaiveOrder, b: NaiveOrder) =>
      (a.side === Side.sell ? a.price - b.price : b.price - a.price) || a.priority - b.priority
    const crosses = (maker: NaiveOrder) =>
      taker.price === 0 || (taker.side === Side.buy ? maker.price <= taker.price : maker.price >= taker.price)
    return this.orders.filter((one) => one.side !== taker.side && crosses(one)).sort(better)[0]
  }

  /** True: self-trade prevention ended the taker. */
  private match(taker: NaiveOrder): boolean {
    while (leavesOf(taker) > 0) {
      const maker = this.best(taker)
      if (maker === undefined) return false
      if (maker.account === taker.account && taker.selfTrade !== SelfTradePrevention.none) {
        if (this.meetOwn(taker, maker)) return true
      } else this.trade(taker, maker)
    }
    return false
  }

  private meetOwn(taker: NaiveOrder, maker: NaiveOrder): boolean {
    if (taker.selfTrade === SelfTradePrevention.cancel_newest) return true
    if (taker.selfTrade !== SelfTradePrevention.decrement) {
      this.leave(maker, DoneReason.self_trade_prevention)
      return taker.selfTrade === SelfTradePrevention.cancel_both
    }
    const by = Math.min(leavesOf(maker), leavesOf(taker))
    if (by === leavesOf(maker)) this.leave(maker, DoneReason.self_trade_prevention)
    else {
      this.cut(maker, by)
      maker.quantity -= by
      this.say('reduced', { order: maker.id, reducedBy: by, quantity: maker.quantity, leavesQty: leavesOf(maker) })
    }
    if (by === leavesOf(taker)) return true
    taker.shown -= by
    taker.quantity -= by
    this.say('reduced', { order: taker.id, reducedBy: by, quantity: taker.quantity, leavesQty: leavesOf(taker) })
    return false
  }

  private trade(taker: NaiveOrder, maker: NaiveOrder): void {
    const quantity = Math.min(maker.shown, taker.shown)
    const notional = quantity * maker.price
    for (const order of [taker, maker]) {
      order.shown -= quantity
      order.cumQty += quantity
      order.cumQuote += notional
    }
    this.touch(maker)
    this.tradeNumber++
    if (maker.shown === 0 && maker.hidden > 0) {
      maker.shown = Math.min(maker.display, maker.hidden)
      maker.hidden -= maker.shown
      maker.priority = this.nextPriority++
    }
    this.say('trade', {
      takerOrder: taker.id,
      makerOrder: maker.id,
      makerAccount: maker.account,
      takerSide: taker.side,
      price: maker.price,
      quantity,
      tradeNumber: this.tradeNumber,
      takerCumQty: taker.cumQty,
      takerLeavesQty: leavesOf(taker),
      takerCumQuote: taker.cumQuote,
      makerCumQty: maker.cumQty,
      makerLeavesQty: leavesOf(maker),
      makerCumQuote: maker.cumQuote,
      notional,
    })
    if (leavesOf(maker) === 0) {
      this.orders = this.orders.filter((one) => one !== maker)
      this.done(maker, DoneReason.filled)
    }
  }

  private cut(order: NaiveOrder, by: number): void {
    const fromHidden = Math.min(by, order.hidden)
    order.hidden -= fromHidden
    order.shown -= by - fromHidden
    if (by > fromHidden) this.touch(order)
  }

  private leave(order: NaiveOrder, reason: number): void {
    this.orders = this.orders.filter((one) => one !== order)
    this.touch(order)
    this.done(order, reason)
  }

  private done(order: NaiveOrder, reason: number): void {
    this.say('done', {
      order: order.id,
      reason,
      cancelledQty: leavesOf(order),
      cumQty: order.cumQty,
      cumQuote: order.cumQuote,
      side: order.side,
      price: order.price,
    })
  }

  /** Lots that an order would trade if it came in now: tried out on a copy. */
  private reachable(order: NaiveOrder): number {
    const copy = this.copy()
    const taker = { ...order }
    copy.match(taker)
    return taker.cumQty
  }

  /** Lots that a market order by quote amount reaches: one after the other, on a copy. */
  private lotsFor(entry: NaiveNewOrder): number {
    const copy = this.copy()
    const taker: NaiveOrder = {
      ...entry,
      selfTrade: SelfTradePrevention.none,
      display: 0,
      price: 0,
      shown: 0,
      hidden: 0,
      cumQty: 0,
      cumQuote: 0,
      priority: 0,
    }
    for (;;) {
      const maker = copy.best(taker)
      if (maker === undefined || taker.cumQuote + maker.price > entry.quoteAmount) return taker.cumQty
      taker.shown = 1
      copy.trade(taker, maker)
    }
  }

  private copy(): NaiveOrderBook {
    const copy = new NaiveOrderBook()
    copy.orders = this.orders.map((one) => ({ ...one }))
    copy.nextPriority = this.nextPriority
    return copy
  }
}
