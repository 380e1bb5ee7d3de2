// The platform that a recording is played to: the one that runs on the data directory, or a private one on free ports whose only
// instrument is made for the recording, so that nothing is rounded that can be kept and nobody else trades in between.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readMarkets } from '@wintrades/domain'
import { formatFileFault, readYamlFile } from '@wintrades/platform'
import { stringify } from 'yaml'
import { inRepository } from '../repository.ts'
import { readRunningStatus, startPlatform } from '../supervisor/index.ts'
import { Grid } from './grid.ts'
import type { InstrumentLimits } from './survey.ts'

export type ReplayTarget = { readonly baseUrl: string; readonly private: boolean; close(): Promise<void> }

/** Of the assets of a private platform; what it needs is deposited. */
const PAPER_FUNDS = '1'

/** Null: nothing runs on the data directory. */
export function runningTarget(dataDirectory: string): ReplayTarget | null {
  const status = readRunningStatus(dataDirectory)
  if (status === null) return null
  return { baseUrl: `http://localhost:${status.frontDoor.port}`, private: false, close: async () => {} }
}

export async function privateTarget(options: {
  readonly symbol: string
  readonly limits: InstrumentLimits
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}): Promise<ReplayTarget> {
  const directory = await mkdtemp(join(tmpdir(), 'wintrades-replay-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    const marketsFile = join(directory, 'markets.yml')
    await writeFile(marketsFile, stringify(marketsFor(options.symbol, options.limits, homeRegions())))
    const platform = await startPlatform({
      dataDirectory: join(directory, 'data'),
      environment: { MARKETS_FILE: marketsFile, TRADING_MODE: 'paper' },
      signal: options.signal,
      onEvent: (event) => {
        if (event.fault) options.say(`  ${event.process}: ${event.message}`)
      },
    })
    return {
      baseUrl: platform.baseUrl,
      private: true,
      close: async () => {
        await platform.stop()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Shards and regions are those of the platform's own markets. */
function homeRegions(): readonly { readonly name: string; readonly regions: readonly string[] }[] {
  const read = readYamlFile(inRepository('markets.yml'), readMarkets)
  if (!read.ok) throw new Error(read.faults.map(formatFileFault).join('\n'))
  return read.markets.shards.map(({ name, regions }) => ({ name, regions }))
}

/** The content of a markets file with one instrument, without fees, as fine as the recording. */
export function marketsFor(
  symbol: string,
  limits: InstrumentLimits,
  shards: readonly { readonly name: string; readonly regions: readonly string[] }[],
): object {
  const grid = new Grid(limits)
  const [base = '', quote = ''] = symbol.split('-')
  const asset = (id: number, code: string, scale: number) => ({
    id,
    code,
    kind: 'crypto',
    scale,
    paper_funds: PAPER_FUNDS,
  })
  return {
    shards,
    assets: [asset(1, quote, limits.priceScale + limits.quantityScale), asset(2, base, limits.quantityScale)],
    instruments: [
      {
        id: 1,
        symbol,
        shard: shards[0]?.name,
        tick_size: grid.price(1),
        lot_size: grid.quantity(1),
        price_max: grid.price(limits.ticks_max),
        quantity_max: grid.quantity(limits.lots_max),
        maker_fee: '0',
        taker_fee: '0',
      },
    ],
  }
}
