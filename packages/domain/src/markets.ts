// The venue's markets as `markets.yml` states them: shards, assets, instruments. Pure: the text is parsed elsewhere, this
// checks the result whole, names every fault with its path, and derives the integers the engine works with.

import { readCalendar, type SessionCalendar } from './calendars.ts'
import type { InstrumentDefinition } from './commands.ts'
import { formatDecimal, parseDecimal } from './decimal.ts'
import type { Amount, AssetId, InstrumentId, Price, Quantity, RegionName, ShardIndex } from './identifiers.ts'
import { LIMITS } from './limits.ts'
import { type MarketsFault, Reader } from './markets-reader.ts'
import { Phase } from './orders.ts'

export type Shard = {
  readonly index: ShardIndex
  readonly name: RegionName
  /** Where it may be led: home first, then in order of preference. */
  readonly regions: readonly RegionName[]
}

export type AssetKind = 'currency' | 'crypto' | 'equity'

export type Asset = {
  readonly id: AssetId
  readonly code: string
  readonly kind: AssetKind
  /** Decimal places of the smallest unit the ledger keeps. */
  readonly scale: number
  /** What a new account gets in paper mode, smallest units, in each shard that trades the asset. */
  readonly paperFunds: Amount
}

export type Instrument = {
  readonly id: InstrumentId
  readonly symbol: string
  readonly kind: 'equity' | 'crypto'
  readonly shard: ShardIndex
  readonly base: Asset
  readonly quote: Asset
  /** Decimal places of prices and quantities at the edge. */
  readonly priceScale: number
  readonly quantityScale: number
  /** A tick and a lot, in units of `10^-priceScale` and `10^-quantityScale`. */
  readonly tick: number
  readonly lot: number
  /** When it trades; null: always. */
  readonly calendar: SessionCalendar | null
  readonly definition: InstrumentDefinition
}

export type Markets = {
  readonly shards: readonly Shard[]
  readonly assets: readonly Asset[]
  readonly instruments: readonly Instrument[]
}

export type MarketsResult =
  | { readonly ok: true; readonly markets: Markets }
  | { readonly ok: false; readonly faults: readonly MarketsFault[] }

const CODE = /^[A-Z][A-Z0-9]{0,9}$/
const REGION = /^[a-z][a-z0-9-]{1,31}$/
const SHARD_KEYS = ['name', 'regions']
const ASSET_KEYS = ['id', 'code', 'kind', 'scale', 'paper_funds']
const INSTRUMENT_KEYS = [
  'id',
  'symbol',
  'shard',
  'calendar',
  'tick_size',
  'lot_size',
  'price_max',
  'quantity_max',
  'notional_min',
  'maker_fee',
  'taker_fee',
  'reference_price',
  'stress_move',
  'price_band',
  'static_band',
  'dynamic_band',
]

/** Checks parsed `markets.yml` and derives the model; every fault is reported, not only the first. */
export function readMarkets(raw: unknown): MarketsResult {
  const reader = new Reader()
  const root = reader.object(raw, 'markets.yml', ['shards', 'assets', 'calendars', 'instruments'])
  const shards = reader.list(root['shards'], 'shards', LIMITS.shards_max).map((item, i) => readShard(reader, item, i))
  const assets = reader.list(root['assets'], 'assets', LIMITS.assets_max).map((item, i) => readAsset(reader, item, i))
  reader.unique(
    shards.map((shard) => shard.name),
    'shards',
    'name',
  )
  reader.unique(
    assets.map((asset) => asset.code),
    'assets',
    'code',
  )
  reader.unique(
    assets.map((asset) => asset.id),
    'assets',
    'id',
  )
  const calendars =
    root['calendars'] === undefined
      ? []
      : reader
          .list(root['calendars'], 'calendars', LIMITS.calendars_max)
          .map((item, i) => readCalendar(reader, item, i))
  reader.unique(
    calendars.map((calendar) => calendar.name),
    'calendars',
    'name',
  )
  const instruments = reader
    .list(root['instruments'], 'instruments', LIMITS.instruments_max)
    .map((item, i) => readInstrument(reader, item, i, { shards, assets, calendars }))
  reader.unique(
    instruments.map((instrument) => instrument?.symbol),
    'instruments',
    'symbol',
  )
  reader.unique(
    instruments.map((instrument) => instrument?.id),
    'instruments',
    'id',
  )
  if (reader.faults.length > 0) return { ok: false, faults: reader.faults }
  return { ok: true, markets: { shards, assets, instruments: instruments.filter((one) => one !== null) } }
}

