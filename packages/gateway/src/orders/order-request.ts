// Reads orders and names of orders out of parsed JSON, by hand: this runs for every order, and a fault must say where it is and what
// would be right. Promises that whatever JSON comes in, a submission or a refusal goes out; fields nobody knows are refused.

import {
  type Amount,
  CommandType,
  type Instrument,
  isClientId,
  type Markets,
  ORDER_TYPE_NAMES,
  OrderFlag,
  type OrderId,
  OrderType,
  type Price,
  type Quantity,
  SELF_TRADE_PREVENTION_NAMES,
  SelfTradePrevention,
  SIDE_NAMES,
  type Side,
  shardOfOrder,
  TIME_IN_FORCE_NAMES,
  TimeInForce,
} from '@wintrades/domain'
import type { Submission } from '@wintrades/venue'
import type { AccountPrincipal } from '../auth/principal.ts'
import { type Extras, fieldsFault, limitFault, PLAIN, type RawExtras, readExtras } from './order-extras.ts'
import {
  badClientId,
  byName,
  isObject,
  malformed,
  namesOf,
  notDecimal,
  type Refused,
  readAmount,
  readPrice,
  readQuantity,
  shown,
  unknownSymbol,
} from './request-values.ts'

export type NewOrderSubmission = Extract<Submission, { type: typeof CommandType.new_order }>

export type ReadOrder =
  | { readonly ok: true; readonly instrument: Instrument; readonly submission: NewOrderSubmission }
  | Refused

/** An order named by id, or by the client's own id and the instrument. One of `order` and `clientOrderId` is set. */
export type OrderName = {
  readonly ok: true
  /** 0: named by client order id. */
  readonly order: OrderId
  readonly clientOrderId: string
  /** null: named by id. */
  readonly instrument: Instrument | null
}

export type ReplaceChange = { readonly ok: true; readonly price: string | null; readonly quantity: string | null }
export type MassCancelFilter = { readonly ok: true; readonly instrument: Instrument | null; readonly side: Side | null }

const SIDES: ReadonlyMap<unknown, Side> = byName(SIDE_NAMES)
const ORDER_TYPES: ReadonlyMap<unknown, OrderType> = byName(ORDER_TYPE_NAMES)
const TIMES_IN_FORCE: ReadonlyMap<unknown, TimeInForce> = byName(TIME_IN_FORCE_NAMES)
const SELF_TRADE_PREVENTIONS: ReadonlyMap<unknown, SelfTradePrevention> = byName(SELF_TRADE_PREVENTION_NAMES)

const FLAGS = {
  postOnly: OrderFlag.post_only,
  reduceOnly: OrderFlag.reduce_only,
  cancelOnDisconnect: OrderFlag.cancel_on_disconnect,
} as const

export class OrderRequestReader {
  readonly #instruments: ReadonlyMap<unknown, Instrument>
  readonly #shardCount: number
  readonly #idPrefix: string
  #idsGiven = 0

  /** `origin`: this process's number, which makes the client order ids it gives out unlike any other process's. */
  constructor(markets: Markets, origin: number) {
    this.#instruments = new Map(markets.instruments.map((instrument) => [instrument.symbol, instrument]))
    this.#shardCount = markets.shards.length
    this.#idPrefix = `g${origin.toString(16)}-`
  }

  instrument(symbol: unknown): Instrument | undefined {
    return this.#instruments.get(symbol)
  }

