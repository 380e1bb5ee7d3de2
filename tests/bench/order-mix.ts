// Orders for load: makers that rest up to a few ticks from the reference price, and takers that cross to them. Takers want a little more
// than makers offer, so books stay small however long it goes on. Texts are put together from parts made beforehand: making load must
// cost little.

import {
  formatPrice,
  formatQuantity,
  type Instrument,
  type InstrumentDefinition,
  type Price,
  type Quantity,
} from '@wintrades/domain'

/** Makers' prices lie this far from the reference price at most; takers take all of them. */
const WINDOW_TICKS = 8
/** Quantities, in steps of the least one: 1 … 3 for makers, 1 … 5 for takers. */
const MAKER_QUANTITIES = 3
const TAKER_QUANTITIES = 5
/** Of all orders. */
const MAKER_SHARE = 0.55

export class OrderMix {
  readonly #makers: readonly string[]
  readonly #takers: readonly string[]
  readonly #clientIdPrefix: string
  #state: number
  #count = 0

  /** `name` must differ from every other mix of the same account, for ever: client order ids begin with it. */
  constructor(instruments: readonly Instrument[], name: string, seed: number) {
    const heads = instruments.map(headsOf)
    this.#makers = heads.flatMap((one) => one.makers)
    this.#takers = heads.flatMap((one) => one.takers)
    this.#clientIdPrefix = `${name}-`
    this.#state = seed >>> 0
    if (this.#makers.length === 0) throw new RangeError('nothing to trade')
  }

  /** The next order as JSON; ASCII. */
  next(): string {
    const heads = this.#below(100) < MAKER_SHARE * 100 ? this.#makers : this.#takers
    return `${heads[this.#below(heads.length)]}${this.#clientIdPrefix}${(this.#count++).toString(36)}"}`
  }

  /** mulberry32. */
  #below(limit: number): number {
    const state = (this.#state + 0x6d2b79f5) >>> 0
    this.#state = state
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

function headsOf(instrument: Instrument): { readonly makers: string[]; readonly takers: string[] } {
  const { definition } = instrument
  const middle = Math.max(definition.referencePrice, WINDOW_TICKS + 1)
  const makers: string[] = []
  const takers: string[] = []
  for (const side of ['BUY', 'SELL'] as const) {
    const away = side === 'BUY' ? -1 : 1
    for (let tick = 1; tick <= WINDOW_TICKS; tick++) {
      for (let steps = 1; steps <= MAKER_QUANTITIES; steps++) {
        makers.push(head(instrument, side, 'GTC', middle + away * tick, steps))
      }
    }
    for (let steps = 1; steps <= TAKER_QUANTITIES; steps++) {
      takers.push(head(instrument, side, 'IOC', middle - away * WINDOW_TICKS, steps))
    }
  }
  return { makers, takers }
}

function head(instrument: Instrument, side: string, timeInForce: string, price: number, steps: number): string {
  const quantity = formatQuantity(instrument, (leastQuantity(instrument.definition) * steps) as Quantity)
  return (
    `{"symbol":"${instrument.symbol}","side":"${side}","type":"LIMIT","timeInForce":"${timeInForce}",` +
    `"price":"${formatPrice(instrument, price as Price)}","quantity":"${quantity}","clientOrderId":"`
  )
}

/** Enough for the smallest notional at any price of the window. */
function leastQuantity({
  quantityMin,
  notionalMin,
  quoteUnitsPerTickLot,
  referencePrice,
}: InstrumentDefinition): number {
  const price = Math.max(1, referencePrice - WINDOW_TICKS)
  return Math.max(quantityMin, Math.ceil(notionalMin / (price * quoteUnitsPerTickLot)))
}
