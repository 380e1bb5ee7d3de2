// The markets of the simulation: as few as show everything. Two shards, so that money moves between them; small round numbers, so that
// orders meet often.

import { type Markets, type RegionName, readMarkets } from '@wintrades/domain'

export const REGIONS = ['us-east', 'eu-west', 'asia-pacific'] as const

/** Where one process of a region runs and runs again: `us-east/0`. */
export type Place = `${(typeof REGIONS)[number]}/${number}`

export function regionOf(place: string): RegionName {
  return place.slice(0, place.indexOf('/')) as string as RegionName
}

const instrument = { tick_size: '1', lot_size: '1', price_max: '10000', quantity_max: '10000', reference_price: '100' }

export const MARKETS: Markets = (() => {
  const read = readMarkets({
    shards: [
      { name: 'us-east', regions: ['us-east', 'eu-west', 'asia-pacific'] },
      { name: 'eu-west', regions: ['eu-west', 'asia-pacific', 'us-east'] },
    ],
    assets: [
      { id: 1, code: 'USD', kind: 'currency', scale: 2, paper_funds: '0' },
      { id: 2, code: 'EUR', kind: 'currency', scale: 2, paper_funds: '0' },
      { id: 3, code: 'SAP', kind: 'equity', scale: 0, paper_funds: '0' },
    ],
    instruments: [
      { id: 1, symbol: 'SAP-USD', shard: 'us-east', maker_fee: '0', taker_fee: '0.01', ...instrument },
      { id: 2, symbol: 'SAP-EUR', shard: 'eu-west', maker_fee: '0.01', taker_fee: '0.02', ...instrument },
    ],
  })
  if (!read.ok) throw new Error(JSON.stringify(read.faults))
  return read.markets
})()
