// Remembers what became of every client order id and transfer id, so that a command sent twice happens once and the second
// sender hears the first outcome. A log in order of batch time, with an index from ids to its records.
//
// An id is kept as (account, 128-bit hash of its text): the account exactly, so that nobody can collide with another's ids, and
// the text as a hash because four million texts would take 160 MB; among 2^22 random ids two collide with probability 10^-26.
// (The exact text of an open order stands in the order store.)
// Kept for the horizon in batch time, and longer while its order is open; at most `entriesMax`, then the oldest go first.

import { IdIndex } from './id-index.ts'
import { IdLog } from './id-log.ts'

/** A record of the log: account, four words of hash, one that is not used, command number low, high | code << 17 | is order << 30. */
const ACCOUNT = 0
const HASH = 1
const NUMBER_LOW = 6
const REST = 7
const HIGH_MASK = 0x1ffff
const CODE_SHIFT = 17
const CODE_MASK = 0x1fff
const ORDER_BIT = 1 << 30
const TWO_32 = 4_294_967_296
/** Expired entries that one new entry drives out: more than one, so that a backlog shrinks; few, so that no command waits. */
const EVICTIONS_PER_ENTRY = 2

/** Commands whose ids are hashed before their turn. */
export const AHEAD_MAX = 64
/** Words of a hash: 2^2. */
const HASH_SHIFT = 2

export class Deduplication {
  /** Batch time of the last entry that was forgotten; ids from later batches are all remembered. */
  forgottenAt = 0
  /** Sum over the entries of a 128-bit mix of each: the table's part of the state hash, whatever its layout. */
  readonly sum = new Int32Array(4)
  readonly index: IdIndex
  private readonly horizon_us: number
  private readonly entriesMax: number
  private readonly log = new IdLog()
  private readonly isOpen: (commandNumber: number) => boolean
  private readonly ahead = new Int32Array((AHEAD_MAX + 1) << HASH_SHIFT)
  private readonly tags = new Int32Array(AHEAD_MAX + 1)
  private h0 = 0
  private h1 = 0
  private h2 = 0
  private h3 = 0

  /** `capacity`: places in the index at first, a power of two. */
  constructor(horizon_us: number, entriesMax: number, isOpen: (commandNumber: number) => boolean, capacity = 1024) {
    this.horizon_us = horizon_us
    this.entriesMax = entriesMax
    this.isOpen = isOpen
    this.index = new IdIndex(capacity)
  }

  get size(): number {
    return this.log.size
  }

  /** Hashes an id's text, zero-padded to whole words, for the calls of `find` and `remember` that follow. */
  hashText(view: DataView, offset: number, length: number): void {
    this.hashAhead(AHEAD_MAX, view, offset, length, 0)
    this.recall(AHEAD_MAX)
  }

  /** Hashes the id of a command that is soon to come, number `k` of at most `AHEAD_MAX`. */
  hashAhead(k: number, view: DataView, offset: number, length: number, account: number): void {
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
    const { ahead } = this
    const at = k << HASH_SHIFT
    ahead[at] = h0
    ahead[at + 1] = h1
    ahead[at + 2] = h2
    ahead[at + 3] = h3
    this.tags[k] = tagOf(account, h0)
  }

  /** Has the index's memory for ids hashed ahead, `count` of them, on its way into the processor's caches. */
  touchAhead(count: number): number {
    const { index, tags } = this
    let sum = 0
    for (let k = 0; k < count; k++) sum ^= index.touch(tags[k])
    return sum
  }

  /** The calls of `find` and `remember` that follow are about an id that was hashed ahead. */
  recall(k: number): void {
    const { ahead } = this
    const at = k << HASH_SHIFT
    this.h0 = ahead[at]
    this.h1 = ahead[at + 1]
    this.h2 = ahead[at + 2]
    this.h3 = ahead[at + 3]
  }

  /** The entry of the hashed id, −1 if it is not remembered. Valid until the next `remember`. */
  find(account: number): number {
    const { index } = this
    const tag = tagOf(account, this.h0)
    let entry = index.first(tag)
    while (entry !== -1 && !this.isEntry(entry, account)) entry = index.next(tag)
    return entry
  }

  numberOf(entry: number): number {
    this.log.seek(entry)
    return numberAt(this.log.data, this.log.at)
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
    this.append(account, this.h0, this.h1, this.h2, this.h3, number | 0, rest, time)
    this.addToSum(this.log.data, this.log.at, 1)
  }

  /** Entries from oldest to newest, from `at` on: account, four words, one to skip, number low, rest. For snapshots. */
  forEach(visit: (data: Int32Array, at: number, time: number) => void): void {
    this.log.forEach(visit)
  }

  /** Puts back an entry that {@link forEach} gave. */
  restore(account: number, words: Int32Array, numberLow: number, rest: number, time: number): void {
    this.append(account, words[0], words[1], words[2], words[3], numberLow, rest, time)
    this.addToSum(this.log.data, this.log.at, 1)
  }

  /** Makes room for `count` entries at once. */
  reserve(count: number): void {
    this.index.reserve(count)
  }

  private isEntry(entry: number, account: number): boolean {
    const { log } = this
    log.seek(entry)
    const { data, at } = log
    return (
      data[at + HASH] === this.h0 &&
      data[at + HASH + 1] === this.h1 &&
      data[at + HASH + 2] === this.h2 &&
      data[at + HASH + 3] === this.h3 &&
      data[at + ACCOUNT] === account
    )
  }

  /** The new record is where the log then stands. */
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
    const { log } = this
    const entry = log.push(time)
    const { data, at } = log
    data[at + ACCOUNT] = account
    data[at + HASH] = h0
    data[at + HASH + 1] = h1
    data[at + HASH + 2] = h2
    data[at + HASH + 3] = h3
    data[at + NUMBER_LOW] = numberLow
    data[at + REST] = rest
    this.index.add(tagOf(account, h0), entry)
  }

  private forgetExpired(now: number): void {
    const { log } = this
    for (let i = 0; i < EVICTIONS_PER_ENTRY && log.size > 0; i++) {
      if (log.oldestTime + this.horizon_us >= now && log.size < this.entriesMax) return
      this.forgetOldest(now)
    }
  }

  private forgetOldest(now: number): void {
    const { log } = this
    const entry = log.oldest
    log.seek(entry)
    const { data, at, time } = log
    const rest = data[at + REST]
    const account = data[at + ACCOUNT]
    this.index.remove(tagOf(account, data[at + HASH]), entry)
    const wasAccepted = (rest & ORDER_BIT) !== 0 && ((rest >>> CODE_SHIFT) & CODE_MASK) === 0
    if (wasAccepted && this.isOpen(numberAt(data, at))) {
      // Its order is open: the id stays, as young as the newest.
      const h = at + HASH
      this.append(account, data[h], data[h + 1], data[h + 2], data[h + 3], data[at + NUMBER_LOW], rest, now)
    } else {
      this.addToSum(data, at, -1)
      this.forgottenAt = time
    }
    log.drop()
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
    this.log.seek(entry)
    return this.log.data[this.log.at + REST]
  }
}

function tagOf(account: number, h0: number): number {
  return h0 ^ Math.imul(account, 0x9e3779b1)
}

function numberAt(data: Int32Array, at: number): number {
  return (data[at + NUMBER_LOW] >>> 0) + (data[at + REST] & HIGH_MASK) * TWO_32
}

/** The last rounds of MurmurHash3: every bit of the input moves every bit of the output. */
export function finish(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
