// Remembers what became of every client order id and transfer id, so that a command sent twice happens once and the second
// sender hears the first outcome. A ring in order of batch time with a chained hash over it.
//
// An id is kept as (account, 128-bit hash of its text): the account exactly, so that nobody can collide with another's ids, and
// the text as a hash because four million texts would take 160 MB; among 2^22 random ids two collide with probability 10^-26.
// (The exact text of an open order stands in the order store.)
// Kept for the horizon in batch time, and longer while its order is open; at most `entriesMax`, then the oldest go first.

import { grownFloats } from './order-store.ts'

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

export class Deduplication {
  /** Batch time of the last entry that was forgotten; ids from later batches are all remembered. */
  forgottenAt = 0
  /** Sum over the entries of a 128-bit mix of each: the table's part of the state hash, whatever its layout. */
  readonly sum = new Int32Array(4)
  private readonly horizon_us: number
  private readonly entriesMax: number
  private data: Int32Array
  private times: Float64Array
  private heads: Int32Array
  private capacity: number
  /** Entries ever added and ever dropped; entry n lies at n mod capacity. */
  private added = 0
  private dropped = 0
  private readonly isOpen: (commandNumber: number) => boolean
  private h0 = 0
  private h1 = 0
  private h2 = 0
  private h3 = 0

  constructor(horizon_us: number, entriesMax: number, isOpen: (commandNumber: number) => boolean, capacity = 1024) {
    this.horizon_us = horizon_us
    this.entriesMax = entriesMax
    this.isOpen = isOpen
    this.capacity = capacity
    this.data = new Int32Array(capacity << SHIFT)
    this.times = new Float64Array(capacity)
    this.heads = new Int32Array(capacity)
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
    const data = this.data
    let chain = this.heads[this.bucketOf(account)]
    while (chain !== 0) {
      const at = (chain - 1) << SHIFT
      if (
        data[at + HASH] === this.h0 &&
        data[at + HASH + 1] === this.h1 &&
        data[at + HASH + 2] === this.h2 &&
        data[at + HASH + 3] === this.h3 &&
        data[at + ACCOUNT] === account
      )
        return chain - 1
      chain = data[at + CHAIN]
    }
    return -1
  }

  numberOf(entry: number): number {
    const at = entry << SHIFT
    return (this.data[at + NUMBER_LOW] >>> 0) + (this.data[at + REST] & HIGH_MASK) * TWO_32
  }

  codeOf(entry: number): number {
    return (this.data[(entry << SHIFT) + REST] >>> CODE_SHIFT) & CODE_MASK
  }

  isOrder(entry: number): boolean {
    return (this.data[(entry << SHIFT) + REST] & ORDER_BIT) !== 0
  }

  /** Remembers the outcome of the hashed id: command `number` ended with `code`. */
  remember(account: number, number: number, code: number, isOrder: boolean, time: number): void {
    this.forgetExpired(time)
    const rest = Math.floor(number / TWO_32) | (code << CODE_SHIFT) | (isOrder ? ORDER_BIT : 0)
    this.append(account, this.h0, this.h1, this.h2, this.h3, number | 0, rest, time)
    this.addToSum(this.locationOf(this.added - 1), 1)
  }

  /** Entries from oldest to newest, eight numbers each (account, four words, number low, rest, time): for snapshots. */
  forEach(visit: (data: Int32Array, at: number, time: number) => void): void {
    for (let n = this.dropped; n < this.added; n++) {
      const entry = this.locationOf(n)
      visit(this.data, entry << SHIFT, this.times[entry])
    }
  }

  /** Puts back an entry that {@link forEach} gave. */
  restore(account: number, words: Int32Array, numberLow: number, rest: number, time: number): void {
    this.append(account, words[0], words[1], words[2], words[3], numberLow, rest, time)
    this.addToSum(this.locationOf(this.added - 1), 1)
  }

  /** Grows at once to hold `count` entries. */
  reserve(count: number): void {
    while (this.capacity < count) this.grow()
  }

