// One record per account and instrument: what the account has traded there (lots held, their cost, profit realised), what its
// open orders there may still buy or sell, and which two balances they move. Orders point here (their owner).

import { assert, EventType, POSITION_CHANGED } from '@wintrades/domain'
import type { EventWriter } from './event-writer.ts'
import { proportionFloor, SAFE_MAX } from './exact.ts'
import { POSITION_LAYOUT } from './layouts.ts'
import { grownFloats, grownInts } from './order-store.ts'

const {
  POSITION_SHIFT,
  POSITION_ACCOUNT,
  POSITION_INSTRUMENT,
  BASE_BALANCE,
  QUOTE_BALANCE,
  POSITION_QUANTITY,
  POSITION_NEXT,
  COST,
  REALISED,
} = POSITION_LAYOUT

const CHAIN = 4
const MARK = 5

export class Positions {
  data: Int32Array
  values: Float64Array
  count = 0
  /** The youngest position of each account. */
  private firsts = new Int32Array(256)
  private heads: Int32Array
  private mask: number
  private touched = new Int32Array(64)
  private touchedCount = 0

  constructor(capacity = 256) {
    this.data = new Int32Array(capacity << POSITION_SHIFT)
    this.values = new Float64Array(capacity << POSITION_SHIFT)
    this.heads = new Int32Array(capacity)
    this.mask = capacity - 1
  }

  /** The position of an account in an instrument; 0: it never had one. */
  find(account: number, instrument: number): number {
    const data = this.data
    let slot = this.heads[bucketOf(account, instrument) & this.mask]
    while (slot !== 0) {
      const at = slot << POSITION_SHIFT
      if (data[at] === account && data[at + POSITION_INSTRUMENT] === instrument) return slot
      slot = data[at + CHAIN]
    }
    return 0
  }

  add(account: number, instrument: number, baseBalance: number, quoteBalance: number): number {
    if (this.count + 1 === this.data.length >> POSITION_SHIFT) this.grow((this.count + 1) * 2)
    const slot = ++this.count
    const at = slot << POSITION_SHIFT
    const bucket = bucketOf(account, instrument) & this.mask
    this.data[at + POSITION_ACCOUNT] = account
    this.data[at + POSITION_INSTRUMENT] = instrument
    this.data[at + BASE_BALANCE] = baseBalance
    this.data[at + QUOTE_BALANCE] = quoteBalance
    this.data[at + CHAIN] = this.heads[bucket]
    this.heads[bucket] = slot
    while (account >= this.firsts.length) this.firsts = grownInts(this.firsts, this.firsts.length * 2)
    this.data[at + POSITION_NEXT] = this.firsts[account]
    this.firsts[account] = slot
    return slot
  }

  /** An account's youngest position; 0: it has none. The older ones follow by `POSITION_NEXT`. */
  firstOf(account: number): number {
    return account < this.firsts.length ? this.firsts[account] : 0
  }

  accountOf(slot: number): number {
    return this.data[slot << POSITION_SHIFT]
  }

  /**
   * Books a fill: `quantity` lots bought (negative: sold) for `notional`. What brings the position nearer to zero realises
   * profit against its average cost, the cost that leaves rounded down; what goes beyond zero opens anew. Cost has the sign of the quantity.
   */
  trade(slot: number, quantity: number, notional: number): void {
    const values = this.values
    const at = slot << POSITION_SHIFT
    const held = values[at + POSITION_QUANTITY]
    this.touch(slot)
    values[at + POSITION_QUANTITY] = held + quantity
    if (held === 0 || held > 0 === quantity > 0) {
      values[at + COST] += quantity > 0 ? notional : -notional
      assert(Math.abs(values[at + COST]) <= SAFE_MAX, 'a position’s cost stays below 2^53')
      return
    }
    this.close(at, held, quantity, notional)
  }

  private close(at: number, held: number, quantity: number, notional: number): void {
    const values = this.values
    const size = Math.abs(held)
    const traded = Math.abs(quantity)
    const closed = Math.min(traded, size)
    const cost = Math.abs(values[at + COST])
    const costClosed = closed === size ? cost : proportionFloor(cost, closed, size)
    const notionalClosed = closed === traded ? notional : proportionFloor(notional, closed, traded)
    const opened = notional - notionalClosed
    if (held > 0) {
      values[at + REALISED] += notionalClosed - costClosed
      values[at + COST] = traded > size ? -opened : cost - costClosed
    } else {
      values[at + REALISED] += costClosed - notionalClosed
      values[at + COST] = traded > size ? opened : -(cost - costClosed)
    }
    // −0 is 0: a hash and a snapshot must not tell them apart.
    values[at + COST] += 0
    assert(Math.abs(values[at + REALISED]) <= SAFE_MAX, 'realised profit stays below 2^53')
  }

  writeTouched(events: EventWriter): void {
    for (let i = 0; i < this.touchedCount; i++) {
      const at = this.touched[i] << POSITION_SHIFT
      this.data[at + MARK] = 0
      const out = events.begin(
        EventType.position_changed,
        POSITION_CHANGED.slots,
        this.data[at + POSITION_ACCOUNT],
        this.data[at + POSITION_INSTRUMENT],
      )
      events.data[out + POSITION_CHANGED.quantity] = this.values[at + POSITION_QUANTITY]
      events.data[out + POSITION_CHANGED.cost] = this.values[at + COST]
      events.data[out + POSITION_CHANGED.realisedProfit] = this.values[at + REALISED]
    }
    this.touchedCount = 0
  }

  reserve(count: number): void {
    let capacity = this.data.length >> POSITION_SHIFT
    while (capacity <= count + 1) capacity *= 2
    if (capacity << POSITION_SHIFT !== this.data.length) this.grow(capacity)
  }

  private touch(slot: number): void {
    const at = (slot << POSITION_SHIFT) + MARK
    if (this.data[at] !== 0) return
    this.data[at] = 1
    if (this.touchedCount === this.touched.length) this.touched = grownInts(this.touched, this.touchedCount * 2)
    this.touched[this.touchedCount++] = slot
  }

  private grow(capacity: number): void {
    this.data = grownInts(this.data, capacity << POSITION_SHIFT)
    this.values = grownFloats(this.values, capacity << POSITION_SHIFT)
    this.heads = new Int32Array(capacity)
    this.mask = capacity - 1
    for (let slot = 1; slot <= this.count; slot++) {
      const at = slot << POSITION_SHIFT
      const bucket = bucketOf(this.data[at], this.data[at + POSITION_INSTRUMENT]) & this.mask
      this.data[at + CHAIN] = this.heads[bucket]
      this.heads[bucket] = slot
    }
  }
}

function bucketOf(account: number, instrument: number): number {
  const hash = Math.imul(account, 0x9e3779b1) + Math.imul(instrument, 0xc2b2ae35)
  return hash ^ (hash >>> 15)
}
