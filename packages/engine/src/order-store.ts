// Every order of a shard in one pool of typed arrays, with the index from order id to slot. Slot 0 is no order. What matching
// touches lies in 32 bytes (`hot`); the rest stands apart, so that a book's working set stays small.
// Promises: nothing is allocated per order once the pool has grown; a released slot is in no index.

import {
  assert,
  InvariantViolation,
  type OrderType,
  type SelfTradePrevention,
  type Side,
  type TimeInForce,
} from '@wintrades/domain'
import { ORDER_LAYOUT } from './layouts.ts'

const {
  HOT_SHIFT,
  LEAVES,
  NEXT,
  ID_LOW,
  ID_NEXT,
  OWNER,
  BITS,
  WARM_SHIFT,
  QUANTITY,
  HIDDEN,
  WIDE_SHIFT,
  RARE_SHIFT,
  TEXT_WORDS,
} = ORDER_LAYOUT

/** Fields of `BITS`. */
const SIDE_BIT = 1
const TYPE_SHIFT = 1
const TIME_IN_FORCE_SHIFT = 4
const SELF_TRADE_SHIFT = 7
const FLAGS_SHIFT = 10
const FLAGS_MASK = 7
const HIGH_SHIFT = 16
const KIND_MASK = 0xffff

export function packBits(
  side: Side,
  orderType: OrderType,
  timeInForce: TimeInForce,
  selfTradePrevention: SelfTradePrevention,
  flags: number,
): number {
  return (
    side |
    (orderType << TYPE_SHIFT) |
    (timeInForce << TIME_IN_FORCE_SHIFT) |
    (selfTradePrevention << SELF_TRADE_SHIFT) |
    ((flags & FLAGS_MASK) << FLAGS_SHIFT)
  )
}

export const sideOf = (bits: number): Side => (bits & SIDE_BIT) as Side
export const orderTypeOf = (bits: number): OrderType => ((bits >> TYPE_SHIFT) & 7) as OrderType
export const timeInForceOf = (bits: number): TimeInForce => ((bits >> TIME_IN_FORCE_SHIFT) & 7) as TimeInForce
export const selfTradeOf = (bits: number): SelfTradePrevention =>
  ((bits >> SELF_TRADE_SHIFT) & 7) as SelfTradePrevention
export const flagsOf = (bits: number): number => (bits >> FLAGS_SHIFT) & FLAGS_MASK

/** Buckets of the index for each slot: order ids are nearly dense, so that with four most chains have one order. */
const BUCKETS_PER_SLOT = 4
/** Slots that are linked as free at a time. */
const REFILL_SLOTS = 64
const INT_MAX = 0x7fffffff
const TWO_32 = 4_294_967_296
/** Command numbers are 48 bits: nine years at a million a second. */
const NUMBER_MAX = 2 ** 48 - 1

/** What kind of order a slot's `BITS` say it is. */
export const kindOf = (bits: number): number => bits & KIND_MASK

/** The bits of a command number above the lower 32. */
function highOf(number: number): number {
  assert(number <= NUMBER_MAX, 'command numbers are left')
  return Math.floor(number / TWO_32)
}

export class OrderStore {
  hot: Int32Array
  warm: Int32Array
  rare: Int32Array
  wide: Float64Array
  /** Client order ids, zero-padded: exact, for as long as the order is open. */
  text: Int32Array
  /** Open orders. */
  count = 0
  readonly countMax: number
  private capacity: number
  private used = 1
  private free = 0
  private heads: Int32Array
  private mask: number

  constructor(countMax: number, capacity = 1024) {
    this.countMax = countMax
    this.capacity = capacity
    this.hot = new Int32Array(capacity << HOT_SHIFT)
    this.warm = new Int32Array(capacity << WARM_SHIFT)
    this.rare = new Int32Array(capacity << RARE_SHIFT)
    this.wide = new Float64Array(capacity << WIDE_SHIFT)
    this.text = new Int32Array(capacity * TEXT_WORDS)
    this.heads = new Int32Array(capacity * BUCKETS_PER_SLOT)
    this.mask = this.heads.length - 1
  }

  get full(): boolean {
    return this.count >= this.countMax
  }

  /** A slot for the order of command `number`, indexed by it. Its other fields hold whatever was there before. */
  allocate(number: number): number {
    if (this.free === 0) this.refill()
    const { hot, heads, free: slot } = this
    const h = slot << HOT_SHIFT
    const bucket = number & this.mask
    this.free = hot[h | NEXT]
    this.count++
    hot[h | ID_LOW] = number
    hot[h | ID_NEXT] = heads[bucket]
    hot[h | BITS] = number <= INT_MAX ? 0 : highOf(number) << HIGH_SHIFT
    heads[bucket] = slot
    return slot
  }

