// Lists of orders that belong together: a pair of which one cancels the other (OCO), and an entry with its exits (BRACKET). Reads them out
// of JSON and says in which order their legs go to the engine, each naming an earlier one (see `OrderLink`). Promises that a list of
// which anything is malformed is refused whole.

import { type Instrument, OrderLink, OrderType } from '@wintrades/domain'
import type { AccountPrincipal } from '../auth/principal.ts'
import { isImmediate } from './order-extras.ts'
import type { NewOrderSubmission, OrderRequestReader } from './order-request.ts'
import { isObject, malformed, type Refused, shown } from './request-values.ts'

export type Leg = {
  /** Its place in the request, and so in the answer. */
  readonly index: number
  readonly instrument: Instrument
  readonly submission: NewOrderSubmission
}

/** The legs in the order in which they are sent. */
export type ReadList = { readonly ok: true; readonly legs: readonly Leg[] } | Refused

export const LIST_KINDS = ['OCO', 'BRACKET'] as const
/** An entry and two exits. */
export const LEGS_MAX = 3

type ListReader = Pick<OrderRequestReader, 'order'>
type Context = {
  readonly reader: ListReader
  readonly principal: AccountPrincipal
  readonly session: number
}

/** Reads `{kind: 'OCO', orders: [a, b]}` or `{kind: 'BRACKET', entry, exits: [a, b?]}`. */
export function readOrderList(
  reader: ListReader,
  body: unknown,
  principal: AccountPrincipal,
  session: number,
): ReadList {
  if (!isObject(body)) return malformed('list', 'must be an object')
  const { kind } = body
  const context = { reader, principal, session }
  if (kind === 'OCO') return unknownField(body, OCO_FIELDS, kind) ?? readPair(context, body['orders'])
  if (kind === 'BRACKET') return unknownField(body, BRACKET_FIELDS, kind) ?? readBracket(context, body)
  return malformed('kind', `must be one of ${LIST_KINDS.join(', ')}`)
}

/** Orders that a list would enter: what it counts among the limits, before it is read. */
export function legsOf(body: unknown): number {
  return isObject(body) && Array.isArray(body['exits']) ? Math.min(LEGS_MAX, 1 + body['exits'].length) : 2
}

const OCO_FIELDS: ReadonlySet<string> = new Set(['kind', 'orders'])
const BRACKET_FIELDS: ReadonlySet<string> = new Set(['kind', 'entry', 'exits'])

function unknownField(
  body: Readonly<Record<string, unknown>>,
  fields: ReadonlySet<string>,
  kind: string,
): Refused | null {
  for (const key in body) if (!fields.has(key)) return malformed(shown(key), `is not a field of a list of kind ${kind}`)
  return null
}

function readPair(context: Context, orders: unknown): ReadList {
  if (!Array.isArray(orders) || orders.length !== 2) return malformed('orders', 'must be a list of two orders')
  const read = readLegs(context, orders, ['orders.0', 'orders.1'])
  if (!read.ok) return read
  const [a, b] = read.legs as [Leg, Leg]
  const unfit = pairFault(a, b, 'orders')
  if (unfit !== null) return unfit
  // A limit order goes to the book as soon as it is entered: the one that waits comes before it.
  const [first, second] = a.submission.orderType === OrderType.limit ? [b, a] : [a, b]
  return { ok: true, legs: [linked(first, OrderLink.pending, null), linked(second, OrderLink.pair, first)] }
}

function readBracket(context: Context, { entry, exits }: Readonly<Record<string, unknown>>): ReadList {
  if (entry === undefined) return malformed('entry', 'is missing')
  if (!Array.isArray(exits) || exits.length === 0 || exits.length > 2) {
    return malformed('exits', 'must be a list of one or two orders')
  }
  const read = readLegs(context, [entry, ...exits], ['entry', 'exits.0', 'exits.1'])
  if (!read.ok) return read
  const [into, a, b] = read.legs as [Leg, Leg, Leg | undefined]
  const { submission } = into
  if (submission.quantity === 0) return malformed('entry.quoteAmount', 'is not for the entry of a list; say a quantity')
  for (const [index, exit] of [a, b].entries()) {
    if (exit === undefined) continue
    const { side, quantity } = exit.submission
    if (side === submission.side)
      return malformed(`exits.${index}.side`, 'must be the other side than that of the entry')
    if (quantity !== submission.quantity) return malformed(`exits.${index}.quantity`, 'must be that of the entry')
  }
  const unfit = b === undefined ? restsFault(a, 'exits.0') : pairFault(a, b, 'exits')
  if (unfit !== null) return unfit
  const legs = [linked(a, OrderLink.pending, null)]
  if (b !== undefined) legs.push(linked(b, OrderLink.pending_pair, a))
  legs.push(linked(into, OrderLink.entry, a))
  return { ok: true, legs }
}

/** Every leg as an order of its own, and what all of one list have in common. */
function readLegs(
  { reader, principal, session }: Context,
  bodies: readonly unknown[],
  paths: readonly string[],
): ReadList {
  const legs: Leg[] = []
  const ids = new Set<string>()
  for (const [index, body] of bodies.entries()) {
    const path = paths[index] as string
    const read = reader.order(body, principal, session, `${path}.`)
    if (!read.ok) return read
    const { instrument, submission } = read
    if (instrument !== (legs[0]?.instrument ?? instrument)) {
      return malformed(`${path}.symbol`, 'must be the same for all orders of a list')
    }
    if (submission.minimumQuantity !== 0) return malformed(`${path}.minimumQuantity`, 'is not for orders of a list')
    if (ids.has(submission.clientOrderId)) {
      return malformed(`${path}.clientOrderId`, 'must be another for each order of a list')
    }
    ids.add(submission.clientOrderId)
    legs.push({ index, instrument, submission })
  }
  return { ok: true, legs }
}

function pairFault(a: Leg, b: Leg, path: string): Refused | null {
  const unfit = restsFault(a, `${path}.0`) ?? restsFault(b, `${path}.1`)
  if (unfit !== null) return unfit
  const [first, second] = [a.submission, b.submission]
  if (first.side !== second.side) return malformed(`${path}.1.side`, 'must be the same for both orders of a pair')
  if (first.quantity !== second.quantity) {
    return malformed(`${path}.1.quantity`, 'must be the same for both orders of a pair')
  }
  if (first.orderType === OrderType.limit && second.orderType === OrderType.limit) {
    return malformed(`${path}.1.type`, 'must be a type that waits for a price: one LIMIT order is enough in a pair')
  }
  return null
}

/** A leg must be able to rest or wait. */
function restsFault({ submission }: Leg, path: string): Refused | null {
  if (submission.orderType === OrderType.market) return malformed(`${path}.type`, 'must not be MARKET here')
  if (isImmediate(submission.timeInForce)) return malformed(`${path}.timeInForce`, 'must not be IOC or FOK here')
  return null
}

function linked(leg: Leg, link: OrderLink, named: Leg | null): Leg {
  const linkedClientOrderId = named?.submission.clientOrderId ?? ''
  return { ...leg, submission: { ...leg.submission, link, linkedClientOrderId } }
}
