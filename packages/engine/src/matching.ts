// An incoming order meets the book: match, settle, and decide what happens where it meets an order of its own account.

import { DoneReason, SelfTradePrevention, Side } from '@wintrades/domain'
import { GOES_ON, type Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { reduceOrder, releaseHold } from './open-orders.ts'
import { cancelOrder, legTraded } from './order-ends.ts'
import { boundedPrice, interruptIfBeyond } from './risk/volatility.ts'
import { settleFills } from './settlement.ts'
import type { ShardState } from './state.ts'

/**
 * Fills the incoming order as far as its price and quantity reach. Afterwards `leaves` is what is left, and `doneReason` is set
 * if self-trade prevention has ended it. Where the volatility bands stop it, the instrument has gone into an auction.
 */
export function matchIncoming(state: ShardState, instrument: Instrument, incoming: Incoming): void {
  const owner = incoming.selfTradePrevention === SelfTradePrevention.none ? 0 : incoming.position
  const { book } = instrument
  const limit = boundedPrice(state, instrument, incoming.side, incoming.price)
  while (incoming.leaves > incoming.reserved && incoming.doneReason === GOES_ON) {
    book.match(incoming.side, limit, incoming.leaves - incoming.reserved, owner)
    settleFills(state, instrument, incoming)
    if (book.ownOrder === 0) {
      const isStopped = limit !== incoming.price && incoming.leaves > incoming.reserved
      if (isStopped) interruptIfBeyond(state, instrument, incoming)
      return
    }
    preventSelfTrade(state, instrument, incoming, book.ownOrder)
  }
}

/** The mode of the incoming order decides. */
function preventSelfTrade(state: ShardState, instrument: Instrument, incoming: Incoming, own: number): void {
  switch (incoming.selfTradePrevention) {
    case SelfTradePrevention.cancel_newest:
      incoming.doneReason = DoneReason.self_trade_prevention
      return
    case SelfTradePrevention.cancel_both:
      incoming.doneReason = DoneReason.self_trade_prevention
      cancelOrder(state, own, DoneReason.self_trade_prevention)
      return
    case SelfTradePrevention.cancel_oldest:
      cancelOrder(state, own, DoneReason.self_trade_prevention)
      return
    default:
      decrementBoth(state, instrument, incoming, own)
  }
}

function decrementBoth(state: ShardState, instrument: Instrument, incoming: Incoming, own: number): void {
  const ownLeaves = state.orders.leavesOf(own)
  const by = Math.min(ownLeaves, incoming.leaves)
  if (by === ownLeaves) cancelOrder(state, own, DoneReason.self_trade_prevention)
  else {
    legTraded(state, instrument, own)
    reduceOrder(state, instrument, own, by)
    const quantity = state.orders.cumQtyOf(own) + ownLeaves - by
    state.events.reduced(incoming.account, instrument.id, state.orderIdAt(own), by, quantity, ownLeaves - by)
  }
  if (by === incoming.leaves) {
    incoming.doneReason = DoneReason.self_trade_prevention
    return
  }
  if (incoming.price !== 0) {
    const { position, side, price, leaves } = incoming
    releaseHold(state, instrument, position, side, price, leaves, leaves - by)
    if (side === Side.buy) incoming.held = instrument.buyHold(price, leaves - by)
  }
  incoming.reserved = Math.max(0, incoming.reserved - by)
  incoming.quantity -= by
  incoming.leaves -= by
  state.events.reduced(incoming.account, instrument.id, incoming.orderId, by, incoming.quantity, incoming.leaves)
}
