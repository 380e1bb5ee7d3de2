// Which operations may be under way together. Each account has a connection of its own, which keeps its order; between connections only
// waiting for an answer does. Promises that whatever the connections' timing, the book comes to the same.

import type { Operation } from './translate.ts'

/** Whether `later` must not be sent before the answer to `earlier` is there. */
export function mustWait(later: Operation, earlier: Operation): boolean {
  // One connection keeps its order, and takes one at a time.
  if (later.account === earlier.account) return false
  if (later.taking || earlier.taking) return true
  if (later.effect !== 'joins') return false
  if (earlier.effect === 'joins') return later.side === earlier.side && later.price === earlier.price
  // What is still leaving on the other side must not be met.
  if (earlier.effect !== 'leaves' || later.side === earlier.side) return false
  return later.side === 'BUY' ? earlier.price <= later.price : earlier.price >= later.price
}

/** Admits operations one by one, each as soon as nothing it must wait for is under way. */
export class Schedule {
  readonly #underWay = new Set<Operation>()
  readonly #underWay_max: number
  #wake: () => void = () => {}

  constructor(underWay_max: number) {
    this.#underWay_max = underWay_max
  }

  get underWay(): number {
    return this.#underWay.size
  }

  async admit(operation: Operation): Promise<void> {
    while (this.#underWay.size >= this.#underWay_max || this.#blocked(operation)) await this.#oneDone()
    this.#underWay.add(operation)
  }

  done(operation: Operation): void {
    this.#underWay.delete(operation)
    this.#wake()
  }

  /** Resolves when nothing is under way. */
  async drain(): Promise<void> {
    while (this.#underWay.size > 0) await this.#oneDone()
  }

  #blocked(operation: Operation): boolean {
    for (const earlier of this.#underWay) if (mustWait(operation, earlier)) return true
    return false
  }

  #oneDone(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
