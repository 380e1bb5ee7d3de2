// Which fields which type of order has, and the reading of those that a plain order does without. What they must be worth, beside the
// market and the account, is the engine's to say.

import {
  type Instrument,
  ORDER_TYPE_NAMES,
  OrderFlag,
  OrderType,
  type Price,
  type Quantity,
  TimeInForce,
  type Timestamp,
} from '@wintrades/domain'
import { malformed, type Read, readPrice, readQuantity } from './request-values.ts'

/** As they were sent; what was not sent is not there. */
export type RawExtras = {
  stopPrice?: unknown
  trailingOffset?: unknown
  displayQuantity?: unknown
  minimumQuantity?: unknown
  expireTime?: unknown
}

export type Extras = {
  readonly stopPrice: Price
  readonly trailingOffset: Price
  readonly displayQuantity: Quantity
  readonly minimumQuantity: Quantity
  readonly expireTime: Timestamp
}

/** Of an order that has none of them. */
export const PLAIN: Extras = {
  stopPrice: 0 as Price,
  trailingOffset: 0 as Price,
  displayQuantity: 0 as Quantity,
  minimumQuantity: 0 as Quantity,
  expireTime: 0 as Timestamp,
}

export type Unfit = { readonly field: string; readonly message: string }

/** What decides which fields an order has. The values are as they were sent. */
export type OrderForm = {
  readonly orderType: OrderType
  readonly timeInForce: TimeInForce
  /** Bits of `OrderFlag`. */
  readonly flags: number
  readonly price: unknown
  readonly quantity: unknown
  readonly quoteAmount: unknown
}

/** A time beyond it is no safe integer of microseconds. */
const EXPIRE_TIME_MS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / 1_000)

/** A field that the order lacks, or has though its type does not; null: it has what it must. */
export function fieldsFault(form: OrderForm, raw: RawExtras): Unfit | null {
  return amountsFault(form) ?? triggerFault(form.orderType, raw) ?? quantitiesFault(form, raw) ?? expiryFault(form, raw)
}

/** The same of a limit order that has none of the further fields. */
export function limitFault(price: unknown, quantity: unknown, quoteAmount: unknown): Unfit | null {
  if (quoteAmount !== undefined) return { field: 'quoteAmount', message: 'is for market orders; say a quantity' }
  if (price === undefined) return { field: 'price', message: 'is missing: LIMIT orders have one' }
  if (quantity === undefined) return { field: 'quantity', message: 'is missing' }
  return null
}

/** Reads the further fields of an order that {@link fieldsFault} has passed. */
export function readExtras(instrument: Instrument, raw: RawExtras, path: string): Read<Extras> {
  const extras = { ...PLAIN }
  for (const field of ['stopPrice', 'trailingOffset'] as const) {
    if (raw[field] === undefined) continue
    const read = readPrice(instrument, raw[field], path + field)
    if (!read.ok) return read
    extras[field] = read.value
  }
  for (const field of ['displayQuantity', 'minimumQuantity'] as const) {
    if (raw[field] === undefined) continue
    const read = readQuantity(instrument, raw[field], path + field)
    if (!read.ok) return read
    extras[field] = read.value
  }
  const { expireTime } = raw
  if (expireTime !== undefined) {
    if (!isTime_ms(expireTime)) return malformed(`${path}expireTime`, 'must be a time in milliseconds since 1970')
    extras.expireTime = (expireTime * 1_000) as Timestamp
  }
  return { ok: true, value: extras }
}

export function hasLimitPrice(orderType: OrderType): boolean {
  return (
    orderType === OrderType.limit || orderType === OrderType.stop_limit || orderType === OrderType.take_profit_limit
  )
}

export function isImmediate(timeInForce: TimeInForce): boolean {
  return timeInForce === TimeInForce.ioc || timeInForce === TimeInForce.fok
}

function amountsFault({ orderType, price, quantity, quoteAmount }: OrderForm): Unfit | null {
  const type = ORDER_TYPE_NAMES[orderType]
  if (hasLimitPrice(orderType)) {
    if (price === undefined) return { field: 'price', message: `is missing: ${type} orders have one` }
  } else if (price !== undefined) return { field: 'price', message: `is not for ${type} orders` }
  if (orderType === OrderType.market) {
    if ((quantity === undefined) !== (quoteAmount === undefined)) return null
    return { field: 'quantity', message: 'or quoteAmount: a market order has one of the two' }
  }
  if (quoteAmount !== undefined) return { field: 'quoteAmount', message: 'is for market orders; say a quantity' }
  return quantity === undefined ? { field: 'quantity', message: 'is missing' } : null
}

function triggerFault(orderType: OrderType, { stopPrice, trailingOffset }: RawExtras): Unfit | null {
  const type = ORDER_TYPE_NAMES[orderType]
  const isTrailing = orderType === OrderType.trailing_stop
  if (isTrailing && trailingOffset === undefined) {
    return { field: 'trailingOffset', message: `is missing: ${type} orders have one` }
  }
  if (!isTrailing && trailingOffset !== undefined) {
    return { field: 'trailingOffset', message: `is for TRAILING_STOP orders, not for ${type}` }
  }
  const hasStop = orderType > OrderType.market && !isTrailing
  if (hasStop && stopPrice === undefined) {
    return { field: 'stopPrice', message: `is missing: ${type} orders wait for it` }
  }
  if (hasStop || stopPrice === undefined) return null
  const message = isTrailing
    ? 'is not for TRAILING_STOP orders: they follow the price by trailingOffset'
    : `is for orders that wait for a price, not for ${type}`
  return { field: 'stopPrice', message }
}

function quantitiesFault(form: OrderForm, { displayQuantity, minimumQuantity }: RawExtras): Unfit | null {
  const { orderType, timeInForce, flags, quoteAmount } = form
  const type = ORDER_TYPE_NAMES[orderType]
  if (displayQuantity !== undefined) {
    const field = 'displayQuantity'
    if (!hasLimitPrice(orderType)) return { field, message: `is for orders with a limit price, not for ${type}` }
    if (isImmediate(timeInForce)) return { field, message: 'is for orders that rest, not for IOC and FOK' }
  }
  if (minimumQuantity !== undefined) {
    const field = 'minimumQuantity'
    if (orderType > OrderType.market) return { field, message: `is for LIMIT and MARKET orders, not for ${type}` }
    if (quoteAmount !== undefined) return { field, message: 'goes with a quantity, not with quoteAmount' }
    if ((flags & OrderFlag.post_only) !== 0) return { field, message: 'is not for postOnly: those never trade at once' }
  }
  return null
}

function expiryFault({ timeInForce }: OrderForm, { expireTime }: RawExtras): Unfit | null {
  if (timeInForce === TimeInForce.gtd) {
    return expireTime === undefined ? { field: 'expireTime', message: 'is missing: GTD orders have one' } : null
  }
  return expireTime === undefined ? null : { field: 'expireTime', message: 'is for timeInForce GTD' }
}

function isTime_ms(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= EXPIRE_TIME_MS_MAX
}
