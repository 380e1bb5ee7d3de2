// What the shard knows of each account besides money: whether it ever had funds here, whether it is blocked, its limits, and
// its open orders in the order of their ids. Also the orders that end with a connection, by the gateway process it came from.

import { ACCOUNT_LAYOUT, ORDER_LAYOUT } from './layouts.ts'
import type { OrderStore } from './order-store.ts'
import { grownInts } from './order-store.ts'

const { ACCOUNT_SHIFT, FIRST_ORDER, LAST_ORDER, OPEN_COUNT, LIMITS_FIRST, KNOWN } = ACCOUNT_LAYOUT
const { WARM_SHIFT, ACCOUNT_NEXT, ACCOUNT_PREVIOUS, ORIGIN_NEXT, ORIGIN_PREVIOUS, ORIGIN } = ORDER_LAYOUT

export class Accounts {
  data: Int32Array
  /** Ids with a record, in the order they came. */
  ids: Int32Array
  count = 0
  private readonly orders: OrderStore

  constructor(orders: OrderStore, capacity = 1024) {
    this.orders = orders
    this.data = new Int32Array(capacity << ACCOUNT_SHIFT)
    this.ids = new Int32Array(64)
  }

  /** First of the account's chain of limits; 0: it has none. */
  limitsOf(account: number): number {
    return this.has(account) ? this.data[(account << ACCOUNT_SHIFT) + LIMITS_FIRST] : 0
  }

  flags(account: number): number {
    return this.has(account) ? this.data[account << ACCOUNT_SHIFT] : 0
  }

  isKnown(account: number): boolean {
    return (this.flags(account) & KNOWN) !== 0
  }

  /** Makes sure there is a record, and sets flags in it. */
  mark(account: number, flags: number): void {
    while (account << ACCOUNT_SHIFT >= this.data.length) this.data = grownInts(this.data, this.data.length * 2)
    const at = account << ACCOUNT_SHIFT
    if (this.data[at] === 0) {
      if (this.count === this.ids.length) this.ids = grownInts(this.ids, this.count * 2)
      this.ids[this.count++] = account
      this.data[at] = RECORD
    }
    this.data[at] |= flags
  }

  unmark(account: number, flags: number): void {
    this.mark(account, 0)
    this.data[account << ACCOUNT_SHIFT] &= ~flags
  }

  openCount(account: number): number {
    return this.has(account) ? this.data[(account << ACCOUNT_SHIFT) + OPEN_COUNT] : 0
  }

  firstOrder(account: number): number {
    return this.has(account) ? this.data[(account << ACCOUNT_SHIFT) + FIRST_ORDER] : 0
  }

  /** Puts an order at the end of its account's list: orders come in the order of their ids. */
  link(account: number, order: number): void {
    const warm = this.orders.warm
    const at = account << ACCOUNT_SHIFT
    const w = order << WARM_SHIFT
    const last = this.data[at + LAST_ORDER]
    warm[w + ACCOUNT_NEXT] = 0
    warm[w + ACCOUNT_PREVIOUS] = last
    if (last === 0) this.data[at + FIRST_ORDER] = order
    else warm[(last << WARM_SHIFT) + ACCOUNT_NEXT] = order
    this.data[at + LAST_ORDER] = order
    this.data[at + OPEN_COUNT]++
  }

  private has(account: number): boolean {
    return account < this.data.length >> ACCOUNT_SHIFT
  }

  unlink(account: number, order: number): void {
    const warm = this.orders.warm
    const at = account << ACCOUNT_SHIFT
    const w = order << WARM_SHIFT
    const next = warm[w + ACCOUNT_NEXT]
    const previous = warm[w + ACCOUNT_PREVIOUS]
    if (next === 0) this.data[at + LAST_ORDER] = previous
    else warm[(next << WARM_SHIFT) + ACCOUNT_PREVIOUS] = previous
    if (previous === 0) this.data[at + FIRST_ORDER] = next
    else warm[(previous << WARM_SHIFT) + ACCOUNT_NEXT] = next
    this.data[at + OPEN_COUNT]--
  }
}

/** Set in every record, so that a record without other flags is still one. */
const RECORD = 1 << 30

/** Orders with cancel-on-disconnect, by origin, in the order of their ids. */
export class Origins {
  /** Origin, first and last order of entry e at 3e … 3e + 2; entry 0 is none. An entry without orders is free. */
  private data = new Int32Array(3 * 16)
  private used = 1
  private readonly orders: OrderStore

  constructor(orders: OrderStore) {
    this.orders = orders
  }

  /** Origins that have open orders here, ascending. */
  list(): number[] {
    const origins: number[] = []
    for (let e = 1; e < this.used; e++) if (this.data[3 * e + 1] !== 0) origins.push(this.data[3 * e] >>> 0)
    return origins.sort((a, b) => a - b)
  }

  firstOrder(origin: number): number {
    const e = this.find(origin)
    return e === 0 ? 0 : this.data[3 * e + 1]
  }

  originOf(order: number): number {
    const e = this.orders.warm[(order << WARM_SHIFT) + ORIGIN]
    return e === 0 ? 0 : this.data[3 * e] >>> 0
  }

  link(origin: number, order: number): void {
    const e = this.find(origin) || this.make(origin)
    const warm = this.orders.warm
    const w = order << WARM_SHIFT
    const last = this.data[3 * e + 2]
    warm[w + ORIGIN] = e
    warm[w + ORIGIN_NEXT] = 0
    warm[w + ORIGIN_PREVIOUS] = last
    if (last === 0) this.data[3 * e + 1] = order
    else warm[(last << WARM_SHIFT) + ORIGIN_NEXT] = order
    this.data[3 * e + 2] = order
  }

  unlink(order: number): void {
    const warm = this.orders.warm
    const w = order << WARM_SHIFT
    const e = warm[w + ORIGIN]
    if (e === 0) return
    const next = warm[w + ORIGIN_NEXT]
    const previous = warm[w + ORIGIN_PREVIOUS]
    if (next === 0) this.data[3 * e + 2] = previous
    else warm[(next << WARM_SHIFT) + ORIGIN_PREVIOUS] = previous
    if (previous === 0) this.data[3 * e + 1] = next
    else warm[(previous << WARM_SHIFT) + ORIGIN_NEXT] = next
    warm[w + ORIGIN] = 0
  }

  private find(origin: number): number {
    for (let e = 1; e < this.used; e++) {
      if (this.data[3 * e] === (origin | 0) && this.data[3 * e + 1] !== 0) return e
    }
    return 0
  }

  private make(origin: number): number {
    let e = 1
    while (e < this.used && this.data[3 * e + 1] !== 0) e++
    if (e === this.used) {
      if (3 * (e + 1) > this.data.length) this.data = grownInts(this.data, this.data.length * 2)
      this.used++
    }
    this.data[3 * e] = origin | 0
    return e
  }
}
