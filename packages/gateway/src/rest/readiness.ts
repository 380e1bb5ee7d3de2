// Whether this region may be given requests, and if not, why: its replicas work and have the venue's state, the venue thread answers, and
// market data is loaded. A shard without a leader is no reason: that is the same in every region, and reads go on.

import { setTimeout as pause } from 'node:timers/promises'
import { type CommandNumber, orderIdOf, type ShardIndex } from '@wintrades/domain'
import type { MarketData } from '@wintrades/marketdata'
import type { Venue } from '@wintrades/venue'
import type { Shards } from './consistency.ts'

const ANSWER_TIMEOUT_MS = 1_000

export class Readiness {
  readonly #venue: Venue
  readonly #shards: Shards
  readonly #marketData: MarketData
  #stopping = false
  #loaded = false

  constructor(venue: Venue, shards: Shards, marketData: MarketData) {
    this.#venue = venue
    this.#shards = shards
    this.#marketData = marketData
  }

  /** From now on nothing new is taken. */
  stop(): void {
    this.#stopping = true
  }

  get stopping(): boolean {
    return this.#stopping
  }

  /** Empty: ready. */
  async reasons(): Promise<string[]> {
    if (this.#stopping) return ['this process is stopping']
    const { shards } = this.#venue.status()
    const known = new Map(shards.map((status) => [status.shard, status]))
    const reasons = await Promise.all(
      this.#shards.all.map(async ({ index, name }) => {
        const status = known.get(index)
        if (status === undefined) return `${name}: its replica has not started`
        if (status.fault !== null) return `${name}: its replica has stopped: ${status.fault}`
        if (status.seq === 0) return `${name}: its replica has nothing yet`
        return (await this.#answers(index)) ? null : `${name}: its replica does not answer`
      }),
    )
    return [...reasons.filter((reason) => reason !== null), ...this.#marketDataReasons()]
  }

  /** Asks for an order that no shard can have: an answer is all that is wanted. */
  async #answers(shard: ShardIndex): Promise<boolean> {
    const noOrder = orderIdOf(shard, 0 as CommandNumber)
    const late = pause(ANSWER_TIMEOUT_MS, false, { ref: false })
    const asked = this.#venue.order(noOrder).then(
      () => true,
      () => false,
    )
    return await Promise.race([asked, late])
  }

  /** Only until it is loaded: a gap that is mended a moment later is no reason to send everybody elsewhere. */
  #marketDataReasons(): string[] {
    if (this.#loaded) return []
    const unready = this.#marketData.unready().map((market) => market.instrument.symbol)
    this.#loaded = unready.length === 0
    return this.#loaded ? [] : [`market data is loading: ${unready.join(', ')}`]
  }
}
