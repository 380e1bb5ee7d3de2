// Price levels of a shard's books, in one pool, and `BookSide`: one side's levels in order of price, each a first-in-first-out
// queue of orders. Any price from 1 to 2^31 − 1 works: a side is a radix tree whose leaves hold 16 neighbouring levels, so
// levels that are used together lie together and an empty side takes nothing.
// Asks are kept mirrored (`price XOR 2^31 − 1`): on both sides the best level is the one with the largest key.

import { InvariantViolation } from '@wintrades/domain'
import { LEVEL_LAYOUT, ORDER_LAYOUT } from './layouts.ts'
import { grownFloats, grownInts, type OrderStore } from './order-store.ts'

const { LEVEL_SHIFT, HEAD, TAIL, COUNT } = LEVEL_LAYOUT
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
/** Leaves that a side finds without walking down from its root: as many neighbours (1,024 prices), or others that do not clash. */
const RECENT_LEAVES = 64
/** Empty leaves are left in place, for they are often needed again, until this many wait. */
const EMPTY_LEAVES_MAX = 64

/** `price XOR mirror` of each side. */
const MIRRORS = [0, 0x7fffffff] as const

export class LevelStore {
  level: Int32Array
  /** Displayed quantity of each level. */
  quantity: Float64Array
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
  private leafUsed = 1
  private leafFree = 0
  private nodeUsed = 1
  private nodeFree = 0
  private emptyLeaves = new Int32Array(EMPTY_LEAVES_MAX * 2)
  private emptyCount = 0
  private leafQueued: Uint8Array

