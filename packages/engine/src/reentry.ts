// An order that has a slot comes in again: moved by a replace, triggered, or live because its entry has ended.

import { DoneReason, OrderFlag, Phase, Side, TimeInForce } from '@wintrades/domain'
import { SAFE_MAX, shareCeil } from './exact.ts'
import { GOES_ON } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { ORDER_LAYOUT, POSITION_LAYOUT, ROLE } from './layouts.ts'
import { lookAhead } from './look-ahead.ts'
import { matchIncoming } from './matching.ts'
import { closeOrder, countOpen, endOther, releaseHold, rest, triggersOf } from './open-orders.ts'
import { checkReduceOnly, writeDone } from './order-entry.ts'
import { activateExits, partList } from './order-lists.ts'
import { flagsOf, orderTypeOf, selfTradeOf, sideOf, timeInForceOf } from './order-store.ts'
import type { ShardState } from './state.ts'

const {
  HOT_SHIFT,
  LEAVES,
  OWNER,
  BITS,
  WARM_SHIFT,
  RARE_SHIFT,
  PRICE,
  QUANTITY,
  HIDDEN,
  API_KEY,
  ROLE: ROLE_OF,
  TRIGGER_PRICE,
  WIDE_SHIFT,
  CUM_QUOTE,
  UPDATED_AT,
  WAITING,
  TRIGGERED,
  ICEBERG,
} = ORDER_LAYOUT
const { POSITION_SHIFT, QUOTE_BALANCE } = POSITION_LAYOUT

/** Makes an open order the incoming one, with what is left of it. */
export function loadOrder(state: ShardState, slot: number): void {
  const { incoming, orders } = state
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const bits = orders.hot[h + BITS]
  incoming.orderId = state.orderIdAt(slot)
  incoming.position = orders.hot[h + OWNER]
  incoming.account = state.positions.accountOf(incoming.position)
  incoming.side = sideOf(bits)
  incoming.orderType = orderTypeOf(bits)
  incoming.timeInForce = timeInForceOf(bits)
  incoming.selfTradePrevention = selfTradeOf(bits)
  incoming.flags = flagsOf(bits)
  incoming.apiKey = orders.warm[w + API_KEY] >>> 0
  incoming.price = orders.warm[w + PRICE]
  incoming.quantity = orders.warm[w + QUANTITY]
  incoming.leaves = orders.leavesOf(slot)
  incoming.cumQuote = orders.wide[(slot << WIDE_SHIFT) + CUM_QUOTE]
  incoming.held = 0
  incoming.reserved = 0
  incoming.feeLeft = 0
  incoming.doneReason = GOES_ON
}

/** The loaded limit order, in no book and with its funds held, meets the market. True: what is left of it rests again. */
export function reenter(state: ShardState, instrument: Instrument, slot: number): boolean {
  const { incoming } = state
  const { timeInForce } = incoming
  const isImmediate = timeInForce === TimeInForce.ioc || timeInForce === TimeInForce.fok
  if (instrument.phase === Phase.continuous) matchIncoming(state, instrument, incoming)
  if (incoming.leaves > 0 && incoming.doneReason === GOES_ON && !isImmediate) {
    storeBack(state, slot)
    rest(state, instrument, slot, incoming.side, incoming.price)
    return true
  }
  const { position, side, price, leaves } = incoming
  if (leaves > 0) releaseHold(state, instrument, position, side, price, leaves, 0)
  const unfilled = incoming.doneReason === GOES_ON ? DoneReason.immediate_remainder : incoming.doneReason
  endIncoming(state, instrument, slot, leaves > 0 ? unfilled : DoneReason.filled)
  return false
}

/** Ends the loaded order, whose funds are released. */
function endIncoming(state: ShardState, instrument: Instrument, slot: number, reason: number): void {
  const { incoming, orders } = state
  orders.hot[(slot << HOT_SHIFT) + LEAVES] = incoming.leaves
  orders.warm[(slot << WARM_SHIFT) + HIDDEN] = 0
  orders.warm[(slot << WARM_SHIFT) + QUANTITY] = incoming.quantity
  writeDone(state, instrument, incoming, reason)
  closeOrder(state, slot)
}

