// The default markets, for tests.

import { readFileSync } from 'node:fs'
import { type Instrument, type Markets, readMarkets } from '@wintrades/domain'
import { parse } from 'yaml'

const result = readMarkets(parse(readFileSync(new URL('../../../../markets.yml', import.meta.url), 'utf8')))
if (!result.ok) throw new Error(JSON.stringify(result.faults))

export const markets: Markets = result.markets

export function instrumentOf(symbol: string): Instrument {
  const instrument = markets.instruments.find((one) => one.symbol === symbol)
  if (instrument === undefined) throw new Error(`${symbol} is not in markets.yml`)
  return instrument
}
