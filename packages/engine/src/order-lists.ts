// Orders that belong together. A pair (one cancels the other): when one leg trades, triggers or ends, the other ends; they hold funds
// once, for the dearer of the two, and count once among what the position may still trade. An entry and its exits: the exits hold
// nothing and are not live until the entry has ended; then they go live for what it filled, or end with it if that is nothing.
//
// The legs of a pair have the same side and quantity, and at most one of them is in the book: the other waits for its trigger.

import { DoneReason, OrderLink, OrderType, RejectCode, Side, TimeInForce } from '@wintrades/domain'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { ORDER_LAYOUT, PLACE, ROLE } from './layouts.ts'
import { countOpen, endOther, heldBalance, triggersOf, wholeHold } from './open-orders.ts'
import { orderTypeOf, sideOf } from './order-store.ts'
import { loadOrder, reenter } from './reentry.ts'
import type { ShardState } from './state.ts'
import { directionOf } from './triggers.ts'

const {
  HOT_SHIFT,
  LEAVES,
  OWNER,
  BITS,
  WARM_SHIFT,
  RARE_SHIFT,
  QUANTITY,
  STOP_PRICE,
  TRAILING_OFFSET,
  LINK,
  ROLE: ROLE_OF,
  ENTRY,
  WIDE_SHIFT,
  UPDATED_AT,
  EXPIRE_TIME,
  WAITING,
} = ORDER_LAYOUT

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

/** A pair counts once among what its position may still trade: by the leg in the book, or else by the younger one. */
export function isCountedLeg(state: ShardState, slot: number): boolean {
  const { orders } = state
  const other = orders.warm[(slot << WARM_SHIFT) + LINK]
  if ((orders.hot[(slot << HOT_SHIFT) + BITS] & WAITING) === 0) return true
  if ((orders.hot[(other << HOT_SHIFT) + BITS] & WAITING) === 0) return false
  return orders.numberOf(slot) > orders.numberOf(other)
}

/** What a pair must hold: its dearer leg. */
export function pairHold(state: ShardState, instrument: Instrument, own: number, named: number): number {
  return named === 0 ? own : Math.max(own, wholeHold(state, instrument, named))
}

/**
 * Parts an order from the others of its list before it trades, triggers or ends. What a pair holds beyond this order's part is
 * released. Returns the other leg, which holds nothing any more and is to be ended; 0: there is none.
 */
export function partList(state: ShardState, instrument: Instrument, slot: number): number {
  const { rare, warm } = state.orders
  const w = slot << WARM_SHIFT
  const role = warm[w + ROLE_OF]
  if ((role & ROLE.entry) !== 0) return 0
  const other = warm[w + LINK]
  const entry = (role & ROLE.exit) !== 0 ? rare[(slot << RARE_SHIFT) + ENTRY] : 0
  if (entry !== 0) clear(state, entry)
  if ((role & ROLE.leg) !== 0) {
    const own = wholeHold(state, instrument, slot)
    const surplus = pairHold(state, instrument, own, other) - own
    if (surplus !== 0) state.ledger.hold(heldBalance(state, slot), -surplus)
  }
  clear(state, slot)
  if (other !== 0) clear(state, other)
  return other
}

/** One leg of a pair has traded: the other ends. */
export function legTraded(state: ShardState, instrument: Instrument, slot: number): void {
  if ((state.orders.warm[(slot << WARM_SHIFT) + ROLE_OF] & ROLE.leg) === 0) return
  endOther(state, instrument, partList(state, instrument, slot), DoneReason.linked_order)
}

/** An entry has ended with `filled` lots: its exits go live for as many, after the command; or end now, if there are none. */
export function entryEnded(state: ShardState, instrument: Instrument, exit: number, filled: number): void {
  const { warm } = state.orders
  const other = warm[(exit << WARM_SHIFT) + LINK]
  if (filled === 0) {
    endNamed(state, instrument, exit)
    return
  }
  cutExit(state, instrument, exit, filled)
  if (other !== 0) cutExit(state, instrument, other, filled)
  const triggers = triggersOf(instrument)
  triggers.remove(exit)
  triggers.release(exit, 0)
  state.noteReleased(instrument)
}

/** A pending order, or exits, whose list does not come about. */
export function endNamed(state: ShardState, instrument: Instrument, named: number): void {
  const other = partList(state, instrument, named)
  endOther(state, instrument, named, DoneReason.linked_order)
  if (other !== 0) endOther(state, instrument, other, DoneReason.linked_order)
}

