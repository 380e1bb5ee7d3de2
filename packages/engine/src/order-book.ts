// One instrument's order book: price-time priority, trades at the maker's price. It moves quantities and queues only; money,
// events and what becomes of a filled order are its caller's.
// Promises: `match` takes makers strictly from best price and oldest first and records each fill; a maker that is filled
// whole has left the book but keeps its slot until the caller releases it.

import { FILL_LAYOUT, LEVEL_LAYOUT, ORDER_LAYOUT, SIDE_LAYOUT } from './layouts.ts'
import { grownInts, type OrderStore } from './order-store.ts'
import { BookSide, type LevelStore } from './price-levels.ts'

const { FILL_SHIFT, FILL_MAKER, FILL_QUANTITY, FILL_PRICE, FILL_MAKER_LEAVES } = FILL_LAYOUT
const { LEVEL_SHIFT, HEAD, TAIL, COUNT } = LEVEL_LAYOUT
const { SIDE_SHIFT, BEST_KEY, BEST_LEVEL, MIRROR } = SIDE_LAYOUT
const { HOT_SHIFT, LEAVES, NEXT, PREVIOUS, OWNER, BITS, WARM_SHIFT, HIDDEN, DISPLAY, ICEBERG } = ORDER_LAYOUT

/** Fills of the last `match` of any book of a shard; the caller empties it by setting `count` to 0. */
export class FillBuffer {
  data = new Int32Array(256 << FILL_SHIFT)
  count = 0

  grow(): void {
    this.data = grownInts(this.data, this.data.length * 2)
  }
}

export class OrderBook {
  readonly bids: BookSide
  readonly asks: BookSide
  /** The maker of the taker's own account at which the last `match` stopped; 0: it did not. */
  ownOrder = 0
  readonly fills: FillBuffer
  private readonly orders: OrderStore
  private readonly levels: LevelStore
  /** Number of the bids among the sides of the store; the asks' is one more. */
  private readonly first: number

  constructor(orders: OrderStore, levels: LevelStore, fills: FillBuffer, instrument: number) {
    this.orders = orders
    this.levels = levels
    this.fills = fills
    this.bids = new BookSide(orders, levels, 0, instrument)
    this.asks = new BookSide(orders, levels, 1, instrument)
    this.first = this.bids.index
  }

  /** The side (0: bids, 1: asks). */
  sideAt(side: number): BookSide {
    return side === 0 ? this.bids : this.asks
  }

  /** Rests an order at the end of the queue of its price. */
  add(order: number, side: number, price: number): void {
    this.levels.add(this.first | side, order, price)
  }

  remove(order: number): void {
    this.levels.remove(order)
  }

  reduce(order: number, by: number): void {
    this.levels.reduce(order, by)
  }

  /** Whether an order of `side` at `price` would trade on entry. */
  wouldMatch(side: number, price: number): boolean {
    const sides = this.levels.side
    const makers = ((this.first | side) ^ 1) << SIDE_SHIFT
    return sides[makers | BEST_KEY] >= (price ^ sides[makers | MIRROR])
  }

  /**
   * Trades up to `quantity` of an incoming order of `side` against the other side, down to its limit `price` (0: any price), and
   * returns what is left. Stops at the first order of `owner` (0: does not look) and leaves it in `ownOrder`.
   */
  match(side: number, price: number, quantity: number, owner: number): number {
    const sides = this.levels.side
    const makers = ((this.first | side) ^ 1) << SIDE_SHIFT
    const limitKey = price === 0 ? 0 : price ^ sides[makers | MIRROR]
    this.ownOrder = 0
    return sides[makers | BEST_KEY] < limitKey ? quantity : this.take(makers, limitKey, quantity, owner)
  }

  /** Level by level, as long as they are good enough. */
  private take(makers: number, limitKey: number, quantity: number, owner: number): number {
    const sides = this.levels.side
    let left = quantity
    while (left > 0 && this.ownOrder === 0 && sides[makers | BEST_KEY] >= limitKey) {
      left = this.matchLevel(sides[makers | BEST_LEVEL], sides[makers | BEST_KEY] ^ sides[makers | MIRROR], left, owner)
    }
    return left
  }

  private matchLevel(level: number, price: number, quantity: number, owner: number): number {
    const levels = this.levels
    const l = level << LEVEL_SHIFT
    const data = levels.level
    const hot = this.orders.hot
    const fills = this.fills
    let left = quantity
    let order = data[l | HEAD]
    let filled = 0
    while (order !== 0) {
      const h = order << HOT_SHIFT
      if (hot[h | OWNER] === owner) {
        this.ownOrder = order
        break
      }
      const leaves = hot[h | LEAVES]
      const traded = Math.min(leaves, left)
      const f = fills.count << FILL_SHIFT
      if (f === fills.data.length) fills.grow()
      const out = fills.data
      out[f | FILL_MAKER] = order
      out[f | FILL_QUANTITY] = traded
      out[f | FILL_PRICE] = price
      out[f | FILL_MAKER_LEAVES] = leaves - traded
      fills.count++
      hot[h | LEAVES] = leaves - traded
      left -= traded
      if ((hot[h | BITS] & ICEBERG) !== 0) {
        const hidden = this.orders.warm[(order << WARM_SHIFT) | HIDDEN]
        out[f | FILL_MAKER_LEAVES] = leaves - traded + hidden
        if (leaves === traded && hidden !== 0) {
          order = this.replenish(level, order)
          if (left === 0) break
          continue
        }
      }
      if (leaves > traded) break
      order = hot[h | NEXT]
      filled++
      if (left === 0) break
    }
    if (left === quantity) return left
    // `order` now heads the queue. What was traded here is what the level displays less.
    data[l | HEAD] = order
    levels.quantity[level] -= quantity - left
    levels.touch(level)
    data[l | COUNT] -= filled
    if (order === 0) {
      data[l | TAIL] = 0
      levels.vacate(level)
      return left
    }
    hot[(order << HOT_SHIFT) | PREVIOUS] = 0
    return left
  }

  /**
   * An iceberg whose displayed part is gone shows its next part, and loses its place: it goes to the end of the queue.
   * Returns the order that heads the queue now. The level's quantity has not yet been lowered by what was traded.
   */
  private replenish(level: number, order: number): number {
    const { hot, warm } = this.orders
    const h = order << HOT_SHIFT
    const w = order << WARM_SHIFT
    const shown = Math.min(warm[w | DISPLAY], warm[w | HIDDEN])
    warm[w | HIDDEN] -= shown
    hot[h | LEAVES] = shown
    const data = this.levels.level
    const l = level << LEVEL_SHIFT
    this.levels.quantity[level] += shown
    const next = hot[h | NEXT]
    if (next === 0) return order
    const tail = data[l | TAIL]
    hot[(tail << HOT_SHIFT) | NEXT] = order
    hot[h | PREVIOUS] = tail
    hot[h | NEXT] = 0
    data[l | TAIL] = order
    return next
  }
}
