// An order's status in the words clients read, derived from what the engine says. The one place where it is derived, for
// streams and history alike.

import { DoneReason, OrderLink, OrderType } from '@wintrades/domain'

/** From `filled` on an order is done. */
export const OrderStatus = {
  /** Accepted and in no book: it waits for its trigger, or for the other orders of its list. */
  waiting: -1,
  new: 0,
  partially_filled: 1,
  filled: 2,
  cancelled: 3,
  rejected: 4,
  expired: 5,
} as const
export type OrderStatus = (typeof OrderStatus)[keyof typeof OrderStatus]

export const ORDER_STATUS_NAMES: Readonly<Record<OrderStatus, string>> = {
  [OrderStatus.waiting]: 'WAITING',
  [OrderStatus.new]: 'NEW',
  [OrderStatus.partially_filled]: 'PARTIALLY_FILLED',
  [OrderStatus.filled]: 'FILLED',
  [OrderStatus.cancelled]: 'CANCELLED',
  [OrderStatus.rejected]: 'REJECTED',
  [OrderStatus.expired]: 'EXPIRED',
}

/** Status of an order that is open: it waits, or it rests or is being matched. */
export function openStatus(cumQty: number, waiting = false): OrderStatus {
  if (waiting) return OrderStatus.waiting
  return cumQty === 0 ? OrderStatus.new : OrderStatus.partially_filled
}

/** Status of an order that has just been accepted. */
export function acceptedStatus(orderType: OrderType, link: OrderLink | undefined): OrderStatus {
  const isPending = link === OrderLink.pending || link === OrderLink.pending_pair
  return openStatus(0, isPending || orderType > OrderType.market)
}

/**
 * Status of an order that `order_triggered` speaks of. Without a trigger price its list has gone live: what has a trigger of its own
 * goes on waiting for it.
 */
export function triggeredStatus(orderType: OrderType, triggerPrice: number): OrderStatus {
  return openStatus(0, triggerPrice === 0 && orderType > OrderType.market)
}

/**
 * Status of an order that is done. What ends an order by its own terms (its time in force) is EXPIRED, as in FIX and at
 * Binance; what somebody or a rule took away is CANCELLED.
 */
export function doneStatus(reason: DoneReason): OrderStatus {
  switch (reason) {
    case DoneReason.filled:
      return OrderStatus.filled
    case DoneReason.immediate_remainder:
    case DoneReason.not_fillable:
    case DoneReason.expired:
      return OrderStatus.expired
    default:
      return OrderStatus.cancelled
  }
}

/** Whether nothing more can happen to it. */
export function isDone(status: OrderStatus): boolean {
  return status >= OrderStatus.filled
}
