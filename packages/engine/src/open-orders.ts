// The open orders of a shard as a whole: an order is in one book (or waits for its trigger or its list), in its account's list, maybe
// in its connection's list and among those that expire, and has funds held. Everything that opens or cuts an open order goes through
// here, and everything that ends one through `order-ends.ts`, so that the places never disagree.

import { LIMITS, OrderFlag, Side } from '@wintrades/domain'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { LIMIT_LAYOUT, ORDER_LAYOUT, PLACE, POSITION_LAYOUT } from './layouts.ts'
import { packBits, sideOf } from './order-store.ts'
import type { ShardState } from './state.ts'
import type { Triggers } from './triggers.ts'

const { LIMIT_SHIFT, KEY_OPEN_COUNT } = LIMIT_LAYOUT
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
  DISPLAY,
  ORIGIN,
  SESSION,
  API_KEY,
  STOP_PRICE,
  TRAILING_OFFSET,
  EXPIRY_PLACE,
  LINK,
  ROLE: ROLE_OF,
  PLACE: PLACE_OF,
  TRIGGER_PRICE,
  ENTRY,
  WIDE_SHIFT,
  CUM_QUOTE,
  ACCEPTED_AT,
  UPDATED_AT,
  EXPIRE_TIME,
  WAITING,
  ICEBERG,
} = ORDER_LAYOUT
const { POSITION_SHIFT, POSITION_INSTRUMENT, BASE_BALANCE, QUOTE_BALANCE, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

/** Gives what is left of the incoming order (whose funds are held) a slot and rests it in the book. Returns the slot. */
export function openOrder(state: ShardState, instrument: Instrument, incoming: Incoming, origin: number): number {
  const slot = storeOrder(state, incoming, origin)
  rest(state, instrument, slot, incoming.side, incoming.price)
  return slot
}

/** Gives an order that waits a slot, in no queue yet. `role`: pending, or 0. Returns the slot. */
export function openWaiting(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  origin: number,
  role: number,
): number {
  const slot = storeOrder(state, incoming, origin)
  const w = slot << WARM_SHIFT
  const { hot, rare, warm } = state.orders
  hot[(slot << HOT_SHIFT) + BITS] |= WAITING
  warm[w + ROLE_OF] = role
  rare[(slot << RARE_SHIFT) + PLACE_OF] = PLACE.none
  rare[(slot << RARE_SHIFT) + TRIGGER_PRICE] = 0
  rare[(slot << RARE_SHIFT) + ENTRY] = 0
  if (role === 0) {
    countOpen(state, slot, incoming.leaves)
    return slot
  }
  triggersOf(instrument).idle(slot)
  state.expiries.remove(slot)
  state.expiries.add(slot, pendingUntil(state, slot))
  return slot
}

/** When a pending order ends unless it is named. */
export function pendingUntil(state: ShardState, slot: number): number {
  const { wide } = state.orders
  const f = slot << WIDE_SHIFT
  const deadline = wide[f + ACCEPTED_AT] + LIMITS.pending_order_us
  return wide[f + EXPIRE_TIME] === 0 ? deadline : Math.min(deadline, wide[f + EXPIRE_TIME])
}

function storeOrder(state: ShardState, incoming: Incoming, origin: number): number {
  const { account, position, price, quantity, leaves, session, apiKey, textAt, textLength } = incoming
  const { side, orderType, timeInForce, selfTradePrevention, flags } = incoming
  const bits = packBits(side, orderType, timeInForce, selfTradePrevention, flags)
  const slot = storePlain(state, account, position, bits, price, quantity, leaves, session, apiKey, textAt, textLength)
  const { warm, wide } = state.orders
  wide[(slot << WIDE_SHIFT) + CUM_QUOTE] = incoming.cumQuote
  if ((flags & OrderFlag.cancel_on_disconnect) !== 0) state.origins.link(origin, slot)
  countKey(state, account, apiKey, 1)
  if (!incoming.isExtended) return slot
  warm[(slot << WARM_SHIFT) + DISPLAY] = incoming.displayQuantity
  warm[(slot << WARM_SHIFT) + STOP_PRICE] = incoming.stopPrice
  warm[(slot << WARM_SHIFT) + TRAILING_OFFSET] = incoming.trailingOffset
  wide[(slot << WIDE_SHIFT) + EXPIRE_TIME] = incoming.expireTime
  if (incoming.expireTime !== 0) state.expiries.add(slot, incoming.expireTime)
  return slot
}

/** A slot for the order of the command under way, in its account's list. What only some orders have is 0. */
export function storePlain(
  state: ShardState,
  account: number,
  position: number,
  bits: number,
  price: number,
  quantity: number,
  leaves: number,
  session: number,
  apiKey: number,
  textAt: number,
  textLength: number,
): number {
  const { orders } = state
  const slot = orders.allocate(state.number)
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const f = slot << WIDE_SHIFT
  const { hot, warm, wide } = orders
  hot[h | LEAVES] = leaves
  hot[h | OWNER] = position
  orders.setKind(slot, bits)
  warm[w | PRICE] = price
  warm[w | QUANTITY] = quantity
  warm[w | HIDDEN] = 0
  warm[w | DISPLAY] = 0
  warm[w | ORIGIN] = 0
  warm[w | SESSION] = session
  warm[w | API_KEY] = apiKey
  warm[w | STOP_PRICE] = 0
  warm[w | TRAILING_OFFSET] = 0
  warm[w | EXPIRY_PLACE] = 0
  warm[w | LINK] = 0
  warm[w | ROLE_OF] = 0
  wide[f | CUM_QUOTE] = 0
  wide[f | ACCEPTED_AT] = state.timestamp
  wide[f | UPDATED_AT] = state.timestamp
  wide[f | EXPIRE_TIME] = 0
  orders.copyText(slot, state.view, textAt, textLength)
  state.accounts.link(account, slot)
  return slot
}

/** The instrument's waiting orders, which it has once it had one. */
export function triggersOf(instrument: Instrument): Triggers {
  instrument.triggers ??= instrument.makeTriggers()
  return instrument.triggers
}

/** Adds to what the order's position may still buy or sell by its open orders. */
export function countOpen(state: ShardState, slot: number, quantity: number): void {
  const h = slot << HOT_SHIFT
  const position = state.orders.hot[h + OWNER] << POSITION_SHIFT
  const isBuy = sideOf(state.orders.hot[h + BITS]) === Side.buy
  state.positions.values[position + (isBuy ? OPEN_BUY : OPEN_SELL)] += quantity
}

/** Puts an order that has a slot (back) into its book, at the end of the queue of its price; an iceberg hides what it does not display. */
export function rest(state: ShardState, instrument: Instrument, slot: number, side: Side, price: number): void {
  const position = state.orders.hot[(slot << HOT_SHIFT) + OWNER] << POSITION_SHIFT
  state.positions.values[position + (side === Side.buy ? OPEN_BUY : OPEN_SELL)] += state.orders.leavesOf(slot)
  if (state.orders.warm[(slot << WARM_SHIFT) + DISPLAY] !== 0) hide(state, slot)
  instrument.book.add(slot, side, price)
}

function hide(state: ShardState, slot: number): void {
  const { hot, warm } = state.orders
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const leaves = state.orders.leavesOf(slot)
  hot[h + LEAVES] = Math.min(warm[w + DISPLAY], leaves)
  warm[w + HIDDEN] = leaves - hot[h + LEAVES]
  hot[h + BITS] |= ICEBERG
}

/** Takes an order out of its book; its funds stay held and its slot stays. */
export function unrest(state: ShardState, instrument: Instrument, slot: number): void {
  const h = slot << HOT_SHIFT
  const side = sideOf(state.orders.hot[h + BITS])
  const position = state.orders.hot[h + OWNER] << POSITION_SHIFT
  state.positions.values[position + (side === Side.buy ? OPEN_BUY : OPEN_SELL)] -= state.orders.leavesOf(slot)
  instrument.book.remove(slot)
}

export function instrumentOf(state: ShardState, slot: number): Instrument {
  const position = state.orders.hot[(slot << HOT_SHIFT) + OWNER]
  const id = state.positions.data[(position << POSITION_SHIFT) + POSITION_INSTRUMENT]
  return state.instruments[id] as Instrument
}

export function tellDone(state: ShardState, instrument: Instrument, slot: number, reason: number): void {
  const { orders } = state
  const h = slot << HOT_SHIFT
  state.events.done(
    state.positions.accountOf(orders.hot[h + OWNER]),
    instrument.id,
    state.orderIdAt(slot),
    reason,
    orders.leavesOf(slot),
    orders.cumQtyOf(slot),
    orders.wide[(slot << WIDE_SHIFT) + CUM_QUOTE],
    sideOf(orders.hot[h + BITS]),
    orders.warm[(slot << WARM_SHIFT) + PRICE],
  )
}

/** Lowers what is left of an open order in place; hidden quantity goes first. It keeps its priority. */
export function reduceOrder(state: ShardState, instrument: Instrument, slot: number, by: number): void {
  const { hot, warm, wide } = state.orders
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const side = sideOf(hot[h + BITS])
  const leaves = state.orders.leavesOf(slot)
  releaseHold(state, instrument, hot[h + OWNER], side, warm[w + PRICE], leaves, leaves - by)
  countOpen(state, slot, -by)
  const fromHidden = Math.min(by, warm[w + HIDDEN])
  warm[w + HIDDEN] -= fromHidden
  warm[w + QUANTITY] -= by
  wide[(slot << WIDE_SHIFT) + UPDATED_AT] = state.timestamp
  if (by === fromHidden) return
  if ((hot[h + BITS] & WAITING) !== 0) triggersOf(instrument).reduce(slot, by - fromHidden)
  else instrument.book.reduce(slot, by - fromHidden)
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

/** The balance in which an order holds its funds. */
export function heldBalance(state: ShardState, slot: number): number {
  const h = slot << HOT_SHIFT
  const position = state.orders.hot[h + OWNER] << POSITION_SHIFT
  const isBuy = sideOf(state.orders.hot[h + BITS]) === Side.buy
  return state.positions.data[position + (isBuy ? QUOTE_BALANCE : BASE_BALANCE)]
}

/** What the whole quantity of a live order must hold; a purchase at whatever price holds nothing. */
export function wholeHold(state: ShardState, instrument: Instrument, slot: number): number {
  const { hot, warm } = state.orders
  const w = slot << WARM_SHIFT
  if (sideOf(hot[(slot << HOT_SHIFT) + BITS]) === Side.sell) return warm[w + QUANTITY] * instrument.baseUnitsPerLot
  return instrument.buyHold(warm[w + PRICE], warm[w + QUANTITY])
}

export function countKey(state: ShardState, account: number, apiKey: number, change: number): void {
  if (apiKey === 0) return
  const record = state.limits.find(account, apiKey >>> 0)
  if (record !== 0) state.limits.data[(record << LIMIT_SHIFT) + KEY_OPEN_COUNT] += change
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
