// A new order, from its bytes to its end: de-duplicate, check, hold, match and settle, then rest or release. A refused order
// changes nothing but the table of remembered ids.

import {
  DoneReason,
  EventType,
  HEADER,
  NEW_ORDER,
  ORDER_ACCEPTED,
  OrderFlag,
  OrderType,
  type OrderType as OrderTypeValue,
  RecordFlag,
  RejectCode,
  readInteger,
  type SelfTradePrevention,
  type Side,
  Side as Sides,
  TimeInForce,
  type TimeInForce as TimeInForceValue,
} from '@wintrades/domain'
import { SAFE_MAX, shareCeil } from './exact.ts'
import { GOES_ON, type Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { POSITION_LAYOUT } from './layouts.ts'
import { lookAhead } from './look-ahead.ts'
import { matchIncoming } from './matching.ts'
import { openOrder, releaseHold } from './open-orders.ts'
import { checkBlocked, checkLimits, checkNotional, checkPhase, checkPrice, checkQuantity } from './risk.ts'
import type { ShardState } from './state.ts'

const { POSITION_SHIFT, BASE_BALANCE, QUOTE_BALANCE, POSITION_QUANTITY, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

/** The pipeline of a new order. */
export function newOrder(state: ShardState): void {
  const { incoming, deduplication, events, number, account } = state
  const instrumentId = read(state, incoming)
  deduplication.hashText(state.view, incoming.textAt, incoming.textLength)
  const seen = deduplication.find(account)
  if (seen !== -1) {
    const first = deduplication.numberOf(seen)
    const order = deduplication.isOrder(seen) ? state.orderId(first) : first
    events.duplicate(account, instrumentId, state.commandType, order, deduplication.codeOf(seen))
    return
  }
  const instrument = state.instrument(instrumentId)
  const code = instrument === undefined ? RejectCode.instrument_unknown : enter(state, instrument, incoming)
  if (code !== 0) {
    if (instrument === undefined) state.refuse(code)
    events.rejected(account, instrumentId, state.commandType, incoming.orderId, code, state.limit, state.value)
  }
  deduplication.remember(account, number, code, true, state.timestamp)
}

function read(state: ShardState, incoming: Incoming): number {
  const { view, at } = state
  const extended = view.getUint8(at + HEADER.flags) === RecordFlag.extended
  incoming.orderId = state.orderId(state.number)
  incoming.account = state.account
  incoming.side = view.getUint8(at + NEW_ORDER.side) as Side
  incoming.orderType = view.getUint8(at + NEW_ORDER.orderType) as OrderTypeValue
  incoming.timeInForce = view.getUint8(at + NEW_ORDER.timeInForce) as TimeInForceValue
  incoming.selfTradePrevention = view.getUint8(at + NEW_ORDER.selfTradePrevention) as SelfTradePrevention
  incoming.flags = view.getUint8(at + NEW_ORDER.flags)
  incoming.session = view.getInt32(at + NEW_ORDER.session, true)
  incoming.apiKey = view.getUint32(at + NEW_ORDER.apiKey, true)
  incoming.price = readInteger(view, at + NEW_ORDER.price)
  incoming.quantity = readInteger(view, at + NEW_ORDER.quantity)
  incoming.textLength = view.getUint8(at + NEW_ORDER.textLength)
  incoming.textAt = at + (extended ? NEW_ORDER.extendedText : NEW_ORDER.text)
  incoming.quoteAmount = extended ? readInteger(view, at + NEW_ORDER.quoteAmount) : 0
  incoming.stopPrice = extended ? readInteger(view, at + NEW_ORDER.stopPrice) : 0
  incoming.displayQuantity = extended ? readInteger(view, at + NEW_ORDER.displayQuantity) : 0
  incoming.minimumQuantity = extended ? readInteger(view, at + NEW_ORDER.minimumQuantity) : 0
  incoming.expireTime = extended ? readInteger(view, at + NEW_ORDER.expireTime) : 0
  incoming.trailingOffset = extended ? readInteger(view, at + NEW_ORDER.trailingOffset) : 0
  incoming.cumQuote = 0
  incoming.held = 0
  incoming.feeLeft = 0
  incoming.reserved = 0
  incoming.doneReason = GOES_ON
  return view.getUint16(at + NEW_ORDER.instrument, true)
}

/** Checks an order and, if it passes, carries it out. Returns the code of its refusal; 0: it was accepted. */
function enter(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  if (incoming.account === 0 || !state.accounts.isKnown(incoming.account)) {
    return state.refuse(RejectCode.account_unknown)
  }
  const code =
    checkBlocked(state, instrument, incoming.account) || checkPhase(state, instrument) || checkShape(state, incoming)
  if (code !== 0) return code
  incoming.position = positionOf(state, instrument, incoming.account)
  return incoming.orderType === OrderType.market
    ? enterMarket(state, instrument, incoming)
    : enterLimit(state, instrument, incoming)
}

/** What this engine carries out; the rest is refused, never half done. */
function checkShape(state: ShardState, incoming: Incoming): number {
  const { orderType, timeInForce, flags } = incoming
  if (orderType !== OrderType.limit && orderType !== OrderType.market) {
    return state.refuse(RejectCode.order_type_not_supported, OrderType.market, orderType)
  }
  if (timeInForce > TimeInForce.fok) {
    return state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.fok, timeInForce)
  }
  const immediate = timeInForce !== TimeInForce.gtc
  if ((flags & OrderFlag.post_only) !== 0 && (orderType === OrderType.market || immediate)) {
    return state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.gtc, timeInForce)
  }
  // A resting order cannot promise it: the position may change before it is filled.
  if ((flags & OrderFlag.reduce_only) !== 0 && orderType === OrderType.limit && !immediate) {
    return state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.ioc, timeInForce)
  }
  if (incoming.displayQuantity !== 0)
    return state.refuse(RejectCode.display_quantity_invalid, 0, incoming.displayQuantity)
  if (incoming.minimumQuantity !== 0)
    return state.refuse(RejectCode.minimum_quantity_invalid, 0, incoming.minimumQuantity)
  if (incoming.expireTime !== 0) return state.refuse(RejectCode.expire_time_invalid, 0, incoming.expireTime)
  if (incoming.stopPrice !== 0) return state.refuse(RejectCode.stop_price_out_of_range, 0, incoming.stopPrice)
  if (incoming.trailingOffset !== 0) return state.refuse(RejectCode.trailing_offset_invalid, 0, incoming.trailingOffset)
  return 0
}