  /** `path` stands before the names of fields in refusals: `''`, or `orders.3.`. */
  order(body: unknown, principal: AccountPrincipal, session: number, path: string): ReadOrder {
    if (!isObject(body)) return malformed(path === '' ? 'order' : path.slice(0, -1), 'must be an object')
    let symbol: unknown
    let sideName: unknown
    let typeName: unknown
    let timeName: unknown
    let price: unknown
    let quantity: unknown
    let quoteAmount: unknown
    let preventionName: unknown
    let clientOrderId: unknown
    let flags = 0
    let raw: RawExtras | null = null
    for (const key in body) {
      const value = body[key]
      switch (key) {
        case 'symbol':
          symbol = value
          break
        case 'side':
          sideName = value
          break
        case 'type':
          typeName = value
          break
        case 'timeInForce':
          timeName = value
          break
        case 'price':
          price = value
          break
        case 'quantity':
          quantity = value
          break
        case 'quoteAmount':
          quoteAmount = value
          break
        case 'selfTradePrevention':
          preventionName = value
          break
        case 'clientOrderId':
          clientOrderId = value
          break
        case 'postOnly':
        case 'reduceOnly':
        case 'cancelOnDisconnect':
          if (typeof value !== 'boolean') return malformed(path + key, 'must be true or false')
          if (value) flags |= FLAGS[key]
          break
        case 'stopPrice':
        case 'trailingOffset':
        case 'displayQuantity':
        case 'minimumQuantity':
        case 'expireTime':
          raw ??= {}
          raw[key] = value
          break
        default:
          return malformed(path + shown(key), 'is not a field of an order')
      }
    }
    const instrument = this.#instruments.get(symbol)
    if (instrument === undefined) return unknownSymbol(`${path}symbol`, symbol)
    const side = SIDES.get(sideName)
    if (side === undefined) return malformed(`${path}side`, namesOf(SIDES))
    const orderType = ORDER_TYPES.get(typeName)
    if (orderType === undefined) return malformed(`${path}type`, namesOf(ORDER_TYPES))
    const isMarket = orderType === OrderType.market
    const timeInForce =
      timeName === undefined ? (isMarket ? TimeInForce.ioc : TimeInForce.gtc) : TIMES_IN_FORCE.get(timeName)
    if (timeInForce === undefined) return malformed(`${path}timeInForce`, namesOf(TIMES_IN_FORCE))
    const selfTradePrevention =
      preventionName === undefined ? SelfTradePrevention.none : SELF_TRADE_PREVENTIONS.get(preventionName)
    if (selfTradePrevention === undefined) {
      return malformed(`${path}selfTradePrevention`, namesOf(SELF_TRADE_PREVENTIONS))
    }
    if ((flags & OrderFlag.cancel_on_disconnect) !== 0 && session === 0) {
      return malformed(`${path}cancelOnDisconnect`, 'is for orders that are entered over a stream')
    }
    if (clientOrderId === undefined) clientOrderId = this.#nextId()
    else if (typeof clientOrderId !== 'string' || !isClientId(clientOrderId)) return badClientId(path)
    // Most orders are plain ones, which are checked at once.
    const isPlain = orderType === OrderType.limit && timeInForce !== TimeInForce.gtd && raw === null
    const unfit = isPlain
      ? limitFault(price, quantity, quoteAmount)
      : fieldsFault({ orderType, timeInForce, flags, price, quantity, quoteAmount }, raw ?? {})
    if (unfit !== null) return malformed(path + unfit.field, unfit.message)

    let ticks = 0 as Price
    if (price !== undefined) {
      const read = readPrice(instrument, price, `${path}price`)
      if (!read.ok) return read
      ticks = read.value
    }
    let lots = 0 as Quantity
    if (quantity !== undefined) {
      const read = readQuantity(instrument, quantity, `${path}quantity`)
      if (!read.ok) return read
      lots = read.value
    }
    let amount = 0 as Amount
    if (quoteAmount !== undefined) {
      const read = readAmount(quoteAmount, instrument.quote.scale, `${path}quoteAmount`)
      if (!read.ok) return read
      amount = read.value
    }
    let extras: Extras = PLAIN
    if (raw !== null) {
      const read = readExtras(instrument, raw, path)
      if (!read.ok) return read
      extras = read.value
    }
    return {
      ok: true,
      instrument,
      submission: {
        type: CommandType.new_order,
        account: principal.account,
        instrument: instrument.id,
        side,
        orderType,
        timeInForce,
        selfTradePrevention,
        flags,
        session,
        apiKey: principal.apiKey,
        price: ticks,
        quantity: lots,
        quoteAmount: amount,
        stopPrice: extras.stopPrice,
        displayQuantity: extras.displayQuantity,
        minimumQuantity: extras.minimumQuantity,
        expireTime: extras.expireTime,
        trailingOffset: extras.trailingOffset,
        clientOrderId: clientOrderId as string,
      },
    }
  }

