// Instruments and assets by the names that clients use, and how REST describes them.

import {
  type Amount,
  type Asset,
  type AssetId,
  assert,
  formatAmount,
  formatDecimal,
  formatPrice,
  formatQuantity,
  type Instrument,
  type InstrumentId,
  type Markets,
  type Quantity,
  SIDE_NAMES,
  type Side,
} from '@wintrades/domain'
import { ApiFault } from '../errors.ts'

export class Instruments {
  readonly #bySymbol: ReadonlyMap<string, Instrument>
  readonly #byId: ReadonlyMap<InstrumentId, Instrument>
  readonly #assetsByCode: ReadonlyMap<string, Asset>
  readonly #assetsById: ReadonlyMap<AssetId, Asset>

  constructor({ instruments, assets }: Markets) {
    this.#bySymbol = new Map(instruments.map((one) => [one.symbol, one]))
    this.#byId = new Map(instruments.map((one) => [one.id, one]))
    this.#assetsByCode = new Map(assets.map((one) => [one.code, one]))
    this.#assetsById = new Map(assets.map((one) => [one.id, one]))
  }

  named(symbol: string): Instrument {
    const instrument = this.#bySymbol.get(symbol)
    if (instrument === undefined) throw new ApiFault('SYMBOL_UNKNOWN', { details: { symbol } })
    return instrument
  }

  of(id: InstrumentId): Instrument {
    const instrument = this.#byId.get(id)
    assert(instrument !== undefined, `instrument ${id} is not in markets.yml`)
    return instrument
  }

  assetNamed(code: string): Asset {
    const asset = this.#assetsByCode.get(code)
    if (asset === undefined) throw new ApiFault('ASSET_NOT_LISTED', { details: { asset: code } })
    return asset
  }

  assetOf(id: AssetId): Asset {
    const asset = this.#assetsById.get(id)
    assert(asset !== undefined, `asset ${id} is not in markets.yml`)
    return asset
  }

  sideName(side: Side): string {
    return SIDE_NAMES[side]
  }

  quoteText(instrument: Instrument, amount: number): string {
    return formatDecimal(amount, instrument.quote.scale, true)
  }
}

/** Shares are in millionths. */
const PPM_SCALE = 6

export function instrumentView(instrument: Instrument, shard: string): object {
  const { symbol, kind, base, quote, definition, priceScale, quantityScale, tick, lot } = instrument
  return {
    symbol,
    kind,
    base: base.code,
    quote: quote.code,
    shard,
    tickSize: formatDecimal(tick, priceScale),
    lotSize: formatDecimal(lot, quantityScale),
    priceMin: formatPrice(instrument, definition.priceMin),
    priceMax: formatPrice(instrument, definition.priceMax),
    quantityMin: formatQuantity(instrument, definition.quantityMin),
    quantityMax: formatQuantity(instrument, definition.quantityMax),
    notionalMin: formatDecimal(definition.notionalMin, quote.scale, true),
    makerFee: formatDecimal(definition.makerFee_ppm, PPM_SCALE, true),
    takerFee: formatDecimal(definition.takerFee_ppm, PPM_SCALE, true),
    referencePrice: definition.referencePrice === 0 ? null : formatPrice(instrument, definition.referencePrice),
  }
}

export function positionView(
  instrument: Instrument,
  position: { readonly quantity: number; readonly cost: number; readonly realisedProfit: number },
  avgPrice: string | null,
  shard: string,
): object {
  return {
    symbol: instrument.symbol,
    quantity: formatQuantity(instrument, position.quantity as Quantity),
    cost: formatDecimal(position.cost, instrument.quote.scale, true),
    avgPrice,
    realisedProfit: formatDecimal(position.realisedProfit, instrument.quote.scale, true),
    shard,
  }
}

export function amountText(asset: Asset, amount: number): string {
  return formatAmount(asset, amount as Amount)
}
