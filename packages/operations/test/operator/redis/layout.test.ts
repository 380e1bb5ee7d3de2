// The layout: against every arrangement that there is, for few nodes; and that what is well is left as it is.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cheapestAssignment } from '../../../src/operator/redis/assignment.ts'
import { type NodeId, SLOTS } from '../../../src/operator/redis/cluster-nodes.ts'
import { layout, type Member, slotMoves } from '../../../src/operator/redis/layout.ts'

const id = (index: number) => index.toString(16).padStart(40, '0') as NodeId

const someMembers = fc
  .array(fc.constantFrom('us-east', 'eu-west', 'asia-pacific'), { minLength: 3, maxLength: 8 })
  .map((regions) => regions.map((region, index): Member => ({ id: id(index), region, slotCount: 0, masterId: null })))

function besideMaster(members: readonly Member[], masterOf: ReadonlyMap<NodeId, NodeId>): number {
  const regionOf = new Map(members.map((one) => [one.id, one.region]))
  return [...masterOf].filter(([replica, master]) => regionOf.get(replica) === regionOf.get(master)).length
}

/** Every way to give each replica a master. */
function* arrangements(replicas: readonly NodeId[], masters: readonly NodeId[]): Generator<Map<NodeId, NodeId>> {
  const [first, ...rest] = replicas
  if (first === undefined) return void (yield new Map())
  for (const arrangement of arrangements(rest, masters)) {
    for (const master of masters) yield new Map([...arrangement, [first, master]])
  }
}

test('a replica is beside its master only where no even arrangement has fewer that are', () => {
  fc.assert(
    fc.property(someMembers, (members) => {
      const { masters, masterOf } = layout(members, 1)
      const isEven = (arrangement: ReadonlyMap<NodeId, NodeId>) => {
        const counts = [...masters].map((master) => [...arrangement.values()].filter((one) => one === master).length)
        return Math.max(...counts) - Math.min(...counts) <= 1
      }
      expect(isEven(masterOf)).toBe(true)
      const least = Math.min(
        ...[...arrangements([...masterOf.keys()], [...masters])]
          .filter(isEven)
          .map((one) => besideMaster(members, one)),
      )
      expect(besideMaster(members, masterOf)).toBe(least)
    }),
  )
})

test('masters are as even over regions as the nodes allow', () => {
  fc.assert(
    fc.property(someMembers, (members) => {
      const { masters } = layout(members, 1)
      const count = (region: string, of: readonly Member[]) => of.filter((one) => one.region === region).length
      const regions = [...new Set(members.map(({ region }) => region))]
      const chosen = members.filter((one) => masters.has(one.id))
      for (const many of regions) {
        for (const few of regions) {
          if (count(many, chosen) - count(few, chosen) <= 1) continue
          expect(count(few, chosen)).toBe(count(few, members))
        }
      }
    }),
  )
})

test('what is well is left as it is', () => {
  fc.assert(
    fc.property(someMembers, (members) => {
      const { masterOf, slotCounts } = layout(members, 1)
      const settled = members.map((one) => ({
        ...one,
        slotCount: slotCounts.get(one.id) ?? 0,
        masterId: masterOf.get(one.id) ?? null,
      }))
      expect(layout(settled, 1)).toEqual({ masters: new Set(slotCounts.keys()), masterOf, slotCounts })
    }),
  )
})

test('as few slots move as must, and each master ends with its count', () => {
  const shares = fc.array(fc.nat(3_000), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(shares, fc.integer({ min: 1, max: 6 }), (cuts, targets) => {
      const owned = new Map<NodeId, number[]>()
      let next = 0
      for (const [index, count] of [...cuts, SLOTS].entries()) {
        const slots = Array.from({ length: Math.min(count, SLOTS - next) }, (_, place) => next + place)
        next += slots.length
        if (slots.length > 0) owned.set(id(index), slots)
      }
      const slotCounts = new Map(
        Array.from({ length: targets }, (_, index) => {
          const each = Math.floor(SLOTS / targets) + (index < SLOTS % targets ? 1 : 0)
          return [id(index), each] as const
        }),
      )
      const moves = slotMoves(owned, slotCounts)
      const after = new Map([...owned].map(([owner, slots]) => [owner, new Set(slots)]))
      let untrue = 0
      for (const { from, to, slots } of moves) {
        for (const slot of slots) {
          if (after.get(from)?.delete(slot) !== true) untrue += 1
          after.set(to, (after.get(to) ?? new Set()).add(slot))
        }
      }
      expect(untrue).toBe(0)
      for (const [owner, slots] of after) expect(slots.size).toBe(slotCounts.get(owner) ?? 0)
      const must = [...owned].reduce(
        (sum, [owner, { length }]) => sum + Math.max(0, length - (slotCounts.get(owner) ?? 0)),
        0,
      )
      expect(moves.reduce((sum, { slots }) => sum + slots.length, 0)).toBe(must)
    }),
    { numRuns: 30 },
  )
})

test('the assignment is the cheapest there is', () => {
  const costs = fc.integer({ min: 1, max: 5 }).chain((rows) =>
    fc.integer({ min: rows, max: 6 }).chain((columns) =>
      fc.array(fc.array(fc.nat(50), { minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      }),
    ),
  )
  const cheapest = (rows: readonly (readonly number[])[], taken: ReadonlySet<number>): number => {
    const [first, ...rest] = rows
    if (first === undefined) return 0
    return Math.min(
      ...first.map((cost, column) =>
        taken.has(column) ? Number.POSITIVE_INFINITY : cost + cheapest(rest, new Set([...taken, column])),
      ),
    )
  }
  fc.assert(
    fc.property(costs, (rows) => {
      const chosen = cheapestAssignment(rows)
      expect(new Set(chosen).size).toBe(rows.length)
      const cost = chosen.reduce((sum, column, row) => sum + ((rows[row] as number[])[column] as number), 0)
      expect(cost).toBe(cheapest(rows, new Set()))
    }),
  )
})
