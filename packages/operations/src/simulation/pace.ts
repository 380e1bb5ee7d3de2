// When things happen: a budget of operations per second for the whole simulation, and timers of markets that do not beat together.

import { exponential, type Random } from './random.ts'

/** A token bucket in its own time: what is not used is saved up for `burst_seconds`, no longer. */
export class Budget {
  readonly #rate: number
  readonly #saved_max: number
  #saved: number
  #at_seconds: number | null = null

  constructor(operationsPerSecond: number, burst_seconds: number) {
    this.#rate = operationsPerSecond
    this.#saved_max = operationsPerSecond * burst_seconds
    this.#saved = this.#saved_max
  }

  /** Whether anything may be done now; what it then cost is told by `spend`. */
  allows(now_seconds: number): boolean {
    const passed = Math.max(0, now_seconds - (this.#at_seconds ?? now_seconds))
    this.#at_seconds = now_seconds
    this.#saved = Math.min(this.#saved_max, this.#saved + passed * this.#rate)
    return this.#saved > 0
  }

  /** May go below zero: then nothing more is allowed until it has been made up for. */
  spend(operations: number): void {
    this.#saved -= operations
  }
}

/** When something next happens at random times. */
export class RandomTimer {
  readonly #mean_seconds: number
  readonly #random: Random
  #next_seconds: number | null = null

  constructor(mean_seconds: number, random: Random) {
    this.#mean_seconds = mean_seconds
    this.#random = random
  }

  /** True at most once per time; a pause is not caught up on. */
  due(now_seconds: number): boolean {
    const due = this.#next_seconds !== null && now_seconds >= this.#next_seconds
    if (due || this.#next_seconds === null) {
      this.#next_seconds = now_seconds + exponential(this.#random, this.#mean_seconds)
    }
    return due
  }
}

/** When something next happens about every `period_seconds`, the first time within one period. */
export class JitteredTimer {
  readonly #period_seconds: number
  readonly #random: Random
  #next_seconds: number | null = null

  constructor(period_seconds: number, random: Random) {
    this.#period_seconds = period_seconds
    this.#random = random
  }

  due(now_seconds: number): boolean {
    if (this.#next_seconds === null) {
      this.#next_seconds = now_seconds + this.#period_seconds * this.#random()
      return false
    }
    if (now_seconds < this.#next_seconds) return false
    this.#next_seconds = now_seconds + this.#period_seconds * (0.75 + 0.5 * this.#random())
    return true
  }
}
