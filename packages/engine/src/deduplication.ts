// Remembers what became of every client order id and transfer id, so that a command sent twice happens once and the second
// sender hears the first outcome. A ring in order of batch time with a chained hash over it.
//
// An id is kept as (account, 128-bit hash of its text): the account exactly, so that nobody can collide with another's ids, and
// the text as a hash because four million texts would take 160 MB; among 2^22 random ids two collide with probability 10^-26.
// (The exact text of an open order stands in the order store.)
// Kept for the horizon in batch time, and longer while its order is open; at most `entriesMax`, then the oldest go first.
//
// When the ring is full, one of twice the size takes its place, and the entries move over a few at a time with each new entry: no
// command waits for all of them. Until the last has moved, ids are looked for in both.

import { assert } from '@wintrades/domain'

/** An entry: 2^3 integers: account, four words of hash, chain, command number low, high | code << 17 | is order << 30. */
const SHIFT = 3
const ACCOUNT = 0
const HASH = 1
const CHAIN = 5
const NUMBER_LOW = 6
const REST = 7
const HIGH_MASK = 0x1ffff
const CODE_SHIFT = 17
const CODE_MASK = 0x1fff
const ORDER_BIT = 1 << 30
const TWO_32 = 4_294_967_296
/** Expired entries that one new entry drives out: more than one, so that a backlog shrinks; few, so that no command waits. */
const EVICTIONS_PER_ENTRY = 2

/** Entries that move to the larger ring with one new entry: so many that all have moved when it is an eighth fuller. */
export const MOVES_PER_ENTRY = 8

/** Where entries lie; entry n of all that ever were lies at n mod capacity. */
class Ring {
  readonly capacity: number
  readonly data: Int32Array
  readonly times: Float64Array
  private readonly heads: Int32Array
  private readonly mask: number

  constructor(capacity: number) {
    assert((capacity & (capacity - 1)) === 0, 'the capacity is a power of two')
    this.capacity = capacity
    this.mask = capacity - 1
    this.data = new Int32Array(capacity << SHIFT)
    this.times = new Float64Array(capacity)
    this.heads = new Int32Array(capacity)
  }

  locationOf(n: number): number {
    return n & this.mask
  }

  /** Location of an id, −1 if it is not here. */
  find(account: number, h0: number, h1: number, h2: number, h3: number): number {
    const { data } = this
    let chain = this.heads[this.bucketOf(account, h0)]
    while (chain !== 0) {
      const at = (chain - 1) << SHIFT
      if (
        data[at + HASH] === h0 &&
        data[at + HASH + 1] === h1 &&
        data[at + HASH + 2] === h2 &&
        data[at + HASH + 3] === h3 &&
        data[at + ACCOUNT] === account
      )
        return chain - 1
      chain = data[at + CHAIN]
    }
    return -1
  }

  chain(location: number): void {
    const at = location << SHIFT
    const bucket = this.bucketOf(this.data[at + ACCOUNT], this.data[at + HASH])
    this.data[at + CHAIN] = this.heads[bucket]
    this.heads[bucket] = location + 1
  }

  unchain(location: number): void {
    const { data } = this
    const at = location << SHIFT
    const bucket = this.bucketOf(data[at + ACCOUNT], data[at + HASH])
    let chain = this.heads[bucket]
    if (chain === location + 1) {
      this.heads[bucket] = data[at + CHAIN]
      return
    }
    while (data[((chain - 1) << SHIFT) + CHAIN] !== location + 1) chain = data[((chain - 1) << SHIFT) + CHAIN]
    data[((chain - 1) << SHIFT) + CHAIN] = data[at + CHAIN]
  }

  private bucketOf(account: number, h0: number): number {
    return (h0 ^ Math.imul(account, 0x9e3779b1)) & this.mask
  }
}

export class Deduplication {
  /** Batch time of the last entry that was forgotten; ids from later batches are all remembered. */
  forgottenAt = 0
  /** Sum over the entries of a 128-bit mix of each: the table's part of the state hash, whatever its layout. */
  readonly sum = new Int32Array(4)
  /** Entries that growing has moved so far, with `remember` and `restore`. */
  moved = 0
  private readonly horizon_us: number
  private readonly entriesMax: number
  private ring: Ring
  /**
   * The smaller ring that entries are moving from: those from `movedTo` up to `addedBefore` are still there, but for those dropped
   * since. Nothing in it is changed any more.
   */
  private smaller: Ring | null = null
  private movedTo = 0
  private addedBefore = 0
  /** Entries ever added and ever dropped. */
  private added = 0
  private dropped = 0
  private readonly isOpen: (commandNumber: number) => boolean
  private h0 = 0
  private h1 = 0
  private h2 = 0
  private h3 = 0

