// Orders as JSON texts: from the state of a replica, from history, and the small parts that answers made from events share.
// Promises one shape of an order everywhere. Decimals are strings.

import {
  DONE_REASON_NAMES,
  type DoneReason,
  formatDecimal,
  formatPrice,
  formatQuantity,
  type Instrument,
  type OpenOrder,
  ORDER_TYPE_NAMES,
  OrderFlag,
  type OrderType,
  type Price,
  type Quantity,
  REJECT_CODE_NAMES,
  type RegionName,
  RejectCode,
  SELF_TRADE_PREVENTION_NAMES,
  SIDE_NAMES,
  Side,
  TIME_IN_FORCE_NAMES,
  type TimeInForce,
} from '@wintrades/domain'
import { type Execution, type Fill, type HistoricOrder, ORDER_STATUS_NAMES, openStatus } from '@wintrades/marketdata'

/** What an order has in common wherever it is read from. */
export type AnyOrder = Omit<OpenOrder, 'account'> &
  Partial<
    Pick<
      HistoricOrder,
      'quoteAmount' | 'minimumQuantity' | 'status' | 'doneReason' | 'rejectCode' | 'rejectLimit' | 'rejectValue'
    >
  >

/** An order as REST and streams show it. */
export type OrderView = {
  readonly orderId: string
  readonly clientOrderId: string
  readonly status: string
  readonly symbol: string
  readonly side: string
  readonly type: string
  readonly timeInForce: string
  readonly price?: string
  readonly quantity?: string
  readonly quoteAmount?: string
  readonly stopPrice?: string
  readonly trailingOffset?: string
  readonly displayQuantity?: string
  readonly minimumQuantity?: string
  /** Milliseconds since 1970. */
  readonly expireTime?: number
  /** The other order of its pair, or the entry that it waits for. */
  readonly linkedOrderId?: string
  readonly cumQty: string
  readonly leavesQty: string
  readonly avgPrice?: string
  readonly postOnly?: true
  readonly reduceOnly?: true
  readonly cancelOnDisconnect?: true
  readonly selfTradePrevention?: string
  readonly rejectCode?: string
  readonly reason?: string
  /** Milliseconds since 1970. */
  readonly acceptedAt: number
  readonly updatedAt: number
  readonly shard?: RegionName
  readonly seq?: number
  readonly duplicate?: true
  readonly fills?: readonly FillView[]
}

export type FillView = {
  readonly tradeId: string
  readonly price: string
  readonly quantity: string
  readonly fee: string
  readonly feeAsset: string
  readonly liquidity: string
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] }

export function orderView(instrument: Instrument, order: AnyOrder): Mutable<OrderView> {
  const { flags, doneReason } = order
  const quoteAmount = order.quoteAmount ?? 0
  const avgPrice = averagePrice(instrument, order.cumQty, order.cumQuote)
  const rejectCode = order.rejectCode ?? RejectCode.none
  const reason = rejectCode === RejectCode.none ? reasonOf(doneReason ?? null) : rejectReason(rejectCode)
  return {
    orderId: String(order.order),
    clientOrderId: order.clientOrderId,
    status: ORDER_STATUS_NAMES[order.status ?? openStatus(order.cumQty, order.waiting)],
    symbol: instrument.symbol,
    side: SIDE_NAMES[order.side],
    type: ORDER_TYPE_NAMES[order.orderType],
    timeInForce: TIME_IN_FORCE_NAMES[order.timeInForce],
    ...(order.price === 0 ? {} : { price: formatPrice(instrument, order.price) }),
    ...(order.quantity === 0 ? {} : { quantity: formatQuantity(instrument, order.quantity) }),
    ...(quoteAmount === 0 ? {} : { quoteAmount: formatDecimal(quoteAmount, instrument.quote.scale, true) }),
    ...extrasView(instrument, order),
    cumQty: formatQuantity(instrument, order.cumQty),
    leavesQty: formatQuantity(instrument, order.leavesQty),
    ...(avgPrice === null ? {} : { avgPrice }),
    ...((flags & OrderFlag.post_only) === 0 ? {} : { postOnly: true }),
    ...((flags & OrderFlag.reduce_only) === 0 ? {} : { reduceOnly: true }),
    ...((flags & OrderFlag.cancel_on_disconnect) === 0 ? {} : { cancelOnDisconnect: true }),
    ...(order.selfTradePrevention === 0
      ? {}
      : { selfTradePrevention: SELF_TRADE_PREVENTION_NAMES[order.selfTradePrevention] }),
    ...(rejectCode === RejectCode.none ? {} : { rejectCode: REJECT_CODE_NAMES[rejectCode] as string }),
    ...(reason === null ? {} : { reason }),
    acceptedAt: Math.floor(order.acceptedAt / 1_000),
    updatedAt: Math.floor(order.updatedAt / 1_000),
  }
}

type ExtrasView = Pick<
  OrderView,
  'stopPrice' | 'trailingOffset' | 'displayQuantity' | 'minimumQuantity' | 'expireTime' | 'linkedOrderId'
>

