// A new order, from its bytes to its end: de-duplicate, check, hold, match and settle, then rest or release. A refused order
// changes nothing but the table of remembered ids.

import {
  DoneReason,
  HEADER,
  linkedTextAt,
  NEW_ORDER,
  newOrderTextAt,
  OrderFlag,
  OrderLink,
  OrderType,
  type OrderType as OrderTypeValue,
  Phase,
  RecordFlag,
  RejectCode,
  readInteger,
  type SelfTradePrevention,
  type Side,
  Side as Sides,
  TimeInForce,
  type TimeInForce as TimeInForceValue,
} from '@wintrades/domain'
import { AHEAD_MAX } from './deduplication.ts'
import { SAFE_MAX, shareCeil } from './exact.ts'
import { GOES_ON, type Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { ORDER_LAYOUT, POSITION_LAYOUT, ROLE } from './layouts.ts'
import { lookAhead, lotsWithinBands } from './look-ahead.ts'
import { matchIncoming } from './matching.ts'
import { instrumentOf, openOrder, releaseHold } from './open-orders.ts'
import { endNamed, entryEnded } from './order-ends.ts'
import { checkReduceOnly, holdFunds, originOf, writeAccepted, writeDone } from './order-entry-steps.ts'
import { checkLink, joinList } from './order-lists.ts'
import { checkShape } from './order-shape.ts'
import { checkPace } from './risk/pace.ts'
import { watchPosition } from './risk/results.ts'
import { checkBlocked, checkLimits, checkNotional, checkPrice, checkQuantity } from './risk.ts'
import { checkSession } from './sessions.ts'
import type { ShardState } from './state.ts'
import { enterPending, enterWaiting } from './waiting-entry.ts'

const { WARM_SHIFT, ROLE: ROLE_OF } = ORDER_LAYOUT
const { POSITION_SHIFT, BASE_BALANCE, QUOTE_BALANCE } = POSITION_LAYOUT

/** The pipeline of a new order. */
export function newOrder(state: ShardState): void {
  const { incoming, deduplication, events, number, account } = state
  const instrumentId = read(state, incoming)
  // `approach` has hashed it.
  deduplication.recall(events.command & (AHEAD_MAX - 1))
  const seen = deduplication.find(account)
  if (seen !== -1) {
    const first = deduplication.numberOf(seen)
    const order = deduplication.isOrder(seen) ? state.orderId(first) : first
    events.duplicate(account, instrumentId, state.commandType, order, deduplication.codeOf(seen))
    return
  }
  const instrument = state.instrument(instrumentId)
  const code =
    instrument === undefined ? state.refuse(RejectCode.instrument_unknown) : enter(state, instrument, incoming)
  if (code !== 0) {
    events.rejected(account, instrumentId, state.commandType, incoming.orderId, code, state.limit, state.value)
    if (incoming.named !== 0) endNamed(state, instrumentOf(state, incoming.named), incoming.named)
  }
  deduplication.remember(account, number, code, true, state.timestamp)
}

function read(state: ShardState, incoming: Incoming): number {
  const { view, at } = state
  const recordFlags = view.getUint8(at + HEADER.flags)
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
  incoming.textAt = at + newOrderTextAt(recordFlags)
  if (recordFlags !== 0 || incoming.isExtended) readExtension(state, incoming, recordFlags)
  incoming.cumQuote = 0
  incoming.held = 0
  incoming.feeLeft = 0
  incoming.reserved = 0
  incoming.doneReason = GOES_ON
  return view.getUint16(at + NEW_ORDER.instrument, true)
}

/** What a plain order does not have: 0 in all fields, which they keep from one plain order to the next. */
function readExtension(state: ShardState, incoming: Incoming, recordFlags: number): void {
  const { view, at } = state
  const isExtended = recordFlags !== 0
  incoming.isExtended = isExtended
  incoming.quoteAmount = isExtended ? readInteger(view, at + NEW_ORDER.quoteAmount) : 0
  incoming.stopPrice = isExtended ? readInteger(view, at + NEW_ORDER.stopPrice) : 0
  incoming.displayQuantity = isExtended ? readInteger(view, at + NEW_ORDER.displayQuantity) : 0
  incoming.minimumQuantity = isExtended ? readInteger(view, at + NEW_ORDER.minimumQuantity) : 0
  incoming.expireTime = isExtended ? readInteger(view, at + NEW_ORDER.expireTime) : 0
  incoming.trailingOffset = isExtended ? readInteger(view, at + NEW_ORDER.trailingOffset) : 0
  incoming.link = (recordFlags & RecordFlag.linked) === 0 ? OrderLink.none : view.getUint8(at + NEW_ORDER.link)
  incoming.named = 0
}

/** Checks an order and, if it passes, carries it out. Returns the code of its refusal; 0: it was accepted. */
function enter(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  if (incoming.account === 0 || !state.accounts.isKnown(incoming.account)) {
    return state.refuse(RejectCode.account_unknown)
  }
  if (incoming.link > OrderLink.pending) findNamed(state, incoming)
  const code =
    checkBlocked(state, instrument, incoming.account) ||
    checkSession(state, instrument) ||
    checkShape(state, instrument, incoming) ||
    checkPace(state, instrument.id, incoming)
  if (code !== 0) return code
  incoming.position = positionOf(state, instrument, incoming.account)
  if (incoming.link !== OrderLink.none) {
    const refused = incoming.link === OrderLink.pending ? 0 : checkLink(state, incoming, incoming.named)
    if (refused !== 0) return refused
    if (incoming.link === OrderLink.pending || incoming.link === OrderLink.pending_pair) {
      return enterPending(state, instrument, incoming)
    }
  }
  if (incoming.orderType === OrderType.limit) return enterLimit(state, instrument, incoming)
  return incoming.orderType === OrderType.market
    ? enterMarket(state, instrument, incoming)
    : enterWaiting(state, instrument, incoming)
}

/** Looks up the order that a list's leg names. Only one that is pending is noted: no other can be named. */
function findNamed(state: ShardState, incoming: Incoming): void {
  const { deduplication, view, at, orders } = state
  const length = view.getUint8(at + NEW_ORDER.linkedTextLength)
  deduplication.hashText(view, at + linkedTextAt(incoming.textLength), length)
  const entry = deduplication.find(incoming.account)
  const slot = entry !== -1 && deduplication.isOrder(entry) ? orders.find(deduplication.numberOf(entry)) : 0
  if (slot !== 0 && orders.warm[(slot << WARM_SHIFT) + ROLE_OF] === ROLE.pending) incoming.named = slot
  deduplication.hashText(view, incoming.textAt, incoming.textLength)
}

function positionOf(state: ShardState, instrument: Instrument, account: number): number {
  const found = state.positions.find(account, instrument.id)
  if (found !== 0) return found
  const base = state.ledger.ensure(account, instrument.base)
  const quote = state.ledger.ensure(account, instrument.quote)
  const position = state.positions.add(account, instrument.id, base, quote)
  if (state.accounts.limitsOf(account) !== 0) watchPosition(state, position)
  return position
}

// ---- limit orders ----

function enterLimit(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const { side, price, quantity, timeInForce, flags } = incoming
  if (incoming.quoteAmount !== 0) return state.refuse(RejectCode.quantity_out_of_range, 0, incoming.quoteAmount)
  let code = checkPrice(state, instrument, price) || checkQuantity(state, instrument, quantity)
  if (code !== 0) return code
  const notional = instrument.notional(price, quantity)
  const mayRest = timeInForce !== TimeInForce.ioc && timeInForce !== TimeInForce.fok
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
  const atOnce = timeInForce === TimeInForce.fok ? quantity : incoming.minimumQuantity
  if (atOnce !== 0 && !isThere(state, instrument, incoming, atOnce)) incoming.doneReason = DoneReason.not_fillable
  else if (instrument.phase === Phase.continuous) matchIncoming(state, instrument, incoming)
  finishLimit(state, instrument, incoming, mayRest)
  return 0
}

function isThere(state: ShardState, instrument: Instrument, incoming: Incoming, atOnce: number): boolean {
  return lookAhead(state, instrument, incoming, incoming.quantity, SAFE_MAX, 0).quantity >= atOnce
}

function finishLimit(state: ShardState, instrument: Instrument, incoming: Incoming, mayRest: boolean): void {
  if (incoming.leaves === 0) {
    writeDone(state, instrument, incoming, DoneReason.filled)
    if (incoming.link !== 0) finishLinked(state, instrument, incoming, 0)
    return
  }
  if (incoming.doneReason === GOES_ON && mayRest) {
    const slot = openOrder(state, instrument, incoming, originOf(state))
    if (incoming.link !== 0) finishLinked(state, instrument, incoming, slot)
    return
  }
  const { position, side, price, leaves } = incoming
  releaseHold(state, instrument, position, side, price, leaves, 0)
  const reason = incoming.doneReason === GOES_ON ? DoneReason.immediate_remainder : incoming.doneReason
  writeDone(state, instrument, incoming, reason)
  if (incoming.link !== 0) finishLinked(state, instrument, incoming, 0)
}

/** What has become of an order of a list decides what becomes of the one it names. `slot`: where it is open; 0: it has ended. */
function finishLinked(state: ShardState, instrument: Instrument, incoming: Incoming, slot: number): void {
  const { link, named } = incoming
  if (link === OrderLink.entry) {
    if (slot === 0) entryEnded(state, instrument, named, incoming.cumQty)
    else joinList(state, instrument, slot, link, named)
    return
  }
  const isUntouched = slot !== 0 && incoming.leaves === state.view.getUint32(state.at + NEW_ORDER.quantity, true)
  if (isUntouched) {
    joinList(state, instrument, slot, link, named)
    return
  }
  if (incoming.surplus !== 0) {
    const at = incoming.position << POSITION_SHIFT
    const balance = state.positions.data[at + (incoming.side === Sides.buy ? QUOTE_BALANCE : BASE_BALANCE)]
    state.ledger.hold(balance, -incoming.surplus)
  }
  endNamed(state, instrument, named)
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
  const atOnce = timeInForce === TimeInForce.fok ? needed : incoming.minimumQuantity
  const isThere = atOnce === 0 || !instrument.hasBands || lotsWithinBands(state, instrument, incoming, atOnce) >= atOnce
  tradeMarket(state, instrument, incoming, reach < atOnce || !isThere)
  if (incoming.link !== 0) finishLinked(state, instrument, incoming, 0)
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