/** Writes the incoming order back into its slot. */
function storeBack(state: ShardState, slot: number): void {
  const { incoming, orders } = state
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  orders.hot[h + LEAVES] = incoming.leaves
  orders.hot[h + BITS] &= ~ICEBERG
  orders.warm[w + HIDDEN] = 0
  orders.warm[w + PRICE] = incoming.price
  orders.warm[w + QUANTITY] = incoming.quantity
  orders.wide[(slot << WIDE_SHIFT) + CUM_QUOTE] = incoming.cumQuote
  orders.wide[(slot << WIDE_SHIFT) + UPDATED_AT] = state.timestamp
}

/** Lets orders whose time has come enter the market, `countMax` at most; the others wait for the commands that follow. */
export function enterReleased(state: ShardState, countMax: number): void {
  const { releasing } = state
  let left = countMax
  while (releasing.length > 0 && left > 0) {
    const instrument = releasing[0]
    const slot = triggersOf(instrument).released.first
    if (slot === 0) {
      releasing.shift()
      continue
    }
    left--
    if ((state.orders.warm[(slot << WARM_SHIFT) + ROLE_OF] & ROLE.exit) !== 0) activateExits(state, instrument, slot)
    else trigger(state, instrument, slot)
  }
}

/** A triggered order becomes the limit or market order that it is inside. */
function trigger(state: ShardState, instrument: Instrument, slot: number): void {
  const { orders, incoming } = state
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const other = orders.warm[w + ROLE_OF] === ROLE.leg ? partList(state, instrument, slot) : 0
  triggersOf(instrument).remove(slot)
  countOpen(state, slot, -orders.leavesOf(slot))
  orders.hot[h + BITS] = (orders.hot[h + BITS] & ~WAITING) | TRIGGERED
  const account = state.positions.accountOf(orders.hot[h + OWNER])
  state.events.triggered(
    account,
    instrument.id,
    state.orderIdAt(slot),
    orders.rare[(slot << RARE_SHIFT) + TRIGGER_PRICE],
  )
  if (other !== 0) endOther(state, instrument, other, DoneReason.linked_order)
  loadOrder(state, slot)
  if (incoming.price === 0) enterAsMarket(state, instrument, slot)
  else enterAsLimit(state, instrument, slot)
}

function enterAsLimit(state: ShardState, instrument: Instrument, slot: number): void {
  const { incoming } = state
  const { side, price, leaves, flags } = incoming
  if (side === Side.buy) incoming.held = instrument.buyHold(price, leaves)
  const code = checkReduceOnly(state, incoming, leaves)
  const wouldTake = (flags & OrderFlag.post_only) !== 0 && instrument.book.wouldMatch(side, price)
  if (code !== 0 || wouldTake) incoming.doneReason = DoneReason.trigger_rejected
  else if (incoming.timeInForce === TimeInForce.fok) {
    const found = lookAhead(state, instrument, incoming, leaves, SAFE_MAX, 0)
    if (found.quantity < leaves) incoming.doneReason = DoneReason.not_fillable
  }
  reenter(state, instrument, slot)
}

/** A sale gives its lots out of what it held; a purchase is paid out of what is available now, as far as that goes. */
function enterAsMarket(state: ShardState, instrument: Instrument, slot: number): void {
  const { incoming } = state
  const { side, position, leaves } = incoming
  const isBuy = side === Side.buy
  if (!isBuy) releaseHold(state, instrument, position, side, 0, leaves, 0)
  if (checkReduceOnly(state, incoming, leaves) !== 0) {
    endIncoming(state, instrument, slot, DoneReason.trigger_rejected)
    return
  }
  const balance = state.positions.data[(position << POSITION_SHIFT) + QUOTE_BALANCE]
  const budget = isBuy ? state.ledger.available(balance) : SAFE_MAX
  const found = lookAhead(state, instrument, incoming, leaves, budget, isBuy ? instrument.takerFee_ppm : 0)
  if (found.quantity === 0 && found.limited) {
    endIncoming(state, instrument, slot, DoneReason.trigger_rejected)
    return
  }
  incoming.reserved = found.limited ? leaves - found.quantity : 0
  incoming.feeLeft = shareCeil(found.notional, instrument.takerFee_ppm)
  matchIncoming(state, instrument, incoming)
  const unfilled = incoming.doneReason === GOES_ON ? DoneReason.immediate_remainder : incoming.doneReason
  endIncoming(state, instrument, slot, incoming.leaves > 0 ? unfilled : DoneReason.filled)
}
