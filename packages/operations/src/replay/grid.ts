// The grid of prices and quantities that a recording is played on: decimal strings to ticks and lots and back, exactly, with rounding
// where the recording is finer than the instrument, and a count of how often.

import { formatDecimal, type Instrument, parseDecimal } from '@wintrades/domain'
import type { RecordedSide } from '@wintrades/marketdata'

export type GridSteps = Pick<Instrument, 'priceScale' | 'tick' | 'quantityScale' | 'lot'>

/** Decimal places that recorded strings are read with before they are rounded. */
const RAW_SCALE = 8

export class Grid {
  readonly steps: GridSteps
  /** Prices and quantities that were not on the grid. */
  rounded = 0

  constructor(steps: GridSteps) {
    this.steps = steps
  }

  /** From `tick_size` and `lot_size` as the API shows them. */
  static of(tickSize: string, lotSize: string): Grid {
    const [price, quantity] = [stepOf(tickSize), stepOf(lotSize)]
    return new Grid({ priceScale: price.scale, tick: price.step, quantityScale: quantity.scale, lot: quantity.step })
  }

  /** Rounded away from the market: a buyer pays no more, a seller gets no less than recorded. */
  ticks(text: string, side: RecordedSide): number {
    const { tick, priceScale } = this.steps
    return Math.max(1, this.#count(text, tick, priceScale, side === 'BUY' ? Math.floor : Math.ceil))
  }

  /** At least one. */
  lots(text: string): number {
    const { lot, quantityScale } = this.steps
    return Math.max(1, this.#count(text, lot, quantityScale, Math.round))
  }

  price(ticks: number): string {
    return formatDecimal(ticks * this.steps.tick, this.steps.priceScale)
  }

  quantity(lots: number): string {
    return formatDecimal(lots * this.steps.lot, this.steps.quantityScale)
  }

  /** Of `ticks × lots`, in the quote asset. */
  notional(ticksTimesLots: number): number {
    const { tick, lot, priceScale, quantityScale } = this.steps
    return (ticksTimesLots * tick * lot) / 10 ** (priceScale + quantityScale)
  }

  #count(text: string, step: number, scale: number, round: (value: number) => number): number {
    const raw = parseDecimal(text, Math.max(scale, RAW_SCALE))
    if (!raw.ok) throw new RangeError(`${text} cannot be read: ${raw.fault}`)
    const unit = step * 10 ** (Math.max(scale, RAW_SCALE) - scale)
    if (raw.value % unit === 0) return raw.value / unit
    this.rounded += 1
    return round(raw.value / unit)
  }
}

function stepOf(text: string): { readonly step: number; readonly scale: number } {
  const scale = (text.split('.')[1] ?? '').length
  const parsed = parseDecimal(text, scale)
  if (!parsed.ok || parsed.value === 0) throw new TypeError(`${text} is not a tick or lot`)
  return { step: parsed.value, scale }
}
