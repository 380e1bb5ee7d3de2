// The oracle: a market as one would write it on a blackboard. A list of orders, searched anew for the best one at each step; no
// queues, no indexes. It knows no money: the random commands it is compared on are always paid for.

import {
  DoneReason,
  LIMITS,
  OrderFlag,
  OrderLink,
  OrderType,
  Phase,
  SelfTradePrevention,
  Side,
  TimeInForce,
} from '@wintrades/domain'
import { naiveAuctionPrice } from './naive-auction.ts'
import type { Event } from './shard.ts'

type Fields = Record<string, number>

/** In the book, among the triggers, among those whose time has come, or waiting for others of its list. */
type Place = 'book' | 'trigger' | 'released' | 'unnamed'

export type NaiveOrder = {
  readonly id: number
  readonly account: number
  readonly side: number
  readonly orderType: number
  readonly timeInForce: number
  readonly flags: number
  readonly selfTrade: number
  readonly display: number
  readonly trail: number
  readonly expireTime: number
  readonly acceptedAt: number
  price: number
  stop: number
  quantity: number
  shown: number
  hidden: number
  cumQty: number
  cumQuote: number
  /** Smaller goes first among equal prices, and among equal stop prices. */
  priority: number
  place: Place
  /** Smaller: a trailing stop that follows the price for longer. */
  trailsSince: number
  triggerPrice: number
  role: 'pending' | 'leg' | 'exit' | 'entry' | null
  /** The other leg or exit; of an entry its older exit. */
  other: NaiveOrder | null
  entry: NaiveOrder | null
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
  readonly stopPrice: number
  readonly trailingOffset: number
  readonly expireTime: number
  readonly link: number
  /** Id of the order it names; 0: none. */
  readonly named: number
}

export const leavesOf = (order: NaiveOrder) => order.shown + order.hidden
const hasPrice = (type: number) =>
  type === OrderType.limit || type === OrderType.stop_limit || type === OrderType.take_profit_limit
const isProfit = (type: number) => type === OrderType.take_profit || type === OrderType.take_profit_limit
export const isFalling = (order: NaiveOrder) => (order.side === Side.buy) === isProfit(order.orderType)
const isImmediate = (order: { timeInForce: number }) =>
  order.timeInForce === TimeInForce.ioc || order.timeInForce === TimeInForce.fok

export class NaiveOrderBook {
  orders: NaiveOrder[] = []
  /** Orders whose time has come, first to last. */
  released: NaiveOrder[] = []
  tradeNumber = 0
  lastPrice = 0
  phase: number = Phase.continuous
  time = 0
  events: Event[] = []
  private nextPriority = 1

  // ---- commands ----

  /** The time of a batch: what expires, and what enters the market because it had to wait. */
  pass(time: number): Event[] {
    this.time = time
    return this.run(() => {
      for (;;) {
        const due = this.orders.filter((one) => this.endsAt(one) <= time)
        due.sort((a, b) => this.endsAt(a) - this.endsAt(b) || a.id - b.id)
        const [first] = due
        if (first === undefined) return
        this.leave(first, DoneReason.expired)
      }
    })
  }

  place(entry: NaiveNewOrder): Event[] {
    return this.run(() => {
      const named = this.orders.find(
        (one) => one.id === entry.named && one.role === 'pending' && one.account === entry.account,
      )
      const order = this.make(entry)
      if (!this.isWelcome(entry, order, named)) {
        this.say('rejected', { order: order.id })
        if (named !== undefined) this.endNamed(named)
        return
      }
      this.say('accepted', { order: order.id })
      if (entry.link === OrderLink.pending || entry.link === OrderLink.pending_pair) this.placePending(order, named)
      else if (entry.orderType > OrderType.market) this.placeWaiting(order, entry.link, named)
      else this.placeNow(entry, order, named)
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
      const isFree =
        order.place === 'book' && (order.role === null || (order.role === 'entry' && quantity === order.quantity))
      const isDisplayed = order.display === 0 || this.mayDisplay(order.display, quantity)
      if (!isFree || !this.isOpen() || !isDisplayed) return this.say('rejected', { order: id })
      const kept = price === order.price && quantity <= order.quantity
      const moved = { ...order, price }
      if (!kept && (order.flags & OrderFlag.post_only) !== 0 && this.best(moved) !== undefined) {
        return this.say('rejected', { order: id })
      }
      if (kept) this.cut(order, order.quantity - quantity)
      order.quantity = quantity
      const fields = { order: id, price, quantity, leavesQty: quantity - order.cumQty, priorityKept: kept ? 1 : 0 }
      this.say('replaced', fields)
      if (!kept) {
        this.touch(order)
        this.orders = this.orders.filter((one) => one !== order)
        order.price = price
        this.enter(order, true)
      }
      this.say('command_done', { order: id, count: 1 })
    })
  }

