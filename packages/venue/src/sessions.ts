// Cancel-on-disconnect when a whole gateway process is lost: the leader cancels what the orders of its sessions asked for. A process that
// is merely out of reach counts as lost too: its clients cannot cancel either.

import { CommandType } from '@wintrades/domain'
import { encodeAll, OWN } from './encode.ts'
import type { Clock } from './ports.ts'
import type { ShardNode } from './shard-node.ts'

const LOST_AFTER_MS = 2_000

export class SessionReaper {
  readonly #clock: Clock
  readonly #isAlive: (origin: number) => boolean
  /** Since when an origin with orders here is missing. */
  readonly #missingSince_us = new Map<number, number>()

  constructor(clock: Clock, isAlive: (origin: number) => boolean) {
    this.#clock = clock
    this.#isAlive = isAlive
  }

  reap(nodes: readonly ShardNode[]): void {
    const now_us = this.#clock.now_us()
    const missing = new Set<number>()
    for (const node of nodes) {
      if (!node.leading) continue
      for (const targetOrigin of node.replica.engine.origins()) {
        if (this.#isAlive(targetOrigin)) continue
        missing.add(targetOrigin)
        const since_us = this.#missingSince_us.get(targetOrigin) ?? now_us
        this.#missingSince_us.set(targetOrigin, since_us)
        if (now_us - since_us < LOST_AFTER_MS * 1_000) continue
        const { records, count } = encodeAll([{ ...OWN, type: CommandType.cancel_session, targetOrigin, session: 0 }])
        node.submitOwn(records, count)
      }
    }
    for (const origin of this.#missingSince_us.keys()) if (!missing.has(origin)) this.#missingSince_us.delete(origin)
  }
}
