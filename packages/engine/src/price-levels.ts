// Price levels of a shard's books, in one pool: a side's levels in order of price, each a first-in-first-out queue of orders. Any
// price from 1 to 2^31 − 1 works: a side is a radix tree whose leaves hold 16 neighbouring levels, so levels that are used together
// lie together and an empty side takes half a kilobyte.
// Asks are kept mirrored (`price XOR 2^31 − 1`): on both sides the best level is the one with the largest key, and both run the same
// code. A side is a number here: even for bids, odd for asks. `BookSide` is one of them as the rest of the engine sees it.

import { assert, InvariantViolation } from '@wintrades/domain'
import { LEVEL_LAYOUT, ORDER_LAYOUT, SIDE_LAYOUT } from './layouts.ts'
import { grownFloats, grownInts, type OrderStore } from './order-store.ts'

const { LEVEL_SHIFT, HEAD, TAIL, COUNT } = LEVEL_LAYOUT
const { SIDE_SHIFT, BEST_KEY, BEST_LEVEL, MIRROR } = SIDE_LAYOUT
const { HOT_SHIFT, LEAVES, NEXT, PREVIOUS, LEVEL } = ORDER_LAYOUT

/** The command that last touched the level (`LevelStore.stamp`). */
const MARK = 3
const STAMP_MAX = 0x3fffffff

/** A leaf: 4 integers. */
const LEAF_SHIFT = 2
const KEY = 0
const WORD = 1
const PARENT = 2
const SIDE = 3

const LEAF_BITS = 4
const LEAF_MASK = (1 << LEAF_BITS) - 1
const NODE_BITS = 5
const NODE_MASK = (1 << NODE_BITS) - 1
/** Key bits above the leaf: 27, in nodes of five bits; the root takes the two that are left. */
const ROOT_SHIFT = 25
/**
 * Leaves that a side finds without walking down from its root, each where the low bits of its key say, as pairs of key and leaf:
 * 512 neighbouring prices, or others that do not clash. They are the second half of the side's record.
 */
const RECENT = 64
const RECENT_MASK = 31

/** Root node of a side's tree; 0: none. (The other fields that a side has: `SIDE_LAYOUT`.) */
const ROOT = 3

/** Empty leaves are left in place, for they are often needed again, until this many wait. */
const EMPTY_LEAVES_MAX = 64

const MIRROR_OF_ASKS = 0x7fffffff

export class LevelStore {
  level: Int32Array
  /** Displayed quantity of each level. */
  quantity: Float64Array
  /** Of each side: its best level, and leaves lately walked to. */
  side = new Int32Array(4 << SIDE_SHIFT)
  leaf: Int32Array
  nodeWord: Int32Array
  nodeChild: Int32Array
  nodeParent: Int32Array
  nodeSize: Int32Array
  /** Levels that the command under way has touched, each once, in the order of their first touch. */
  touched = new Int32Array(64)
  touchedCount = 0
  /** Number of the command under way: what it marks is touched. It starts again before it runs out. */
  stamp = 1
  readonly sides: BookSide[] = []
  private readonly orders: OrderStore
  private leafUsed = 1
  private leafFree = 0
  private nodeUsed = 1
  private nodeFree = 0
  private emptyLeaves = new Int32Array(EMPTY_LEAVES_MAX * 2)
  private emptyCount = 0
  private leafQueued: Uint8Array

  constructor(orders: OrderStore, leaves = 64, nodes = 64) {
    this.orders = orders
    this.level = new Int32Array((leaves << LEAF_BITS) << LEVEL_SHIFT)
    this.quantity = new Float64Array(leaves << LEAF_BITS)
    this.leaf = new Int32Array(leaves << LEAF_SHIFT)
    this.leafQueued = new Uint8Array(leaves)
    this.nodeWord = new Int32Array(nodes)
    this.nodeChild = new Int32Array(nodes << NODE_BITS)
    this.nodeParent = new Int32Array(nodes)
    this.nodeSize = new Int32Array(nodes)
  }

  keyOf(level: number): number {
    return (this.leaf[((level >> LEAF_BITS) << LEAF_SHIFT) | KEY] << LEAF_BITS) | (level & LEAF_MASK)
  }