  massCancel(account: number, side: number | null): Event[] {
    return this.run(() => {
      const all = this.orders.filter((one) => one.account === account && (side === null || side === one.side))
      let count = 0
      for (const order of all.sort((a, b) => a.id - b.id)) {
        if (!this.orders.includes(order)) continue
        this.leave(order, DoneReason.mass_cancel)
        count++
      }
      this.say('command_done', { order: 0, count })
    })
  }

  setPhase(phase: number): Event[] {
    return this.run(() => {
      const before = this.phase
      this.say('phase', { phase, previousPhase: before })
      this.phase = phase
      const auctions: readonly number[] = [Phase.opening_auction, Phase.closing_auction, Phase.volatility_auction]
      if (phase === Phase.continuous || (phase === Phase.closed && auctions.includes(before))) this.uncross()
      if (phase === Phase.closed) this.endDay()
    })
  }

  /** Levels of a side, best first: price, displayed quantity, orders. */
  levels(side: number): { price: number; quantity: number; orderCount: number }[] {
    const resting = this.orders.filter((one) => one.side === side && one.place === 'book')
    const prices = [...new Set(resting.map((one) => one.price))].sort((a, b) => (side === Side.buy ? b - a : a - b))
    return prices.map((price) => {
      const there = resting.filter((one) => one.price === price)
      return { price, quantity: there.reduce((sum, one) => sum + one.shown, 0), orderCount: there.length }
    })
  }

  // ---- new orders ----

  private make(entry: NaiveNewOrder): NaiveOrder {
    const quantity = entry.quoteAmount === 0 ? entry.quantity : this.lotsFor(entry)
    return {
      id: entry.id,
      account: entry.account,
      side: entry.side,
      orderType: entry.orderType,
      timeInForce: entry.timeInForce,
      flags: entry.flags,
      selfTrade: entry.selfTradePrevention,
      display: entry.displayQuantity,
      trail: entry.trailingOffset,
      expireTime: entry.expireTime,
      acceptedAt: this.time,
      price: entry.price,
      stop: entry.stopPrice,
      quantity,
      shown: quantity,
      hidden: 0,
      cumQty: 0,
      cumQuote: 0,
      priority: 0,
      place: 'book',
      trailsSince: 0,
      triggerPrice: 0,
      role: null,
      other: null,
      entry: null,
    }
  }

  private isOpen(): boolean {
    return this.phase !== Phase.closed && this.phase !== Phase.halted
  }

  private mayDisplay(display: number, quantity: number): boolean {
    return display <= quantity && Math.ceil(quantity / LIMITS.iceberg_parts_max) <= display
  }

  private isWelcome(entry: NaiveNewOrder, order: NaiveOrder, named: NaiveOrder | undefined): boolean {
    const isMarket = entry.orderType === OrderType.market
    if (!this.isOpen()) return false
    if (this.phase !== Phase.continuous && (isMarket || (entry.orderType === OrderType.limit && isImmediate(entry))))
      return false
    if (this.phase !== Phase.continuous && entry.minimumQuantity > 0) return false
    if (entry.timeInForce === TimeInForce.gtd && entry.expireTime <= this.time) return false
    if (order.display > 0 && !this.mayDisplay(order.display, order.quantity)) return false
    if (entry.link > OrderLink.pending && !this.mayName(entry, order, named)) return false
    if (entry.orderType === OrderType.trailing_stop && this.lastPrice === 0) return false
    if (entry.link === OrderLink.pending || entry.link === OrderLink.pending_pair)
      return !isMarket && !isImmediate(entry)
    if (entry.orderType > OrderType.market) return this.mayWait(order)
    if (isMarket && (this.best({ ...order, price: 0 }) === undefined || order.quantity === 0)) return false
    return (entry.flags & OrderFlag.post_only) === 0 || this.best(order) === undefined
  }

