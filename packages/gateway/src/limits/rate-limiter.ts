// One rate limit for many keys: a token bucket each, kept as a single number (GCRA). Promises at most a period's amount at once and
// the rate on average; a key that is not remembered has a full bucket.

import { assert } from '@wintrades/domain'
import { BoundedMap } from './bounded-map.ts'

export type RateLimiterOptions = {
  /** The bucket holds this many and refills this many in each period. */
  readonly amount: number
  readonly period_ms: number
  /** Keys remembered at least; beyond them those unused for longest are forgotten, which fills their bucket. */
  readonly remembered: number
  readonly now_ms: () => number
}

/** `full_ms`: when the bucket is full again, on the limiter's clock. An object, so that counting allocates nothing. */
type Bucket = { full_ms: number }

export class RateLimiter<Key extends string | number> {
  readonly #amount: number
  readonly #period_ms: number
  readonly #interval_ms: number
  readonly #now_ms: () => number
  readonly #buckets: BoundedMap<Key, Bucket>

  constructor(options: RateLimiterOptions) {
    assert(options.amount > 0 && options.period_ms > 0, 'a rate limit lets something through')
    this.#amount = options.amount
    this.#period_ms = options.period_ms
    this.#interval_ms = options.period_ms / options.amount
    this.#now_ms = options.now_ms
    this.#buckets = new BoundedMap(options.remembered)
  }

  /**
   * Takes `count` and answers 0, or takes nothing and answers how long to wait, in whole milliseconds.
   * More than the bucket holds is let through when the bucket is full, and paid off after: a long batch is never refused forever.
   */
  take(key: Key, count: number): number {
    assert(count >= 0, 'a count is not negative')
    const now_ms = this.#now_ms()
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = { full_ms: now_ms }
      this.#buckets.set(key, bucket)
    }
    const start_ms = Math.max(bucket.full_ms, now_ms)
    const needed = Math.min(count, this.#amount)
    const wait_ms = start_ms + needed * this.#interval_ms - this.#period_ms - now_ms
    // Less than a microsecond is the rounding of sums of fractions, not a wait.
    if (wait_ms > 0.001) return Math.ceil(wait_ms)
    bucket.full_ms = start_ms + count * this.#interval_ms
    return 0
  }
}