  sideOf(level: number): BookSide {
    return this.sides[this.leaf[((level >> LEAF_BITS) << LEAF_SHIFT) | SIDE]]
  }

  /** Makes a side of a book: 0 bids, 1 asks, in turn. */
  newSide(side: 0 | 1, view: BookSide): number {
    const index = this.sides.push(view) - 1
    assert((index & 1) === side, 'bids are even and asks odd')
    if (index << SIDE_SHIFT === this.side.length) this.side = grownInts(this.side, this.side.length * 2)
    const s = index << SIDE_SHIFT
    this.side[s | BEST_KEY] = -1
    this.side[s | MIRROR] = side === 0 ? 0 : MIRROR_OF_ASKS
    this.side.fill(-1, s | RECENT, (index + 1) << SIDE_SHIFT)
    return index
  }

  /** Puts an order at the end of the queue at `price`. */
  add(side: number, order: number, price: number): void {
    const s = side << SIDE_SHIFT
    const sides = this.side
    const key = price ^ sides[s | MIRROR]
    const leafKey = key >> LEAF_BITS
    const recent = s | RECENT | ((leafKey & RECENT_MASK) << 1)
    const leaf = sides[recent] === leafKey ? sides[recent | 1] : this.leafAt(side, leafKey)
    const level = (leaf << LEAF_BITS) | (key & LEAF_MASK)
    const l = level << LEVEL_SHIFT
    const data = this.level
    const tail = data[l | TAIL]
    const { hot } = this.orders
    const h = order << HOT_SHIFT
    hot[h | NEXT] = 0
    hot[h | PREVIOUS] = tail
    hot[h | LEVEL] = level
    data[l | TAIL] = order
    data[l | COUNT]++
    this.quantity[level] += hot[h | LEAVES]
    this.touch(level)
    if (tail === 0) this.occupy(side, level, key, order)
    else hot[(tail << HOT_SHIFT) | NEXT] = order
  }

  /** Takes an order out of its queue. */
  remove(order: number): void {
    const { hot } = this.orders
    const h = order << HOT_SHIFT
    const level = hot[h | LEVEL]
    const next = hot[h | NEXT]
    const previous = hot[h | PREVIOUS]
    const l = level << LEVEL_SHIFT
    const data = this.level
    this.quantity[level] -= hot[h | LEAVES]
    this.touch(level)
    if (next === 0) data[l | TAIL] = previous
    else hot[(next << HOT_SHIFT) | PREVIOUS] = previous
    if (previous === 0) data[l | HEAD] = next
    else hot[(previous << HOT_SHIFT) | NEXT] = next
    const count = data[l | COUNT] - 1
    data[l | COUNT] = count
    if (count === 0) this.vacate(level)
  }

  /** Lowers (or, negative, raises) what an order displays, in place: its priority stays. */
  reduce(order: number, by: number): void {
    const h = order << HOT_SHIFT
    const level = this.orders.hot[h | LEVEL]
    this.orders.hot[h | LEAVES] -= by
    this.quantity[level] -= by
    this.touch(level)
  }

  /** A level has lost its last order. */
  vacate(level: number): void {
    const f = (level >> LEAF_BITS) << LEAF_SHIFT
    const word = this.leaf[f | WORD] & ~(1 << (level & LEAF_MASK))
    this.leaf[f | WORD] = word
    if (word === 0) this.vacateLeaf(level >> LEAF_BITS)
    const s = this.leaf[f | SIDE] << SIDE_SHIFT
    if (level !== this.side[s | BEST_LEVEL]) return
    const best = word === 0 ? this.highestBelow(level >> LEAF_BITS) : (level & ~LEAF_MASK) | (31 - Math.clz32(word))
    this.side[s | BEST_LEVEL] = best
    this.side[s | BEST_KEY] = best === 0 ? -1 : this.keyOf(best)
  }

