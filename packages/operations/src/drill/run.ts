// Finds or starts the platform for a drill, runs it there, and puts everything back.

import type { DrillResult } from './report.ts'
import { attach, readTargetMarkets, startPrivate } from './target.ts'
import { type DrillFault, runTradingDrill } from './trading-drill.ts'

export type RunOptions = {
  readonly fault: DrillFault
  readonly dataDirectory: string
  /** Start a private platform even if one runs on the data directory. */
  readonly private: boolean
  readonly seconds: number
  readonly rate: number
  readonly clients: number
  readonly seed: number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

export async function runDrill(options: RunOptions): Promise<DrillResult> {
  const { markets } = readTargetMarkets()
  const running = options.private ? null : attach(options.dataDirectory)
  if (running === null) options.say('  no platform runs on the data directory: starting a private one')
  const target = running ?? (await startPrivate(options.say, options.signal))
  try {
    return await runTradingDrill({ ...options, target, markets })
  } finally {
    await target.close()
  }
}
