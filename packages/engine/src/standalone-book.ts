// One order book by itself: ids, prices and quantities in, fills out; no accounts and no money. The same book the engine uses,
// for measuring it and for replaying recorded order flow.

import type { Side } from '@wintrades/domain'
import { FILL_LAYOUT, ORDER_LAYOUT } from './layouts.ts'
import { FillBuffer, OrderBook } from './order-book.ts'
import { OrderStore, sideOf } from './order-store.ts'
import { LevelStore } from './price-levels.ts'

const { FILL_SHIFT, FILL_MAKER, FILL_MAKER_LEAVES } = FILL_LAYOUT
const { HOT_SHIFT, LEAVES, OWNER, BITS } = ORDER_LAYOUT

/** Calls give what was left unfilled; the fills of the last call stand in `fills`. Ids are positive and used once while open. */
export class StandaloneBook {
  readonly orders = new OrderStore(0x7fffffff)
  readonly levels = new LevelStore(this.orders)
  readonly fills = new FillBuffer()
  readonly book = new OrderBook(this.orders, this.levels, this.fills, 1)

  /** A limit order: trades what it can, rests what is left. */
  limit(id: number, side: Side, price: number, quantity: number): number {
    this.begin()
    const left = this.book.match(side, price, quantity, 0)
    if (left === 0) return 0
    const { orders } = this
    const slot = orders.allocate(id)
    const h = slot << HOT_SHIFT
    orders.hot[h | LEAVES] = left
    orders.hot[h | OWNER] = 1
    orders.hot[h | BITS] |= side
    this.book.add(slot, side, price)
    return left
  }

  /** An order that trades what it can down to `price` (0: at any price) and never rests. */
  immediate(side: Side, price: number, quantity: number): number {
    this.begin()
    return this.book.match(side, price, quantity, 0)
  }

  /** False: there is no such order. */
  cancel(id: number): boolean {
    this.begin()
    const slot = this.orders.find(id)
    if (slot === 0) return false
    this.book.remove(slot)
    this.orders.release(slot)
    return true
  }

  /** Moves an order to another price, at the end of its queue; it may trade at once. −1: there is no such order. */
  move(id: number, price: number): number {
    this.begin()
    const slot = this.orders.find(id)
    if (slot === 0) return -1
    const h = slot << HOT_SHIFT
    const side = sideOf(this.orders.hot[h | BITS])
    const quantity = this.orders.hot[h | LEAVES]
    this.book.remove(slot)
    const left = this.book.match(side, price, quantity, 0)
    if (left > 0) {
      this.orders.hot[h | LEAVES] = left
      this.book.add(slot, side, price)
    } else this.orders.release(slot)
    return left
  }

  /** Id of the order that a fill names: valid until the next call. */
  idOf(slot: number): number {
    return this.orders.numberOf(slot)
  }

  /** Forgets the last call: its touched levels, its fills, and the orders that were filled whole. */
  private begin(): void {
    if (this.fills.count !== 0) this.releaseFilled()
    this.levels.endCommand()
  }

  private releaseFilled(): void {
    const { fills, orders } = this
    const { data } = fills
    for (let f = 0; f < fills.count << FILL_SHIFT; f += 1 << FILL_SHIFT) {
      if (data[f | FILL_MAKER_LEAVES] === 0) orders.release(data[f | FILL_MAKER])
    }
    fills.count = 0
  }
}