  /** The next worse level of its side that has orders; 0: none. Walks the tree: for views and look-ahead, not for matching. */
  levelAfter(level: number): number {
    const leaf = level >> LEAF_BITS
    const f = leaf << LEAF_SHIFT
    const worse = this.leaf[f | WORD] & ((1 << (level & LEAF_MASK)) - 1)
    if (worse !== 0) return (leaf << LEAF_BITS) | (31 - Math.clz32(worse))
    const key = this.leaf[f | KEY]
    let node = this.leaf[f | PARENT]
    for (let shift = 0; node !== 0; shift += NODE_BITS) {
      const word = this.nodeWord[node] & ((1 << ((key >> shift) & NODE_MASK)) - 1)
      if (word !== 0) return this.descend(this.nodeChild[(node << NODE_BITS) | (31 - Math.clz32(word))], shift)
      node = this.nodeParent[node]
    }
    return 0
  }

  touch(level: number): void {
    const mark = (level << LEVEL_SHIFT) | MARK
    const { stamp } = this
    if (this.level[mark] === stamp) return
    this.level[mark] = stamp
    const count = this.touchedCount
    this.touchedCount = count + 1
    if (count === this.touched.length) this.touched = grownInts(this.touched, count * 2)
    this.touched[count] = level
  }

  /** Ends a command: forgets what was touched and takes back leaves that stayed empty. */
  endCommand(): void {
    this.touchedCount = 0
    if (this.stamp++ === STAMP_MAX) this.restamp()
    if (this.emptyCount >= EMPTY_LEAVES_MAX) this.reclaim()
  }

  private restamp(): void {
    this.stamp = 1
    for (let mark = MARK; mark < this.level.length; mark += 1 << LEVEL_SHIFT) this.level[mark] = 0
  }

  /** A level has got its first order. */
  private occupy(side: number, level: number, key: number, order: number): void {
    this.level[(level << LEVEL_SHIFT) | HEAD] = order
    const w = ((level >> LEAF_BITS) << LEAF_SHIFT) | WORD
    const word = this.leaf[w]
    this.leaf[w] = word | (1 << (level & LEAF_MASK))
    if (word === 0) this.occupyLeaf(level >> LEAF_BITS)
    const s = side << SIDE_SHIFT
    if (key <= this.side[s | BEST_KEY]) return
    this.side[s | BEST_KEY] = key
    this.side[s | BEST_LEVEL] = level
  }

  private occupyLeaf(leaf: number): void {
    const key = this.leaf[(leaf << LEAF_SHIFT) | KEY]
    let node = this.leaf[(leaf << LEAF_SHIFT) | PARENT]
    for (let shift = 0; node !== 0; shift += NODE_BITS) {
      const word = this.nodeWord[node]
      this.nodeWord[node] = word | (1 << ((key >> shift) & NODE_MASK))
      if (word !== 0) break
      node = this.nodeParent[node]
    }
  }

  private vacateLeaf(leaf: number): void {
    const key = this.leaf[(leaf << LEAF_SHIFT) | KEY]
    let node = this.leaf[(leaf << LEAF_SHIFT) | PARENT]
    for (let shift = 0; node !== 0; shift += NODE_BITS) {
      const word = this.nodeWord[node] & ~(1 << ((key >> shift) & NODE_MASK))
      this.nodeWord[node] = word
      if (word !== 0) break
      node = this.nodeParent[node]
    }
    this.leafEmptied(leaf)
  }

  /** The best level of the side, when the best leaf has become empty: climbs to the first node that has another. */
  private highestBelow(leaf: number): number {
    let node = this.leaf[(leaf << LEAF_SHIFT) | PARENT]
    let shift = 0
    while (node !== 0 && this.nodeWord[node] === 0) {
      node = this.nodeParent[node]
      shift += NODE_BITS
    }
    if (node === 0) return 0
    return this.descend(this.nodeChild[(node << NODE_BITS) | (31 - Math.clz32(this.nodeWord[node]))], shift)
  }

  private descend(child: number, childOfShift: number): number {
    let at = child
    for (let shift = childOfShift; shift > 0; shift -= NODE_BITS) {
      at = this.nodeChild[(at << NODE_BITS) | (31 - Math.clz32(this.nodeWord[at]))]
    }
    return (at << LEAF_BITS) | (31 - Math.clz32(this.leaf[(at << LEAF_SHIFT) | WORD]))
  }