  /** `capacity`: entries there is room for at first, a power of two. */
  constructor(horizon_us: number, entriesMax: number, isOpen: (commandNumber: number) => boolean, capacity = 1024) {
    this.horizon_us = horizon_us
    this.entriesMax = entriesMax
    this.isOpen = isOpen
    this.ring = new Ring(capacity)
  }

  get size(): number {
    return this.added - this.dropped
  }

  /** Hashes an id's text, zero-padded to whole words, for the calls of `find` and `remember` that follow. */
  hashText(view: DataView, offset: number, length: number): void {
    let h0 = 0x9e3779b9 ^ length
    let h1 = 0x85ebca6b
    let h2 = 0xc2b2ae35
    let h3 = 0x27d4eb2f
    const end = offset + ((length + 3) & ~3)
    for (let at = offset; at < end; at += 4) {
      const word = view.getInt32(at, true)
      h0 = Math.imul(h0 ^ word, 0x9e3779b1)
      h0 ^= h0 >>> 15
      h1 = Math.imul(h1 + word, 0x85ebca77)
      h1 ^= h1 >>> 13
      h2 = Math.imul(h2 ^ word, 0xc2b2ae3d)
      h2 ^= h2 >>> 17
      h3 = Math.imul(h3 + word, 0x165667b1)
      h3 ^= h3 >>> 16
    }
    h0 = finish(h0 + h1)
    h1 = finish(h1 + h2)
    h2 = finish(h2 + h3)
    h3 = finish(h3 ^ h0)
    this.h0 = h0
    this.h1 = h1
    this.h2 = h2
    this.h3 = h3
  }

  /** The entry of the hashed id, −1 if it is not remembered. Valid until the next `remember`. */
  find(account: number): number {
    const found = this.ring.find(account, this.h0, this.h1, this.h2, this.h3)
    if (found !== -1 || this.smaller === null) return found
    const location = this.smaller.find(account, this.h0, this.h1, this.h2, this.h3)
    return location === -1 || !this.isStillIn(this.smaller, location) ? -1 : this.ring.capacity + location
  }

  numberOf(entry: number): number {
    return numberAt(this.ringOf(entry), this.locationIn(entry))
  }

  codeOf(entry: number): number {
    return (this.restOf(entry) >>> CODE_SHIFT) & CODE_MASK
  }

  isOrder(entry: number): boolean {
    return (this.restOf(entry) & ORDER_BIT) !== 0
  }

  /** Remembers the outcome of the hashed id: command `number` ended with `code`. */
  remember(account: number, number: number, code: number, isOrder: boolean, time: number): void {
    this.forgetExpired(time)
    const rest = Math.floor(number / TWO_32) | (code << CODE_SHIFT) | (isOrder ? ORDER_BIT : 0)
    const at = this.append(account, this.h0, this.h1, this.h2, this.h3, number | 0, rest, time)
    this.addToSum(this.ring.data, at, 1)
  }

  /** Entries from oldest to newest, eight numbers each (account, four words, number low, rest, time): for snapshots. */
  forEach(visit: (data: Int32Array, at: number, time: number) => void): void {
    for (let n = this.dropped; n < this.added; n++) {
      const ring = this.ringWith(n)
      const location = ring.locationOf(n)
      visit(ring.data, location << SHIFT, ring.times[location])
    }
  }

  /** Puts back an entry that {@link forEach} gave. */
  restore(account: number, words: Int32Array, numberLow: number, rest: number, time: number): void {
    const at = this.append(account, words[0], words[1], words[2], words[3], numberLow, rest, time)
    this.addToSum(this.ring.data, at, 1)
  }

  /** Grows at once to hold `count` entries. */
  reserve(count: number): void {
    let { capacity } = this.ring
    while (capacity < count) capacity *= 2
    if (capacity === this.ring.capacity) return
    this.moveEntries(this.addedBefore - this.movedTo)
    this.grow(capacity)
    this.moveEntries(this.addedBefore - this.movedTo)
  }

  /** Returns where the entry lies in the data of `ring`. */
  private append(
    account: number,
    h0: number,
    h1: number,
    h2: number,
    h3: number,
    numberLow: number,
    rest: number,
    time: number,
  ): number {
    if (this.size === this.ring.capacity) this.grow(this.ring.capacity * 2)
    if (this.smaller !== null) this.moveEntries(MOVES_PER_ENTRY)
    const { ring } = this
    const location = ring.locationOf(this.added)
    const at = location << SHIFT
    const data = ring.data
    data[at + ACCOUNT] = account
    data[at + HASH] = h0
    data[at + HASH + 1] = h1
    data[at + HASH + 2] = h2
    data[at + HASH + 3] = h3
    data[at + NUMBER_LOW] = numberLow
    data[at + REST] = rest
    ring.times[location] = time
    ring.chain(location)
    this.added++
    return at
  }

