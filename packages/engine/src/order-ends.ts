// How open orders end, and what the end of one means for the others of its list: the other leg of its pair ends with it, and the exits
// of an entry go live for what it filled, or end with it if that is nothing. An ended order is in no index and holds nothing.

import { DoneReason } from '@wintrades/domain'
import type { Instrument } from './instruments.ts'
import { ORDER_LAYOUT, ROLE } from './layouts.ts'
import {
  countKey,
  countOpen,
  heldBalance,
  instrumentOf,
  pairHold,
  releaseHold,
  tellDone,
  triggersOf,
  unrest,
  wholeHold,
} from './open-orders.ts'
import { sideOf } from './order-store.ts'
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
  EXPIRY_PLACE,
  LINK,
  API_KEY,
  ENTRY,
  WIDE_SHIFT,
  UPDATED_AT,
  EXPIRE_TIME,
  WAITING,
  ROLE: ROLE_OF,
} = ORDER_LAYOUT
/** Orders that hold no funds yet and are not live. */
const NOT_LIVE = ROLE.pending | ROLE.exit

/** Ends an open order: out of where it is, its funds released, its end told; then what its end means for the others of its list. */
export function cancelOrder(state: ShardState, slot: number, reason: number): void {
  const { orders } = state
  const h = slot << HOT_SHIFT
  const instrument = instrumentOf(state, slot)
  const side = sideOf(orders.hot[h + BITS])
  const price = orders.warm[(slot << WARM_SHIFT) + PRICE]
  const role = orders.warm[(slot << WARM_SHIFT) + ROLE_OF]
  const leaves = orders.leavesOf(slot)
  const other = role === 0 ? 0 : partList(state, instrument, slot)
  if ((orders.hot[h + BITS] & WAITING) === 0) unrest(state, instrument, slot)
  else {
    triggersOf(instrument).remove(slot)
    if ((role & NOT_LIVE) === 0) countOpen(state, slot, -leaves)
  }
  if ((role & NOT_LIVE) === 0) releaseHold(state, instrument, orders.hot[h + OWNER], side, price, leaves, 0)
  tellDone(state, instrument, slot, reason)
  closeOrder(state, slot)
  if (other !== 0) endOther(state, instrument, other, DoneReason.linked_order)
}

/** Ends an order of a list that holds nothing of its own (any more). */
export function endOther(state: ShardState, instrument: Instrument, slot: number, reason: number): void {
  if ((state.orders.hot[(slot << HOT_SHIFT) + BITS] & WAITING) === 0) instrument.book.remove(slot)
  else triggersOf(instrument).remove(slot)
  tellDone(state, instrument, slot, reason)
  closeOrder(state, slot)
}

/** Takes an order that is in no book and no queue any more out of every list, and gives its slot back. */
export function closeOrder(state: ShardState, slot: number): void {
  const { warm } = state.orders
  const w = slot << WARM_SHIFT
  const position = state.orders.hot[(slot << HOT_SHIFT) + OWNER]
  const account = state.positions.accountOf(position)
  if ((warm[w + ROLE_OF] & ROLE.entry) !== 0) {
    entryEnded(state, instrumentOf(state, slot), warm[w + LINK], state.orders.cumQtyOf(slot))
  }
  if (warm[w + EXPIRY_PLACE] !== 0) state.expiries.remove(slot)
  state.accounts.unlink(account, slot)
  state.origins.unlink(slot)
  countKey(state, account, warm[w + API_KEY], -1)
  state.orders.release(slot)
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

export function becomeExit(state: ShardState, slot: number, entry: number): void {
  const w = slot << WARM_SHIFT
  state.orders.warm[w + ROLE_OF] = ROLE.exit
  state.orders.rare[(slot << RARE_SHIFT) + ENTRY] = entry
  expireAsSaid(state, slot)
}

/** A named order no longer ends because nobody names it. */
export function expireAsSaid(state: ShardState, slot: number): void {
  const time = state.orders.wide[(slot << WIDE_SHIFT) + EXPIRE_TIME]
  state.expiries.remove(slot)
  if (time !== 0) state.expiries.add(slot, time)
}

export function clear(state: ShardState, slot: number): void {
  state.orders.warm[(slot << WARM_SHIFT) + ROLE_OF] = 0
  state.orders.warm[(slot << WARM_SHIFT) + LINK] = 0
}