  /** The leaf of a key, made if it is not there. */
  private leafAt(side: number, leafKey: number): number {
    const s = side << SIDE_SHIFT
    let node = this.side[s | ROOT]
    if (node === 0) {
      node = this.newNode(0)
      this.side[s | ROOT] = node
    }
    for (let shift = ROOT_SHIFT; shift > 0; shift -= NODE_BITS) {
      const at = (node << NODE_BITS) | ((leafKey >> shift) & NODE_MASK)
      let child = this.nodeChild[at]
      if (child === 0) {
        child = this.newNode(node)
        this.nodeChild[at] = child
        this.nodeSize[node]++
      }
      node = child
    }
    const at = (node << NODE_BITS) | (leafKey & NODE_MASK)
    let leaf = this.nodeChild[at]
    if (leaf === 0) {
      leaf = this.newLeaf(leafKey, node, side)
      this.nodeChild[at] = leaf
      this.nodeSize[node]++
    }
    const recent = s | RECENT | ((leafKey & RECENT_MASK) << 1)
    this.side[recent] = leafKey
    this.side[recent | 1] = leaf
    return leaf
  }

  private newLeaf(key: number, parent: number, side: number): number {
    let leaf = this.leafFree
    if (leaf !== 0) this.leafFree = this.leaf[(leaf << LEAF_SHIFT) | PARENT]
    else {
      if (this.leafUsed << LEAF_SHIFT === this.leaf.length) this.growLeaves()
      leaf = this.leafUsed++
    }
    const f = leaf << LEAF_SHIFT
    this.leaf[f | KEY] = key
    this.leaf[f | WORD] = 0
    this.leaf[f | PARENT] = parent
    this.leaf[f | SIDE] = side
    return leaf
  }

  private newNode(parent: number): number {
    let node = this.nodeFree
    if (node !== 0) this.nodeFree = this.nodeParent[node]
    else {
      if (this.nodeUsed === this.nodeWord.length) this.growNodes()
      node = this.nodeUsed++
    }
    this.nodeWord[node] = 0
    this.nodeSize[node] = 0
    this.nodeParent[node] = parent
    return node
  }

  private leafEmptied(leaf: number): void {
    if (this.leafQueued[leaf] === 1) return
    this.leafQueued[leaf] = 1
    if (this.emptyCount === this.emptyLeaves.length) this.emptyLeaves = grownInts(this.emptyLeaves, this.emptyCount * 2)
    this.emptyLeaves[this.emptyCount++] = leaf
  }

  private reclaim(): void {
    for (let i = 0; i < this.emptyCount; i++) {
      const leaf = this.emptyLeaves[i]
      this.leafQueued[leaf] = 0
      if (this.leaf[(leaf << LEAF_SHIFT) | WORD] === 0) this.freeLeaf(leaf)
    }
    this.emptyCount = 0
  }

  private freeLeaf(leaf: number): void {
    const f = leaf << LEAF_SHIFT
    const s = this.leaf[f | SIDE] << SIDE_SHIFT
    const key = this.leaf[f | KEY]
    let node = this.leaf[f | PARENT]
    const recent = s | RECENT | ((key & RECENT_MASK) << 1)
    if (this.side[recent] === key) this.side[recent] = -1
    this.nodeChild[(node << NODE_BITS) | (key & NODE_MASK)] = 0
    this.leaf[f | PARENT] = this.leafFree
    this.leafFree = leaf
    for (let shift = NODE_BITS; --this.nodeSize[node] === 0; shift += NODE_BITS) {
      const parent = this.nodeParent[node]
      this.nodeParent[node] = this.nodeFree
      this.nodeFree = node
      if (parent === 0) {
        this.side[s | ROOT] = 0
        return
      }
      this.nodeChild[(parent << NODE_BITS) | ((key >> shift) & NODE_MASK)] = 0
      node = parent
    }
  }

