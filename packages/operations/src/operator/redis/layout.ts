// How the cluster should look: which nodes are masters, whose replica each other node is, how many slots each master has. Pure. Promises
// masters spread over regions; a replica in another region than its master wherever there is one to be had; slots equal within one; and as
// little change to what is there as that allows.

import { assert } from '@wintrades/domain'
import { cheapestAssignment } from './assignment.ts'
import { type NodeId, SLOTS } from './cluster-nodes.ts'

export type Member = {
  readonly id: NodeId
  readonly region: string
  readonly slotCount: number
  /** Of a replica. */
  readonly masterId: NodeId | null
}

export type Layout = {
  readonly masters: ReadonlySet<NodeId>
  /** Replica → its master. */
  readonly masterOf: ReadonlyMap<NodeId, NodeId>
  /** Master → how many slots it should have. */
  readonly slotCounts: ReadonlyMap<NodeId, number>
}

/** Redis Cluster decides by majority of its masters. */
export const MASTERS_MIN = 3

export function masterCount(nodeCount: number, replicasPerMaster: number): number {
  const wanted = Math.floor(nodeCount / (1 + replicasPerMaster))
  return Math.min(nodeCount, Math.max(wanted, MASTERS_MIN))
}

export function layout(members: readonly Member[], replicasPerMaster: number): Layout {
  assert(members.length > 0, 'a cluster has a node')
  const masters = chooseMasters(members, masterCount(members.length, replicasPerMaster))
  const chosen = new Set(masters.map(({ id }) => id))
  const others = members.filter(({ id }) => !chosen.has(id))
  return { masters: chosen, masterOf: placeReplicas(masters, others), slotCounts: shareSlots(masters) }
}

/**
 * Begins with those that have the most slots and makes the best exchange of one for another as long as there is one. The unevenness over
 * regions is convex in such exchanges, so that it ends as small as it can be.
 */
function chooseMasters(members: readonly Member[], count: number): readonly Member[] {
  const sorted = [...members].sort((one, other) => other.slotCount - one.slotCount || (one.id < other.id ? -1 : 1))
  let best = { masters: sorted.slice(0, count), cost: costOf(sorted.slice(0, count), sorted) }
  for (;;) {
    const { masters, cost } = best
    for (const coming of sorted) {
      if (masters.includes(coming)) continue
      for (const index of masters.keys()) {
        const exchanged = masters.with(index, coming)
        const exchangedCost = costOf(exchanged, sorted)
        if (exchangedCost < best.cost) best = { masters: exchanged, cost: exchangedCost }
      }
    }
    if (best.cost === cost) return masters
  }
}

/** Regions first; then each slot that must be migrated; then each replica that must be emptied to become a master. */
const MASTER_COST = { uneven: 1_000_000, empty: 10, fromReplica: 1 } as const

function costOf(masters: readonly Member[], members: readonly Member[]): number {
  const perRegion = new Map<string, number>()
  for (const { region } of masters) perRegion.set(region, (perRegion.get(region) ?? 0) + 1)
  const uneven = [...perRegion.values()].reduce((sum, count) => sum + count * count, 0)
  const chosen = new Set(masters.map(({ id }) => id))
  // A replica takes over from its master without moving a key, if that does not stay a master.
  const inherited = new Set<NodeId>()
  let change = 0
  for (const { slotCount, masterId } of masters) {
    if (slotCount > 0 || masterId === null) continue
    if (chosen.has(masterId) || inherited.has(masterId)) change += MASTER_COST.empty
    else change += MASTER_COST.fromReplica
    inherited.add(masterId)
  }
  const migrated = members.reduce(
    (sum, { id, slotCount }) => (chosen.has(id) || inherited.has(id) ? sum : sum + slotCount),
    0,
  )
  return uneven * MASTER_COST.uneven + migrated + change
}

/** A master without its share of replicas is worse than any number of replicas beside their masters, and that than any number of moves. */
const COST = { uneven: 1_000_000, besideMaster: 1_000, move: 1 } as const

function placeReplicas(masters: readonly Member[], replicas: readonly Member[]): Map<NodeId, NodeId> {
  if (replicas.length === 0) return new Map()
  const each = Math.floor(replicas.length / masters.length)
  const seats = masters.flatMap((master) =>
    Array.from({ length: each + 1 }, (_, place) => ({ master, isExtra: place === each })),
  )
  const costs = replicas.map((replica) =>
    seats.map(
      ({ master, isExtra }) =>
        (isExtra ? COST.uneven : 0) +
        (master.region === replica.region ? COST.besideMaster : 0) +
        (master.id === replica.masterId ? 0 : COST.move),
    ),
  )
  const seatOf = cheapestAssignment(costs)
  return new Map(
    replicas.map((replica, index) => [
      replica.id,
      (seats[seatOf[index] as number] as (typeof seats)[number]).master.id,
    ]),
  )
}

/** Who has the most already gets one more of what does not divide. */
function shareSlots(masters: readonly Member[]): Map<NodeId, number> {
  const each = Math.floor(SLOTS / masters.length)
  const rest = SLOTS % masters.length
  const byCount = [...masters].sort((one, other) => other.slotCount - one.slotCount || (one.id < other.id ? -1 : 1))
  return new Map(byCount.map(({ id }, index) => [id, index < rest ? each + 1 : each]))
}

export type SlotMove = { readonly from: NodeId; readonly to: NodeId; readonly slots: readonly number[] }

/** As few slots as possible change hands. `owned`: every slot that has an owner, by owner, masters or not. */
export function slotMoves(
  owned: ReadonlyMap<NodeId, readonly number[]>,
  slotCounts: ReadonlyMap<NodeId, number>,
): SlotMove[] {
  const surplus = [...owned].flatMap(([from, slots]) => {
    const kept = slotCounts.get(from) ?? 0
    return slots.length > kept ? [{ from, slots: slots.slice(kept) }] : []
  })
  const moves: SlotMove[] = []
  for (const [to, count] of slotCounts) {
    let missing = count - (owned.get(to)?.length ?? 0)
    while (missing > 0 && surplus.length > 0) {
      const giver = surplus[0] as { from: NodeId; slots: number[] }
      const slots = giver.slots.splice(0, missing)
      moves.push({ from: giver.from, to, slots })
      missing -= slots.length
      if (giver.slots.length === 0) surplus.shift()
    }
  }
  return moves
}
