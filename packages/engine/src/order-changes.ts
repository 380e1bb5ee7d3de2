// Cancel, replace, mass cancel and cancel-on-disconnect. Cancels pass every halt and block; a replace must pass the checks of a
// new order. Many orders are cancelled in the order of their ids.

import {
  BOTH_SIDES,
  CANCEL_ORDER,
  CANCEL_SESSION,
  commandOfOrder,
  DoneReason,
  HEADER,
  MASS_CANCEL,
  OrderFlag,
  type OrderId,
  REPLACE_ORDER,
  RejectCode,
  readInteger,
  Side,
  shardOfOrder,
} from '@wintrades/domain'
import type { Instrument } from './instruments.ts'
import { ORDER_LAYOUT, POSITION_LAYOUT, ROLE } from './layouts.ts'
import { heldBalance, instrumentOf, reduceOrder, unrest } from './open-orders.ts'
import { cancelOrder } from './order-ends.ts'
import { checkDisplay } from './order-shape.ts'
import { flagsOf, sideOf } from './order-store.ts'
import { loadOrder, reenter } from './reentry.ts'
import { checkRate } from './risk/pace.ts'
import { checkBlocked, checkLimits, checkNotional, checkPrice, checkQuantity } from './risk.ts'
import { checkSession } from './sessions.ts'
import type { ShardState } from './state.ts'

const {
  HOT_SHIFT,
  OWNER,
  BITS,
  WARM_SHIFT,
  PRICE,
  QUANTITY,
  DISPLAY,
  ACCOUNT_NEXT,
  ORIGIN_NEXT,
  SESSION,
  LINK,
  ROLE: ROLE_OF,
  WAITING,
} = ORDER_LAYOUT
const { POSITION_SHIFT, POSITION_INSTRUMENT } = POSITION_LAYOUT

export function cancel(state: ShardState): void {
  const { view, at, account, events, commandType } = state
  const named = readInteger(view, at + CANCEL_ORDER.order)
  const slot = find(state, named, at + CANCEL_ORDER.text, view.getUint8(at + CANCEL_ORDER.textLength))
  if (slot === 0) {
    events.rejected(account, 0, commandType, named, found.code, 0, 0)
    return
  }
  const instrument = instrumentOf(state, slot)
  const order = state.orderIdAt(slot)
  cancelOrder(state, slot, DoneReason.cancelled_by_client)
  events.commandDone(account, instrument.id, commandType, order, 1)
}

/** Why `find` found nothing. */
const found: { code: number } = { code: 0 }

/** The slot of the account's open order with this id (0: with this client order id); 0: there is none. */
function find(state: ShardState, order: number, textAt: number, textLength: number): number {
  const { account, orders, deduplication } = state
  if (order === 0) {
    deduplication.hashText(state.view, textAt, textLength)
    const entry = deduplication.find(account)
    const isOrder = entry !== -1 && deduplication.isOrder(entry)
    const slot = isOrder ? orders.find(deduplication.numberOf(entry)) : 0
    found.code = isOrder ? RejectCode.order_not_open : RejectCode.order_unknown
    return slot
  }
  const number = commandOfOrder(order as OrderId)
  const isOurs = shardOfOrder(order as OrderId) === state.shard && number < state.number
  const slot = isOurs ? orders.find(number) : 0
  found.code = isOurs ? RejectCode.order_not_open : RejectCode.order_unknown
  if (slot === 0) return 0
  if (state.positions.accountOf(orders.hot[(slot << HOT_SHIFT) + OWNER]) === account) return slot
  found.code = RejectCode.order_of_other_account
  return 0
}

// ---- replace ----