/** Exits whose entry has ended go live: funds are held, the leg that waits takes its place, the other meets the market. */
export function activateExits(state: ShardState, instrument: Instrument, exit: number): void {
  const { hot, warm } = state.orders
  const other = warm[(exit << WARM_SHIFT) + LINK]
  const rests = orderTypeOf(hot[(exit << HOT_SHIFT) + BITS]) === OrderType.limit
  const first = rests || other === 0 ? exit : other
  const second = first === exit ? other : exit
  clear(state, first)
  if (second !== 0) clear(state, second)
  const own = wholeHold(state, instrument, first)
  const needed = pairHold(state, instrument, own, second)
  const balance = heldBalance(state, first)
  const canTrail = trails(state, instrument, first) && (second === 0 || trails(state, instrument, second))
  if (needed > state.ledger.available(balance) || !canTrail) {
    endOther(state, instrument, first, DoneReason.trigger_rejected)
    if (second !== 0) endOther(state, instrument, second, DoneReason.trigger_rejected)
    return
  }
  state.ledger.hold(balance, needed)
  tellLive(state, instrument, first)
  if (second !== 0) tellLive(state, instrument, second)
  const untouched = enterFirst(state, instrument, first)
  if (second === 0) return
  if (untouched) {
    pairUp(state, first, second, ROLE.leg)
    takePlace(state, instrument, second)
    return
  }
  if (needed !== own) state.ledger.hold(balance, own - needed)
  endOther(state, instrument, second, DoneReason.linked_order)
}

/** True: the leg is open and has not traded. */
function enterFirst(state: ShardState, instrument: Instrument, slot: number): boolean {
  const { orders, incoming } = state
  const quantity = orders.warm[(slot << WARM_SHIFT) + QUANTITY]
  if (orderTypeOf(orders.hot[(slot << HOT_SHIFT) + BITS]) !== OrderType.limit) {
    countOpen(state, slot, quantity)
    takePlace(state, instrument, slot)
    return true
  }
  triggersOf(instrument).remove(slot)
  orders.hot[(slot << HOT_SHIFT) + BITS] &= ~WAITING
  loadOrder(state, slot)
  incoming.held = incoming.side === Side.buy ? wholeHold(state, instrument, slot) : 0
  return reenter(state, instrument, slot) && incoming.leaves === quantity
}

function tellLive(state: ShardState, instrument: Instrument, slot: number): void {
  const { orders } = state
  orders.wide[(slot << WIDE_SHIFT) + UPDATED_AT] = state.timestamp
  const account = state.positions.accountOf(orders.hot[(slot << HOT_SHIFT) + OWNER])
  state.events.triggered(account, instrument.id, state.orderIdAt(slot), 0)
}

/** Whether a trailing stop can stand where its offset would put it now. */
function trails(state: ShardState, instrument: Instrument, slot: number): boolean {
  const { warm, hot } = state.orders
  const offset = warm[(slot << WARM_SHIFT) + TRAILING_OFFSET]
  if (offset === 0) return true
  const direction = directionOf(hot[(slot << HOT_SHIFT) + BITS])
  if (triggersOf(instrument).trailOf(direction).full) return false
  const stop = trailingStop(instrument, direction, offset)
  return stop >= instrument.definition.priceMin && stop <= instrument.definition.priceMax
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

function cutExit(state: ShardState, instrument: Instrument, slot: number, filled: number): void {
  const { hot, warm, wide } = state.orders
  const w = slot << WARM_SHIFT
  const by = warm[w + QUANTITY] - filled
  becomeExit(state, slot, 0)
  if (by <= 0) return
  hot[(slot << HOT_SHIFT) + LEAVES] = filled
  warm[w + QUANTITY] = filled
  wide[(slot << WIDE_SHIFT) + UPDATED_AT] = state.timestamp
  const account = state.positions.accountOf(hot[(slot << HOT_SHIFT) + OWNER])
  state.events.reduced(account, instrument.id, state.orderIdAt(slot), by, filled, filled)
}

function pairUp(state: ShardState, one: number, two: number, role: number): void {
  const { warm } = state.orders
  warm[(one << WARM_SHIFT) + ROLE_OF] = role
  warm[(one << WARM_SHIFT) + LINK] = two
  warm[(two << WARM_SHIFT) + ROLE_OF] = role
  warm[(two << WARM_SHIFT) + LINK] = one
}

function becomeExit(state: ShardState, slot: number, entry: number): void {
  const w = slot << WARM_SHIFT
  state.orders.warm[w + ROLE_OF] = ROLE.exit
  state.orders.rare[(slot << RARE_SHIFT) + ENTRY] = entry
  expireAsSaid(state, slot)
}

/** A named order no longer ends because nobody names it. */
function expireAsSaid(state: ShardState, slot: number): void {
  const time = state.orders.wide[(slot << WIDE_SHIFT) + EXPIRE_TIME]
  state.expiries.remove(slot)
  if (time !== 0) state.expiries.add(slot, time)
}

function clear(state: ShardState, slot: number): void {
  state.orders.warm[(slot << WARM_SHIFT) + ROLE_OF] = 0
  state.orders.warm[(slot << WARM_SHIFT) + LINK] = 0
}
