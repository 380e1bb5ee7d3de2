// The cluster under faults, thousands of times: every seed is another run of the venue's own code on a simulated network, database and
// clock, judged like a drill. SIM_SEEDS says how many, however long they take; SIM_SEED where to begin. To repeat one and see all of it:
//
//   SIM_SEED=1234 SIM_SEEDS=1 SIM_TRACE=1 ./wintrades test sim

import { writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PLANTED } from './planted.ts'
import { type RunResult, run } from './run.ts'

const asked = process.env['SIM_SEEDS']
const SEEDS = Number(asked ?? 2_000)
/** A busy machine runs fewer, unless it was told how many. */
const BUDGET_MS = asked === undefined ? 200_000 : Number.POSITIVE_INFINITY
const FIRST_SEED = Number(process.env['SIM_SEED'] ?? 1)
const FAILURES_MAX = 3
/** Seeds within which a planted fault has to be caught. */
const PLANTED_SEEDS_MAX = 100
const trace = process.env['SIM_TRACE'] === undefined ? {} : { trace: (line: string) => void writeSync(1, `${line}\n`) }

function story({ seed, offences, lastLines }: RunResult): string {
  return [
    `seed ${seed}:`,
    ...offences.map((one) => `  ${one}`),
    'its log ends',
    ...lastLines.map((line) => `  ${line}`),
    `again: SIM_SEED=${seed} SIM_SEEDS=1 SIM_TRACE=1 ./wintrades test sim`,
  ].join('\n')
}

test(`${SEEDS} seeds from ${FIRST_SEED} on: every promise is kept, and the healed cluster works again`, {
  timeout: 0,
}, async () => {
  const failures: string[] = []
  const sum = { commands: 0, trades: 0, unknown: 0, duplicates: 0, epochs: 0, simulated_seconds: 0 }
  const began_ms = performance.now()
  let runs = 0
  const isOver = () => failures.length >= FAILURES_MAX || performance.now() - began_ms > BUDGET_MS
  for (; runs < SEEDS && !isOver(); runs++) {
    const result = await run({ seed: FIRST_SEED + runs, ...trace })
    if (result.offences.length > 0) failures.push(story(result))
    sum.commands += result.counts?.commands ?? 0
    sum.trades += result.counts?.trades ?? 0
    sum.unknown += result.counts?.unknown ?? 0
    sum.duplicates += result.counts?.duplicates ?? 0
    sum.epochs += result.epochs
    sum.simulated_seconds += result.simulated_ms / 1_000
  }
  const took = `${runs} of ${SEEDS} seeds in ${Math.round((performance.now() - began_ms) / 1_000)} s`
  writeSync(1, `${took}: ${JSON.stringify({ ...sum, simulated_seconds: Math.round(sum.simulated_seconds) })}\n`)
  expect(failures.join('\n\n')).toBe('')
})

test('the same seed gives the same run, to the last line of its log', async () => {
  for (const seed of [1, 2, 3]) {
    const first = await run({ seed })
    const second = await run({ seed })
    expect(second.logHash).toBe(first.logHash)
    expect(second.steps).toBe(first.steps)
  }
  expect((await run({ seed: 4 })).logHash).not.toBe((await run({ seed: 5 })).logHash)
})

test('without faults nothing is unknown and nobody else ever leads', async () => {
  const result = await run({ seed: 1, calm: true })
  expect(result.offences).toEqual([])
  expect(result.counts?.unknown).toBe(0)
  expect(result.epochs).toBe(2)
})

test.for(PLANTED)('caught: $what', async ({ faults, nemesis, caughtBy }) => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= PLANTED_SEEDS_MAX && !seen.has(caughtBy); seed++) {
    for (const offence of (await run({ seed, faults, ...(nemesis === undefined ? {} : { nemesis }) })).offences)
      seen.add(offence.slice(0, offence.indexOf(':')))
  }
  expect([...seen]).toContain(caughtBy)
})