/** A price or quantity of 0 stays as it is. */
export function replace(state: ShardState): void {
  const { view, at, account, events, commandType, orders } = state
  const named = readInteger(view, at + REPLACE_ORDER.order)
  const slot = find(state, named, at + REPLACE_ORDER.text, view.getUint8(at + REPLACE_ORDER.textLength))
  if (slot === 0) {
    events.rejected(account, 0, commandType, named, found.code, 0, 0)
    return
  }
  const instrument = instrumentOf(state, slot)
  const order = state.orderIdAt(slot)
  const w = slot << WARM_SHIFT
  const price = readInteger(view, at + REPLACE_ORDER.price) || orders.warm[w + PRICE]
  const quantity = readInteger(view, at + REPLACE_ORDER.quantity) || orders.warm[w + QUANTITY]
  const code = checkReplace(state, instrument, slot, price, quantity)
  if (code !== 0) {
    events.rejected(account, instrument.id, commandType, order, code, state.limit, state.value)
    return
  }
  if (price === orders.warm[w + PRICE] && quantity <= orders.warm[w + QUANTITY]) {
    const by = orders.warm[w + QUANTITY] - quantity
    if (by > 0) reduceOrder(state, instrument, slot, by)
    events.replaced(account, instrument.id, order, price, quantity, orders.leavesOf(slot), true)
  } else moveOrder(state, instrument, slot, price, quantity)
  events.commandDone(account, instrument.id, commandType, order, 1)
}

function checkReplace(
  state: ShardState,
  instrument: Instrument,
  slot: number,
  price: number,
  quantity: number,
): number {
  const { orders, incoming } = state
  const w = slot << WARM_SHIFT
  const cumQty = orders.cumQtyOf(slot)
  // An order that waits, or belongs to a pair, is replaced by cancelling it; an entry keeps its quantity for its exits.
  const role = orders.warm[w + ROLE_OF]
  const isWaiting = (orders.hot[(slot << HOT_SHIFT) + BITS] & WAITING) !== 0
  if (isWaiting || (role !== 0 && (role !== ROLE.entry || quantity !== orders.warm[w + QUANTITY]))) {
    return state.refuse(RejectCode.replace_not_supported)
  }
  if (quantity <= cumQty) return state.refuse(RejectCode.replace_below_filled, cumQty, quantity)
  const bits = orders.hot[(slot << HOT_SHIFT) + BITS]
  const onlyLess = price === orders.warm[w + PRICE] && quantity <= orders.warm[w + QUANTITY]
  let code =
    checkBlocked(state, instrument, state.account) ||
    checkSession(state, instrument) ||
    checkPrice(state, instrument, price) ||
    checkQuantity(state, instrument, quantity) ||
    checkDisplay(state, orders.warm[w + DISPLAY], quantity)
  if (code !== 0) return code
  const leaves = quantity - cumQty
  const notional = instrument.notional(price, leaves)
  code = checkNotional(state, instrument, notional)
  if (code !== 0 || onlyLess) return code
  load(state, slot, price, quantity)
  const more = Math.max(0, leaves - orders.leavesOf(slot))
  code = checkRate(state, incoming.account, incoming.apiKey)
  if (code !== 0) return code
  code = checkLimits(state, instrument, incoming, more, notional, false)
  if (code !== 0) return code
  const side = sideOf(bits)
  if ((flagsOf(bits) & OrderFlag.post_only) !== 0 && instrument.book.wouldMatch(side, price)) {
    return state.refuse(RejectCode.post_only_would_match, instrument.book.sideAt(1 - side).bestPrice, price)
  }
  return checkFunds(state, instrument, slot, price, leaves)
}

function checkFunds(state: ShardState, instrument: Instrument, slot: number, price: number, leaves: number): number {
  const needed = holdChange(state, instrument, slot, price, leaves)
  const available = state.ledger.available(heldBalance(state, slot))
  return needed > available ? state.refuse(RejectCode.funds_insufficient, available, needed) : 0
}

/** What the order must hold more (negative: less) at its new price and quantity. */
function holdChange(state: ShardState, instrument: Instrument, slot: number, price: number, leaves: number): number {
  const { orders } = state
  if (sideOf(orders.hot[(slot << HOT_SHIFT) + BITS]) === Side.sell) {
    return (leaves - orders.leavesOf(slot)) * instrument.baseUnitsPerLot
  }
  const oldPrice = orders.warm[(slot << WARM_SHIFT) + PRICE]
  return instrument.buyHold(price, leaves) - instrument.buyHold(oldPrice, orders.leavesOf(slot))
}

