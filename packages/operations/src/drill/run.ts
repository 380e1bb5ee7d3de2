// Finds or starts the platform for a drill, runs it there, and puts everything back.

import { readMarkets } from '@wintrades/domain'
import { readYamlFile } from '@wintrades/platform'
import { inRepository } from '../repository.ts'
import { requestHandOver } from './hand-over.ts'
import { type Fault, runLeaderDrill } from './region-loss.ts'
import type { DrillResult } from './report.ts'
import { attach, startPrivate } from './target.ts'

export type RunOptions = {
  readonly fault: Fault
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
  const path = process.env['MARKETS_FILE'] ?? inRepository('markets.yml')
  const read = readYamlFile(path, readMarkets)
  if (!read.ok) throw new Error(`${path} has faults; wintrades up names them`)
  const running = options.private ? null : attach(options.dataDirectory)
  if (running === null) options.say('  no platform runs on the data directory: starting a private one')
  const target = running ?? (await startPrivate(options.say, options.signal))
  try {
    return await runLeaderDrill({ ...options, target, markets: read.markets, handOver: requestHandOver(target) })
  } finally {
    await target.close()
  }
}