  private forgetExpired(now: number): void {
    for (let i = 0; i < EVICTIONS_PER_ENTRY && this.size > 0; i++) {
      const ring = this.ringWith(this.dropped)
      const location = ring.locationOf(this.dropped)
      const expired = ring.times[location] + this.horizon_us < now
      if (!expired && this.size < this.entriesMax) return
      this.forgetOldest(ring, location, now)
    }
  }

  private forgetOldest(ring: Ring, location: number, now: number): void {
    if (ring === this.ring) ring.unchain(location)
    const at = location << SHIFT
    const data = ring.data
    const rest = data[at + REST]
    this.dropped++
    const wasAccepted = (rest & ORDER_BIT) !== 0 && ((rest >>> CODE_SHIFT) & CODE_MASK) === 0
    if (wasAccepted && this.isOpen(numberAt(ring, location))) {
      // Its order is open: the id stays, as young as the newest.
      const account = data[at + ACCOUNT]
      const numberLow = data[at + NUMBER_LOW]
      this.append(
        account,
        data[at + HASH],
        data[at + HASH + 1],
        data[at + HASH + 2],
        data[at + HASH + 3],
        numberLow,
        rest,
        now,
      )
      return
    }
    this.addToSum(data, at, -1)
    this.forgottenAt = ring.times[location]
  }

  /** The time of an entry is not hashed: it only says when the entry may be forgotten, and that follows from the journal. */
  private addToSum(data: Int32Array, at: number, sign: 1 | -1): void {
    const sum = this.sum
    const salt = finish(
      data[at + NUMBER_LOW] ^ Math.imul(data[at + REST], 0x9e3779b1) ^ Math.imul(data[at + ACCOUNT], 0x85ebca77),
    )
    for (let i = 0; i < 4; i++) sum[i] += sign * finish(data[at + HASH + i] ^ salt)
  }

  private restOf(entry: number): number {
    return this.ringOf(entry).data[(this.locationIn(entry) << SHIFT) + REST]
  }

  /** Entries that {@link find} found in the smaller ring are numbered after those of the larger one. */
  private ringOf(entry: number): Ring {
    return entry < this.ring.capacity || this.smaller === null ? this.ring : this.smaller
  }

  private locationIn(entry: number): number {
    return entry < this.ring.capacity ? entry : entry - this.ring.capacity
  }

  /** Whether the entry at a location of the smaller ring has neither moved nor been dropped. */
  private isStillIn(smaller: Ring, location: number): boolean {
    const first = Math.max(this.movedTo, this.dropped)
    return smaller.locationOf(location - first) < this.addedBefore - first
  }

  /** The ring that entry n lies in. */
  private ringWith(n: number): Ring {
    return this.smaller !== null && n >= this.movedTo && n < this.addedBefore ? this.smaller : this.ring
  }

  private grow(capacity: number): void {
    assert(this.smaller === null, 'the ring is not full before all entries have moved to it')
    this.smaller = this.ring
    this.ring = new Ring(capacity)
    this.movedTo = this.dropped
    this.addedBefore = this.added
  }

  /** Moves the oldest entries of the smaller ring, up to `count`; the smaller ring goes with the last. */
  private moveEntries(count: number): void {
    const { smaller, ring } = this
    if (smaller === null) return
    const from = Math.max(this.movedTo, this.dropped)
    const to = Math.min(from + count, this.addedBefore)
    for (let n = from; n < to; n++) {
      const source = smaller.locationOf(n)
      const target = ring.locationOf(n)
      for (let i = 0; i < 1 << SHIFT; i++) ring.data[(target << SHIFT) + i] = smaller.data[(source << SHIFT) + i]
      ring.times[target] = smaller.times[source]
      ring.chain(target)
    }
    this.moved += Math.max(0, to - from)
    this.movedTo = Math.max(from, to)
    if (this.movedTo >= this.addedBefore) this.smaller = null
  }
}

function numberAt(ring: Ring, location: number): number {
  const at = location << SHIFT
  return (ring.data[at + NUMBER_LOW] >>> 0) + (ring.data[at + REST] & HIGH_MASK) * TWO_32
}

/** The last rounds of MurmurHash3: every bit of the input moves every bit of the output. */
export function finish(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
