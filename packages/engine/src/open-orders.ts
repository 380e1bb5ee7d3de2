// The open orders of a shard as a whole: an order is in one book (or waits for its trigger), in its account's list, maybe in
// its connection's list, and has funds held. Everything that opens, cuts or ends an open order goes through here, so that the
// places never disagree.

import { OrderFlag, Side } from '@wintrades/domain'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { LIMIT_LAYOUT, ORDER_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import { packBits, sideOf } from './order-store.ts'
import type { ShardState } from './state.ts'

const { LIMIT_SHIFT, KEY_OPEN_COUNT } = LIMIT_LAYOUT
const {
  HOT_SHIFT,
  LEAVES,
  OWNER,
  BITS,
  WARM_SHIFT,
  PRICE,
  QUANTITY,
  HIDDEN,
  DISPLAY,
  ORIGIN,
  SESSION,
  API_KEY,
  STOP_PRICE,
  TRAILING_OFFSET,
  EXPIRY_PLACE,
  LINK,
  WIDE_SHIFT,
  CUM_QUOTE,
  ACCEPTED_AT,
  UPDATED_AT,
  EXPIRE_TIME,
} = ORDER_LAYOUT
const { POSITION_SHIFT, POSITION_INSTRUMENT, BASE_BALANCE, QUOTE_BALANCE, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

/** Gives what is left of the incoming order (whose funds are held) a slot and rests it in the book. Returns the slot. */
export function openOrder(state: ShardState, instrument: Instrument, incoming: Incoming, origin: number): number {
  const { orders } = state
  const slot = orders.allocate(state.number)
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const f = slot << WIDE_SHIFT
  const { hot, warm, wide } = orders
  hot[h + LEAVES] = incoming.leaves
  hot[h + OWNER] = incoming.position
  orders.setKind(
    slot,
    packBits(incoming.side, incoming.orderType, incoming.timeInForce, incoming.selfTradePrevention, incoming.flags),
  )
  warm[w + PRICE] = incoming.price
  warm[w + QUANTITY] = incoming.quantity
  warm[w + HIDDEN] = 0
  warm[w + DISPLAY] = 0
  warm[w + ORIGIN] = 0
  warm[w + SESSION] = incoming.session
  warm[w + API_KEY] = incoming.apiKey
  warm[w + STOP_PRICE] = 0
  warm[w + TRAILING_OFFSET] = 0
  warm[w + EXPIRY_PLACE] = 0
  warm[w + LINK] = 0
  wide[f + CUM_QUOTE] = incoming.cumQuote
  wide[f + ACCEPTED_AT] = state.timestamp
  wide[f + UPDATED_AT] = state.timestamp
  wide[f + EXPIRE_TIME] = 0
  orders.copyText(slot, state.view, incoming.textAt, incoming.textLength)
  state.accounts.link(incoming.account, slot)
  if ((incoming.flags & OrderFlag.cancel_on_disconnect) !== 0) state.origins.link(origin, slot)
  countKey(state, incoming.account, incoming.apiKey, 1)
  rest(state, instrument, slot, incoming.side, incoming.price)
  return slot
}

/** Puts an order that has a slot (back) into its book, at the end of the queue of its price. */
export function rest(state: ShardState, instrument: Instrument, slot: number, side: Side, price: number): void {
  const position = state.orders.hot[(slot << HOT_SHIFT) + OWNER] << POSITION_SHIFT
  state.positions.values[position + (side === Side.buy ? OPEN_BUY : OPEN_SELL)] += state.orders.leavesOf(slot)
  instrument.book.add(slot, side, price)
}

/** Takes an order out of its book; its funds stay held and its slot stays. */
export function unrest(state: ShardState, instrument: Instrument, slot: number): void {
  const h = slot << HOT_SHIFT
  const side = sideOf(state.orders.hot[h + BITS])
  const position = state.orders.hot[h + OWNER] << POSITION_SHIFT
  state.positions.values[position + (side === Side.buy ? OPEN_BUY : OPEN_SELL)] -= state.orders.leavesOf(slot)
  instrument.book.remove(slot)
}

/** Ends an open order: out of its book, its funds released, its end told. */
export function cancelOrder(state: ShardState, slot: number, reason: number): void {
  const { orders } = state
  const h = slot << HOT_SHIFT
  const position = orders.hot[h + OWNER] << POSITION_SHIFT
  const instrument = state.instruments[state.positions.data[position + POSITION_INSTRUMENT]] as Instrument
  const side = sideOf(orders.hot[h + BITS])
  const price = orders.warm[(slot << WARM_SHIFT) + PRICE]
  const leaves = orders.leavesOf(slot)
  unrest(state, instrument, slot)
  releaseHold(state, instrument, orders.hot[h + OWNER], side, price, leaves, 0)
  state.events.done(
    state.positions.data[position],
    instrument.id,
    state.orderIdAt(slot),
    reason,
    leaves,
    orders.cumQtyOf(slot),
    orders.wide[(slot << WIDE_SHIFT) + CUM_QUOTE],
    side,
    price,
  )
  closeOrder(state, slot)
}

/** Lowers what is left of an open order in place; hidden quantity goes first. It keeps its priority. */
export function reduceOrder(state: ShardState, instrument: Instrument, slot: number, by: number): void {
  const { hot, warm, wide } = state.orders
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const side = sideOf(hot[h + BITS])
  const leaves = state.orders.leavesOf(slot)
  releaseHold(state, instrument, hot[h + OWNER], side, warm[w + PRICE], leaves, leaves - by)
  const position = hot[h + OWNER] << POSITION_SHIFT
  state.positions.values[position + (side === Side.buy ? OPEN_BUY : OPEN_SELL)] -= by
  const fromHidden = Math.min(by, warm[w + HIDDEN])
  warm[w + HIDDEN] -= fromHidden
  warm[w + QUANTITY] -= by
  wide[(slot << WIDE_SHIFT) + UPDATED_AT] = state.timestamp
  if (by > fromHidden) instrument.book.reduce(slot, by - fromHidden)
}

/** Releases the difference between what `leaves` and what `leavesAfter` of an order must hold. */
export function releaseHold(
  state: ShardState,
  instrument: Instrument,
  position: number,
  side: Side,
  price: number,
  leaves: number,
  leavesAfter: number,
): void {
  const at = position << POSITION_SHIFT
  if (side === Side.buy) {
    const released = instrument.buyHold(price, leaves) - instrument.buyHold(price, leavesAfter)
    state.ledger.hold(state.positions.data[at + QUOTE_BALANCE], -released)
  } else {
    const released = (leaves - leavesAfter) * instrument.baseUnitsPerLot
    state.ledger.hold(state.positions.data[at + BASE_BALANCE], -released)
  }
}

/** Takes an order that is in no book any more out of every list, and gives its slot back. */
export function closeOrder(state: ShardState, slot: number): void {
  const position = state.orders.hot[(slot << HOT_SHIFT) + OWNER]
  const account = state.positions.accountOf(position)
  state.accounts.unlink(account, slot)
  state.origins.unlink(slot)
  countKey(state, account, state.orders.warm[(slot << WARM_SHIFT) + API_KEY], -1)
  state.orders.release(slot)
}

function countKey(state: ShardState, account: number, apiKey: number, change: number): void {
  if (apiKey === 0) return
  const record = state.limits.find(account, apiKey)
  if (record !== 0) state.limits.data[(record << LIMIT_SHIFT) + KEY_OPEN_COUNT] += change
}
