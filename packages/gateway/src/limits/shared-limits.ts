// Makes one limit of the limits that each process keeps: a tenth of a second after something was taken from a bucket, it is told, and what
// all processes have taken together is learned. Promises that no request waits for it; that limits are never wider than a process's own;
// and that a burst at several processes at once, which each may let through, is paid off after.

import type { LimitStore, Taken } from './limit-store.ts'
import type { RateLimiter } from './rate-limiter.ts'

type AnyLimiter = Pick<RateLimiter<string | number>, 'period_ms' | 'share' | 'hasDue' | 'usages' | 'learn'>

const TELL_AFTER_MS = 100

export class SharedLimits {
  readonly #store: LimitStore
  readonly #limiters: ReadonlyMap<string, AnyLimiter>
  #timer: NodeJS.Timeout | null = null
  #telling = false
  #closed = false

  /** Limiters by the name of their limit. */
  constructor(store: LimitStore, limiters: Readonly<Record<string, AnyLimiter>>) {
    this.#store = store
    this.#limiters = new Map(Object.entries(limiters))
    for (const limiter of this.#limiters.values()) limiter.share(() => this.#wake())
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  /** Tells what is due and learns the answer. */
  async tell(): Promise<void> {
    const taken = [...this.#limiters].flatMap(([limit, limiter]) =>
      limiter.usages().map(({ key, taken_ms }): Taken => ({ limit, key, taken_ms, period_ms: limiter.period_ms })),
    )
    if (taken.length === 0) return
    const missing = await this.#store.take(taken)
    for (const [index, { limit, key }] of taken.entries()) {
      const missing_ms = missing[index] ?? null
      if (missing_ms !== null) this.#limiters.get(limit)?.learn(key, missing_ms)
    }
  }

  #wake(): void {
    if (this.#timer !== null || this.#telling || this.#closed) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#telling = true
      void this.tell().finally(() => {
        this.#telling = false
        if ([...this.#limiters.values()].some((limiter) => limiter.hasDue)) this.#wake()
      })
    }, TELL_AFTER_MS)
    this.#timer.unref()
  }
}