/** A price in ticks as clients read it. */
export function formatPrice(instrument: Instrument, price: Price): string {
  return formatDecimal(price * instrument.tick, instrument.priceScale)
}

/** A quantity in lots as clients read it. */
export function formatQuantity(instrument: Instrument, quantity: Quantity): string {
  return formatDecimal(quantity * instrument.lot, instrument.quantityScale)
}

export function formatAmount(asset: Asset, amount: Amount): string {
  return formatDecimal(amount, asset.scale)
}

/** Whole ticks, or why the text is not a price of this instrument. */
export function parsePrice(
  instrument: Instrument,
  text: string,
): { readonly ok: true; readonly value: Price } | { readonly ok: false; readonly fault: string } {
  const parsed = parseDecimal(text, instrument.priceScale)
  if (!parsed.ok) return { ok: false, fault: parsed.fault }
  if (parsed.value % instrument.tick !== 0) return { ok: false, fault: 'not_a_multiple' }
  return { ok: true, value: (parsed.value / instrument.tick) as Price }
}

export function parseQuantity(
  instrument: Instrument,
  text: string,
): { readonly ok: true; readonly value: Quantity } | { readonly ok: false; readonly fault: string } {
  const parsed = parseDecimal(text, instrument.quantityScale)
  if (!parsed.ok) return { ok: false, fault: parsed.fault }
  if (parsed.value % instrument.lot !== 0) return { ok: false, fault: 'not_a_multiple' }
  return { ok: true, value: (parsed.value / instrument.lot) as Quantity }
}

function readShard(reader: Reader, raw: unknown, index: number): Shard {
  const path = `shards[${index}]`
  const item = reader.object(raw, path, SHARD_KEYS)
  const name = reader.text(item['name'], `${path}.name`, REGION, 'a region name such as us-east')
  const regions = reader
    .list(item['regions'], `${path}.regions`, LIMITS.shards_max)
    .map((region, i) => reader.text(region, `${path}.regions[${i}]`, REGION, 'a region name such as us-east'))
  if (regions.length > 0 && regions[0] !== name)
    reader.fault(`${path}.regions`, `must start with the home region ${name}`)
  reader.unique(regions, `${path}.regions`, '')
  return { index: index as ShardIndex, name: name as RegionName, regions: regions as RegionName[] }
}

function readAsset(reader: Reader, raw: unknown, index: number): Asset {
  const path = `assets[${index}]`
  const item = reader.object(raw, path, ASSET_KEYS)
  const scale = reader.integer(item['scale'], `${path}.scale`, 0, 12)
  const kind = item['kind']
  if (kind !== 'currency' && kind !== 'crypto' && kind !== 'equity') {
    reader.fault(`${path}.kind`, 'must be currency, crypto or equity')
  }
  return {
    id: reader.integer(item['id'], `${path}.id`, 1, LIMITS.assets_max) as AssetId,
    code: reader.text(item['code'], `${path}.code`, CODE, 'up to ten of A-Z 0-9, such as USD'),
    kind: kind as AssetKind,
    scale,
    paperFunds: reader.decimal(item['paper_funds'] ?? '0', `${path}.paper_funds`, scale) as Amount,
  }
}

