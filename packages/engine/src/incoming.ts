// The order that is entering the market: a new one, or one that a replace or a trigger sends in again. One object a shard,
// filled anew each time, so that nothing is allocated.

import { OrderType, SelfTradePrevention, Side, TimeInForce } from '@wintrades/domain'

/** `doneReason` while the order goes on. */
export const GOES_ON = -1

export class Incoming {
  orderId = 0
  account = 0
  position = 0
  side: Side = Side.buy
  orderType: OrderType = OrderType.limit
  timeInForce: TimeInForce = TimeInForce.gtc
  selfTradePrevention: SelfTradePrevention = SelfTradePrevention.none
  flags = 0
  session = 0
  apiKey = 0
  /** 0: any price. */
  price = 0
  quantity = 0
  /** Its record has the fields that follow; else they are 0. */
  isExtended = false
  quoteAmount = 0
  stopPrice = 0
  displayQuantity = 0
  minimumQuantity = 0
  expireTime = 0
  trailingOffset = 0
  /** An `OrderLink`, and the slot of the pending order it names; 0: it stands alone (or names none that is pending). */
  link = 0
  named = 0
  textAt = 0
  textLength = 0
  leaves = 0
  /** The part of `leaves` that must not trade now: what a market order's funds do not reach. */
  reserved = 0
  cumQuote = 0
  /** What is held for what is left (a limit order's), and what fees may still take (a market buy's). */
  held = 0
  /** What its pair holds beyond that. */
  surplus = 0
  feeLeft = 0
  /** A `DoneReason` that matching itself decided; {@link GOES_ON}: none. */
  doneReason = GOES_ON

  get cumQty(): number {
    return this.quantity - this.leaves
  }
}
