// What a client gets for a request about orders, as finished JSON: order entry is the platform's hot path, so answers are texts from
// the start. Promises pure ASCII, so that a text's length is its length in bytes.

import { assert, type RegionName, type Seq } from '@wintrades/domain'
import { type ApiFault, type ErrorCode, errorCatalogue, type RequestFault } from '../errors.ts'

export type OrderReply = {
  /** HTTP status; a stream's answer is `ok` when it is below 400. */
  readonly status: number
  /** A JSON object, ASCII. From status 400 on it has an `error`, besides what is known of the order. */
  readonly json: string
  /** Where and when it was computed; null and 0: at no single place. */
  readonly shard: RegionName | null
  readonly seq: Seq | 0
}

type Meaning = { readonly status: number; readonly meaning: string }

const CATALOGUE: ReadonlyMap<string, Meaning> = new Map(errorCatalogue().map((entry) => [entry.code, entry]))
const BEYOND_ASCII = /[\u007f-\uffff]/g

/** JSON without a character beyond ASCII. */
export function asciiJson(value: unknown): string {
  return escapeBeyondAscii(JSON.stringify(value))
}

/** Escapes what is beyond ASCII in a text that is JSON already. */
export function escapeBeyondAscii(json: string): string {
  return json.replace(BEYOND_ASCII, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export type DenialOptions = {
  readonly message?: string
  readonly details?: Readonly<Record<string, unknown>> | readonly RequestFault[] | undefined
  readonly retryAfter_ms?: number
}

/** A refusal at the door, as a value: no stack is taken, because clients may cause as many as they like. */
export function denial(code: ErrorCode, options: DenialOptions = {}): OrderReply {
  return { status: statusOf(code), json: `{"error":${errorJson(code, options)}}`, shard: null, seq: 0 }
}

/** A refusal of what was sent, which says where the fault is and what would be right: `details` is a list of such places. */
export function malformation(code: 'REQUEST_MALFORMED' | 'DECIMAL_INVALID', path: string, problem: string): OrderReply {
  return denial(code, { message: `${path} ${problem}`, details: [{ path, message: problem }] })
}

/** The reply of a denial that was thrown. */
export function denialOf(fault: ApiFault): OrderReply {
  return { status: fault.status, json: asciiJson(fault.body()), shard: null, seq: 0 }
}

/** The value of an answer's `error`. */
export function errorJson(code: string, options: DenialOptions): string {
  const { message, details, retryAfter_ms } = options
  return asciiJson({ code, message: message ?? meaningOf(code), details, retryAfter_ms })
}

export function statusOf(code: string): number {
  return entryOf(code).status
}

function meaningOf(code: string): string {
  return entryOf(code).meaning
}

function entryOf(code: string): Meaning {
  const entry = CATALOGUE.get(code)
  assert(entry !== undefined, `error code ${code} is not in the catalogue`)
  return entry
}