  /** The slot of the open order of command `number`; 0: there is none. */
  find(number: number): number {
    const { hot } = this
    const low = number | 0
    const high = number <= INT_MAX ? 0 : highOf(number)
    let slot = this.heads[number & this.mask]
    while (slot !== 0) {
      const h = slot << HOT_SHIFT
      if (hot[h | ID_LOW] === low && hot[h | BITS] >>> HIGH_SHIFT === high) return slot
      slot = hot[h | ID_NEXT]
    }
    return 0
  }

  /** Command number of an order. */
  numberOf(slot: number): number {
    const h = slot << HOT_SHIFT
    const low = this.hot[h | ID_LOW]
    const high = this.hot[h | BITS] >>> HIGH_SHIFT
    if (high === 0 && low >= 0) return low
    return (low >>> 0) + high * TWO_32
  }

  /** Says what kind of order it is: see `packBits`. */
  setKind(slot: number, bits: number): void {
    const b = (slot << HOT_SHIFT) | BITS
    this.hot[b] = (this.hot[b] & ~KIND_MASK) | bits
  }

  release(slot: number): void {
    const { hot, heads } = this
    const h = slot << HOT_SHIFT
    const bucket = hot[h | ID_LOW] & this.mask
    if (heads[bucket] === slot) heads[bucket] = hot[h | ID_NEXT]
    else this.unchain(slot, heads[bucket])
    hot[h | NEXT] = this.free
    hot[h | OWNER] = 0
    this.free = slot
    this.count--
  }

  /** Takes a slot that is not the first out of its chain. */
  private unchain(slot: number, first: number): void {
    const { hot } = this
    let at = first
    while (hot[(at << HOT_SHIFT) | ID_NEXT] !== slot) {
      at = hot[(at << HOT_SHIFT) | ID_NEXT]
      if (at === 0) throw new InvariantViolation('a released order is in the id index')
    }
    hot[(at << HOT_SHIFT) | ID_NEXT] = hot[(slot << HOT_SHIFT) | ID_NEXT]
  }

  /** What will still be filled: displayed and hidden. */
  leavesOf(slot: number): number {
    return this.hot[(slot << HOT_SHIFT) | LEAVES] + this.warm[(slot << WARM_SHIFT) + HIDDEN]
  }

  cumQtyOf(slot: number): number {
    return this.warm[(slot << WARM_SHIFT) + QUANTITY] - this.leavesOf(slot)
  }

  copyText(slot: number, view: DataView, offset: number, length: number): void {
    const words = (length + 3) >> 2
    const text = this.text
    const start = slot * TEXT_WORDS
    for (let i = 0; i < words; i++) text[start + i] = view.getInt32(offset + (i << 2), true)
    for (let i = words; i < TEXT_WORDS; i++) text[start + i] = 0
  }

  textOf(slot: number): string {
    let text = ''
    for (let i = 0; i < TEXT_WORDS; i++) {
      const word = this.text[slot * TEXT_WORDS + i]
      for (let shift = 0; shift < 32; shift += 8) {
        const code = (word >>> shift) & 0xff
        if (code === 0) return text
        text += String.fromCharCode(code)
      }
    }
    return text
  }

  /** Grows at once to hold `count` orders (a snapshot knows how many it brings). */
  reserve(count: number): void {
    let { capacity } = this
    while (capacity <= count) capacity *= 2
    if (capacity !== this.capacity) this.grow(capacity)
  }

  /** The next slots that were never used become free, the lowest first. */
  private refill(): void {
    if (this.used === this.capacity) this.grow(this.capacity * 2)
    const end = Math.min(this.used + REFILL_SLOTS, this.capacity)
    for (let slot = end - 1; slot >= this.used; slot--) {
      this.hot[(slot << HOT_SHIFT) | NEXT] = this.free
      this.free = slot
    }
    this.used = end
  }

  private grow(capacity: number): void {
    this.capacity = capacity
    this.hot = grownInts(this.hot, this.capacity << HOT_SHIFT)
    this.warm = grownInts(this.warm, this.capacity << WARM_SHIFT)
    this.rare = grownInts(this.rare, this.capacity << RARE_SHIFT)
    this.wide = grownFloats(this.wide, this.capacity << WIDE_SHIFT)
    this.text = grownInts(this.text, this.capacity * TEXT_WORDS)
    this.rebuildIndex()
  }

  private rebuildIndex(): void {
    const old = this.heads
    this.heads = new Int32Array(this.capacity * BUCKETS_PER_SLOT)
    this.mask = this.heads.length - 1
    for (let bucket = 0; bucket < old.length; bucket++) {
      let slot = old[bucket]
      while (slot !== 0) {
        const h = slot << HOT_SHIFT
        const next = this.hot[h | ID_NEXT]
        const to = this.hot[h | ID_LOW] & this.mask
        this.hot[h | ID_NEXT] = this.heads[to]
        this.heads[to] = slot
        slot = next
      }
    }
  }
}

export function grownInts(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length)
  to.set(from)
  return to
}

export function grownFloats(from: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(length)
  to.set(from)
  return to
}
