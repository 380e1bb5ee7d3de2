// Orders that end by the passing of time: a binary heap, the one due first on top; among equal times the older order first. Each
// order knows its place in it (`EXPIRY_PLACE`), so that it leaves at once when it ends otherwise.

import { ORDER_LAYOUT } from './layouts.ts'
import { grownFloats, grownInts, type OrderStore } from './order-store.ts'

const { WARM_SHIFT, EXPIRY_PLACE } = ORDER_LAYOUT

export class Expiries {
  /** Orders in it; they lie at 1 to `count`. */
  count = 0
  private slots = new Int32Array(64)
  private times = new Float64Array(64)
  private readonly orders: OrderStore

  constructor(orders: OrderStore) {
    this.orders = orders
  }

  /** The order that is due first; 0: there is none. */
  get first(): number {
    return this.count === 0 ? 0 : this.slots[1]
  }

  /** When it is due. */
  get firstTime(): number {
    return this.count === 0 ? 0 : this.times[1]
  }

  timeAt(place: number): number {
    return this.times[place]
  }

  slotAt(place: number): number {
    return this.slots[place]
  }

  add(slot: number, time: number): void {
    if (this.count + 1 === this.slots.length) {
      this.slots = grownInts(this.slots, this.slots.length * 2)
      this.times = grownFloats(this.times, this.times.length * 2)
    }
    this.put(++this.count, slot, time)
    this.rise(this.count)
  }

  /** Takes an order out, if it is in. */
  remove(slot: number): void {
    const place = this.orders.warm[(slot << WARM_SHIFT) + EXPIRY_PLACE]
    if (place === 0) return
    this.orders.warm[(slot << WARM_SHIFT) + EXPIRY_PLACE] = 0
    const last = this.count--
    if (place === last) return
    const moved = this.slots[last]
    this.put(place, moved, this.times[last])
    this.rise(place)
    this.sink(this.orders.warm[(moved << WARM_SHIFT) + EXPIRY_PLACE])
  }

  private put(place: number, slot: number, time: number): void {
    this.slots[place] = slot
    this.times[place] = time
    this.orders.warm[(slot << WARM_SHIFT) + EXPIRY_PLACE] = place
  }

  private isBefore(a: number, b: number): boolean {
    if (this.times[a] !== this.times[b]) return this.times[a] < this.times[b]
    return this.orders.numberOf(this.slots[a]) < this.orders.numberOf(this.slots[b])
  }

  private swap(a: number, b: number): void {
    const slot = this.slots[a]
    const time = this.times[a]
    this.put(a, this.slots[b], this.times[b])
    this.put(b, slot, time)
  }

  private rise(from: number): void {
    for (let at = from; at > 1 && this.isBefore(at, at >> 1); at >>= 1) this.swap(at, at >> 1)
  }

  private sink(from: number): void {
    for (let at = from; at * 2 <= this.count; ) {
      let child = at * 2
      if (child < this.count && this.isBefore(child + 1, child)) child++
      if (!this.isBefore(child, at)) return
      this.swap(at, child)
      at = child
    }
  }
}