/** What plain orders do not have. */
function extrasView(instrument: Instrument, order: AnyOrder): ExtrasView {
  const { stopPrice, trailingOffset = 0, displayQuantity, minimumQuantity = 0, expireTime, linkedOrder } = order
  const price = (ticks: number) => formatPrice(instrument, ticks as Price)
  const quantity = (lots: number) => formatQuantity(instrument, lots as Quantity)
  return {
    ...(stopPrice === 0 ? {} : { stopPrice: price(stopPrice) }),
    ...(trailingOffset === 0 ? {} : { trailingOffset: price(trailingOffset) }),
    ...(displayQuantity === 0 ? {} : { displayQuantity: quantity(displayQuantity) }),
    ...(minimumQuantity === 0 ? {} : { minimumQuantity: quantity(minimumQuantity) }),
    ...(expireTime === 0 ? {} : { expireTime: Math.floor(expireTime / 1_000) }),
    ...(linkedOrder === undefined ? {} : { linkedOrderId: String(linkedOrder) }),
  }
}

export function fillView(instrument: Instrument, fill: Fill | Execution): FillView {
  return {
    tradeId: String(fill.tradeNumber),
    price: formatPrice(instrument, fill.price),
    quantity: formatQuantity(instrument, fill.quantity),
    fee: formatDecimal(fill.fee, instrument.quote.scale, true),
    feeAsset: instrument.quote.code,
    liquidity: fill.liquidity,
  }
}

/** Why an order is done: null when it is filled, or not done. */
function reasonOf(reason: DoneReason | null): string | null {
  if (reason === null || reason === 0) return null
  return DONE_REASON_NAMES[reason]
}

/** A refusal in words: `funds insufficient`. */
export function rejectReason(code: RejectCode): string {
  return (REJECT_CODE_NAMES[code] ?? `CODE_${code}`).toLowerCase().replaceAll('_', ' ')
}

/** Digits that an average price may have beyond those of the instrument's prices. */
const AVERAGE_EXTRA_DIGITS = 6

/** The price that `cumQty` lots cost on average, rounded half up where it is not a decimal; null without fills. */
export function averagePrice(instrument: Instrument, cumQty: number, cumQuote: number): string | null {
  if (cumQty === 0) return null
  const perTick = cumQty * instrument.definition.quoteUnitsPerTickLot
  const ticks = cumQuote / perTick
  // Fills at one price, by far the most: whole ticks.
  if (Number.isSafeInteger(ticks) && Number.isSafeInteger(perTick) && ticks * perTick === cumQuote) {
    return formatPrice(instrument, ticks as Price)
  }
  const divisor = BigInt(cumQty) * BigInt(instrument.definition.quoteUnitsPerTickLot)
  const value = BigInt(cumQuote) * BigInt(instrument.tick)
  for (let extra = AVERAGE_EXTRA_DIGITS; ; extra--) {
    const scaled = (value * 10n ** BigInt(extra) * 2n + divisor) / (divisor * 2n)
    if (scaled > Number.MAX_SAFE_INTEGER && extra > 0) continue
    return formatDecimal(Number(scaled), instrument.priceScale + extra, true)
  }
}

/** The limit of a rule and what broke it, in the rule's own unit; undefined: the rule has no numbers. */
export function rejectDetails(
  instrument: Instrument | null,
  side: Side | null,
  code: RejectCode,
  limit: number,
  value: number,
): { readonly limit: string; readonly value: string } | undefined {
  if (limit === 0 && value === 0) return undefined
  const text = (number: number) => inUnitOf(instrument, side, code, number)
  return { limit: text(limit), value: text(value) }
}

function inUnitOf(instrument: Instrument | null, side: Side | null, code: RejectCode, number: number): string {
  if (instrument === null || !Number.isSafeInteger(number)) return String(number)
  switch (code) {
    case RejectCode.price_out_of_range:
    case RejectCode.post_only_would_match:
    case RejectCode.price_band:
    case RejectCode.stop_price_out_of_range:
    case RejectCode.trailing_offset_invalid:
    case RejectCode.would_trigger_immediately:
      return Number.isSafeInteger(number * instrument.tick) ? formatPrice(instrument, number as Price) : String(number)
    case RejectCode.quantity_out_of_range:
    case RejectCode.replace_below_filled:
    case RejectCode.reduce_only:
    case RejectCode.display_quantity_invalid:
    case RejectCode.minimum_quantity_invalid:
      return Number.isSafeInteger(number * instrument.lot)
        ? formatQuantity(instrument, number as Quantity)
        : String(number)
    case RejectCode.notional_too_small:
    case RejectCode.notional_too_large:
    case RejectCode.order_size_limit:
    case RejectCode.position_limit:
    case RejectCode.risk_limit:
    case RejectCode.daily_loss_limit:
    case RejectCode.drawdown_limit:
      return formatDecimal(number, instrument.quote.scale, true)
    case RejectCode.funds_insufficient:
      if (side === null) return String(number)
      return formatDecimal(number, side === Side.buy ? instrument.quote.scale : instrument.base.scale, true)
    case RejectCode.order_type_not_supported:
      return ORDER_TYPE_NAMES[number as OrderType] ?? String(number)
    case RejectCode.time_in_force_not_supported:
      return TIME_IN_FORCE_NAMES[number as TimeInForce] ?? String(number)
    case RejectCode.expire_time_invalid:
      return String(Math.floor(number / 1_000))
    default:
      return String(number)
  }
}