function positionOf(state: ShardState, instrument: Instrument, account: number): number {
  const found = state.positions.find(account, instrument.id)
  if (found !== 0) return found
  const base = state.ledger.ensure(account, instrument.base)
  const quote = state.ledger.ensure(account, instrument.quote)
  return state.positions.add(account, instrument.id, base, quote)
}

// ---- limit orders ----

function enterLimit(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const { side, price, quantity, timeInForce, flags } = incoming
  if (incoming.quoteAmount !== 0) return state.refuse(RejectCode.quantity_out_of_range, 0, incoming.quoteAmount)
  let code = checkPrice(state, instrument, price) || checkQuantity(state, instrument, quantity)
  if (code !== 0) return code
  const notional = instrument.notional(price, quantity)
  const mayRest = timeInForce === TimeInForce.gtc
  code =
    checkNotional(state, instrument, notional) ||
    checkReduceOnly(state, incoming, quantity) ||
    checkLimits(state, instrument, incoming, quantity, notional, mayRest)
  if (code !== 0) return code
  if (mayRest && state.orders.full) {
    return state.refuse(RejectCode.capacity_exhausted, state.orders.countMax, state.orders.count + 1)
  }
  if ((flags & OrderFlag.post_only) !== 0 && instrument.book.wouldMatch(side, price)) {
    const best = instrument.book.sideAt(1 - side).bestPrice
    return state.refuse(RejectCode.post_only_would_match, best, price)
  }
  code = holdFunds(state, instrument, incoming)
  if (code !== 0) return code
  incoming.leaves = quantity
  writeAccepted(state, instrument, incoming)
  if (timeInForce === TimeInForce.fok && !isFillable(state, instrument, incoming)) {
    incoming.doneReason = DoneReason.not_fillable
  } else matchIncoming(state, instrument, incoming)
  finishLimit(state, instrument, incoming, mayRest)
  return 0
}

