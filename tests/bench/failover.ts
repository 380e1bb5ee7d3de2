// How long a shard goes without acknowledgements when its leader is killed, and when it is handed over: the drills, with all their
// checks, several times each.

import { leaderFault, type RunOptions, runDrill } from '@wintrades/operations/drill'
import type { BenchOptions, Figure } from './figure.ts'

const ROUNDS = 3
const RATE = 900
const CLIENTS = 6
const FAULTS = [
  { fault: 'kill', name: 'failover', figure: 'region_loss.silence_of_shard', target_seconds: 2 },
  { fault: 'hand-over', name: 'hand_over', figure: 'hand_over.silence_of_shard', target_seconds: 0.3 },
] as const

export async function run(options: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { fault, name, figure, target_seconds } of FAULTS) {
    const silences: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      silences.push(
        await silenceOf(figure, {
          ...options,
          fault: leaderFault(fault),
          rate: RATE,
          clients: CLIENTS,
          seed: round + 1,
        }),
      )
      options.say(`${name}: ${silences.at(-1)?.toFixed(3)} s without acknowledgements`)
    }
    const longest = Math.max(...silences)
    figures.push({ name: `${name}.silence_longest`, value: longest, unit: 's', reference: target_seconds })
    figures.push({
      name: `${name}.silence_shortest`,
      value: Math.min(...silences),
      unit: 's',
      reference: target_seconds,
    })
  }
  return figures
}

/** Throws when anything was lost: then how fast it was is of no interest. */
async function silenceOf(figure: string, options: RunOptions): Promise<number> {
  const result = await runDrill({ ...options, say: () => {} })
  const lost = result.verdict.checks.filter((check) => !check.passed)
  if (lost.length > 0) throw new Error(`the drill failed: ${lost.map((one) => one.evidence[0] ?? one.name).join('; ')}`)
  const silence = result.figures.find((one) => one.name === figure)
  if (silence === undefined) throw new Error(`the drill does not tell ${figure}`)
  return silence.value
}
