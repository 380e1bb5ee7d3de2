// A hash table from 32-bit tags to references, for tables that millions of ids go through: a look-up of what is not there costs one
// line of memory, and growing costs each new entry a few steps instead of one entry all of them.
//
// Open addressing with linear probing; a tag's high bits say where it begins to look, so that when the table doubles, what stood
// together still stands together. The larger table takes over the entries of the smaller one run by run, a few with each entry that
// comes in; meanwhile a tag is looked for in one of the two, for where it begins to look says whether its run has moved.

import { assert } from '@wintrades/domain'
import { grownInts } from './order-store.ts'

/** Slots that one new entry empties, in whole runs, while the table grows: so that all are long before the larger one is half full. */
export const MOVES_PER_ENTRY = 16
/** A slot: the tag, and the reference plus 1; 0: it is empty. */
const REFERENCE = 1
const EMPTY = 0
/** Slots beyond the last place where a tag begins to look: runs do not go round. */
const TAIL = 64

/** The slots of a power of two of places. The last one is always empty. */
class Slots {
  data: Int32Array
  readonly capacity: number
  private readonly shift: number

  constructor(capacity: number) {
    this.data = new Int32Array((capacity + TAIL) * 2)
    this.capacity = capacity
    this.shift = Math.clz32(capacity - 1)
  }

  /** Where a tag begins to look. */
  homeOf(tag: number): number {
    return (tag >>> this.shift) << 1
  }

  put(tag: number, reference: number): void {
    let at = this.homeOf(tag)
    while (this.data[at + REFERENCE] !== EMPTY) at += 2
    if (at + 2 === this.data.length) this.data = grownInts(this.data, this.data.length + TAIL * 2)
    this.data[at] = tag
    this.data[at + REFERENCE] = reference
  }

  /** Takes an entry out, and moves up those behind it that may stand nearer to where they begin to look. */
  remove(tag: number, reference: number): void {
    const { data } = this
    let at = this.homeOf(tag)
    while (data[at + REFERENCE] !== reference) {
      assert(data[at + REFERENCE] !== EMPTY, 'an id that is forgotten is in the index')
      at += 2
    }
    for (let next = at + 2; data[next + REFERENCE] !== EMPTY; next += 2) {
      if (this.homeOf(data[next]) > at) continue
      data[at] = data[next]
      data[at + REFERENCE] = data[next + REFERENCE]
      at = next
    }
    data[at + REFERENCE] = EMPTY
  }
}

export class IdIndex {
  /** Slots that growing has emptied so far. */
  moved = 0
  private slots: Slots
  /** The table that entries are moving from; places before `emptied` have no entries in it any more. */
  private smaller: Slots | null = null
  private emptied = 0
  private count = 0
  /** Where the last `first` or `next` looked, and found a reference. */
  private from: Slots
  private at = 0

  constructor(capacity: number) {
    assert(capacity >= 4 && (capacity & (capacity - 1)) === 0, 'the capacity is a power of two')
    this.slots = new Slots(capacity)
    this.from = this.slots
  }

  /** The first reference with this tag, −1 if there is none. The tag may be another id's: the caller looks, and asks for the `next`. */
  first(tag: number): number {
    this.from = this.tableOf(tag)
    return this.search(tag, this.from.homeOf(tag))
  }

  next(tag: number): number {
    return this.search(tag, this.at + 2)
  }

  /** What lies where a tag begins to look: only to have it in the processor's caches when it is needed. */
  touch(tag: number): number {
    const slots = this.tableOf(tag)
    return slots.data[slots.homeOf(tag)]
  }

  /** `reference`: from 0 to 2^31 − 2. */
  add(tag: number, reference: number): void {
    if (this.smaller !== null) this.moveOn(MOVES_PER_ENTRY)
    else if (this.count * 2 >= this.slots.capacity) this.grow(this.slots.capacity * 2)
    this.count++
    this.tableOf(tag).put(tag, reference + 1)
  }

  remove(tag: number, reference: number): void {
    this.tableOf(tag).remove(tag, reference + 1)
    this.count--
  }

  /** Makes room for `count` entries at once. */
  reserve(count: number): void {
    let { capacity } = this.slots
    while (capacity < count * 2) capacity *= 2
    if (capacity === this.slots.capacity) return
    this.moveOn(this.slots.capacity)
    this.grow(capacity)
    if (this.count === 0) this.smaller = null
    this.moveOn(capacity)
  }

  private search(tag: number, start: number): number {
    const { data } = this.from
    for (let at = start; data[at + REFERENCE] !== EMPTY; at += 2) {
      if (data[at] !== tag) continue
      this.at = at
      return data[at + REFERENCE] - 1
    }
    return -1
  }

  /** The table that a tag is in, or comes into. */
  private tableOf(tag: number): Slots {
    const { smaller } = this
    return smaller === null || smaller.homeOf(tag) < this.emptied ? this.slots : smaller
  }

  private grow(capacity: number): void {
    this.smaller = this.slots
    this.slots = new Slots(capacity)
    this.emptied = 0
  }

  /** Moves the entries of at least `count` slots, up to an empty one, to the larger table; the smaller one goes with the last. */
  private moveOn(count: number): void {
    const { smaller, slots } = this
    if (smaller === null) return
    const { data } = smaller
    const end = smaller.capacity * 2
    let at = this.emptied
    const enough = Math.min(at + count * 2, end)
    for (; at < enough || data[at + REFERENCE] !== EMPTY; at += 2) {
      if (data[at + REFERENCE] !== EMPTY) slots.put(data[at], data[at + REFERENCE])
    }
    this.moved += (at - this.emptied) >> 1
    this.emptied = at
    if (at >= end) this.smaller = null
  }
}
