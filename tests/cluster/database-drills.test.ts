// The drills of the database, on a platform of three regions with delays between them: whatever is broken, no acknowledged order is lost, none is
// executed twice, and the history checker finds every promise kept.

import {
  type DrillFault,
  databaseFault,
  readTargetMarkets,
  renderVerdict,
  runTradingDrill,
} from '@wintrades/operations/drill'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WAN_DELAYS } from './lab/index.ts'
import { type LabPlatform, startLabPlatform } from './platform.ts'

const SECONDS = 8
const RATE = 300
const CLIENTS = 6
const say = (line: string) => process.stdout.write(`${line}\n`)

let platform: LabPlatform

beforeAll(async () => {
  platform = await startLabPlatform({ delays: WAN_DELAYS, say })
})

afterAll(() => platform?.close())

describe('over 80 and 200 ms, clients trading', () => {
  test.each(['database-promotion', 'database-loss'] as const)('%s loses nothing', async (kind) => {
    await expectPassed(databaseFault(kind, platform.database), kind)
  })
})

/** How much longer than promised a machine that is busy with all of this at once may take. */
const PATIENCE = 4

async function expectPassed(fault: DrillFault, name: string): Promise<void> {
  say(`drill ${name}`)
  const { markets } = readTargetMarkets()
  const options = { target: platform.target, markets, fault, seconds: SECONDS, rate: RATE, clients: CLIENTS }
  const patient = { ...fault, silence_seconds_max: fault.silence_seconds_max * PATIENCE }
  const result = await runTradingDrill({
    ...options,
    fault: patient,
    seed: 1,
    say,
    signal: new AbortController().signal,
  })
  const silence = result.figures.find((one) => one.name.endsWith('.silence_of_shard'))
  say(`  ${silence?.value.toFixed(3)} s without acknowledgements (promised: ${fault.silence_seconds_max} s)`)
  const broken = result.conditions.filter((one) => !one.passed).map((one) => one.text)
  expect(result.verdict.passed, renderVerdict(result.verdict)).toBe(true)
  expect(broken).toEqual([])
}