  private mayName(entry: NaiveNewOrder, order: NaiveOrder, named: NaiveOrder | undefined): boolean {
    if (named === undefined || named.quantity !== order.quantity || entry.quoteAmount !== 0) return false
    if (entry.link === OrderLink.entry) return named.side !== order.side
    const bothRest = order.orderType === OrderType.limit && named.orderType === OrderType.limit
    if (named.side !== order.side || named.other !== null || bothRest) return false
    return entry.orderType !== OrderType.market && !isImmediate(entry)
  }

  private mayWait(order: NaiveOrder): boolean {
    if (order.trail > 0) {
      const stop = this.trailingStop(order)
      return stop >= 1 && stop <= 1_000_000
    }
    return this.lastPrice === 0 || !this.isMet(order, this.lastPrice)
  }

  private placePending(order: NaiveOrder, named: NaiveOrder | undefined): void {
    this.orders.push(order)
    order.place = 'unnamed'
    order.role = 'pending'
    order.priority = this.nextPriority++
    if (named !== undefined) this.pair(order, named, 'pending')
  }

  private placeWaiting(order: NaiveOrder, link: number, named: NaiveOrder | undefined): void {
    if (order.trail > 0) order.stop = this.trailingStop(order)
    this.orders.push(order)
    this.await(order)
    if (named !== undefined) this.join(order, link, named)
  }

  private placeNow(entry: NaiveNewOrder, order: NaiveOrder, named: NaiveOrder | undefined): void {
    const atOnce = entry.timeInForce === TimeInForce.fok ? order.quantity : entry.minimumQuantity
    const isUnfillable = atOnce > 0 && this.reachable(order) < atOnce
    if (isUnfillable) this.done(order, DoneReason.not_fillable)
    else this.enter(order, entry.orderType === OrderType.limit && !isImmediate(entry))
    if (named === undefined) return
    const isOpen = this.orders.includes(order)
    if (entry.link === OrderLink.entry) {
      if (isOpen) this.join(order, entry.link, named)
      else this.entryEnded(named, order.cumQty)
    } else if (isOpen && leavesOf(order) === entry.quantity) this.join(order, entry.link, named)
    else this.endNamed(named)
  }

  /** Trades what it can; what is left rests or ends. */
  private enter(order: NaiveOrder, rests: boolean): boolean {
    order.shown = order.quantity - order.cumQty
    order.hidden = 0
    const ended = this.phase === Phase.continuous && this.match(order)
    if (leavesOf(order) === 0) this.end(order, DoneReason.filled)
    else if (ended) this.end(order, DoneReason.self_trade_prevention)
    else if (!rests) this.end(order, DoneReason.immediate_remainder)
    else {
      const leaves = leavesOf(order)
      order.shown = order.display > 0 ? Math.min(order.display, leaves) : leaves
      order.hidden = leaves - order.shown
      order.place = 'book'
      order.priority = this.nextPriority++
      if (!this.orders.includes(order)) this.orders.push(order)
      this.touch(order)
      return true
    }
    return false
  }

  // ---- matching ----

  private best(taker: { side: number; price: number }): NaiveOrder | undefined {
    const crosses = (one: NaiveOrder) =>
      taker.price === 0 || (taker.side === Side.buy ? one.price <= taker.price : one.price >= taker.price)
    return this.resting(1 - taker.side).filter(crosses)[0]
  }

  /** Orders of a side in the order in which they trade. */
  private resting(side: number): NaiveOrder[] {
    const better = (a: NaiveOrder, b: NaiveOrder) =>
      a.price === b.price ? a.priority - b.priority : side === Side.sell ? a.price - b.price : b.price - a.price
    return this.orders.filter((one) => one.side === side && one.place === 'book').sort(better)
  }