  private growLeaves(): void {
    const leaves = (this.leaf.length >> LEAF_SHIFT) * 2
    this.level = grownInts(this.level, (leaves << LEAF_BITS) << LEVEL_SHIFT)
    this.quantity = grownFloats(this.quantity, leaves << LEAF_BITS)
    this.leaf = grownInts(this.leaf, leaves << LEAF_SHIFT)
    const queued = new Uint8Array(leaves)
    queued.set(this.leafQueued)
    this.leafQueued = queued
  }

  private growNodes(): void {
    const nodes = this.nodeWord.length * 2
    this.nodeWord = grownInts(this.nodeWord, nodes)
    this.nodeChild = grownInts(this.nodeChild, nodes << NODE_BITS)
    this.nodeParent = grownInts(this.nodeParent, nodes)
    this.nodeSize = grownInts(this.nodeSize, nodes)
  }
}

/** One side of a book, or the stop prices that one direction of the price meets. */
export class BookSide {
  /** `price XOR mirror` is the key of a price. */
  readonly mirror: number
  readonly side: 0 | 1
  readonly instrument: number
  /** Its number among the store's sides. */
  readonly index: number
  private readonly orders: OrderStore
  private readonly levels: LevelStore

  constructor(orders: OrderStore, levels: LevelStore, side: 0 | 1, instrument: number) {
    this.orders = orders
    this.levels = levels
    this.side = side
    this.mirror = side === 0 ? 0 : MIRROR_OF_ASKS
    this.instrument = instrument
    this.index = levels.newSide(side, this)
  }

  /** 0: the side is empty. */
  get bestLevel(): number {
    return this.levels.side[(this.index << SIDE_SHIFT) | BEST_LEVEL]
  }

  /** −1: the side is empty. */
  get bestKey(): number {
    return this.levels.side[(this.index << SIDE_SHIFT) | BEST_KEY]
  }

  /** 0: the side is empty. */
  get bestPrice(): number {
    return this.bestLevel === 0 ? 0 : this.bestKey ^ this.mirror
  }

  add(order: number, price: number): void {
    this.levels.add(this.index, order, price)
  }

  remove(order: number): void {
    this.levels.remove(order)
  }

  reduce(order: number, by: number): void {
    this.levels.reduce(order, by)
  }

  levelAfter(level: number): number {
    return this.levels.levelAfter(level)
  }

  /** Throws unless the tree, the levels and the queues agree. For tests. */
  check(): void {
    const fail = (what: string): never => {
      throw new InvariantViolation(`side ${this.side} of instrument ${this.instrument}: ${what}`)
    }
    const { levels, orders } = this
    let above = 0x7fffffff + 1
    for (let level = this.bestLevel; level !== 0; level = this.levelAfter(level)) {
      const key = levels.keyOf(level)
      if (key >= above) fail('levels are in order of price')
      above = key
      let count = 0
      let quantity = 0
      let previous = 0
      for (let at = levels.level[(level << LEVEL_SHIFT) | HEAD]; at !== 0; at = orders.hot[(at << HOT_SHIFT) | NEXT]) {
        const h = at << HOT_SHIFT
        if (orders.hot[h | LEVEL] !== level) fail('an order knows its level')
        if (orders.hot[h | PREVIOUS] !== previous) fail('the queue is linked both ways')
        if (orders.hot[h | LEAVES] <= 0) fail('an order in a queue has something left')
        previous = at
        count++
        quantity += orders.hot[h | LEAVES]
      }
      if (count === 0) fail('a level in the tree has orders')
      if (levels.level[(level << LEVEL_SHIFT) | TAIL] !== previous) fail('the tail is the last order')
      if (levels.level[(level << LEVEL_SHIFT) | COUNT] !== count) fail('a level counts its orders')
      if (levels.quantity[level] !== quantity) fail('a level sums its orders')
    }
    if (this.bestLevel !== 0 && levels.keyOf(this.bestLevel) !== this.bestKey) fail('the best key is the best level’s')
    const root = levels.side[(this.index << SIDE_SHIFT) | ROOT]
    if (this.bestLevel === 0 && root !== 0 && levels.nodeWord[root] !== 0) fail('an empty side has no levels')
  }
}
