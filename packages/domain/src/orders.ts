// The words of an order. Numbers, because they are bytes of the codec and are compared on the hot path; the names
// beside them are what clients read and write.

export const Side = { buy: 0, sell: 1 } as const
export type Side = (typeof Side)[keyof typeof Side]

export const OrderType = {
  limit: 0,
  market: 1,
  stop: 2,
  stop_limit: 3,
  take_profit: 4,
  take_profit_limit: 5,
  trailing_stop: 6,
} as const
export type OrderType = (typeof OrderType)[keyof typeof OrderType]

export const TimeInForce = {
  /** Good till cancelled. */
  gtc: 0,
  /** Immediate or cancel. */
  ioc: 1,
  /** Fill or kill. */
  fok: 2,
  /** Until the end of the instrument's trading day. */
  day: 3,
  /** Good till date: `expire_time_us`. */
  gtd: 4,
} as const
export type TimeInForce = (typeof TimeInForce)[keyof typeof TimeInForce]

/** What happens when an account's order would trade with another order of the same account. */
export const SelfTradePrevention = {
  /** They trade. */
  none: 0,
  /** The incoming order is cancelled. */
  cancel_newest: 1,
  /** The resting order is cancelled. */
  cancel_oldest: 2,
  /** Both are cancelled. */
  cancel_both: 3,
  /** Both are reduced by the smaller quantity. */
  decrement: 4,
} as const
export type SelfTradePrevention = (typeof SelfTradePrevention)[keyof typeof SelfTradePrevention]

/** Bits of an order's flags byte. */
export const OrderFlag = {
  /** Never takes: rejected if it would match on entry. */
  post_only: 1,
  /** Cancelled when the connection that entered it ends. */
  cancel_on_disconnect: 2,
  /** May only bring the account's position nearer to zero. */
  reduce_only: 4,
} as const

/**
 * What an order is to the order that its `linkedClientOrderId` names. Each leg of a list is an order of its own; the legs come one
 * after the other, each naming an earlier one, and nothing of the list is live before its last leg is accepted. A leg that is
 * refused takes with it the pending orders that it names.
 */
export const OrderLink = {
  none: 0,
  /** Waits to be named by another order; ends by itself if none does. */
  pending: 1,
  /** One cancels the other: goes live, together with the pending order it names. */
  pair: 2,
  /** One cancels the other, but both go on waiting to be named by an entry. */
  pending_pair: 3,
  /** The named order (and its pair) is this order's exit: it goes live when this one has ended, for what was filled. */
  entry: 4,
} as const
export type OrderLink = (typeof OrderLink)[keyof typeof OrderLink]

/** Why an order left the book (or never reached it, after it was accepted). */
export const DoneReason = {
  filled: 0,
  cancelled_by_client: 1,
  /** The unfilled rest of an IOC or market order. */
  immediate_remainder: 2,
  /** A FOK order that could not be filled whole, or a minimum quantity that was not there. */
  not_fillable: 3,
  self_trade_prevention: 4,
  mass_cancel: 5,
  disconnect: 6,
  expired: 7,
  kill_switch: 8,
  /** The other leg of an OCO or bracket was filled. */
  linked_order: 9,
  /** An instrument closed, or its definition no longer admits the order. */
  market_closed: 10,
  /** A triggered order that failed the checks it met then. */
  trigger_rejected: 11,
} as const
export type DoneReason = (typeof DoneReason)[keyof typeof DoneReason]

/** Trading phase of an instrument. Orders are matched in `continuous` only. */
export const Phase = {
  closed: 0,
  pre_open: 1,
  opening_auction: 2,
  continuous: 3,
  closing_auction: 4,
  halted: 5,
  volatility_auction: 6,
} as const
export type Phase = (typeof Phase)[keyof typeof Phase]

type Names<Values extends Record<string, number>> = { readonly [Value in Values[keyof Values]]: string }

function upperNames<Values extends Record<string, number>>(values: Values): Names<Values> {
  const names: Record<number, string> = {}
  for (const [name, value] of Object.entries(values)) names[value] = name.toUpperCase()
  return names as Names<Values>
}

/** Names as clients read and write them: `BUY`, `STOP_LIMIT`, `GTC`, `CANCEL_NEWEST`, … */
export const SIDE_NAMES = upperNames(Side)
export const ORDER_TYPE_NAMES = upperNames(OrderType)
export const TIME_IN_FORCE_NAMES = upperNames(TimeInForce)
export const SELF_TRADE_PREVENTION_NAMES = upperNames(SelfTradePrevention)
export const DONE_REASON_NAMES = upperNames(DoneReason)
export const PHASE_NAMES = upperNames(Phase)
