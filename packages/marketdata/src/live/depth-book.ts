// The aggregated levels of one instrument, kept from level_changed events and numbered by their bookVersion: the same
// numbers in every region. Promises that levels, snapshots and updates of one version always agree, and says "gap" rather
// than guess when a version is missing. When updates go out, and to whom, is left to the gateway.

import { assert, type BookView, type Price, type Quantity, Side } from '@wintrades/domain'

/** `[price in ticks, quantity in lots]`; quantity 0 in an update: the level is gone. */
export type DepthLevel = readonly [price: Price, quantity: Quantity]

export type DepthSnapshot = {
  readonly version: number
  /** Best first. */
  readonly bids: readonly DepthLevel[]
  readonly asks: readonly DepthLevel[]
}

/** Everything that changed from `firstVersion` to `lastVersion`, each level once with its latest quantity. */
export type DepthUpdate = {
  readonly firstVersion: number
  readonly lastVersion: number
  readonly bids: readonly DepthLevel[]
  readonly asks: readonly DepthLevel[]
}

/** `needs_view`: the book cannot go on from here; initialise it (again) with a {@link BookView}. */
export type DepthApplied = 'applied' | 'old' | 'waiting' | 'needs_view'

export type DepthBookOptions = {
  /** Level changes remembered for clients that resume; a power of two. */
  readonly changesKept?: number
  /** Level changes that wait for the first view; past it the book starts over with waiting. */
  readonly waitingMax?: number
}

const CHANGES_KEPT = 8_192
const WAITING_MAX = 65_536

type Waiting = { readonly side: Side; readonly price: Price; readonly quantity: Quantity; readonly version: number }

export class DepthBook {
  readonly #bids = new Levels()
  readonly #asks = new Levels()
  readonly #waitingMax: number
  readonly #changedPrices: Int32Array
  readonly #changedSides: Uint8Array
  readonly #mask: number
  readonly #seen = new Set<number>()
  #waiting: Waiting[] = []
  #version = 0
  /** Versions above this one have their change in the ring. */
  #changesAfter = 0
  #ready = false

  constructor(options: DepthBookOptions = {}) {
    const kept = options.changesKept ?? CHANGES_KEPT
    assert(kept > 0 && (kept & (kept - 1)) === 0, 'changesKept is a power of two')
    this.#waitingMax = options.waitingMax ?? WAITING_MAX
    this.#changedPrices = new Int32Array(kept)
    this.#changedSides = new Uint8Array(kept)
    this.#mask = kept - 1
  }

  /** Whether it has been initialised and no version is missing since. */
  get ready(): boolean {
    return this.#ready
  }

  /** The bookVersion that levels, snapshots and updates are at. */
  get version(): number {
    return this.#version
  }

  /** Best price in ticks, or 0 on an empty side. */
  get bestBid(): Price {
    return this.#bids.bestPrice
  }

  get bestAsk(): Price {
    return this.#asks.bestPrice
  }

  get bestBidQuantity(): Quantity {
    return this.#bids.bestQuantity
  }

  get bestAskQuantity(): Quantity {
    return this.#asks.bestQuantity
  }

