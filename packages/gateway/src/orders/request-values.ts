// What the readers of requests share: decimals of an instrument, the words of orders, and refusals that say where a fault is and what
// would be right there.

import {
  type Amount,
  type Instrument,
  type Price,
  parseDecimal,
  parsePrice,
  parseQuantity,
  type Quantity,
} from '@wintrades/domain'
import { denial, malformation, type OrderReply } from './answers.ts'

export type Refused = { readonly ok: false; readonly reply: OrderReply }

const KEY_CHARS_SHOWN = 40

export type Read<Value> = { readonly ok: true; readonly value: Value } | Refused

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

export function readAmount(raw: unknown, scale: number, path: string): Read<Amount> {
  if (typeof raw !== 'string') return notDecimal(path)
  const parsed = parseDecimal(raw, scale)
  if (!parsed.ok) return badDecimal(path, parsed.fault, 1, scale)
  return parsed.value > 0 ? { ok: true, value: parsed.value as Amount } : outOfRange(path)
}

export function malformed(path: string, problem: string): Refused {
  return { ok: false, reply: malformation('REQUEST_MALFORMED', path, problem) }
}

export function unknownSymbol(path: string, symbol: unknown): Refused {
  if (typeof symbol !== 'string') return malformed(path, symbol === undefined ? 'is missing' : 'must be a string')
  return { ok: false, reply: denial('SYMBOL_UNKNOWN', { details: { path, symbol: shown(symbol) } }) }
}

export function badClientId(path: string): Refused {
  return { ok: false, reply: denial('CLIENT_ID_INVALID', { details: { path: `${path}clientOrderId` } }) }
}

export function notDecimal(path: string): Refused {
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
  return { ok: false, reply: malformation('DECIMAL_INVALID', path, problem) }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A client's text, as it may stand in an answer. */
export function shown(text: string): string {
  return text.length <= KEY_CHARS_SHOWN ? text : `${text.slice(0, KEY_CHARS_SHOWN)}…`
}

export function namesOf(values: ReadonlyMap<unknown, unknown>): string {
  return `must be one of ${[...values.keys()].join(', ')}`
}

export function byName<Value extends number>(names: Readonly<Record<Value, string>>): ReadonlyMap<unknown, Value> {
  return new Map(Object.entries<string>(names).map(([value, name]) => [name, Number(value) as Value]))
}
