// The orders of one instrument that wait for a price: those that a falling price meets (sell stops, buy take-profits) and those that
// a rising one meets (buy stops, sell take-profits), nearest first and then oldest first; and the queue of those whose price has come.
//
// Order of triggering, for each trade price in turn: falling before rising; nearest stop price first; at one stop price the one that
// has stood there longest. A trailing stop moves after the triggers of the same price have been met, and stands last where it comes to.

import { LIMITS, OrderType, Side } from '@wintrades/domain'
import { LEVEL_LAYOUT, ORDER_LAYOUT, PLACE } from './layouts.ts'
import { grownInts, type OrderStore, orderTypeOf, sideOf } from './order-store.ts'
import { BookSide, type LevelStore } from './price-levels.ts'

const { LEVEL_SHIFT, HEAD } = LEVEL_LAYOUT
const {
  HOT_SHIFT,
  LEAVES,
  NEXT,
  PREVIOUS,
  BITS,
  WARM_SHIFT,
  RARE_SHIFT,
  STOP_PRICE,
  TRAILING_OFFSET,
  TRIGGER_PRICE,
  PLACE: PLACE_OF,
} = ORDER_LAYOUT

/** Which way the price must go to meet an order's trigger: `PLACE.falling` or `PLACE.rising`. */
export function directionOf(bits: number): number {
  const isBuy = sideOf(bits) === Side.buy
  const type = orderTypeOf(bits)
  const isProfit = type === OrderType.take_profit || type === OrderType.take_profit_limit
  return isBuy === isProfit ? PLACE.falling : PLACE.rising
}

/** Trailing stops of one direction, the oldest first. The farthest price that each has seen never rises from one to the next. */
export class Trail {
  slots = new Int32Array(8)
  count = 0

  add(slot: number): void {
    if (this.count === this.slots.length) this.slots = grownInts(this.slots, this.count * 2)
    this.slots[this.count++] = slot
  }

  remove(slot: number): void {
    const at = this.slots.indexOf(slot)
    if (at === -1 || at >= this.count) return
    this.slots.copyWithin(at, at + 1, this.count)
    this.count--
  }

  get full(): boolean {
    return this.count >= LIMITS.trailing_stops_per_instrument_max
  }
}

/** First and last of a queue that is linked through the orders. */
export class Queue {
  first = 0
  last = 0
}

export class Triggers {
  /** Best first: the highest stop price. */
  readonly falling: BookSide
  /** Best first: the lowest stop price. */
  readonly rising: BookSide
  readonly fallingTrail = new Trail()
  readonly risingTrail = new Trail()
  /** Orders whose time has come, in order. */
  readonly released = new Queue()
  /** Orders that wait for others of their list, in order. */
  readonly unnamed = new Queue()
  private readonly orders: OrderStore
  private readonly levels: LevelStore

  constructor(orders: OrderStore, levels: LevelStore, instrument: number) {
    this.orders = orders
    this.levels = levels
    this.falling = new BookSide(orders, levels, 0, instrument)
    this.rising = new BookSide(orders, levels, 1, instrument)
  }

  trailOf(direction: number): Trail {
    return direction === PLACE.falling ? this.fallingTrail : this.risingTrail
  }

  sideOf(direction: number): BookSide {
    return direction === PLACE.falling ? this.falling : this.rising
  }

  /** Puts an order where its stop price says. */
  add(slot: number): void {
    const w = slot << WARM_SHIFT
    const { rare, warm } = this.orders
    const direction = directionOf(this.orders.hot[(slot << HOT_SHIFT) + BITS])
    rare[(slot << RARE_SHIFT) + PLACE_OF] = direction
    this.sideOf(direction).add(slot, warm[w + STOP_PRICE])
    if (warm[w + TRAILING_OFFSET] !== 0) this.trailOf(direction).add(slot)
  }

  /** Takes an order out of wherever it waits. */
  remove(slot: number): void {
    const w = slot << WARM_SHIFT
    const { rare, warm } = this.orders
    const place = rare[(slot << RARE_SHIFT) + PLACE_OF]
    rare[(slot << RARE_SHIFT) + PLACE_OF] = PLACE.none
    if (place === PLACE.released) this.unqueue(this.released, slot)
    else if (place === PLACE.unnamed) this.unqueue(this.unnamed, slot)
    else if (place !== PLACE.none) {
      this.sideOf(place).remove(slot)
      if (warm[w + TRAILING_OFFSET] !== 0) this.trailOf(place).remove(slot)
    }
  }