  private append(
    account: number,
    h0: number,
    h1: number,
    h2: number,
    h3: number,
    numberLow: number,
    rest: number,
    time: number,
  ): void {
    if (this.size === this.capacity) this.grow()
    const entry = this.locationOf(this.added)
    const at = entry << SHIFT
    const data = this.data
    data[at + ACCOUNT] = account
    data[at + HASH] = h0
    data[at + HASH + 1] = h1
    data[at + HASH + 2] = h2
    data[at + HASH + 3] = h3
    data[at + NUMBER_LOW] = numberLow
    data[at + REST] = rest
    this.times[entry] = time
    const bucket = (h0 ^ Math.imul(account, 0x9e3779b1)) & (this.capacity - 1)
    data[at + CHAIN] = this.heads[bucket]
    this.heads[bucket] = entry + 1
    this.added++
  }

  private forgetExpired(now: number): void {
    for (let i = 0; i < EVICTIONS_PER_ENTRY && this.size > 0; i++) {
      const entry = this.locationOf(this.dropped)
      const expired = this.times[entry] + this.horizon_us < now
      if (!expired && this.size < this.entriesMax) return
      this.forgetOldest(entry, now)
    }
  }

  private forgetOldest(entry: number, now: number): void {
    this.unchain(entry)
    const at = entry << SHIFT
    const data = this.data
    const rest = data[at + REST]
    this.dropped++
    if ((rest & ORDER_BIT) !== 0 && ((rest >>> CODE_SHIFT) & CODE_MASK) === 0 && this.isOpen(this.numberOf(entry))) {
      // Its order is open: the id stays, as young as the newest.
      const [h0, h1, h2, h3] = [data[at + HASH], data[at + HASH + 1], data[at + HASH + 2], data[at + HASH + 3]]
      this.append(data[at + ACCOUNT], h0, h1, h2, h3, data[at + NUMBER_LOW], rest, now)
      return
    }
    this.addToSum(entry, -1)
    this.forgottenAt = this.times[entry]
  }

  private unchain(entry: number): void {
    const data = this.data
    const at = entry << SHIFT
    const bucket = (data[at + HASH] ^ Math.imul(data[at + ACCOUNT], 0x9e3779b1)) & (this.capacity - 1)
    let chain = this.heads[bucket]
    if (chain === entry + 1) {
      this.heads[bucket] = data[at + CHAIN]
      return
    }
    while (data[((chain - 1) << SHIFT) + CHAIN] !== entry + 1) chain = data[((chain - 1) << SHIFT) + CHAIN]
    data[((chain - 1) << SHIFT) + CHAIN] = data[at + CHAIN]
  }

  /** The time of an entry is not hashed: it only says when the entry may be forgotten, and that follows from the journal. */
  private addToSum(entry: number, sign: 1 | -1): void {
    const at = entry << SHIFT
    const data = this.data
    const sum = this.sum
    const salt = finish(
      data[at + NUMBER_LOW] ^ Math.imul(data[at + REST], 0x9e3779b1) ^ Math.imul(data[at + ACCOUNT], 0x85ebca77),
    )
    for (let i = 0; i < 4; i++) sum[i] += sign * finish(data[at + HASH + i] ^ salt)
  }

  private bucketOf(account: number): number {
    return (this.h0 ^ Math.imul(account, 0x9e3779b1)) & (this.capacity - 1)
  }

  private locationOf(n: number): number {
    return n % this.capacity
  }

  private grow(): void {
    const { data, times, capacity, dropped, added } = this
    this.capacity = capacity * 2
    this.data = new Int32Array(this.capacity << SHIFT)
    this.times = grownFloats(new Float64Array(0), this.capacity)
    this.heads = new Int32Array(this.capacity)
    this.added = 0
    this.dropped = 0
    for (let n = dropped; n < added; n++) {
      const entry = n % capacity
      const at = entry << SHIFT
      this.append(
        data[at + ACCOUNT],
        data[at + HASH],
        data[at + HASH + 1],
        data[at + HASH + 2],
        data[at + HASH + 3],
        data[at + NUMBER_LOW],
        data[at + REST],
        times[entry],
      )
    }
  }
}

/** The last rounds of MurmurHash3: every bit of the input moves every bit of the output. */
export function finish(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
