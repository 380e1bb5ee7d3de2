// Orders whose time has come enter the market: triggered ones as the limit or market orders that they are inside, and exits whose
// entry has ended. So many within one command; the others wait for the commands that follow.

import { DoneReason, OrderFlag, OrderType, Side, TimeInForce } from '@wintrades/domain'
import { SAFE_MAX, shareCeil } from './exact.ts'
import { GOES_ON } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { ORDER_LAYOUT, POSITION_LAYOUT, ROLE } from './layouts.ts'
import { lookAhead } from './look-ahead.ts'
import { matchIncoming } from './matching.ts'
import { countOpen, heldBalance, pairHold, releaseHold, triggersOf, wholeHold } from './open-orders.ts'
import { clear, endOther, partList } from './order-ends.ts'
import { checkReduceOnly } from './order-entry-steps.ts'
import { pairUp, takePlace, trailingStop } from './order-lists.ts'
import { orderTypeOf } from './order-store.ts'
import { endIncoming, loadOrder, reenter } from './reentry.ts'
import type { ShardState } from './state.ts'
import { directionOf } from './triggers.ts'

const {
  HOT_SHIFT,
  OWNER,
  BITS,
  WARM_SHIFT,
  RARE_SHIFT,
  QUANTITY,
  TRAILING_OFFSET,
  LINK,
  TRIGGER_PRICE,
  WIDE_SHIFT,
  UPDATED_AT,
  WAITING,
  TRIGGERED,
  ROLE: ROLE_OF,
} = ORDER_LAYOUT
const { POSITION_SHIFT, QUOTE_BALANCE } = POSITION_LAYOUT

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