  /** Reads `{orderId}` or `{clientOrderId, symbol}`. */
  name(raw: unknown): OrderName | Refused {
    if (!isObject(raw)) return malformed('order', 'must be an object with orderId, or clientOrderId and symbol')
    for (const key in raw) {
      if (key !== 'orderId' && key !== 'clientOrderId' && key !== 'symbol') {
        return malformed(shown(key), 'is not known here: an order is named by orderId, or by clientOrderId and symbol')
      }
    }
    const { orderId, clientOrderId, symbol } = raw
    if (orderId !== undefined) {
      if (clientOrderId !== undefined || symbol !== undefined) {
        return malformed('orderId', 'stands alone: clientOrderId and symbol are the other way to name an order')
      }
      const order = this.#orderId(orderId)
      if (order === null) return malformed('orderId', 'must be an order id: a string of digits')
      return { ok: true, order, clientOrderId: '', instrument: null }
    }
    if (typeof clientOrderId !== 'string' || !isClientId(clientOrderId)) {
      if (clientOrderId === undefined)
        return malformed('orderId', 'is missing; or name the order by clientOrderId and symbol')
      return badClientId('')
    }
    const instrument = this.#instruments.get(symbol)
    if (instrument === undefined) return unknownSymbol('symbol', symbol)
    return { ok: true, order: 0 as OrderId, clientOrderId, instrument }
  }

  /** Reads `{price?, quantity?}`, of which one must be there. What they are worth is known once the instrument is. */
  change(raw: unknown): ReplaceChange | Refused {
    if (!isObject(raw)) return malformed('change', 'must be an object with price, quantity or both')
    for (const key in raw) {
      if (key !== 'price' && key !== 'quantity')
        return malformed(shown(key), 'cannot be changed: only price and quantity')
    }
    const { price, quantity } = raw
    if (price === undefined && quantity === undefined)
      return malformed('price', 'is missing: say a price, a quantity or both')
    if (price !== undefined && typeof price !== 'string') return notDecimal('price')
    if (quantity !== undefined && typeof quantity !== 'string') return notDecimal('quantity')
    return { ok: true, price: price ?? null, quantity: quantity ?? null }
  }

  /** Reads `{symbol?, side?}`. */
  filter(raw: unknown): MassCancelFilter | Refused {
    if (!isObject(raw)) return malformed('filter', 'must be an object with symbol, side, both or neither')
    for (const key in raw) {
      if (key !== 'symbol' && key !== 'side') return malformed(shown(key), 'is not known here: only symbol and side')
    }
    const { symbol, side: sideName } = raw
    const instrument = symbol === undefined ? null : this.#instruments.get(symbol)
    if (instrument === undefined) return unknownSymbol('symbol', symbol)
    const side = sideName === undefined ? null : SIDES.get(sideName)
    if (side === undefined) return malformed('side', namesOf(SIDES))
    return { ok: true, instrument, side }
  }

  #orderId(raw: unknown): OrderId | null {
    if (typeof raw !== 'string' || !/^[1-9][0-9]{0,15}$/.test(raw)) return null
    const order = Number(raw) as OrderId
    return Number.isSafeInteger(order) && shardOfOrder(order) < this.#shardCount ? order : null
  }

  #nextId(): string {
    this.#idsGiven += 1
    return this.#idPrefix + this.#idsGiven.toString(36)
  }
}
