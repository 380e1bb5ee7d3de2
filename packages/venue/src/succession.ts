// Who comes next: how long a process leaves a free lease to others, and whom a leader gives its own to. Pure. Everybody may claim, and the
// database lets one have it; the order only keeps them from claiming all at once, and the shard at home.

import type { RegionName, Seq, Shard } from '@wintrades/domain'
import type { Lease, VenueProcess } from './ports.ts'
import type { Timing } from './shard-node.ts'

/** What a process sees of the others. */
export type Surroundings = {
  readonly self: VenueProcess
  /** Those with a link; the one whose link is newest is last. */
  readonly linked: readonly VenueProcess[]
  /** There may be other processes in that region. */
  isPeer(region: RegionName): boolean
  /** Nobody listens there. */
  isDeserted(region: RegionName): boolean
}

/**
 * How long a free lease is left to those that come first: the region it was released to, regions earlier in the shard's list, and of the own
 * region whoever stands before this one in an order that is another for each shard. null: never claimed here.
 *
 * `heir`: the process it was released to, if known. `uptime_ms`: right after a start, those that come first may just be starting too.
 */
export function patience_ms(
  shard: Shard,
  lease: Lease,
  around: Surroundings,
  { timing, uptime_ms, heir }: { readonly timing: Timing; readonly uptime_ms: number; readonly heir: number | null },
): number | null {
  const { region, origin } = around.self
  if (!shard.regions.includes(region)) return null
  const inOrder_ms = Math.min(rankOf(shard, around) * timing.siblingStep_ms, timing.claimStep_ms)
  if (lease.holder === null && lease.reservedFor === region) {
    if (heir === origin) return 0
    return heir === null ? inOrder_ms : timing.claimStep_ms + inOrder_ms
  }
  const before = shard.regions.slice(0, shard.regions.indexOf(region)).filter((one) => around.isPeer(one))
  if (before.length === 0 && lease.reservedFor === null) return inOrder_ms
  const grace_ms = Math.max(0, timing.startGrace_ms - uptime_ms)
  const waitedFor = before.filter((one) => mayClaim(one, lease, around)).length
  const reservation_ms = lease.reservedFor === null ? 0 : timing.reservation_ms
  return Math.max(grace_ms, waitedFor * timing.claimStep_ms + reservation_ms) + inOrder_ms
}

/** A region that has lost its leader is waited for only as long as others of it are seen. */
function mayClaim(region: RegionName, { epoch, holder, origin }: Lease, around: Surroundings): boolean {
  if (around.linked.some((one) => one.region === region && one.origin !== origin)) return true
  return !around.isDeserted(region) && (epoch === 0 || region !== holder)
}

function rankOf(shard: Shard, { self, linked }: Surroundings): number {
  const origins = linked.filter(({ region }) => region === self.region).map(({ origin }) => origin)
  const inOrder = [...origins, self.origin].sort((left, right) => left - right)
  return (inOrder.indexOf(self.origin) + shard.index) % inOrder.length
}

/** How far behind a process may be that is given a shard on purpose: it has to read that much before it leads. */
const HEIR_LAG_BATCHES_MAX = 1_000

export type Candidate = { readonly process: VenueProcess; readonly seq: Seq; readonly isLeaving: boolean }

/**
 * Of a region's processes the one to lead next; null: none is far enough. The newest link first: while processes are replaced one after the
 * other, that is one which stays.
 */
export function chooseHeir(candidates: readonly Candidate[], region: RegionName, head: Seq): VenueProcess | null {
  const fit = candidates.filter(
    ({ process, seq, isLeaving }) =>
      process.region === region && !isLeaving && head - seq <= HEIR_LAG_BATCHES_MAX && seq > 0,
  )
  return fit.at(-1)?.process ?? null
}
