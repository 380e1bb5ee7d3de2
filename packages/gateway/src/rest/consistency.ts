// Where an answer stands: shards by name, waiting for what a client has already seen (`minSeq`), and the headers that say which batch
// an answer speaks of.

import type { Markets, RegionName, Seq, Shard, ShardIndex } from '@wintrades/domain'
import type { Place, ReadOptions } from '@wintrades/marketdata'
import type { Venue } from '@wintrades/venue'
import type { FastifyReply } from 'fastify'
import { ApiFault } from '../errors.ts'

export type ShardFilterValues = { readonly shard?: string; readonly region?: string }
export type ShardSeq = { readonly shard: Shard; readonly seq: number }

/** How long a read waits for the seq that it was asked for. */
export const CATCH_UP_TIMEOUT_MS = 2_000
const RETRY_AFTER_MS = 200

export class Shards {
  readonly #markets: Markets
  readonly #venue: Venue
  readonly #byName: ReadonlyMap<string, Shard>

  constructor(markets: Markets, venue: Venue) {
    this.#markets = markets
    this.#venue = venue
    this.#byName = new Map(markets.shards.map((shard) => [shard.name, shard]))
  }

  get all(): readonly Shard[] {
    return this.#markets.shards
  }

  name(index: ShardIndex): RegionName {
    return (this.#markets.shards[index] as Shard).name
  }

  named(name: string): Shard {
    const shard = this.#byName.get(name)
    if (shard === undefined) throw new ApiFault('SHARD_UNKNOWN', { details: { shards: [...this.#byName.keys()] } })
    return shard
  }

  /** The shard whose home a region is; it bears the region's name. */
  ofRegion(name: string): Shard {
    const shard = this.#byName.get(name)
    if (shard === undefined) throw new ApiFault('REGION_UNKNOWN', { details: { regions: [...this.#byName.keys()] } })
    return shard
  }

  /** Those that a query asks for: all, or the one it names. */
  selected(filter: ShardFilterValues): readonly Shard[] {
    const { shard, region } = filter
    const chosen = [
      ...(shard === undefined ? [] : [this.named(shard)]),
      ...(region === undefined ? [] : [this.ofRegion(region)]),
    ]
    if (chosen.length === 0) return this.all
    return this.all.filter((one) => chosen.every((other) => other === one))
  }

  /**
   * Waits until this region has applied all of `minSeq` (undefined: nothing to wait for). What it answers is for reads of history, so that
   * those too see all of it, in the time that is left.
   */
  async caughtUp(minSeq: string | undefined): Promise<ReadOptions> {
    if (minSeq === undefined) return {}
    const atLeast = minSeq.split(',').map((place): Place => {
      const [name, seq] = place.split(':') as [string, string]
      return { shard: this.named(name).index, seq: Number(seq) as Seq }
    })
    const deadline_ms = performance.now() + CATCH_UP_TIMEOUT_MS
    const applied = await Promise.all(
      atLeast.map(({ shard, seq }) => this.#venue.waitFor(shard, seq, CATCH_UP_TIMEOUT_MS)),
    )
    if (applied.includes(false)) throw notCaughtUp()
    return { atLeast, timeout_ms: Math.max(0, deadline_ms - performance.now()) }
  }

  /** Places that history was read at, for {@link stampMerged}. */
  places(read: readonly Place[]): ShardSeq[] {
    return read.map(({ shard, seq }) => ({ shard: this.#markets.shards[shard] as Shard, seq }))
  }
}

export function notCaughtUp(message?: string): ApiFault {
  return new ApiFault('NOT_CAUGHT_UP', { retryAfter_ms: RETRY_AFTER_MS, ...(message === undefined ? {} : { message }) })
}

/** Of an answer computed at one seq of one shard. */
export function stamp(reply: FastifyReply, shard: string, seq: number): void {
  reply.header('x-wt-shard', shard)
  reply.header('x-wt-seq', String(seq))
}

/** Of an answer merged from several shards: `us-east:1042,eu-west:77`, which can be given back as `minSeq`. */
export function stampMerged(reply: FastifyReply, places: readonly ShardSeq[]): void {
  const [only] = places
  if (only !== undefined && places.length === 1) stamp(reply, only.shard.name, only.seq)
  else reply.header('x-wt-seq', places.map(({ shard, seq }) => `${shard.name}:${seq}`).join(','))
}