/** Holds what the order may cost: the base asset of a sale, the quote asset and the fee of a purchase. */
function holdFunds(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const at = incoming.position << POSITION_SHIFT
  const { data } = state.positions
  const isBuy = incoming.side === Sides.buy
  const needed = isBuy
    ? instrument.buyHold(incoming.price, incoming.quantity)
    : incoming.quantity * instrument.baseUnitsPerLot
  const balance = data[at + (isBuy ? QUOTE_BALANCE : BASE_BALANCE)]
  const available = state.ledger.available(balance)
  if (needed > available) return state.refuse(RejectCode.funds_insufficient, available, needed)
  state.ledger.hold(balance, needed)
  incoming.held = needed
  return 0
}

function isFillable(state: ShardState, instrument: Instrument, incoming: Incoming): boolean {
  const found = lookAhead(state, instrument, incoming, incoming.quantity, SAFE_MAX, 0)
  return found.quantity === incoming.quantity
}

function finishLimit(state: ShardState, instrument: Instrument, incoming: Incoming, mayRest: boolean): void {
  if (incoming.leaves === 0) {
    writeDone(state, instrument, incoming, DoneReason.filled)
    return
  }
  if (incoming.doneReason === GOES_ON && mayRest) {
    openOrder(state, instrument, incoming, state.view.getUint32(state.at + HEADER.origin, true))
    return
  }
  const { position, side, price, leaves } = incoming
  releaseHold(state, instrument, position, side, price, leaves, 0)
  const reason = incoming.doneReason === GOES_ON ? DoneReason.immediate_remainder : incoming.doneReason
  writeDone(state, instrument, incoming, reason)
}

// ---- market orders ----

/**
 * A market order trades at any price, now, and never rests. A buy never costs more, fees included, than is available (nor than its
 * quote amount): it stops at the last lot that can be paid. A sale by quote amount stops before its proceeds pass the amount.
 */
function enterMarket(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const { side, quantity, quoteAmount, timeInForce } = incoming
  if (incoming.price !== 0) return state.refuse(RejectCode.price_out_of_range, 0, incoming.price)
  if (quoteAmount !== 0 && quantity !== 0) return state.refuse(RejectCode.quantity_out_of_range, 0, quantity)
  const byQuote = quoteAmount !== 0
  let code = byQuote ? checkNotional(state, instrument, quoteAmount) : checkQuantity(state, instrument, quantity)
  if (code !== 0) return code
  const at = incoming.position << POSITION_SHIFT
  const isBuy = side === Sides.buy
  const available = state.ledger.available(state.positions.data[at + (isBuy ? QUOTE_BALANCE : BASE_BALANCE)])
  const wanted = byQuote ? instrument.definition.quantityMax : quantity
  const amount = byQuote ? quoteAmount : SAFE_MAX
  const fee_ppm = isBuy ? instrument.takerFee_ppm : 0
  const found = lookAhead(state, instrument, incoming, wanted, isBuy ? Math.min(amount, available) : amount, fee_ppm)
  if (found.firstLotCost === 0) return state.refuse(RejectCode.no_liquidity)
  if (found.quantity === 0 && found.limited) {
    return amount < found.firstLotCost
      ? state.refuse(RejectCode.notional_too_small, found.firstLotCost, amount)
      : state.refuse(RejectCode.funds_insufficient, available, found.firstLotCost)
  }
  const reach = found.quantity
  const notional = found.notional
  const beyondFunds = found.limited && !byQuote ? quantity - reach : 0
  const needed = byQuote ? reach : quantity
  if (!isBuy && needed * instrument.baseUnitsPerLot > available) {
    return state.refuse(RejectCode.funds_insufficient, available, needed * instrument.baseUnitsPerLot)
  }
  code =
    checkReduceOnly(state, incoming, byQuote ? reach : quantity) ||
    checkLimits(state, instrument, incoming, reach, notional, false)
  if (code !== 0) return code
  if (byQuote) incoming.quantity = reach
  writeAccepted(state, instrument, incoming)
  incoming.feeLeft = shareCeil(notional, instrument.takerFee_ppm)
  incoming.reserved = beyondFunds
  tradeMarket(state, instrument, incoming, timeInForce === TimeInForce.fok && reach < needed)
  return 0
}

