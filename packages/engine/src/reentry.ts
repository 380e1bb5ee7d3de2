// An order that has a slot comes in again: moved by a replace, triggered, or live because its entry has ended.

import { DoneReason, Phase, TimeInForce } from '@wintrades/domain'
import { GOES_ON } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { ORDER_LAYOUT } from './layouts.ts'
import { matchIncoming } from './matching.ts'
import { releaseHold, rest } from './open-orders.ts'
import { closeOrder } from './order-ends.ts'
import { writeDone } from './order-entry-steps.ts'
import { flagsOf, orderTypeOf, selfTradeOf, sideOf, timeInForceOf } from './order-store.ts'
import type { ShardState } from './state.ts'

const {
  HOT_SHIFT,
  LEAVES,
  OWNER,
  BITS,
  WARM_SHIFT,
  PRICE,
  QUANTITY,
  HIDDEN,
  API_KEY,
  WIDE_SHIFT,
  CUM_QUOTE,
  UPDATED_AT,
  ICEBERG,
} = ORDER_LAYOUT

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
export function endIncoming(state: ShardState, instrument: Instrument, slot: number, reason: number): void {
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