  constructor(leaves = 64, nodes = 64) {
    this.level = new Int32Array((leaves << LEAF_BITS) << LEVEL_SHIFT)
    this.quantity = new Float64Array(leaves << LEAF_BITS)
    this.leaf = new Int32Array(leaves << LEAF_SHIFT)
    this.leaf[KEY] = -1
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

  touch(level: number): void {
    const mark = (level << LEVEL_SHIFT) | MARK
    if (this.level[mark] === this.stamp) return
    this.level[mark] = this.stamp
    if (this.touchedCount === this.touched.length) this.touched = grownInts(this.touched, this.touchedCount * 2)
    this.touched[this.touchedCount++] = level
  }

  /** Ends a command: forgets what was touched and takes back leaves that stayed empty. */
  endCommand(): void {
    this.touchedCount = 0
    this.stamp++
    if (this.stamp > STAMP_MAX) this.restamp()
    if (this.emptyCount >= EMPTY_LEAVES_MAX) this.reclaim()
  }

  private restamp(): void {
    this.stamp = 1
    for (let mark = MARK; mark < this.level.length; mark += 1 << LEVEL_SHIFT) this.level[mark] = 0
  }

  newLeaf(key: number, parent: number, side: number): number {
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

  newNode(parent: number): number {
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

  leafEmptied(leaf: number): void {
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
    const side = this.sides[this.leaf[f | SIDE]]
    const key = this.leaf[f | KEY]
    let node = this.leaf[f | PARENT]
    side.forget(leaf, key)
    this.nodeChild[(node << NODE_BITS) | (key & NODE_MASK)] = 0
    this.leaf[f | PARENT] = this.leafFree
    this.leafFree = leaf
    for (let shift = NODE_BITS; --this.nodeSize[node] === 0; shift += NODE_BITS) {
      const parent = this.nodeParent[node]
      this.nodeParent[node] = this.nodeFree
      this.nodeFree = node
      if (parent === 0) {
        side.root = 0
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

export class BookSide {
  /** The best level, and its key; 0 and −1: the side is empty. */
  bestLevel = 0
  bestKey = -1
  readonly mirror: number
  readonly side: number
  readonly instrument: number
  /** Position among the store's sides. */
  readonly index: number
  /** @internal root node of the tree; 0: none. */
  root = 0
  private readonly orders: OrderStore
  private readonly levels: LevelStore
  /** Leaves lately walked to, each where the low bits of its key say; 0: none. */
  private readonly recent = new Int32Array(RECENT_LEAVES)

  constructor(orders: OrderStore, levels: LevelStore, side: 0 | 1, instrument: number) {
    this.orders = orders
    this.levels = levels
    this.side = side
    this.mirror = MIRRORS[side]
    this.instrument = instrument
    this.index = levels.sides.length
    levels.sides.push(this)
  }

  get bestPrice(): number {
    return this.bestLevel === 0 ? 0 : this.bestKey ^ this.mirror
  }

  /** Puts an order at the end of the queue at `price`. */
  add(order: number, price: number): void {
    const key = price ^ this.mirror
    const level = this.levelAt(key)
    const levels = this.levels
    const hot = this.orders.hot
    const h = order << HOT_SHIFT
    const l = level << LEVEL_SHIFT
    const data = levels.level
    const tail = data[l | TAIL]
    hot[h | NEXT] = 0
    hot[h | PREVIOUS] = tail
    hot[h | LEVEL] = level
    data[l | TAIL] = order
    data[l | COUNT]++
    levels.quantity[level] += hot[h | LEAVES]
    levels.touch(level)
    if (tail !== 0) hot[(tail << HOT_SHIFT) | NEXT] = order
    else {
      data[l | HEAD] = order
      this.occupy(level, key)
    }
  }

  /** Takes an order out of its queue. */
  remove(order: number): void {
    const levels = this.levels
    const hot = this.orders.hot
    const h = order << HOT_SHIFT
    const level = hot[h | LEVEL]
    const l = level << LEVEL_SHIFT
    const data = levels.level
    const next = hot[h | NEXT]
    const previous = hot[h | PREVIOUS]
    levels.quantity[level] -= hot[h | LEAVES]
    levels.touch(level)
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
    this.levels.quantity[level] -= by
    this.levels.touch(level)
  }

  /** The next worse level that has orders; 0: none. Walks the tree: for views and look-ahead, not for matching. */
  levelAfter(level: number): number {
    const levels = this.levels
    const leaf = level >> LEAF_BITS
    const f = leaf << LEAF_SHIFT
    const worse = levels.leaf[f | WORD] & ((1 << (level & LEAF_MASK)) - 1)
    if (worse !== 0) return (leaf << LEAF_BITS) | (31 - Math.clz32(worse))
    const key = levels.leaf[f | KEY]
    let node = levels.leaf[f | PARENT]
    for (let shift = 0; node !== 0; shift += NODE_BITS) {
      const word = levels.nodeWord[node] & ((1 << ((key >> shift) & NODE_MASK)) - 1)
      if (word !== 0) return this.descend(levels.nodeChild[(node << NODE_BITS) | (31 - Math.clz32(word))], shift)
      node = levels.nodeParent[node]
    }
    return 0
  }

  /** @internal A leaf is taken back. */
  forget(leaf: number, leafKey: number): void {
    const at = leafKey & (RECENT_LEAVES - 1)
    if (this.recent[at] === leaf) this.recent[at] = 0
  }

  /** @internal A level has lost its last order. */
  vacate(level: number): void {
    const { leaf } = this.levels
    const w = ((level >> LEAF_BITS) << LEAF_SHIFT) | WORD
    const word = leaf[w] & ~(1 << (level & LEAF_MASK))
    leaf[w] = word
    if (word === 0) this.vacateLeaf(level >> LEAF_BITS)
    if (level !== this.bestLevel) return
    if (word !== 0) {
      const place = 31 - Math.clz32(word)
      this.bestLevel = (level & ~LEAF_MASK) | place
      this.bestKey = (this.bestKey & ~LEAF_MASK) | place
      return
    }
    this.bestLevel = this.highestBelow(level >> LEAF_BITS)
    this.bestKey = this.bestLevel === 0 ? -1 : this.levels.keyOf(this.bestLevel)
  }

  private vacateLeaf(leaf: number): void {
    const levels = this.levels
    const key = levels.leaf[(leaf << LEAF_SHIFT) | KEY]
    let node = levels.leaf[(leaf << LEAF_SHIFT) | PARENT]
    for (let shift = 0; node !== 0; shift += NODE_BITS) {
      const word = levels.nodeWord[node] & ~(1 << ((key >> shift) & NODE_MASK))
      levels.nodeWord[node] = word
      if (word !== 0) break
      node = levels.nodeParent[node]
    }
    levels.leafEmptied(leaf)
  }

  /** The best level of the side, when the best leaf has become empty: climbs to the first node that has another. */
  private highestBelow(leaf: number): number {
    const levels = this.levels
    let node = levels.leaf[(leaf << LEAF_SHIFT) | PARENT]
    let shift = 0
    while (node !== 0 && levels.nodeWord[node] === 0) {
      node = levels.nodeParent[node]
      shift += NODE_BITS
    }
    if (node === 0) return 0
    return this.descend(levels.nodeChild[(node << NODE_BITS) | (31 - Math.clz32(levels.nodeWord[node]))], shift)
  }

  private descend(child: number, childOfShift: number): number {
    const levels = this.levels
    let at = child
    for (let shift = childOfShift; shift > 0; shift -= NODE_BITS) {
      at = levels.nodeChild[(at << NODE_BITS) | (31 - Math.clz32(levels.nodeWord[at]))]
    }
    return (at << LEAF_BITS) | (31 - Math.clz32(levels.leaf[(at << LEAF_SHIFT) | WORD]))
  }

  private occupy(level: number, key: number): void {
    const { leaf } = this.levels
    const w = ((level >> LEAF_BITS) << LEAF_SHIFT) | WORD
    const word = leaf[w]
    leaf[w] = word | (1 << (level & LEAF_MASK))
    if (word === 0) this.occupyLeaf(level >> LEAF_BITS)
    if (key > this.bestKey) {
      this.bestKey = key
      this.bestLevel = level
    }
  }

  private occupyLeaf(leaf: number): void {
    const levels = this.levels
    const key = levels.leaf[(leaf << LEAF_SHIFT) | KEY]
    let node = levels.leaf[(leaf << LEAF_SHIFT) | PARENT]
    for (let shift = 0; node !== 0; shift += NODE_BITS) {
      const word = levels.nodeWord[node]
      levels.nodeWord[node] = word | (1 << ((key >> shift) & NODE_MASK))
      if (word !== 0) break
      node = levels.nodeParent[node]
    }
  }

  /** The level of a key, made if it is not there. */
  private levelAt(key: number): number {
    const leafKey = key >> LEAF_BITS
    const leaf = this.recent[leafKey & (RECENT_LEAVES - 1)]
    if (this.levels.leaf[(leaf << LEAF_SHIFT) | KEY] !== leafKey) return this.makeLevel(key)
    return (leaf << LEAF_BITS) | (key & LEAF_MASK)
  }

  private makeLevel(key: number): number {
    const levels = this.levels
    const leafKey = key >> LEAF_BITS
    if (this.root === 0) this.root = levels.newNode(0)
    let node = this.root
    for (let shift = ROOT_SHIFT; shift > 0; shift -= NODE_BITS) {
      const at = (node << NODE_BITS) | ((leafKey >> shift) & NODE_MASK)
      let child = levels.nodeChild[at]
      if (child === 0) {
        child = levels.newNode(node)
        levels.nodeChild[at] = child
        levels.nodeSize[node]++
      }
      node = child
    }
    const at = (node << NODE_BITS) | (leafKey & NODE_MASK)
    let leaf = levels.nodeChild[at]
    if (leaf === 0) {
      leaf = levels.newLeaf(leafKey, node, this.index)
      levels.nodeChild[at] = leaf
      levels.nodeSize[node]++
    }
    this.recent[leafKey & (RECENT_LEAVES - 1)] = leaf
    return (leaf << LEAF_BITS) | (key & LEAF_MASK)
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
    if (this.bestLevel === 0 && this.root !== 0 && levels.nodeWord[this.root] !== 0) fail('an empty side has no levels')
  }
}
