// Market data in the shapes that clients read: decimal strings, upper-case words, milliseconds. Pure formatting.

import {
  type Asset,
  formatDecimal,
  formatPrice,
  formatQuantity,
  type Instrument,
  PHASE_NAMES,
  type Price,
  type Quantity,
  SIDE_NAMES,
} from '@wintrades/domain'
import { CANDLE_INTERVAL_SECONDS, type Candle, type CandleInterval } from './live/candles.ts'
import type { DepthLevel, DepthSnapshot, DepthUpdate } from './live/depth-book.ts'
import type { InstrumentMarket, Ticker } from './live/instrument-market.ts'
import type { PublicTrade } from './live/recent-trades.ts'

export type LevelJson = readonly [price: string, quantity: string]

export type DepthJson = {
  readonly symbol: string
  readonly sequence: number
  readonly bids: readonly LevelJson[]
  readonly asks: readonly LevelJson[]
}

/** `firstSequence` is the sequence before it plus one; quantity "0…" means that the level is gone. */
export type DepthUpdateJson = DepthJson & { readonly firstSequence: number }

export function depthJson(instrument: Instrument, snapshot: DepthSnapshot): DepthJson {
  return {
    symbol: instrument.symbol,
    sequence: snapshot.version,
    bids: levelsJson(instrument, snapshot.bids),
    asks: levelsJson(instrument, snapshot.asks),
  }
}

export function depthUpdateJson(instrument: Instrument, update: DepthUpdate): DepthUpdateJson {
  return {
    symbol: instrument.symbol,
    firstSequence: update.firstVersion,
    sequence: update.lastVersion,
    bids: levelsJson(instrument, update.bids),
    asks: levelsJson(instrument, update.asks),
  }
}

function levelsJson(instrument: Instrument, levels: readonly DepthLevel[]): LevelJson[] {
  return levels.map(([price, quantity]) => [formatPrice(instrument, price), formatQuantity(instrument, quantity)])
}

export type TradeJson = {
  readonly tradeId: number
  readonly price: string
  readonly quantity: string
  readonly quoteQuantity: string
  readonly takerSide: string
  readonly time: number
}

export function tradeJson(instrument: Instrument, trade: PublicTrade): TradeJson {
  return {
    tradeId: trade.tradeNumber,
    price: formatPrice(instrument, trade.price),
    quantity: formatQuantity(instrument, trade.quantity),
    quoteQuantity: formatDecimal(trade.notional, instrument.quote.scale, true),
    takerSide: SIDE_NAMES[trade.takerSide],
    time: toMilliseconds(trade.timestamp),
  }
}

export type CandleJson = {
  readonly openTime: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly quoteVolume: string
  readonly tradeCount: number
}

export function candleJson(instrument: Instrument, candle: Candle): CandleJson {
  return {
    openTime: toMilliseconds(candle.openTime),
    open: formatPrice(instrument, candle.open),
    high: formatPrice(instrument, candle.high),
    low: formatPrice(instrument, candle.low),
    close: formatPrice(instrument, candle.close),
    volume: volumeText(instrument, candle.volume),
    quoteVolume: formatWide(candle.quoteVolume, instrument.quote),
    tradeCount: candle.tradeCount,
  }
}

export type TickerJson = {
  readonly symbol: string
  readonly time: number
  readonly phase: string
  /** null where there is none: no trade yet, none in 24 hours, or an empty side. */
  readonly last: string | null
  readonly open: string | null
  readonly high: string | null
  readonly low: string | null
  readonly change: string | null
  readonly volume: string
  readonly quoteVolume: string
  readonly tradeCount: number
  readonly bid: string | null
  readonly bidQuantity: string | null
  readonly ask: string | null
  readonly askQuantity: string | null
}

export function tickerJson(market: InstrumentMarket, ticker: Ticker): TickerJson {
  const { instrument } = market
  const price = (value: Price) => (value === 0 ? null : formatPrice(instrument, value))
  const quantity = (value: Quantity) => (value === 0 ? null : formatQuantity(instrument, value))
  const change = (ticker.last - ticker.open) as Price
  return {
    symbol: instrument.symbol,
    time: toMilliseconds(ticker.time),
    phase: PHASE_NAMES[market.phase],
    last: price(ticker.last),
    open: price(ticker.open),
    high: price(ticker.high),
    low: price(ticker.low),
    change: ticker.open === 0 ? null : formatPrice(instrument, change),
    volume: volumeText(instrument, ticker.volume),
    quoteVolume: formatWide(ticker.quoteVolume, instrument.quote),
    tradeCount: ticker.tradeCount,
    bid: price(ticker.bid),
    bidQuantity: quantity(ticker.bidQuantity),
    ask: price(ticker.ask),
    askQuantity: quantity(ticker.askQuantity),
  }
}

export function isCandleInterval(text: string): text is CandleInterval {
  return Object.hasOwn(CANDLE_INTERVAL_SECONDS, text)
}

/** An amount that may pass 2^53, such as a day's turnover. */
export function formatWide(value: bigint, asset: Asset): string {
  return wideDecimal(value, asset.scale)
}

function volumeText(instrument: Instrument, lots: number): string {
  return wideDecimal(BigInt(lots) * BigInt(instrument.lot), instrument.quantityScale)
}

function wideDecimal(value: bigint, scale: number): string {
  const digits = String(value).padStart(scale + 1, '0')
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
  const whole = digits.slice(0, digits.length - scale)
  return scale === 0 || fraction === '' ? whole : `${whole}.${fraction}`
}

function toMilliseconds(timestamp_us: number): number {
  return Math.floor(timestamp_us / 1_000)
}
