// Partitions are there before they are needed and gone when they are old, and never because of a wrong clock.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Partition, type PartitionPolicy, planPartitions } from '../src/history/partitions.ts'

const POLICY: PartitionPolicy = { days: 7, ahead_days: 14, retention_days: 100 }
const REST: Partition = { name: 'rest', below: null }
/** A multiple of 7, for plain numbers. */
const DAY = 20_790

/** The partitions after a plan. */
function applied(existing: readonly Partition[], today: number, newest: number | null, policy = POLICY): Partition[] {
  let partitions = [...existing]
  for (const step of planPartitions(existing, policy, today, newest)) {
    if (step.kind === 'make') {
      expect(partitions.at(-1)).toEqual(REST)
      partitions = [...partitions.slice(0, -1), ...step.partitions, REST]
    } else {
      for (const name of step.names) expect(partitions.map((one) => one.name)).toContain(name)
      partitions = partitions.filter((one) => !step.names.includes(one.name))
    }
  }
  return partitions
}

test('a new table gets the present partition and those ahead', () => {
  expect(planPartitions([REST], POLICY, DAY + 3, null)).toEqual([
    {
      kind: 'make',
      partitions: [
        { name: 'p20261210', below: DAY + 7 },
        { name: 'p20261217', below: DAY + 14 },
        { name: 'p20261224', below: DAY + 21 },
      ],
    },
  ])
})

test('nothing is to be done twice', () => {
  const once = applied([REST], DAY, DAY)
  expect(planPartitions(once, POLICY, DAY, DAY)).toEqual([])
  expect(planPartitions(once, POLICY, DAY + 1, DAY + 1)).toEqual([])
})

test('after weeks off, what is missing is made in one go', () => {
  const before = applied([REST], DAY, DAY)
  const after = applied(before, DAY + 60, DAY + 60)
  expect(after.at(-2)?.below).toBeGreaterThan(DAY + 60 + POLICY.ahead_days)
  expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1))
})

test('what is old by the clock and by the history is dropped, and nothing by a clock alone', () => {
  const partitions = applied([REST], DAY, DAY)
  const [oldest] = partitions
  const [make, drop] = planPartitions(partitions, POLICY, DAY + 107, DAY + 107)
  expect(make?.kind).toBe('make')
  expect(drop).toEqual({ kind: 'drop', names: [oldest?.name] })
  for (const [today, newest] of [
    [DAY + 5_000, DAY],
    [DAY, DAY + 5_000],
    [DAY + 5_000, null],
  ] as const) {
    expect(planPartitions(partitions, POLICY, today, newest).filter((step) => step.kind === 'drop')).toEqual([])
  }
  const forever = { ...POLICY, retention_days: null }
  expect(planPartitions(partitions, forever, DAY + 5_000, DAY + 5_000).map((step) => step.kind)).toEqual(['make'])
})

test('whenever it runs, bounds rise, rest is last, every day to come has a place, and what is kept stays', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 30 }), (gaps) => {
      let partitions: Partition[] = [REST]
      let today = DAY
      for (const gap of gaps) {
        today += gap
        const before = partitions
        partitions = applied(before, today, today)
        const bounds = partitions.slice(0, -1).map((one) => one.below as number)
        expect(partitions.at(-1)).toEqual(REST)
        expect(bounds).toEqual([...new Set(bounds)].sort((a, b) => a - b))
        expect(bounds.at(-1)).toBeGreaterThan(today + POLICY.ahead_days)
        const young = before.filter((one) => one.below !== null && one.below > today - 100)
        expect(partitions).toEqual(expect.arrayContaining(young))
        expect(bounds.length).toBeGreaterThan(0)
      }
    }),
    { numRuns: 30 },
  )
})