  /**
   * Starts from a replica's view, which must hold every level. Changes that came meanwhile are applied if they follow it;
   * false: they do not (some were missed), so ask for a newer view.
   */
  initialise(view: BookView): boolean {
    if (this.#ready && view.bookVersion <= this.#version) return true
    this.#bids.clear()
    this.#asks.clear()
    for (const level of view.bids) this.#bids.set(-level.price, level.quantity)
    for (const level of view.asks) this.#asks.set(level.price, level.quantity)
    this.#version = view.bookVersion
    this.#changesAfter = view.bookVersion
    this.#ready = true
    const waiting = this.#waiting
    this.#waiting = []
    for (const change of waiting) {
      const applied = this.apply(change.side, change.price, change.quantity, change.version)
      if (applied === 'needs_view') return false
    }
    return true
  }

  apply(side: Side, price: Price, quantity: Quantity, version: number): DepthApplied {
    if (!this.#ready) return this.#wait(side, price, quantity, version)
    if (version <= this.#version) return 'old'
    if (version !== this.#version + 1) {
      this.#ready = false
      this.#wait(side, price, quantity, version)
      return 'needs_view'
    }
    if (side === Side.buy) this.#bids.set(-price, quantity)
    else this.#asks.set(price, quantity)
    this.#version = version
    this.#changedPrices[version & this.#mask] = price
    this.#changedSides[version & this.#mask] = side
    if (version - this.#changesAfter > this.#mask + 1) this.#changesAfter = version - this.#mask - 1
    return 'applied'
  }

  /** The best `levelsMax` levels of each side. */
  snapshot(levelsMax: number): DepthSnapshot {
    return { version: this.#version, bids: this.#bids.best(levelsMax), asks: this.#asks.best(levelsMax) }
  }

  /**
   * What changed after `version`, conflated; null: nothing did. `'reset'`: too long ago (or ahead of this book), so the
   * client must take a snapshot. Calling it with the last update's `lastVersion` gives updates that follow without gaps.
   */
  updateSince(version: number): DepthUpdate | 'reset' | null {
    if (!this.#ready || version > this.#version || version < this.#changesAfter) return 'reset'
    if (version === this.#version) return null
    const bids: DepthLevel[] = []
    const asks: DepthLevel[] = []
    const seen = this.#seen
    for (let change = version + 1; change <= this.#version; change++) {
      const price = this.#changedPrices[change & this.#mask] as Price
      const side = this.#changedSides[change & this.#mask] as Side
      const key = price * 2 + side
      if (seen.has(key)) continue
      seen.add(key)
      if (side === Side.buy) bids.push([price, this.#bids.quantityAt(-price)])
      else asks.push([price, this.#asks.quantityAt(price)])
    }
    seen.clear()
    return { firstVersion: version + 1, lastVersion: this.#version, bids, asks }
  }

  /** Levels on a side. */
  levelCount(side: Side): number {
    return side === Side.buy ? this.#bids.count : this.#asks.count
  }

  #wait(side: Side, price: Price, quantity: Quantity, version: number): DepthApplied {
    // A view newer than all that waits makes it needless; one in between meets the gap and is asked for again.
    if (this.#waiting.length >= this.#waitingMax) this.#waiting = []
    this.#waiting.push({ side, price, quantity, version })
    return 'waiting'
  }
}

/**
 * One side. Keys are prices signed so that a smaller key is a better price (bids: −price), sorted worst first: the best level is the
 * last entry, so that the changes near the best, by far the most frequent, move the fewest entries.
 */
class Levels {
  #keys = new Int32Array(64)
  #quantities = new Float64Array(64)
  #count = 0

  get count(): number {
    return this.#count
  }

  get bestPrice(): Price {
    return (this.#count === 0 ? 0 : Math.abs(this.#keys[this.#count - 1] as number)) as Price
  }

  get bestQuantity(): Quantity {
    return (this.#count === 0 ? 0 : this.#quantities[this.#count - 1]) as Quantity
  }

  clear(): void {
    this.#count = 0
  }

  set(key: number, quantity: Quantity): void {
    const at = this.#find(key)
    const exists = at < this.#count && this.#keys[at] === key
    if (quantity === 0) {
      if (exists) this.#remove(at)
    } else if (exists) {
      this.#quantities[at] = quantity
    } else {
      this.#insert(at, key, quantity)
    }
  }

  quantityAt(key: number): Quantity {
    const at = this.#find(key)
    return (at < this.#count && this.#keys[at] === key ? this.#quantities[at] : 0) as Quantity
  }

  best(levelsMax: number): DepthLevel[] {
    const levels: DepthLevel[] = []
    const end = Math.max(0, this.#count - levelsMax)
    for (let at = this.#count - 1; at >= end; at--) {
      levels.push([Math.abs(this.#keys[at] as number) as Price, this.#quantities[at] as Quantity])
    }
    return levels
  }

  /** First position whose key is not greater than `key` (keys fall from left to right). */
  #find(key: number): number {
    const keys = this.#keys
    // Most changes are near the best: walk a few entries from there before halving.
    let high = this.#count
    for (let step = 0; step < 4; step++) {
      if (high === 0 || (keys[high - 1] as number) > key) return high
      high--
    }
    let low = 0
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((keys[middle] as number) > key) low = middle + 1
      else high = middle
    }
    return low
  }

  #insert(at: number, key: number, quantity: Quantity): void {
    if (this.#count === this.#keys.length) this.#grow()
    this.#keys.copyWithin(at + 1, at, this.#count)
    this.#quantities.copyWithin(at + 1, at, this.#count)
    this.#keys[at] = key
    this.#quantities[at] = quantity
    this.#count++
  }

  #remove(at: number): void {
    this.#keys.copyWithin(at, at + 1, this.#count)
    this.#quantities.copyWithin(at, at + 1, this.#count)
    this.#count--
  }

  #grow(): void {
    const keys = new Int32Array(this.#keys.length * 2)
    keys.set(this.#keys)
    this.#keys = keys
    const quantities = new Float64Array(this.#quantities.length * 2)
    quantities.set(this.#quantities)
    this.#quantities = quantities
  }
}
