// The orders that guards against duplicates remember: a ring in the order they came, with an index from what an order says to the
// youngest that says the same. Each entry belongs to one record of limits. Nothing is allocated per order once the ring has grown.

import { LIMITS } from '@wintrades/domain'
import { grownFloats } from '../order-store.ts'

/** An entry: 2^3 floats. */
const RECENT_SHIFT = 3
/** The record of limits whose guard it is, and what the order said: see `Recent`. Then its time. */
const FIELDS = 6
const TIME = 6
export const RECENT_FIELDS = 7

/** No guard looks back farther. */
const WINDOW_US = LIMITS.duplicate_window_ms_max * 1_000
/** Entries dropped when one is added: more than one, so that a backlog shrinks. */
const DROPS_PER_ENTRY = 2

/** What makes two orders the same, filled in by the caller of `find` and `add`. */
export class Recent {
  record = 0
  /** Instrument, side and order type in one. */
  kind = 0
  price = 0
  quantity = 0
  quoteAmount = 0
  stopPrice = 0
}

export class RecentOrders {
  readonly key = new Recent()
  private readonly words = new Float64Array(FIELDS)
  private data: Float64Array
  private chains: Int32Array
  private heads: Int32Array
  private capacity: number
  private added = 0
  private dropped = 0

  constructor(capacity = 16) {
    this.capacity = capacity
    this.data = new Float64Array(capacity << RECENT_SHIFT)
    this.chains = new Int32Array(capacity)
    this.heads = new Int32Array(capacity)
  }

  get size(): number {
    return this.added - this.dropped
  }

  /** When the youngest order like `key` came; −1: none is remembered. */
  find(): number {
    const { data, chains } = this
    this.readKey()
    for (let entry = this.heads[this.bucketOf()]; entry !== 0; entry = chains[entry - 1]) {
      if (this.isAt((entry - 1) << RECENT_SHIFT)) return data[((entry - 1) << RECENT_SHIFT) + TIME]
    }
    return -1
  }

  /** Remembers an order like `key`. */
  add(time: number): void {
    for (let i = 0; i < DROPS_PER_ENTRY && this.size > 0; i++) {
      const oldest = (this.dropped % this.capacity) << RECENT_SHIFT
      const isOver = this.data[oldest + TIME] + WINDOW_US <= time
      if (!isOver && this.size < LIMITS.recent_orders_max) break
      this.drop()
    }
    if (this.size === this.capacity) this.grow()
    this.readKey()
    this.append(time)
  }

  /** Entries that a guard could still find at `now`, the oldest first: `RECENT_FIELDS` numbers from `at`. At 0: all that are there. */
  forEach(now: number, visit: (data: Float64Array, at: number) => void): void {
    for (let n = this.dropped; n < this.added; n++) {
      const at = (n % this.capacity) << RECENT_SHIFT
      if (this.data[at + TIME] + WINDOW_US > now) visit(this.data, at)
    }
  }

  /** Puts back an entry that {@link forEach} gave, as `values`. */
  restore(values: Float64Array): void {
    if (this.size === this.capacity) this.grow()
    for (let i = 0; i < FIELDS; i++) this.words[i] = values[i]
    this.append(values[TIME])
  }

  private readKey(): void {
    const { words, key } = this
    words[0] = key.record
    words[1] = key.kind
    words[2] = key.price
    words[3] = key.quantity
    words[4] = key.quoteAmount
    words[5] = key.stopPrice
  }

  private isAt(at: number): boolean {
    const { data, words } = this
    for (let i = 0; i < FIELDS; i++) if (data[at + i] !== words[i]) return false
    return true
  }

  private bucketOf(): number {
    const { words } = this
    let hash = Math.imul(words[0], 0x9e3779b1) ^ Math.imul(words[1], 0x85ebca6b)
    hash ^= Math.imul(words[2], 0xc2b2ae35) ^ Math.imul(words[3] ^ words[4], 0x27d4eb2f) ^ words[5]
    return (hash ^ (hash >>> 15)) & (this.capacity - 1)
  }

  private append(time: number): void {
    const entry = this.added % this.capacity
    const at = entry << RECENT_SHIFT
    for (let i = 0; i < FIELDS; i++) this.data[at + i] = this.words[i]
    this.data[at + TIME] = time
    const bucket = this.bucketOf()
    this.chains[entry] = this.heads[bucket]
    this.heads[bucket] = entry + 1
    this.added++
  }

  /** Forgets the oldest, which is the last of its chain. */
  private drop(): void {
    const entry = this.dropped % this.capacity
    for (let i = 0; i < FIELDS; i++) this.words[i] = this.data[(entry << RECENT_SHIFT) + i]
    const bucket = this.bucketOf()
    let chain = this.heads[bucket]
    if (chain === entry + 1) this.heads[bucket] = 0
    else {
      while (this.chains[chain - 1] !== entry + 1) chain = this.chains[chain - 1]
      this.chains[chain - 1] = 0
    }
    this.dropped++
  }

  private grow(): void {
    const { data, capacity, dropped, added } = this
    this.capacity = capacity * 2
    this.data = grownFloats(new Float64Array(0), this.capacity << RECENT_SHIFT)
    this.chains = new Int32Array(this.capacity)
    this.heads = new Int32Array(this.capacity)
    this.added = 0
    this.dropped = 0
    for (let n = dropped; n < added; n++) {
      const at = (n % capacity) << RECENT_SHIFT
      for (let i = 0; i < FIELDS; i++) this.words[i] = data[at + i]
      this.append(data[at + TIME])
    }
  }
}
