// Whether anybody still renews a lease, as one process sees it: by its own clock, so that a database's clock which was set back does not keep a
// dead leader's lease alive. Pure. A holder that renews moves the end of its lease ahead all the time; one that has ended does not.

import type { Epoch } from '@wintrades/domain'
import type { Lease } from './ports.ts'

/** Parts of the lease's time: how much later an answer may come than another, and how long beyond its time an unrenewed lease is left. */
const JITTER = 1 / 4
const MARGIN = 1 / 3

export class LeaseWatch {
  readonly #ttl_us: number
  /** The end of the lease, by this process's clock, when it was last seen to change. */
  #epoch = -1 as Epoch
  #end_us = 0
  #since_us = 0

  constructor(ttl_ms: number) {
    this.#ttl_us = ttl_ms * 1_000
  }

  /** true: nobody has renewed this lease for longer than it lasts. */
  isAbandoned({ epoch, remaining_ms }: Lease, now_us: number): boolean {
    const end_us = now_us + remaining_ms * 1_000
    if (epoch !== this.#epoch || Math.abs(end_us - this.#end_us) > this.#ttl_us * JITTER) {
      this.#epoch = epoch
      this.#end_us = end_us
      this.#since_us = now_us
      return false
    }
    return now_us - this.#since_us > this.#ttl_us * (1 + MARGIN)
  }
}
