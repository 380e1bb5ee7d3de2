// The shape of a new order: which fields a type has, which it must have, and what goes together. Nothing here changes anything.

import {
  LIMITS,
  OrderFlag,
  OrderType,
  type OrderType as OrderTypeValue,
  Phase,
  RejectCode,
  TimeInForce,
} from '@wintrades/domain'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { type ShardState, VERSION_ORDER_TYPES } from './state.ts'

/** What this engine carries out; the rest is refused, never half done. Fields that a type does not have must be 0. */
export function checkShape(state: ShardState, instrument: Instrument, incoming: Incoming): number {
  const { orderType, timeInForce, flags } = incoming
  const isPlain = orderType === OrderType.limit && timeInForce <= TimeInForce.ioc && flags === 0 && !incoming.isExtended
  if (isPlain && instrument.phase === Phase.continuous) return 0
  const isNew = orderType > OrderType.market || timeInForce > TimeInForce.fok || incoming.link !== 0
  if (isNew && state.version < VERSION_ORDER_TYPES) {
    return orderType > OrderType.market
      ? state.refuse(RejectCode.order_type_not_supported, OrderType.market, orderType)
      : state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.fok, timeInForce)
  }
  const isImmediate = timeInForce === TimeInForce.ioc || timeInForce === TimeInForce.fok
  const isMarket = orderType === OrderType.market
  if ((flags & OrderFlag.post_only) !== 0 && (isImmediate || !hasPrice(orderType))) {
    return state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.gtc, timeInForce)
  }
  // A resting order cannot promise it: the position may change before it is filled.
  if ((flags & OrderFlag.reduce_only) !== 0 && hasPrice(orderType) && !isImmediate) {
    return state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.ioc, timeInForce)
  }
  if (instrument.phase !== Phase.continuous) {
    if (isMarket) return state.refuse(RejectCode.order_type_not_supported, OrderType.limit, orderType)
    if (isImmediate && orderType === OrderType.limit) {
      return state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.gtc, timeInForce)
    }
  }
  const hasTrigger = orderType > OrderType.market
  if (isImmediate && hasTrigger && !hasPrice(orderType)) {
    return state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.gtc, timeInForce)
  }
  if (isMarket && timeInForce > TimeInForce.fok) {
    return state.refuse(RejectCode.time_in_force_not_supported, TimeInForce.fok, timeInForce)
  }
  return incoming.isExtended || isNew ? checkExtension(state, instrument, incoming, isImmediate) : 0
}

export function hasPrice(orderType: OrderTypeValue): boolean {
  return (
    orderType === OrderType.limit || orderType === OrderType.stop_limit || orderType === OrderType.take_profit_limit
  )
}

function checkExtension(state: ShardState, instrument: Instrument, incoming: Incoming, isImmediate: boolean): number {
  const { orderType, displayQuantity, minimumQuantity, quantity, expireTime, stopPrice, trailingOffset } = incoming
  const isOld = state.version < VERSION_ORDER_TYPES
  if (displayQuantity !== 0) {
    if (isOld || isImmediate || !hasPrice(orderType)) {
      return state.refuse(RejectCode.display_quantity_invalid, 0, displayQuantity)
    }
    const code = checkDisplay(state, displayQuantity, quantity)
    if (code !== 0) return code
  }
  if (minimumQuantity !== 0) {
    const mayHave = !isOld && orderType <= OrderType.market && incoming.link === 0 && incoming.quoteAmount === 0
    const isPost = (incoming.flags & OrderFlag.post_only) !== 0
    if (!mayHave || isPost || minimumQuantity > quantity || instrument.phase !== Phase.continuous) {
      return state.refuse(RejectCode.minimum_quantity_invalid, mayHave ? quantity : 0, minimumQuantity)
    }
  }
  if (incoming.timeInForce === TimeInForce.gtd) {
    if (expireTime <= state.timestamp) return state.refuse(RejectCode.expire_time_invalid, state.timestamp, expireTime)
  } else if (expireTime !== 0) return state.refuse(RejectCode.expire_time_invalid, 0, expireTime)
  const isTrailing = orderType === OrderType.trailing_stop
  const hasStop = orderType > OrderType.market && !isTrailing
  if (hasStop) {
    const { priceMin, priceMax } = instrument.definition
    if (stopPrice < priceMin) return state.refuse(RejectCode.stop_price_out_of_range, priceMin, stopPrice)
    if (stopPrice > priceMax) return state.refuse(RejectCode.stop_price_out_of_range, priceMax, stopPrice)
  } else if (stopPrice !== 0) return state.refuse(RejectCode.stop_price_out_of_range, 0, stopPrice)
  if (isTrailing === (trailingOffset === 0)) {
    return state.refuse(RejectCode.trailing_offset_invalid, isTrailing ? 1 : 0, trailingOffset)
  }
  return 0
}

/** An iceberg displays some of its quantity, but not so little that it comes in more parts than the limit. */
export function checkDisplay(state: ShardState, displayQuantity: number, quantity: number): number {
  if (displayQuantity === 0) return 0
  if (displayQuantity > quantity) return state.refuse(RejectCode.display_quantity_invalid, quantity, displayQuantity)
  const least = Math.ceil(quantity / LIMITS.iceberg_parts_max)
  return displayQuantity < least ? state.refuse(RejectCode.display_quantity_invalid, least, displayQuantity) : 0
}
