// A seeded source of chance: the same seed gives the same choices on every machine. Not for secrets.

/** sfc32 by Chris Doty-Humphrey: 128 bits of state, passes PractRand; small and fast in 32-bit arithmetic. */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) | 0
    this.#c = 0x9e3779b9
    for (let i = 0; i < 12; i++) this.next()
  }

  /** An unsigned 32-bit number. */
  next(): number {
    const result = (this.#a + this.#b + this.#counter++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result
    return result >>> 0
  }

  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit)
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  chance(probability: number): boolean {
    return this.next() / 2 ** 32 < probability
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[this.below(items.length)] as Item
  }

  /** Mostly small, sometimes large: how delays on networks and disks are. */
  delay(typical: number, worst: number): number {
    if (this.chance(0.9)) return this.between(1, typical)
    return this.between(typical, worst)
  }
}
