// Pre-trade risk: the rules an order must pass before it may hold funds and meet the market. Each returns the code of the rule
// that refuses, with its limit and the value that broke it noted in the state; 0: it passes. Nothing here changes anything but
// the highest result of an account with a drawdown limit. Each rule with its formula stands in docs/risk.md.

import { CommandType, LIMITS, RejectCode, Side } from '@wintrades/domain'
import { shareFloorClamped } from './exact.ts'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { ACCOUNT_LAYOUT, LIMIT_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import { addsNoExposure, equityOf, reducibleLots, stressCost } from './risk/exposure.ts'
import { accountDayLoss, raisePeak } from './risk/results.ts'
import { type ShardState, VERSION_RISK } from './state.ts'

const { BLOCKED } = ACCOUNT_LAYOUT
const {
  LIMIT_SHIFT,
  OPEN_ORDERS_MAX,
  RISK_LIMIT_PPM,
  POSITION_VALUE_MAX,
  ORDER_NOTIONAL_MAX,
  DAILY_LOSS_MAX,
  DRAWDOWN_MAX,
  KEY_OPEN_COUNT,
  PRICE_BAND_PPM,
} = LIMIT_LAYOUT
const { POSITION_SHIFT, POSITION_QUANTITY, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

/** Kill switches of the shard, the instrument and the account. */
export function checkBlocked(state: ShardState, instrument: Instrument, account: number): number {
  if (state.blocked) return state.refuse(RejectCode.shard_blocked)
  if (instrument.blocked) return state.refuse(RejectCode.instrument_blocked)
  if ((state.accounts.flags(account) & BLOCKED) !== 0) return state.refuse(RejectCode.account_blocked)
  return 0
}

export function checkPrice(state: ShardState, instrument: Instrument, price: number): number {
  const { priceMin, priceMax } = instrument.definition
  if (price < priceMin) return state.refuse(RejectCode.price_out_of_range, priceMin, price)
  if (price > priceMax) return state.refuse(RejectCode.price_out_of_range, priceMax, price)
  return 0
}

export function checkQuantity(state: ShardState, instrument: Instrument, quantity: number): number {
  const { quantityMin, quantityMax } = instrument.definition
  if (quantity < quantityMin) return state.refuse(RejectCode.quantity_out_of_range, quantityMin, quantity)
  if (quantity > quantityMax) return state.refuse(RejectCode.quantity_out_of_range, quantityMax, quantity)
  return 0
}

export function checkNotional(state: ShardState, instrument: Instrument, notional: number): number {
  const { notionalMin, notionalMax } = instrument.definition
  if (notional < notionalMin) return state.refuse(RejectCode.notional_too_small, notionalMin, notional)
  if (notionalMax !== 0 && notional > notionalMax) {
    return state.refuse(RejectCode.notional_too_large, notionalMax, notional)
  }
  return 0
}

/**
 * The price band of the instrument, the account's limits, then those of the API key that sent the order. `quantity` is by how much the
 * order adds to what is on order, `notional` what it is worth.
 */
export function checkLimits(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  quantity: number,
  notional: number,
  opensOrder: boolean,
): number {
  const { account } = incoming
  const open = state.accounts.openCount(account)
  if (opensOrder && open >= LIMITS.open_orders_per_account_max) {
    return state.refuse(RejectCode.open_orders_limit, LIMITS.open_orders_per_account_max, open + 1)
  }
  if (instrument.definition.priceBand_ppm !== 0) {
    const code = checkBand(state, instrument, incoming, instrument.definition.priceBand_ppm)
    if (code !== 0) return code
  }
  if (state.accounts.limitsOf(account) === 0) return 0
  const own = state.limits.find(account, 0)
  if (own !== 0) {
    const code = checkRecord(state, instrument, incoming, own, open, quantity, notional, opensOrder)
    if (code !== 0) return code
  }
  if (incoming.apiKey === 0) return 0
  const key = state.limits.find(account, incoming.apiKey)
  if (key === 0) return 0
  const openOfKey = state.limits.data[(key << LIMIT_SHIFT) + KEY_OPEN_COUNT]
  return checkRecord(state, instrument, incoming, key, openOfKey, quantity, notional, opensOrder)
}

function checkRecord(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  record: number,
  open: number,
  quantity: number,
  notional: number,
  opensOrder: boolean,
): number {
  const { data } = state.limits
  const at = record << LIMIT_SHIFT
  const notionalMax = data[at + ORDER_NOTIONAL_MAX]
  if (notionalMax !== 0 && notional > notionalMax) {
    return state.refuse(RejectCode.order_size_limit, notionalMax, notional)
  }
  const openMax = data[at + OPEN_ORDERS_MAX]
  if (opensOrder && openMax !== 0 && open >= openMax) {
    return state.refuse(RejectCode.open_orders_limit, openMax, open + 1)
  }
  const valueMax = data[at + POSITION_VALUE_MAX]
  if (valueMax !== 0) {
    const value = positionValue(state, instrument, incoming, quantity)
    if (value > valueMax) return state.refuse(RejectCode.position_limit, valueMax, value)
  }
  return state.version < VERSION_RISK ? 0 : checkResults(state, instrument, incoming, at, quantity)
}

/** The rules that look at what the account owns, has lost and could lose, and its own price band. */
function checkResults(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  at: number,
  quantity: number,
): number {
  const { data } = state.limits
  const band_ppm = data[at + PRICE_BAND_PPM]
  if (band_ppm !== 0) {
    const code = checkBand(state, instrument, incoming, band_ppm)
    if (code !== 0) return code
  }
  const lossMax = data[at + DAILY_LOSS_MAX]
  const drawdownMax = data[at + DRAWDOWN_MAX]
  if (lossMax !== 0 || drawdownMax !== 0) {
    // Both are looked at for each order, so that the highest result is known however the order fares.
    const fall = drawdownMax === 0 ? -1 : raisePeak(state, incoming.position)
    const loss = lossMax === 0 ? -1 : accountDayLoss(state, incoming.position)
    const isReducing = quantity <= reducibleLots(state, incoming.position, incoming.side)
    if (!isReducing && lossMax !== 0 && loss >= lossMax) return state.refuse(RejectCode.daily_loss_limit, lossMax, loss)
    if (!isReducing && drawdownMax !== 0 && fall >= drawdownMax) {
      return state.refuse(RejectCode.drawdown_limit, drawdownMax, fall)
    }
  }
  const riskLimit_ppm = data[at + RISK_LIMIT_PPM]
  if (riskLimit_ppm === 0 || addsNoExposure(state, incoming, quantity)) return 0
  const limit = shareFloorClamped(equityOf(state, incoming.account, instrument.quote), riskLimit_ppm)
  const cost = stressCost(state, incoming, quantity)
  return cost > limit ? state.refuse(RejectCode.risk_limit, limit, cost) : 0
}

/** A limit price stays within the band around the reference price; that of an order which waits, around its stop price. */
function checkBand(state: ShardState, instrument: Instrument, incoming: Incoming, band_ppm: number): number {
  const { price } = incoming
  if (price === 0 || state.version < VERSION_RISK) return 0
  // A replaced order does not wait any more.
  const stopPrice = state.commandType === CommandType.new_order ? incoming.stopPrice : 0
  const reference = stopPrice || instrument.referencePrice
  if (reference === 0) return 0
  const distance = shareFloorClamped(reference, band_ppm)
  if (price > reference + distance) return state.refuse(RejectCode.price_band, reference + distance, price)
  if (price < reference - distance) return state.refuse(RejectCode.price_band, reference - distance, price)
  return 0
}

/**
 * The largest value the position could come to if this order and all open orders of its side were filled, at the reference price
 * (before the first trade and without a configured one, at the order's own). An order that brings the position nearer to zero
 * passes whatever its value: it is 0 here.
 */
function positionValue(state: ShardState, instrument: Instrument, incoming: Incoming, quantity: number): number {
  const at = incoming.position << POSITION_SHIFT
  const { values } = state.positions
  const held = values[at + POSITION_QUANTITY]
  const after =
    incoming.side === Side.buy ? held + values[at + OPEN_BUY] + quantity : -held + values[at + OPEN_SELL] + quantity
  const before = incoming.side === Side.buy ? -held : held
  if (after <= 0 || after <= before) return 0
  const price = instrument.referencePrice || incoming.price
  // Beyond 2^53 the product is rounded, but then it is beyond every limit as well.
  return after * price * instrument.quoteUnitsPerTickLot
}
