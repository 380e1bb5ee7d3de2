// Whether this process may be given requests, and if not, why: its replicas work and have the venue's state, its links are made, the venue thread
// answers, market data is loaded, and it is not cut off. A shard without a leader is no reason: that is the same in every process, and reads go on.

import { setTimeout as pause } from 'node:timers/promises'
import { type CommandNumber, orderIdOf, type ShardIndex } from '@wintrades/domain'
import type { MarketData } from '@wintrades/marketdata'
import type { Venue, VenueStatus } from '@wintrades/venue'
import type { Shards } from './consistency.ts'

const ANSWER_TIMEOUT_MS = 1_000
/** Right after a start links are waited for; a region that has none by then is not there. */
const LINKS_WAIT_MS = 3_000
/** Seconds of the fastest stream there is; a replica that is farther behind is stuck. */
const BEHIND_BATCHES_MAX = 5_000

export class Readiness {
  readonly #venue: Venue
  readonly #shards: Shards
  readonly #marketData: MarketData
  readonly #since_ms = performance.now()
  #draining = false
  #stopping = false
  #loaded = false
  #linked = false

  constructor(venue: Venue, shards: Shards, marketData: MarketData) {
    this.#venue = venue
    this.#shards = shards
    this.#marketData = marketData
  }

  /** From now on balancers are told to send nobody here any more; who comes is served. */
  drain(): void {
    this.#draining = true
  }

  /** From now on nothing new is taken. */
  stop(): void {
    this.#draining = true
    this.#stopping = true
  }

  get draining(): boolean {
    return this.#draining
  }

  get stopping(): boolean {
    return this.#stopping
  }

  /** Empty: ready. */
  async reasons(): Promise<string[]> {
    if (this.#draining) return ['this process is stopping']
    const { shards, links, isIsolated } = this.#venue.status()
    if (isIsolated)
      return ['this process is cut off from the other regions and the journal, or is catching up after that']
    const known = new Map(shards.map((status) => [status.shard, status]))
    const reasons = await Promise.all(
      this.#shards.all.map(async ({ index, name }) => {
        const status = known.get(index)
        if (status === undefined) return `${name}: its replica has not started`
        if (status.fault !== null) return `${name}: its replica has stopped: ${status.fault}`
        if (status.seq === 0) return `${name}: its replica has nothing yet`
        if (status.behind > BEHIND_BATCHES_MAX) return `${name}: its replica is ${status.behind} batches behind`
        return (await this.#answers(index)) ? null : `${name}: its replica does not answer`
      }),
    )
    return [...reasons.filter((reason) => reason !== null), ...this.#linkReasons(links), ...this.#marketDataReasons()]
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

  /** Only until they were made once: a region that is lost is no reason to send everybody away from the others. */
  #linkReasons(links: VenueStatus['links']): string[] {
    if (this.#linked) return []
    const missing = links.filter(({ region, connected }) => !connected && region !== this.#venue.region)
    this.#linked = missing.length === 0 || performance.now() - this.#since_ms > LINKS_WAIT_MS
    return this.#linked ? [] : [`links are being made: ${missing.map(({ region }) => region).join(', ')}`]
  }

  /** Only until it is loaded: a gap that is mended a moment later is no reason to send everybody elsewhere. */
  #marketDataReasons(): string[] {
    if (this.#loaded) return []
    const unready = this.#marketData.unready().map((market) => market.instrument.symbol)
    this.#loaded = unready.length === 0
    return this.#loaded ? [] : [`market data is loading: ${unready.join(', ')}`]
  }
}
