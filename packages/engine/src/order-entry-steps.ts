// Steps that every way into the market shares: hold the funds, keep reduce-only, tell that an order came in and that it is done.

import { HEADER, ORDER_ACCEPTED, OrderFlag, OrderLink, RejectCode, Side as Sides } from '@wintrades/domain'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { POSITION_LAYOUT } from './layouts.ts'
import { pairHold } from './open-orders.ts'
import { rememberOrder } from './risk/pace.ts'
import type { ShardState } from './state.ts'

const { POSITION_SHIFT, BASE_BALANCE, QUOTE_BALANCE, POSITION_QUANTITY, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

/**
 * Holds what the order may cost: the base asset of a sale, the quote asset and the fee of a purchase. A purchase without a price holds
 * nothing: it is paid out of what is available when it triggers. A pair holds once, for its dearer leg.
 */
export function holdFunds(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const at = incoming.position << POSITION_SHIFT
  const { data } = state.positions
  const isBuy = incoming.side === Sides.buy
  const own = isBuy
    ? instrument.buyHold(incoming.price, incoming.quantity)
    : incoming.quantity * instrument.baseUnitsPerLot
  const needed = incoming.link === OrderLink.pair ? pairHold(state, instrument, own, incoming.named) : own
  const balance = data[at + (isBuy ? QUOTE_BALANCE : BASE_BALANCE)]
  const available = state.ledger.available(balance)
  if (needed > available) return state.refuse(RejectCode.funds_insufficient, available, needed)
  state.ledger.hold(balance, needed)
  incoming.held = own
  incoming.surplus = needed - own
  return 0
}

/** A reduce-only order, with the open orders of its side, may not be larger than the position it reduces. */
export function checkReduceOnly(state: ShardState, incoming: Incoming, quantity: number): number {
  if ((incoming.flags & OrderFlag.reduce_only) === 0) return 0
  const at = incoming.position << POSITION_SHIFT
  const { values } = state.positions
  const held = values[at + POSITION_QUANTITY]
  const room = incoming.side === Sides.buy ? -held - values[at + OPEN_BUY] : held - values[at + OPEN_SELL]
  return quantity > room ? state.refuse(RejectCode.reduce_only, Math.max(0, room), quantity) : 0
}

/** The gateway process that sent the command. */
export function originOf(state: ShardState): number {
  return state.view.getUint32(state.at + HEADER.origin, true)
}

export function writeAccepted(state: ShardState, instrument: Instrument, incoming: Incoming): void {
  rememberOrder(state, instrument.id, incoming)
  const { events } = state
  const at = events.accepted(
    incoming.account,
    instrument.id,
    incoming.orderId,
    incoming.side,
    incoming.orderType,
    incoming.timeInForce,
    incoming.price,
    incoming.quantity,
    incoming.flags,
    incoming.selfTradePrevention,
  )
  if (!incoming.isExtended) return
  const { data } = events
  data[at + ORDER_ACCEPTED.quoteAmount] = incoming.quoteAmount
  data[at + ORDER_ACCEPTED.stopPrice] = incoming.stopPrice
  data[at + ORDER_ACCEPTED.displayQuantity] = incoming.displayQuantity
  data[at + ORDER_ACCEPTED.expireTime] = incoming.expireTime
}

export function writeDone(state: ShardState, instrument: Instrument, incoming: Incoming, reason: number): void {
  state.events.done(
    incoming.account,
    instrument.id,
    incoming.orderId,
    reason,
    incoming.leaves,
    incoming.cumQty,
    incoming.cumQuote,
    incoming.side,
    incoming.price,
  )
}
