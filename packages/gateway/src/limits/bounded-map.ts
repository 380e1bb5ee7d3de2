// A map that never holds more than it may. What has not been asked for the longest goes first, a generation at a time, so that a
// look-up of a known key allocates nothing.

import { assert } from '@wintrades/domain'

/** Keeps at least the `capacity` keys used last, and at most twice as many. */
export class BoundedMap<Key, Value> {
  readonly #capacity: number
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, 'a bounded map holds at least one entry')
    this.#capacity = capacity
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** Using a key keeps it. */
  get(key: Key): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old === undefined) return undefined
    this.#old.delete(key)
    this.#add(key, old)
    return old
  }

  set(key: Key, value: Value): void {
    this.#old.delete(key)
    this.#add(key, value)
  }

  delete(key: Key): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }

  #add(key: Key, value: Value): void {
    if (this.#young.size >= this.#capacity && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
