// Transfers between shards: those that left and are not yet known to have arrived, and how many arrived from each shard.
// One counter per pair of shards makes a transfer exactly-once for ever: number n is taken only after n − 1, and only once.

import { LIMITS, type TransferInFlight } from '@wintrades/domain'

/** Transfers to one shard that may be in flight; past it new ones are refused. */
export const IN_FLIGHT_MAX = 65_536

export class Transfers {
  /** Last number taken from each shard, last number given to each shard, last number that each shard is known to have. */
  readonly received = new Float64Array(LIMITS.shards_max)
  readonly sent = new Float64Array(LIMITS.shards_max)
  readonly settled = new Float64Array(LIMITS.shards_max)
  /** Oldest first, per shard. */
  readonly inFlight: TransferInFlight[][] = Array.from({ length: LIMITS.shards_max }, () => [])

  /** Forgets the transfers to a shard up to `number`. */
  settle(toShard: number, number: number): void {
    if (number <= this.settled[toShard]) return
    this.inFlight[toShard].splice(0, number - this.settled[toShard])
    this.settled[toShard] = number
  }
}
