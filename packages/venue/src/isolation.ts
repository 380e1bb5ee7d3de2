// Whether a process is cut off from the rest of the platform, as far as it can tell: no other region has a link to it, and the journal has not answered
// for a while. Pure. What such a process takes it cannot carry out, while others can; and once it is connected again it still has to learn who leads and
// what it has missed. With links and no journal it is not alone: then nobody can trade. Nor with the journal and no links: then it is all there is left.

import type { Timestamp } from '@wintrades/domain'

export type Connections = {
  /** Other regions with a link. */
  readonly regions: number
  /** When the journal of every shard had answered, by this process's clock. */
  readonly journalAnsweredAt_us: Timestamp
  /** Who leads every shard is known, and can be sent commands. */
  readonly areLeadersKnown: boolean
}

export class Isolation {
  readonly #silence_us: number
  /** Since when; null: it is not. */
  #since_us: Timestamp | null = null

  /** `silence_ms`: how long the journal may leave a process without an answer. */
  constructor(silence_ms: number) {
    this.#silence_us = silence_ms * 1_000
  }

  get isIsolated(): boolean {
    return this.#since_us !== null
  }

  /** true: that has changed. */
  look({ regions, journalAnsweredAt_us, areLeadersKnown }: Connections, now_us: Timestamp): boolean {
    if (this.#since_us === null) {
      if (regions > 0 || now_us - journalAnsweredAt_us <= this.#silence_us) return false
      this.#since_us = now_us
      return true
    }
    if (journalAnsweredAt_us <= this.#since_us || !areLeadersKnown) return false
    this.#since_us = null
    return true
  }
}
