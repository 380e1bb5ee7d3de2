// The promoter in the model: whatever happens when, no acknowledged commit is lost, never can two primaries acknowledge, and when the
// faults end there is a primary again. The same runs with a rule broken show that a broken rule is noticed.
// Every pair of events takes a minute; CI has it.

import { describe, expect, it } from 'vitest'
import type { PlantedFaults } from './faults.ts'
import { run } from './random-run.ts'
import { explore } from './rounds.ts'
import { SCENARIOS } from './scenarios.ts'
import { Violation } from './world.ts'

const STEPS = 400

describe('seeded runs', () => {
  it('hold what is promised', () => {
    const total = { acknowledged: 0, opened: 0, cloned: 0, killed: 0, refusedAtEnd: 0 }
    const seeds = 5_000
    for (let seed = 0; seed < seeds; seed += 1) {
      const { world, end } = run({ seed, steps: STEPS })
      total.acknowledged += world.counts.acknowledged
      total.opened += world.counts.opened
      total.cloned += world.counts.cloned
      total.killed += world.counts.killed
      if (end === 'refused') total.refusedAtEnd += 1
    }
    // A run in which nothing happens would hold anything.
    expect(total.acknowledged).toBeGreaterThan(seeds * 5)
    expect(total.opened).toBeGreaterThan(seeds)
    expect(total.cloned).toBeGreaterThan(seeds / 4)
    expect(total.killed).toBeGreaterThan(0)
    // To refuse is right where the two voters left diverge; it must not become the way out.
    expect(total.refusedAtEnd).toBeLessThan(seeds * 0.05)
  })

  it.each<[keyof PlantedFaults, number]>([
    ['skipFence', 300],
    ['setsBeforeFence', 300],
    ['attachUnchecked', 300],
    ['openWithoutSemiSync', 300],
    ['readerAcknowledges', 300],
    ['wipedVotes', 300],
  ])('notice %s', (fault, seeds) => {
    const attempt = () => {
      for (let seed = 0; seed < seeds; seed += 1) run({ seed, steps: STEPS, faults: { [fault]: true } })
    }
    expect(attempt).toThrow(Violation)
  })

  it('notice that terms are ignored', () => {
    expect(() => run({ seed: IGNORED_TERM_SEED, steps: STEPS })).not.toThrow()
    expect(() => run({ seed: IGNORED_TERM_SEED, steps: STEPS, faults: { ignoreTerm: true } })).toThrow(Violation)
  })
})

/** The late attach of an operator that went on without the server that it is for. */
const IGNORED_TERM_SEED = 1_445

describe('every two events at every two positions', () => {
  it.each(Object.entries(SCENARIOS))('%s', (_name, scenario) => {
    const explored = explore({ ...scenario, depth: 2 })
    expect(explored.runs).toBeGreaterThan(10_000)
    expect(explored.refused).toBe(0)
    expect(explored.refusedAfterLostDisk).toBeLessThan(explored.runs / 100)
  })
})
