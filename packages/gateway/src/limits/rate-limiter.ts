// One rate limit for many keys: a token bucket each, kept as a single number (GCRA). Promises at most a period's amount at once and
// the rate on average; a key that is not remembered has a full bucket. What other processes took from the same bucket can be learned.

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

/**
 * `full_ms`: when the bucket is full again, on the limiter's clock. `untold_ms`: what of that the other processes have not been told.
 * An object, so that counting allocates nothing.
 */
type Bucket = { full_ms: number; untold_ms: number; due: boolean }

/** What was taken here from a key's bucket since it was last told of: the time that it takes to refill. */
export type Usage<Key> = { readonly key: Key; readonly taken_ms: number }

/** A bucket from which less than this share is missing is told to nobody: most keys never come near their limit. */
const TOLD_SHARE = 1 / 20
/** Less than this is the rounding of sums of fractions, not a wait: nobody is told to wait a whole millisecond for it. */
const ROUNDING_MS = 0.001
/** Keys waiting to be told of; more of them are only counted here. */
const DUE_MAX = 4_096

export class RateLimiter<Key extends string | number> {
  readonly period_ms: number
  readonly #amount: number
  readonly #interval_ms: number
  readonly #now_ms: () => number
  readonly #buckets: BoundedMap<Key, Bucket>
  #due: Key[] = []
  #onDue: (() => void) | null = null

  constructor(options: RateLimiterOptions) {
    assert(options.amount > 0 && options.period_ms > 0, 'a rate limit lets something through')
    this.#amount = options.amount
    this.period_ms = options.period_ms
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
      bucket = { full_ms: now_ms, untold_ms: 0, due: false }
      this.#buckets.set(key, bucket)
    }
    const start_ms = Math.max(bucket.full_ms, now_ms)
    const needed = Math.min(count, this.#amount)
    const wait_ms = start_ms + needed * this.#interval_ms - this.period_ms - now_ms
    if (wait_ms > ROUNDING_MS) return Math.ceil(wait_ms - ROUNDING_MS)
    const taken_ms = count * this.#interval_ms
    if (this.#onDue !== null) bucket.untold_ms = Math.min(bucket.untold_ms, start_ms - now_ms) + taken_ms
    bucket.full_ms = start_ms + taken_ms
    if (this.#onDue !== null && !bucket.due) this.#note(key, bucket, now_ms)
    return 0
  }

  /** From now on `onDue` is called when the first key has something to tell. */
  share(onDue: () => void): void {
    this.#onDue = onDue
  }

  get hasDue(): boolean {
    return this.#due.length > 0
  }

  /** What there is to tell; it counts as told, whether it arrives or not. */
  usages(): Usage<Key>[] {
    const now_ms = this.#now_ms()
    const due = this.#due
    this.#due = []
    return due.flatMap((key) => {
      const bucket = this.#buckets.get(key)
      if (bucket === undefined) return []
      // What has refilled meanwhile is nobody's business any more.
      const taken_ms = Math.min(bucket.untold_ms, Math.max(0, bucket.full_ms - now_ms))
      bucket.untold_ms = 0
      bucket.due = false
      return taken_ms > 0 ? [{ key, taken_ms }] : []
    })
  }

  /** All processes together have taken this much. Only ever takes away: nothing learned makes a limit wider. */
  learn(key: Key, taken_ms: number): void {
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return
    const now_ms = this.#now_ms()
    const untold_ms = Math.min(bucket.untold_ms, Math.max(0, bucket.full_ms - now_ms))
    bucket.full_ms = Math.max(bucket.full_ms, now_ms + taken_ms + untold_ms)
  }

  #note(key: Key, bucket: Bucket, now_ms: number): void {
    if (bucket.full_ms - now_ms < this.period_ms * TOLD_SHARE || this.#due.length >= DUE_MAX) return
    bucket.due = true
    this.#due.push(key)
    if (this.#due.length === 1) this.#onDue?.()
  }
}