/** The order leaves its place and comes in again at the new price and quantity: it may trade at once. */
function moveOrder(state: ShardState, instrument: Instrument, slot: number, price: number, quantity: number): void {
  const { incoming, orders, events } = state
  const leaves = quantity - orders.cumQtyOf(slot)
  const change = holdChange(state, instrument, slot, price, leaves)
  unrest(state, instrument, slot)
  state.ledger.hold(heldBalance(state, slot), change)
  load(state, slot, price, quantity)
  incoming.held = incoming.side === Side.buy ? instrument.buyHold(price, leaves) : 0
  events.replaced(incoming.account, instrument.id, incoming.orderId, price, quantity, leaves, false)
  reenter(state, instrument, slot)
}

/** Makes an open order the incoming one, at a new price and quantity. */
function load(state: ShardState, slot: number, price: number, quantity: number): void {
  const { incoming, orders } = state
  loadOrder(state, slot)
  incoming.price = price
  incoming.quantity = quantity
  incoming.leaves = quantity - orders.cumQtyOf(slot)
}

// ---- many at once ----

export function massCancel(state: ShardState): void {
  const { view, at, account, events, commandType } = state
  const instrument = view.getUint16(at + MASS_CANCEL.instrument, true)
  const side = view.getUint8(at + MASS_CANCEL.side)
  if (instrument !== 0 && state.instrument(instrument) === undefined) {
    events.rejected(account, instrument, commandType, 0, RejectCode.instrument_unknown, 0, 0)
    return
  }
  const count = cancelOfAccount(state, account, instrument, side, DoneReason.mass_cancel)
  events.commandDone(account, instrument, commandType, 0, count)
}

/** Cancels an account's open orders (instrument 0: in all of them); returns how many. */
export function cancelOfAccount(
  state: ShardState,
  account: number,
  instrument: number,
  side: number,
  reason: number,
): number {
  const { orders, positions } = state
  let count = 0
  let slot = state.accounts.firstOrder(account)
  while (slot !== 0) {
    const next = nextKept(state, slot, ACCOUNT_NEXT)
    const h = slot << HOT_SHIFT
    const of = positions.data[(orders.hot[h + OWNER] << POSITION_SHIFT) + POSITION_INSTRUMENT]
    if ((instrument === 0 || instrument === of) && (side === BOTH_SIDES || side === sideOf(orders.hot[h + BITS]))) {
      cancelOrder(state, slot, reason)
      count++
    }
    slot = next
  }
  return count
}

/** The order after `slot` in a list of orders that is still open when `slot` is cancelled: it does not end with it. */
function nextKept(state: ShardState, slot: number, linkField: number): number {
  const { orders } = state
  const { warm } = orders
  let next = warm[(slot << WARM_SHIFT) + linkField]
  const role = warm[(slot << WARM_SHIFT) + ROLE_OF]
  if (role === 0 || (role === ROLE.entry && orders.cumQtyOf(slot) > 0)) return next
  const one = warm[(slot << WARM_SHIFT) + LINK]
  const two = role === ROLE.entry ? warm[(one << WARM_SHIFT) + LINK] : one
  while (next !== 0 && (next === one || next === two)) next = warm[(next << WARM_SHIFT) + linkField]
  return next
}

export function cancelSession(state: ShardState): void {
  const { view, at, orders } = state
  const origin = view.getUint32(at + CANCEL_SESSION.targetOrigin, true)
  const session = view.getInt32(at + CANCEL_SESSION.session, true)
  let count = 0
  let slot = state.origins.firstOrder(origin)
  while (slot !== 0) {
    const next = nextKept(state, slot, ORIGIN_NEXT)
    if (session === 0 || orders.warm[(slot << WARM_SHIFT) + SESSION] === session) {
      cancelOrder(state, slot, DoneReason.disconnect)
      count++
    }
    slot = next
  }
  state.events.commandDone(view.getUint32(at + HEADER.account, true), 0, state.commandType, 0, count)
}
