// Orders that do not meet the market as they come in: those that wait for their trigger, and the first legs of a list.

import { OrderLink, OrderType, RejectCode, TimeInForce } from '@wintrades/domain'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { PLACE, ROLE } from './layouts.ts'
import { openWaiting, triggersOf } from './open-orders.ts'
import { holdFunds, originOf, writeAccepted } from './order-entry-steps.ts'
import { joinList, trailingStop } from './order-lists.ts'
import { hasPrice } from './order-shape.ts'
import { packBits } from './order-store.ts'
import { checkLimits, checkNotional, checkPrice, checkQuantity } from './risk.ts'
import type { ShardState } from './state.ts'
import { directionOf } from './triggers.ts'

/** An order that waits for its trigger. */
export function enterWaiting(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  let code = checkWaiting(state, instrument, incoming) || checkTrigger(state, instrument, incoming)
  if (code !== 0) return code
  code = holdFunds(state, instrument, incoming)
  if (code !== 0) return code
  incoming.leaves = incoming.quantity
  writeAccepted(state, instrument, incoming)
  const slot = openWaiting(state, instrument, incoming, originOf(state), 0)
  triggersOf(instrument).add(slot)
  if (incoming.link !== 0) joinList(state, instrument, slot, incoming.link, incoming.named)
  return 0
}

/** A leg of a list that waits to be named: it holds nothing and is not live. */
export function enterPending(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const { orderType, timeInForce } = incoming
  if (orderType === OrderType.market || timeInForce === TimeInForce.ioc || timeInForce === TimeInForce.fok) {
    return state.refuse(RejectCode.order_list_invalid)
  }
  const code = checkWaiting(state, instrument, incoming)
  if (code !== 0) return code
  incoming.leaves = incoming.quantity
  writeAccepted(state, instrument, incoming)
  const slot = openWaiting(state, instrument, incoming, originOf(state), ROLE.pending)
  if (incoming.link === OrderLink.pending_pair) joinList(state, instrument, slot, incoming.link, incoming.named)
  return 0
}

function checkWaiting(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const { quantity, price, orderType, stopPrice } = incoming
  if (incoming.quoteAmount !== 0) return state.refuse(RejectCode.quantity_out_of_range, 0, incoming.quoteAmount)
  if (!hasPrice(orderType) && price !== 0) return state.refuse(RejectCode.price_out_of_range, 0, price)
  let code =
    (hasPrice(orderType) ? checkPrice(state, instrument, price) : 0) || checkQuantity(state, instrument, quantity)
  if (code !== 0) return code
  const notional = instrument.notional(price || stopPrice || instrument.referencePrice, quantity)
  code =
    checkNotional(state, instrument, notional) || checkLimits(state, instrument, incoming, quantity, notional, true)
  if (code !== 0) return code
  if (orderType === OrderType.trailing_stop && instrument.lastPrice === 0) {
    return state.refuse(RejectCode.stop_price_out_of_range)
  }
  return state.orders.full
    ? state.refuse(RejectCode.capacity_exhausted, state.orders.countMax, state.orders.count + 1)
    : 0
}

/** A trigger must lie away from the last trade: what it would do at once, another order does. A trailing stop starts there. */
function checkTrigger(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const { lastPrice } = instrument
  const kind = packBits(incoming.side, incoming.orderType, incoming.timeInForce, incoming.selfTradePrevention, 0)
  const direction = directionOf(kind)
  if (incoming.orderType === OrderType.trailing_stop) {
    const { priceMin, priceMax } = instrument.definition
    const stop = trailingStop(instrument, direction, incoming.trailingOffset)
    const room = direction === PLACE.falling ? lastPrice - priceMin : priceMax - lastPrice
    if (stop < priceMin || stop > priceMax) {
      return state.refuse(RejectCode.trailing_offset_invalid, Math.max(0, room), incoming.trailingOffset)
    }
    const trail = triggersOf(instrument).trailOf(direction)
    if (trail.full) return state.refuse(RejectCode.capacity_exhausted, trail.count, trail.count + 1)
    incoming.stopPrice = stop
    return 0
  }
  if (lastPrice === 0) return 0
  const { stopPrice } = incoming
  const isMet = direction === PLACE.falling ? lastPrice <= stopPrice : lastPrice >= stopPrice
  return isMet ? state.refuse(RejectCode.would_trigger_immediately, lastPrice, stopPrice) : 0
}
