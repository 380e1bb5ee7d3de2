// Orders that belong together. A pair (one cancels the other): when one leg trades, triggers or ends, the other ends; they hold funds
// once, for the dearer of the two, and count once among what the position may still trade. An entry and its exits: the exits hold
// nothing and are not live until the entry has ended; then they go live for what it filled, or end with it if that is nothing.
//
// The legs of a pair have the same side and quantity, and at most one of them is in the book: the other waits for its trigger.

import { OrderLink, OrderType, RejectCode, TimeInForce } from '@wintrades/domain'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { ORDER_LAYOUT, PLACE, ROLE } from './layouts.ts'
import { triggersOf } from './open-orders.ts'
import { becomeExit, expireAsSaid } from './order-ends.ts'
import { orderTypeOf, sideOf } from './order-store.ts'
import type { ShardState } from './state.ts'
import { directionOf } from './triggers.ts'

const { HOT_SHIFT, OWNER, BITS, WARM_SHIFT, QUANTITY, STOP_PRICE, TRAILING_OFFSET, LINK, ROLE: ROLE_OF } = ORDER_LAYOUT

/** Whether an order may be what a list's leg says it is to the pending order `named`; 0, or the code of the refusal. */
export function checkLink(state: ShardState, incoming: Incoming, named: number): number {
  const refuse = () => state.refuse(RejectCode.order_list_invalid)
  const { hot, warm } = state.orders
  if (named === 0 || warm[(named << WARM_SHIFT) + ROLE_OF] !== ROLE.pending) return refuse()
  const owner = hot[(named << HOT_SHIFT) + OWNER]
  if (owner !== incoming.position || incoming.quoteAmount !== 0) return refuse()
  if (warm[(named << WARM_SHIFT) + QUANTITY] !== incoming.quantity) return refuse()
  const isSameSide = sideOf(hot[(named << HOT_SHIFT) + BITS]) === incoming.side
  if (incoming.link === OrderLink.entry) return isSameSide ? refuse() : 0
  if (!isSameSide || warm[(named << WARM_SHIFT) + LINK] !== 0 || incoming.orderType === OrderType.market)
    return refuse()
  const isImmediate = incoming.timeInForce === TimeInForce.ioc || incoming.timeInForce === TimeInForce.fok
  if (isImmediate) return refuse()
  const bothRest =
    incoming.orderType === OrderType.limit && orderTypeOf(hot[(named << HOT_SHIFT) + BITS]) === OrderType.limit
  return bothRest ? refuse() : 0
}

/** The incoming order, open now in `slot` and untouched by the market, is joined with the pending order it names. */
export function joinList(state: ShardState, instrument: Instrument, slot: number, link: number, named: number): void {
  const { orders } = state
  const { warm } = orders
  if (link === OrderLink.entry) {
    const pair = warm[(named << WARM_SHIFT) + LINK]
    const isOlder = pair === 0 || orders.numberOf(named) < orders.numberOf(pair)
    warm[(slot << WARM_SHIFT) + ROLE_OF] = ROLE.entry
    warm[(slot << WARM_SHIFT) + LINK] = isOlder ? named : pair
    becomeExit(state, named, slot)
    if (pair !== 0) becomeExit(state, pair, slot)
  } else if (link === OrderLink.pending_pair) pairUp(state, slot, named, ROLE.pending)
  else {
    pairUp(state, slot, named, ROLE.leg)
    expireAsSaid(state, named)
    takePlace(state, instrument, named)
  }
}

/** Where a trailing stop stands at the last trade's price. */
export function trailingStop(instrument: Instrument, direction: number, offset: number): number {
  return direction === PLACE.falling ? instrument.lastPrice - offset : instrument.lastPrice + offset
}

/** An order that waits for its trigger takes its place among the triggers; if its trigger has been met already, its time has come. */
export function takePlace(state: ShardState, instrument: Instrument, slot: number): void {
  const { warm, hot } = state.orders
  const w = slot << WARM_SHIFT
  const triggers = triggersOf(instrument)
  const offset = warm[w + TRAILING_OFFSET]
  triggers.remove(slot)
  if (offset !== 0) {
    warm[w + STOP_PRICE] = trailingStop(instrument, directionOf(hot[(slot << HOT_SHIFT) + BITS]), offset)
  } else if (instrument.lastPrice !== 0 && triggers.isMet(slot, instrument.lastPrice)) {
    triggers.release(slot, instrument.lastPrice)
    state.noteReleased(instrument)
    return
  }
  triggers.add(slot)
}

export function pairUp(state: ShardState, one: number, two: number, role: number): void {
  const { warm } = state.orders
  warm[(one << WARM_SHIFT) + ROLE_OF] = role
  warm[(one << WARM_SHIFT) + LINK] = two
  warm[(two << WARM_SHIFT) + ROLE_OF] = role
  warm[(two << WARM_SHIFT) + LINK] = one
}
