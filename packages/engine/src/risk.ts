// Pre-trade risk: the rules an order must pass before it may hold funds and meet the market. Each returns the code of the rule
// that refuses, with its limit and the value that broke it noted in the state; 0: it passes. Nothing here changes anything.

import { LIMITS, Phase, RejectCode, Side } from '@wintrades/domain'

import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { ACCOUNT_LAYOUT, LIMIT_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import type { ShardState } from './state.ts'

const { BLOCKED } = ACCOUNT_LAYOUT
const { LIMIT_SHIFT, OPEN_ORDERS_MAX, POSITION_VALUE_MAX, ORDER_NOTIONAL_MAX, KEY_OPEN_COUNT } = LIMIT_LAYOUT
const { POSITION_SHIFT, POSITION_QUANTITY, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

/** Kill switches of the shard, the instrument and the account. */
export function checkBlocked(state: ShardState, instrument: Instrument, account: number): number {
  if (state.blocked) return state.refuse(RejectCode.shard_blocked)
  if (instrument.blocked) return state.refuse(RejectCode.instrument_blocked)
  if ((state.accounts.flags(account) & BLOCKED) !== 0) return state.refuse(RejectCode.account_blocked)
  return 0
}

export function checkPhase(state: ShardState, instrument: Instrument): number {
  if (instrument.phase === Phase.continuous) return 0
  if (instrument.phase === Phase.halted) return state.refuse(RejectCode.market_halted)
  return state.refuse(RejectCode.market_closed)
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

/** The account's limits, then those of the API key that sent the order. */
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
  if (valueMax === 0) return 0
  const value = positionValue(state, instrument, incoming, quantity)
  return value > valueMax ? state.refuse(RejectCode.position_limit, valueMax, value) : 0
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
