// The database's drills for `wintrades drill`: a platform of three regions in a lab of this machine, broken as the drill says, and judged.

import {
  type DatabaseFault,
  type DrillResult,
  databaseFault,
  readTargetMarkets,
  runTradingDrill,
} from '@wintrades/operations/drill'
import { WAN_DELAYS } from './lab/index.ts'
import { startLabPlatform } from './platform.ts'

export type LabDrillOptions = {
  readonly fault: DatabaseFault
  /** Round trips of 80 and 200 ms between the regions. */
  readonly delayed: boolean
  readonly seconds: number
  readonly rate: number
  readonly clients: number
  /** One drill for each, one after the other on the same platform. */
  readonly seeds: readonly number[]
  readonly say: (line: string) => void
  /** Hears each result as it is there. */
  readonly onResult: (seed: number, result: DrillResult) => void
  readonly signal: AbortSignal
}

export async function run(options: LabDrillOptions): Promise<void> {
  const { fault, delayed, say, signal } = options
  const { markets } = readTargetMarkets()
  const platform = await startLabPlatform({
    say: (line) => say(`  ${line}`),
    signal,
    ...(delayed ? { delays: WAN_DELAYS } : {}),
  })
  try {
    for (const seed of options.seeds) {
      const drill = { ...options, target: platform.target, markets, fault: databaseFault(fault, platform.database) }
      options.onResult(seed, await runTradingDrill({ ...drill, seed }))
    }
  } finally {
    await platform.close()
  }
}
