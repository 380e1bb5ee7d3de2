// What the simulation knows of an instrument: its grid of prices and lots, how large its orders are, where its reference price is.

import { formatDecimal, parseDecimal } from '@wintrades/domain'
import type { InstrumentView } from '../client/index.ts'
import { PricePath } from './price-path.ts'
import { seededRandom } from './random.ts'

export type SimulatedMarket = {
  readonly symbol: string
  readonly base: string
  readonly quote: string
  readonly region: string
  readonly path: PricePath
  /** Distance between two quoted levels. */
  readonly step: number
  /** Of an ordinary quote, base asset. */
  readonly size: number
  /** A price on the tick, as the API takes it. */
  price(value: number): string
  /** A quantity of at least one lot. */
  quantity(value: number): string
}

/** Distance of a level to the next, as a share of the price; at least one tick. */
const STEP_SHARE = 0.000_25
const VOLATILITY = { crypto: 0.000_1, equity: 0.000_06 } as const
/** What one quote is worth, as a share of the funds that stand behind its instrument. */
const QUOTE_SHARE = 0.006

/** `reference`: where prices start; `funds`: value of what a maker has for this instrument, in the quote asset. */
export function simulatedMarket(view: InstrumentView, reference: number, funds: number, seed: number): SimulatedMarket {
  const tick = grid(view.tickSize)
  const lot = grid(view.lotSize)
  const crypto = lot.value < 1
  return {
    symbol: view.symbol,
    base: view.base,
    quote: view.quote,
    region: view.shard,
    path: new PricePath({
      start: reference,
      volatility: crypto ? VOLATILITY.crypto : VOLATILITY.equity,
      random: seededRandom(seed, `price ${view.symbol}`),
    }),
    step: Math.max(tick.value, Math.round((reference * STEP_SHARE) / tick.value) * tick.value),
    size: Math.max(lot.value, (funds * QUOTE_SHARE) / reference),
    price: (value) => onGrid(value, tick, 1),
    quantity: (value) => onGrid(value, lot, 1),
  }
}

type Grid = { readonly value: number; readonly scale: number; readonly units: number }

function grid(text: string): Grid {
  const scale = (text.split('.')[1] ?? '').length
  const parsed = parseDecimal(text, scale)
  if (!parsed.ok || parsed.value === 0) throw new TypeError(`${text} is not a tick or lot`)
  return { value: Number(text), scale, units: parsed.value }
}

function onGrid(value: number, { value: step, scale, units }: Grid, least: number): string {
  return formatDecimal(Math.max(least, Math.round(value / step)) * units, scale)
}