/** Trades what can be paid and is there; the rest of the order ends here. */
function tradeMarket(state: ShardState, instrument: Instrument, incoming: Incoming, unfillable: boolean): void {
  incoming.leaves = incoming.quantity
  if (unfillable) {
    writeDone(state, instrument, incoming, DoneReason.not_fillable)
    return
  }
  matchIncoming(state, instrument, incoming)
  if (incoming.leaves === 0) writeDone(state, instrument, incoming, DoneReason.filled)
  else {
    const reason = incoming.doneReason === GOES_ON ? DoneReason.immediate_remainder : incoming.doneReason
    writeDone(state, instrument, incoming, reason)
  }
}

// ---- shared ----

/** A reduce-only order, with the open orders of its side, may not be larger than the position it reduces. */
function checkReduceOnly(state: ShardState, incoming: Incoming, quantity: number): number {
  if ((incoming.flags & OrderFlag.reduce_only) === 0) return 0
  const at = incoming.position << POSITION_SHIFT
  const { values } = state.positions
  const held = values[at + POSITION_QUANTITY]
  const room = incoming.side === Sides.buy ? -held - values[at + OPEN_BUY] : held - values[at + OPEN_SELL]
  return quantity > room ? state.refuse(RejectCode.reduce_only, Math.max(0, room), quantity) : 0
}

function writeAccepted(state: ShardState, instrument: Instrument, incoming: Incoming): void {
  const { events } = state
  const at = events.begin(EventType.order_accepted, ORDER_ACCEPTED.slots, incoming.account, instrument.id)
  const data = events.data
  data[at + ORDER_ACCEPTED.order] = incoming.orderId
  data[at + ORDER_ACCEPTED.side] = incoming.side
  data[at + ORDER_ACCEPTED.orderType] = incoming.orderType
  data[at + ORDER_ACCEPTED.timeInForce] = incoming.timeInForce
  data[at + ORDER_ACCEPTED.price] = incoming.price
  data[at + ORDER_ACCEPTED.quantity] = incoming.quantity
  data[at + ORDER_ACCEPTED.quoteAmount] = incoming.quoteAmount
  data[at + ORDER_ACCEPTED.flags] = incoming.flags
  data[at + ORDER_ACCEPTED.selfTradePrevention] = incoming.selfTradePrevention
  data[at + ORDER_ACCEPTED.stopPrice] = incoming.stopPrice
  data[at + ORDER_ACCEPTED.displayQuantity] = incoming.displayQuantity
  data[at + ORDER_ACCEPTED.expireTime] = incoming.expireTime
}

export function writeDone(state: ShardState, instrument: Instrument, incoming: Incoming, reason: number): void {
  state.events.done(
    incoming.account,
    instrument.id,
    incoming.orderId,
    reason,
    incoming.leaves,
    incoming.cumQty,
    incoming.cumQuote,
    incoming.side,
    incoming.price,
  )
}