  /** True: self-trade prevention ended the taker. */
  private match(taker: NaiveOrder): boolean {
    while (leavesOf(taker) > 0) {
      const maker = this.best(taker)
      if (maker === undefined) return false
      if (maker.account === taker.account && taker.selfTrade !== SelfTradePrevention.none) {
        if (this.meetOwn(taker, maker)) return true
      } else {
        this.trade(taker, maker, maker.price)
        this.legTraded(maker)
        if (leavesOf(maker) === 0) this.end(maker, DoneReason.filled)
        this.traded(maker.price)
      }
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
    this.decrement(maker, by)
    if (by === leavesOf(taker)) return true
    taker.shown -= by
    taker.quantity -= by
    this.sayReduced(taker, by)
    return false
  }

  private decrement(order: NaiveOrder, by: number): void {
    if (by === leavesOf(order)) {
      this.leave(order, DoneReason.self_trade_prevention)
      return
    }
    this.legTraded(order)
    this.cut(order, by)
    order.quantity -= by
    this.sayReduced(order, by)
  }

  private trade(taker: NaiveOrder, maker: NaiveOrder, price: number): void {
    const quantity = Math.min(maker.shown, taker.shown)
    const notional = quantity * price
    for (const order of [taker, maker]) {
      order.shown -= quantity
      order.cumQty += quantity
      order.cumQuote += notional
      if (this.orders.includes(order) && order.place === 'book') this.touch(order)
      if (order.shown === 0 && order.hidden > 0) {
        order.shown = Math.min(order.display, order.hidden)
        order.hidden -= order.shown
        order.priority = this.nextPriority++
      }
    }
    this.tradeNumber++
    this.lastPrice = price
    this.say('trade', {
      takerOrder: taker.id,
      makerOrder: maker.id,
      makerAccount: maker.account,
      takerSide: taker.side,
      price,
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
  }

  private uncross(): void {
    for (;;) {
      const { price } = naiveAuctionPrice(this.resting(Side.buy), this.resting(Side.sell), this.lastPrice)
      if (price === 0) return
      for (;;) {
        const bid = this.resting(Side.buy)[0]
        const ask = this.resting(Side.sell)[0]
        if (bid === undefined || ask === undefined || bid.price < price || ask.price > price) break
        this.meetInAuction(bid.id > ask.id ? bid : ask, bid.id > ask.id ? ask : bid, price)
      }
    }
  }

  private meetInAuction(taker: NaiveOrder, maker: NaiveOrder, price: number): void {
    const { selfTrade } = taker
    if (taker.account !== maker.account || selfTrade === SelfTradePrevention.none) {
      this.trade(taker, maker, price)
      for (const order of [taker, maker]) {
        this.legTraded(order)
        if (leavesOf(order) === 0) this.end(order, DoneReason.filled)
      }
      this.traded(price)
      return
    }
    const by = Math.min(leavesOf(taker), leavesOf(maker))
    if (selfTrade === SelfTradePrevention.decrement) for (const order of [maker, taker]) this.decrement(order, by)
    else {
      if (selfTrade !== SelfTradePrevention.cancel_newest) this.leave(maker, DoneReason.self_trade_prevention)
      const isThere = this.orders.includes(taker)
      if (selfTrade !== SelfTradePrevention.cancel_oldest && isThere)
        this.leave(taker, DoneReason.self_trade_prevention)
    }
  }

  // ---- triggers ----

  private isMet(order: NaiveOrder, price: number): boolean {
    return isFalling(order) ? price <= order.stop : price >= order.stop
  }

  private trailingStop(order: NaiveOrder): number {
    return isFalling(order) ? this.lastPrice - order.trail : this.lastPrice + order.trail
  }

  private await(order: NaiveOrder): void {
    order.place = 'trigger'
    order.priority = this.nextPriority++
    order.trailsSince = order.priority
  }

  private release(order: NaiveOrder, price: number): void {
    order.place = 'released'
    order.triggerPrice = price
    this.released.push(order)
  }

  /** Takes its place among the triggers, or goes on at once if its trigger has been met. */
  private takePlace(order: NaiveOrder): void {
    if (order.trail > 0) order.stop = this.trailingStop(order)
    else if (this.lastPrice !== 0 && this.isMet(order, this.lastPrice)) {
      this.release(order, this.lastPrice)
      return
    }
    this.await(order)
  }

  private traded(price: number): void {
    for (const falling of [true, false]) {
      const met = this.orders.filter(
        (one) => one.place === 'trigger' && isFalling(one) === falling && this.isMet(one, price),
      )
      met.sort((a, b) => (a.stop === b.stop ? a.priority - b.priority : falling ? b.stop - a.stop : a.stop - b.stop))
      for (const order of met) this.release(order, price)
    }
    for (const falling of [true, false]) {
      const trailing = this.orders.filter(
        (one) => one.place === 'trigger' && one.trail > 0 && isFalling(one) === falling,
      )
      for (const order of trailing.sort((a, b) => a.trailsSince - b.trailsSince)) {
        const stop = falling ? price - order.trail : price + order.trail
        if (falling ? stop <= order.stop : stop >= order.stop) continue
        order.stop = stop
        order.priority = this.nextPriority++
      }
    }
  }

  private enterReleased(): void {
    if (this.phase !== Phase.continuous) return
    for (let left = LIMITS.triggers_per_command_max; left > 0; left--) {
      const [order] = this.released
      if (order === undefined) return
      if (order.role === 'exit') this.activate(order)
      else this.trigger(order)
    }
  }

  private trigger(order: NaiveOrder): void {
    const other = order.role === 'leg' ? this.part(order) : null
    this.released = this.released.filter((one) => one !== order)
    this.say('triggered', { order: order.id, triggerPrice: order.triggerPrice })
    if (other !== null) this.endOther(other, DoneReason.linked_order)
    order.place = 'book'
    this.orders = this.orders.filter((one) => one !== order)
    const rests = hasPrice(order.orderType) && !isImmediate(order)
    const wouldTake = (order.flags & OrderFlag.post_only) !== 0 && this.best(order) !== undefined
    const isUnfillable = order.timeInForce === TimeInForce.fok && this.reachable(order) < leavesOf(order)
    if (wouldTake) this.end(order, DoneReason.trigger_rejected)
    else if (isUnfillable) this.end(order, DoneReason.not_fillable)
    else this.enter(order, rests)
  }

  // ---- lists ----

  private pair(one: NaiveOrder, two: NaiveOrder, role: 'pending' | 'leg'): void {
    one.role = role
    two.role = role
    one.other = two
    two.other = one
  }

  private join(order: NaiveOrder, link: number, named: NaiveOrder): void {
    if (link === OrderLink.entry) {
      const exits = named.other === null ? [named] : [named, named.other].sort((a, b) => a.id - b.id)
      order.role = 'entry'
      order.other = exits[0] as NaiveOrder
      for (const exit of exits) {
        exit.role = 'exit'
        exit.entry = order
      }
      return
    }
    this.pair(order, named, 'leg')
    this.takePlace(named)
  }

  /** Parts an order from its list; returns the other leg. */
  private part(order: NaiveOrder): NaiveOrder | null {
    if (order.role === 'entry') return null
    const { other, entry } = order
    for (const one of [order, other, order.role === 'exit' ? entry : null]) {
      if (one === null) continue
      one.role = null
      one.other = null
    }
    return other
  }

  private legTraded(order: NaiveOrder): void {
    if (order.role !== 'leg') return
    const other = this.part(order)
    if (other !== null) this.endOther(other, DoneReason.linked_order)
  }

  private entryEnded(exit: NaiveOrder, filled: number): void {
    if (filled === 0) {
      this.endNamed(exit)
      return
    }
    const exits = exit.other === null ? [exit] : [exit, exit.other]
    for (const one of exits) {
      one.role = 'exit'
      one.entry = null
      const by = one.quantity - filled
      if (by <= 0) continue
      one.quantity = filled
      one.shown = filled
      this.sayReduced(one, by)
    }
    this.release(exit, 0)
  }

  private endNamed(named: NaiveOrder): void {
    const other = this.part(named)
    this.endOther(named, DoneReason.linked_order)
    if (other !== null) this.endOther(other, DoneReason.linked_order)
  }

  private activate(exit: NaiveOrder): void {
    const other = this.part(exit)
    this.released = this.released.filter((one) => one !== exit)
    const first = exit.orderType === OrderType.limit || other === null ? exit : other
    const second = first === exit ? other : exit
    const both = second === null ? [first] : [first, second]
    const canTrail = both.every((one) => {
      const stop = this.trailingStop(one)
      return one.trail === 0 || (stop >= 1 && stop <= 1_000_000)
    })
    if (!canTrail) {
      for (const one of both) this.endOther(one, DoneReason.trigger_rejected)
      return
    }
    for (const one of both) this.say('triggered', { order: one.id, triggerPrice: 0 })
    const { quantity } = first
    let isUntouched = true
    if (first.orderType === OrderType.limit) {
      this.orders = this.orders.filter((one) => one !== first)
      isUntouched = this.enter(first, true) && leavesOf(first) === quantity
    } else this.takePlace(first)
    if (second === null) return
    if (isUntouched) {
      this.pair(first, second, 'leg')
      this.takePlace(second)
    } else this.endOther(second, DoneReason.linked_order)
  }

  // ---- ends ----

  private endsAt(order: NaiveOrder): number {
    const expires = order.expireTime === 0 ? Number.POSITIVE_INFINITY : order.expireTime
    return order.role === 'pending' ? Math.min(expires, order.acceptedAt + LIMITS.pending_order_us) : expires
  }

  private endDay(): void {
    const waits = (falling: boolean) =>
      this.orders
        .filter((one) => one.place === 'trigger' && isFalling(one) === falling)
        .sort((a, b) => (a.stop === b.stop ? a.priority - b.priority : falling ? b.stop - a.stop : a.stop - b.stop))
    const unnamed = this.orders.filter((one) => one.place === 'unnamed').sort((a, b) => a.id - b.id)
    const all = [
      ...this.resting(Side.buy),
      ...this.resting(Side.sell),
      ...waits(true),
      ...waits(false),
      ...this.released,
    ]
    for (const order of [...all, ...unnamed]) {
      if (order.timeInForce === TimeInForce.day && this.orders.includes(order)) this.leave(order, DoneReason.expired)
    }
  }

  /** Cuts an order that is in the book; hidden quantity goes first. */
  private cut(order: NaiveOrder, by: number): void {
    const fromHidden = Math.min(by, order.hidden)
    order.hidden -= fromHidden
    order.shown -= by - fromHidden
    if (by > fromHidden) this.touch(order)
  }

  private leave(order: NaiveOrder, reason: number): void {
    const other = this.part(order)
    this.end(order, reason)
    if (other !== null) this.endOther(other, DoneReason.linked_order)
  }

  private endOther(order: NaiveOrder, reason: number): void {
    this.end(order, reason)
  }

  /** Out of everywhere; then what that means for its exits. */
  private end(order: NaiveOrder, reason: number): void {
    if (this.orders.includes(order) && order.place === 'book') this.touch(order)
    this.orders = this.orders.filter((one) => one !== order)
    this.released = this.released.filter((one) => one !== order)
    this.done(order, reason)
    if (order.role === 'entry' && order.other !== null) this.entryEnded(order.other, order.cumQty)
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

  // ---- looking ahead, on a copy ----

  /** Lots that an order would trade if it came in now. */
  private reachable(order: NaiveOrder): number {
    const copy = this.copy()
    const taker = { ...order }
    copy.match(taker)
    return taker.cumQty
  }

  /** Lots that a market order by quote amount reaches, one after the other. */
  private lotsFor(entry: NaiveNewOrder): number {
    const copy = this.copy()
    const taker: NaiveOrder = { ...this.make({ ...entry, quoteAmount: 0 }), price: 0 }
    for (;;) {
      const maker = copy.best(taker)
      if (maker === undefined || taker.cumQuote + maker.price > entry.quoteAmount) return taker.cumQty
      taker.shown = 1
      copy.trade(taker, maker, maker.price)
      if (leavesOf(maker) === 0) copy.orders = copy.orders.filter((one) => one !== maker)
    }
  }

  /** Orders in the book alone: lists and triggers do not matter to what can be reached. */
  private copy(): NaiveOrderBook {
    const copy = new NaiveOrderBook()
    const alone = { role: null, other: null, entry: null }
    copy.orders = this.orders.filter((one) => one.place === 'book').map((one) => ({ ...one, ...alone }))
    copy.nextPriority = this.nextPriority
    return copy
  }

  // ---- telling ----

  /** The events of a step, and after them one for each level that it touched. */
  private run(step: () => void): Event[] {
    this.events = []
    this.touched.clear()
    step()
    this.enterReleased()
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

  private sayReduced(order: NaiveOrder, by: number): void {
    this.say('reduced', { order: order.id, reducedBy: by, quantity: order.quantity, leavesQty: leavesOf(order) })
  }

  private say(type: string, fields: Fields): void {
    this.events.push({ type, ...fields })
  }
}