  /** The instrument has traded at `price`: what it meets is released, and trailing stops follow it. True: something was released. */
  traded(price: number): boolean {
    const fell = this.meet(this.falling, price)
    const rose = this.meet(this.rising, price)
    if (this.fallingTrail.count !== 0) this.follow(this.fallingTrail, PLACE.falling, price)
    if (this.risingTrail.count !== 0) this.follow(this.risingTrail, PLACE.rising, price)
    return fell || rose
  }

  /** Whether the trigger of an order is met at `price`. */
  isMet(slot: number, price: number): boolean {
    const stop = this.orders.warm[(slot << WARM_SHIFT) + STOP_PRICE]
    const isFalling = directionOf(this.orders.hot[(slot << HOT_SHIFT) + BITS]) === PLACE.falling
    return isFalling ? price <= stop : price >= stop
  }

  /** Puts an order that is in no queue at the end of those whose time has come. */
  release(slot: number, price: number): void {
    this.orders.rare[(slot << RARE_SHIFT) + TRIGGER_PRICE] = price
    this.enqueue(this.released, slot, PLACE.released)
  }

  /** Puts an order that is in no queue at the end of those that wait for others of their list. */
  idle(slot: number): void {
    this.enqueue(this.unnamed, slot, PLACE.unnamed)
  }

  /** Lowers what an order that waits for its trigger is for. */
  reduce(slot: number, by: number): void {
    const place = this.orders.rare[(slot << RARE_SHIFT) + PLACE_OF]
    if (place === PLACE.falling || place === PLACE.rising) this.sideOf(place).reduce(slot, by)
    else this.orders.hot[(slot << HOT_SHIFT) + LEAVES] -= by
  }

  private enqueue(queue: Queue, slot: number, place: number): void {
    const { hot, rare } = this.orders
    const h = slot << HOT_SHIFT
    rare[(slot << RARE_SHIFT) + PLACE_OF] = place
    hot[h + NEXT] = 0
    hot[h + PREVIOUS] = queue.last
    if (queue.last === 0) queue.first = slot
    else hot[(queue.last << HOT_SHIFT) + NEXT] = slot
    queue.last = slot
  }

  private unqueue(queue: Queue, slot: number): void {
    const { hot } = this.orders
    const h = slot << HOT_SHIFT
    const next = hot[h + NEXT]
    const previous = hot[h + PREVIOUS]
    if (next === 0) queue.last = previous
    else hot[(next << HOT_SHIFT) + PREVIOUS] = previous
    if (previous === 0) queue.first = next
    else hot[(previous << HOT_SHIFT) + NEXT] = next
  }

  private meet(side: BookSide, price: number): boolean {
    const key = price ^ side.mirror
    let any = false
    while (side.bestKey >= key) {
      const slot = this.levels.level[(side.bestLevel << LEVEL_SHIFT) + HEAD]
      this.remove(slot)
      this.release(slot, price)
      any = true
    }
    return any
  }

  /** The youngest have seen the least: those that the price has left behind are at the end. They move in the order of their age. */
  private follow(trail: Trail, direction: number, price: number): void {
    const { warm } = this.orders
    const sign = direction === PLACE.falling ? -1 : 1
    let from = trail.count
    while (from > 0) {
      const w = trail.slots[from - 1] << WARM_SHIFT
      const stop = price + sign * warm[w + TRAILING_OFFSET]
      if (sign < 0 ? stop <= warm[w + STOP_PRICE] : stop >= warm[w + STOP_PRICE]) break
      from--
    }
    const side = this.sideOf(direction)
    for (let i = from; i < trail.count; i++) {
      const slot = trail.slots[i]
      const w = slot << WARM_SHIFT
      side.remove(slot)
      warm[w + STOP_PRICE] = price + sign * warm[w + TRAILING_OFFSET]
      side.add(slot, warm[w + STOP_PRICE])
    }
  }
}