function readInstrument(
  reader: Reader,
  raw: unknown,
  index: number,
  {
    shards,
    assets,
    calendars,
  }: {
    readonly shards: readonly Shard[]
    readonly assets: readonly Asset[]
    readonly calendars: readonly SessionCalendar[]
  },
): Instrument | null {
  const path = `instruments[${index}]`
  const item = reader.object(raw, path, INSTRUMENT_KEYS)
  const symbol = reader.text(
    item['symbol'],
    `${path}.symbol`,
    /^[A-Z0-9]{1,10}-[A-Z0-9]{1,10}$/,
    'BASE-QUOTE, such as BTC-USD',
  )
  const [baseCode, quoteCode] = symbol.split('-')
  const base = assets.find((asset) => asset.code === baseCode)
  const quote = assets.find((asset) => asset.code === quoteCode)
  const shard = shards.find((candidate) => candidate.name === item['shard'])
  if (base === undefined) reader.fault(`${path}.symbol`, `asset ${baseCode ?? ''} is not listed under assets`)
  if (quote === undefined) reader.fault(`${path}.symbol`, `asset ${quoteCode ?? ''} is not listed under assets`)
  if (shard === undefined) reader.fault(`${path}.shard`, `must be one of ${shards.map((one) => one.name).join(', ')}`)
  const calendar = calendars.find((candidate) => candidate.name === item['calendar']) ?? null
  if (calendar === null && item['calendar'] !== undefined) {
    const known =
      calendars.length === 0 ? 'listed under calendars' : `one of ${calendars.map((one) => one.name).join(', ')}`
    reader.fault(`${path}.calendar`, `must be ${known}`)
  }
  const id = reader.integer(item['id'], `${path}.id`, 1, LIMITS.instruments_max) as InstrumentId
  const price = reader.step(item['tick_size'], `${path}.tick_size`)
  const quantity = reader.step(item['lot_size'], `${path}.lot_size`)
  if (base === undefined || quote === undefined || shard === undefined || price === null || quantity === null)
    return null

  const baseUnitsPerLot = quantity.step * 10 ** (base.scale - quantity.scale)
  const quoteUnitsPerTickLot = price.step * quantity.step * 10 ** (quote.scale - price.scale - quantity.scale)
  if (!Number.isSafeInteger(baseUnitsPerLot)) {
    reader.fault(`${path}.lot_size`, `must be a multiple of the smallest unit of ${base.code} (10^-${base.scale})`)
  }
  if (!Number.isSafeInteger(quoteUnitsPerTickLot)) {
    reader.fault(
      `${path}.tick_size`,
      `tick × lot must be a multiple of the smallest unit of ${quote.code} (10^-${quote.scale})`,
    )
  }
  const ticks = (key: string, fallback?: number) => {
    if (item[key] === undefined && fallback !== undefined) return fallback
    const value = reader.decimal(item[key], `${path}.${key}`, price.scale)
    if (value % price.step !== 0) reader.fault(`${path}.${key}`, `must be a multiple of tick_size`)
    return Math.floor(value / price.step)
  }
  const priceMax = ticks('price_max')
  const quantityMaxRaw = reader.decimal(item['quantity_max'], `${path}.quantity_max`, quantity.scale)
  if (quantityMaxRaw % quantity.step !== 0) reader.fault(`${path}.quantity_max`, 'must be a multiple of lot_size')
  const quantityMax = Math.floor(quantityMaxRaw / quantity.step)
  if (priceMax < 1 || priceMax > LIMITS.price_ticks_max) {
    reader.fault(`${path}.price_max`, `must be 1 to ${LIMITS.price_ticks_max} ticks`)
  }
  if (quantityMax < 1 || quantityMax > LIMITS.quantity_lots_max) {
    reader.fault(`${path}.quantity_max`, `must be 1 to ${LIMITS.quantity_lots_max} lots`)
  }
  if (priceMax * quantityMax * quoteUnitsPerTickLot > LIMITS.amount_max) {
    reader.fault(`${path}.quantity_max`, `price_max × quantity_max must stay below 2^53 units of ${quote.code}`)
  }
  const share = (key: string, fallback?: string) => {
    const text = item[key] ?? fallback
    return reader.decimal(text, `${path}.${key}`, 6, 1_000_000)
  }
  return {
    id,
    symbol,
    kind: base.kind === 'equity' ? 'equity' : 'crypto',
    shard: shard.index,
    base,
    quote,
    priceScale: price.scale,
    quantityScale: quantity.scale,
    tick: price.step,
    lot: quantity.step,
    calendar,
    definition: {
      instrument: id,
      base: base.id,
      quote: quote.id,
      // The calendar opens it.
      phase: calendar === null ? Phase.continuous : Phase.closed,
      baseUnitsPerLot,
      quoteUnitsPerTickLot,
      priceMin: 1 as Price,
      priceMax: priceMax as Price,
      quantityMin: 1 as Quantity,
      quantityMax: quantityMax as Quantity,
      notionalMin: reader.decimal(item['notional_min'] ?? '0', `${path}.notional_min`, quote.scale) as Amount,
      notionalMax: LIMITS.amount_max as Amount,
      makerFee_ppm: share('maker_fee'),
      takerFee_ppm: share('taker_fee'),
      stressMove_ppm: share('stress_move', '0.2'),
      priceBand_ppm: share('price_band', '0'),
      staticBand_ppm: share('static_band', '0'),
      dynamicBand_ppm: share('dynamic_band', '0'),
      referencePrice: ticks('reference_price', 0) as Price,
    },
  }
}
