// An instrument as the engine keeps it: its definition, its phase, its book and the numbers that count its trades and changes.

import type { InstrumentDefinition, Phase } from '@wintrades/domain'
import { product, shareCeil } from './exact.ts'
import { type FillBuffer, OrderBook } from './order-book.ts'
import type { OrderStore } from './order-store.ts'
import type { LevelStore } from './price-levels.ts'
import { Triggers } from './triggers.ts'

export class Instrument {
  definition: InstrumentDefinition
  readonly id: number
  readonly base: number
  readonly quote: number
  readonly baseUnitsPerLot: number
  readonly quoteUnitsPerTickLot: number
  makerFee_ppm = 0
  takerFee_ppm = 0
  /** What a hold counts with: the larger of the two, for nobody knows which it will be. */
  holdFee_ppm = 0
  /** There is a static or a dynamic band. */
  hasBands = false
  /** What the definition allows, in fields of their own: the checks of every order read them. */
  priceMin = 0
  priceMax = 0
  quantityMin = 0
  quantityMax = 0
  notionalMin = 0
  notionalMax = 0
  priceBand_ppm = 0
  phase: Phase
  blocked = false
  lastPrice = 0
  tradeNumber = 0
  bookVersion = 0
  /** Price of the last auction that traded; 0: there was none. */
  auctionPrice = 0
  /** The day of its last trade (0: none), and the reference price when that day began. */
  day = 0
  dayPrice = 0
  /** When its volatility auction ends; 0: there is none. */
  reopensAt = 0
  /** Account 0's balance in the quote asset. */
  feeBalance = 0
  readonly book: OrderBook
  /** Orders that wait for a price or for each other; null: there never was one. */
  triggers: Triggers | null = null
  private readonly orders: OrderStore
  private readonly triggerLevels: LevelStore

  constructor(
    definition: InstrumentDefinition,
    orders: OrderStore,
    levels: LevelStore,
    fills: FillBuffer,
    triggerLevels: LevelStore,
  ) {
    this.definition = definition
    this.id = definition.instrument
    this.base = definition.base
    this.quote = definition.quote
    this.baseUnitsPerLot = definition.baseUnitsPerLot
    this.quoteUnitsPerTickLot = definition.quoteUnitsPerTickLot
    this.phase = definition.phase
    this.book = new OrderBook(orders, levels, fills, definition.instrument)
    this.orders = orders
    this.triggerLevels = triggerLevels
    this.redefine(definition)
  }

  makeTriggers(): Triggers {
    return new Triggers(this.orders, this.triggerLevels, this.id)
  }

  redefine(definition: InstrumentDefinition): void {
    this.definition = definition
    this.makerFee_ppm = definition.makerFee_ppm
    this.takerFee_ppm = definition.takerFee_ppm
    this.holdFee_ppm = Math.max(definition.makerFee_ppm, definition.takerFee_ppm)
    this.hasBands = definition.staticBand_ppm !== 0 || definition.dynamicBand_ppm !== 0
    this.priceMin = definition.priceMin
    this.priceMax = definition.priceMax
    this.quantityMin = definition.quantityMin
    this.quantityMax = definition.quantityMax
    this.notionalMin = definition.notionalMin
    this.notionalMax = definition.notionalMax
    this.priceBand_ppm = definition.priceBand_ppm
  }

  /** Price × quantity in the quote asset's smallest units. */
  notional(price: number, quantity: number): number {
    return product(price * quantity, this.quoteUnitsPerTickLot)
  }

  /** What a buy of `quantity` at `price` must hold of the quote asset: the notional, and the larger fee on it rounded up. */
  buyHold(price: number, quantity: number): number {
    const notional = this.notional(price, quantity)
    return notional + shareCeil(notional, this.holdFee_ppm)
  }

  /** The last trade's price; before the first trade the configured reference; 0: there is neither. */
  get referencePrice(): number {
    return this.lastPrice !== 0 ? this.lastPrice : this.definition.referencePrice
  }
}
