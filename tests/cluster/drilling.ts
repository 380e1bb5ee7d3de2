// Drills of the database on a platform of a lab, judged as `wintrades drill` judges them.

import {
  type DatabaseFault,
  databaseFault,
  readTargetMarkets,
  renderVerdict,
  runTradingDrill,
} from '@wintrades/operations/drill'
import { afterAll, beforeAll, expect } from 'vitest'
import type { Delays } from './lab/index.ts'
import { type LabPlatform, startLabPlatform } from './platform.ts'

const SECONDS = 5
const RATE = 300
const CLIENTS = 6
/** How much longer than promised a machine that is busy with all of this at once may take. */
const PATIENCE = 4
/** Where a deployment's clients are mostly; drills leave the primary wherever it went. */
const PRIMARY = 'mysql_master'

const say = (line: string) => process.stdout.write(`${line}\n`)

/** A platform for the tests of one `describe`; answers what carries a drill out on it. */
export function useDrills(delays?: Delays): (kind: DatabaseFault) => Promise<void> {
  let platform: LabPlatform | undefined
  beforeAll(async () => {
    platform = await startLabPlatform({ say, ...(delays === undefined ? {} : { delays }) })
  })
  afterAll(() => platform?.close())
  return async (kind) => {
    if (platform === undefined) throw new Error('the platform is there in tests alone')
    await carryOut(platform, kind)
  }
}

async function carryOut({ database, target }: LabPlatform, kind: DatabaseFault): Promise<void> {
  say(`drill ${kind}`)
  if ((await database.roles()).primary !== PRIMARY) await database.promote(PRIMARY)
  await database.untilWhole()
  const fault = databaseFault(kind, database)
  const result = await runTradingDrill({
    target,
    markets: readTargetMarkets().markets,
    fault: { ...fault, silence_seconds_max: fault.silence_seconds_max * PATIENCE },
    seconds: SECONDS,
    rate: RATE,
    clients: CLIENTS,
    seed: 1,
    say,
    signal: new AbortController().signal,
  })
  for (const { text } of result.conditions) say(`  ${text}`)
  say(`  promised: acknowledgements again within ${fault.silence_seconds_max} s`)
  expect(result.verdict.passed, renderVerdict(result.verdict)).toBe(true)
  expect(result.conditions.filter((one) => !one.passed)).toEqual([])
  expect(result.conditions.map((one) => one.text).join('\n')).toContain('row for row')
}
