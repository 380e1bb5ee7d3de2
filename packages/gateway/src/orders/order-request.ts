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
  parseDecimal,
  parsePrice,
  parseQuantity,
  type Quantity,
  SELF_TRADE_PREVENTION_NAMES,
  SelfTradePrevention,
  SIDE_NAMES,
  type Side,
  shardOfOrder,
  TIME_IN_FORCE_NAMES,
  TimeInForce,
  type Timestamp,
} from '@wintrades/domain'
import type { Submission } from '@wintrades/venue'
import type { AccountPrincipal } from '../auth/principal.ts'
import { denial, type OrderReply } from './answers.ts'

export type NewOrderSubmission = Extract<Submission, { type: typeof CommandType.new_order }>

export type Refused = { readonly ok: false; readonly reply: OrderReply }
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
const KEY_CHARS_SHOWN = 40

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
    const unfit = isMarket ? marketFault(price, quantity, quoteAmount) : limitFault(price, quantity, quoteAmount)
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
        stopPrice: 0 as Price,
        displayQuantity: 0 as Quantity,
        minimumQuantity: 0 as Quantity,
        expireTime: 0 as Timestamp,
        trailingOffset: 0 as Price,
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

type Read<Value> = { readonly ok: true; readonly value: Value } | Refused

export function readPrice(instrument: Instrument, raw: unknown, path: string): Read<Price> {
  if (typeof raw !== 'string') return notDecimal(path)
  const parsed = parsePrice(instrument, raw)
  if (!parsed.ok) return badDecimal(path, parsed.fault, instrument.tick, instrument.priceScale)
  return parsed.value > 0 ? parsed : outOfRange(path)
}

export function readQuantity(instrument: Instrument, raw: unknown, path: string): Read<Quantity> {
  if (typeof raw !== 'string') return notDecimal(path)
  const parsed = parseQuantity(instrument, raw)
  if (!parsed.ok) return badDecimal(path, parsed.fault, instrument.lot, instrument.quantityScale)
  return parsed.value > 0 ? parsed : outOfRange(path)
}

function readAmount(raw: unknown, scale: number, path: string): Read<Amount> {
  if (typeof raw !== 'string') return notDecimal(path)
  const parsed = parseDecimal(raw, scale)
  if (!parsed.ok) return badDecimal(path, parsed.fault, 1, scale)
  return parsed.value > 0 ? { ok: true, value: parsed.value as Amount } : outOfRange(path)
}

const FLAGS = {
  postOnly: OrderFlag.post_only,
  reduceOnly: OrderFlag.reduce_only,
  cancelOnDisconnect: OrderFlag.cancel_on_disconnect,
} as const

type Unfit = { readonly field: string; readonly message: string }

function limitFault(price: unknown, quantity: unknown, quoteAmount: unknown): Unfit | null {
  if (quoteAmount !== undefined) return { field: 'quoteAmount', message: 'is for market orders; say a quantity' }
  if (price === undefined) return { field: 'price', message: 'is missing: only market orders have none' }
  if (quantity === undefined) return { field: 'quantity', message: 'is missing' }
  return null
}

function marketFault(price: unknown, quantity: unknown, quoteAmount: unknown): Unfit | null {
  if (price !== undefined) return { field: 'price', message: 'is not for market orders' }
  if ((quantity === undefined) === (quoteAmount === undefined)) {
    return { field: 'quantity', message: 'or quoteAmount: a market order has one of the two' }
  }
  return null
}

function malformed(path: string, problem: string): Refused {
  return {
    ok: false,
    reply: denial('REQUEST_MALFORMED', { message: `${path} ${problem}`, details: { path, message: problem } }),
  }
}

function unknownSymbol(path: string, symbol: unknown): Refused {
  if (typeof symbol !== 'string') return malformed(path, symbol === undefined ? 'is missing' : 'must be a string')
  return { ok: false, reply: denial('SYMBOL_UNKNOWN', { details: { path, symbol: shown(symbol) } }) }
}

function badClientId(path: string): Refused {
  return { ok: false, reply: denial('CLIENT_ID_INVALID', { details: { path: `${path}clientOrderId` } }) }
}

function notDecimal(path: string): Refused {
  return invalidDecimal(path, 'must be a decimal in quotes, such as "1.5"')
}

function outOfRange(path: string): Refused {
  return invalidDecimal(path, 'must be greater than zero')
}

function badDecimal(path: string, fault: string, step: number, scale: number): Refused {
  const grid = scale === 0 ? String(step) : (step / 10 ** scale).toFixed(scale)
  const problem =
    fault === 'malformed'
      ? 'must be a decimal of digits with at most one point, such as "1.5"'
      : fault === 'out_of_range'
        ? 'is too large'
        : `must be a multiple of ${grid}`
  return invalidDecimal(path, problem)
}

function invalidDecimal(path: string, problem: string): Refused {
  return {
    ok: false,
    reply: denial('DECIMAL_INVALID', { message: `${path} ${problem}`, details: { path, message: problem } }),
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A client's text, as it may stand in an answer. */
function shown(text: string): string {
  return text.length <= KEY_CHARS_SHOWN ? text : `${text.slice(0, KEY_CHARS_SHOWN)}…`
}

function namesOf(values: ReadonlyMap<unknown, unknown>): string {
  return `must be one of ${[...values.keys()].join(', ')}`
}

function byName<Value extends number>(names: Readonly<Record<Value, string>>): ReadonlyMap<unknown, Value> {
  return new Map(Object.entries<string>(names).map(([value, name]) => [name, Number(value) as Value]))
}
