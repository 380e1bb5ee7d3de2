// What a reply of the public API means for the record of a drill: acknowledged, rejected by the engine, denied at the door, or
// unknown. Whatever is not clearly one of the first three is unknown.

import {
  type Instrument,
  type OrderId,
  parseQuantity,
  type Quantity,
  REJECT_CODE_NAMES,
  type RejectCode,
  type Seq,
} from '@wintrades/domain'
import type { Answer } from './history.ts'

const CODES: ReadonlyMap<string, RejectCode> = new Map(
  Object.entries(REJECT_CODE_NAMES).map(([code, name]) => [name, Number(code) as RejectCode]),
)

/** A reply to an order, a cancel, a deposit or a transfer, as REST and streams give it. */
export type Reply = {
  readonly orderId?: string
  readonly status?: string
  readonly cumQty?: string
  readonly seq?: number | string
  readonly rejectCode?: string
  readonly duplicate?: boolean
  readonly error?: { readonly code: string }
}

export const UNKNOWN: Answer = { outcome: 'unknown' }

export function denied(code: string): Answer {
  return { outcome: 'denied', code }
}

/** `seq` is the one of the reply's header, for replies that do not carry it; `instrument` is set for orders. */
export function answerOf(reply: Reply, seq: number | null, instrument: Instrument | null): Answer {
  const code = reply.error?.code ?? (reply.status === 'REJECTED' ? reply.rejectCode : undefined)
  if (code !== undefined) return refusal(code)
  const at = Number(reply.seq ?? seq)
  if (!Number.isSafeInteger(at) || at <= 0) return UNKNOWN
  return {
    outcome: 'acknowledged',
    order: Number(reply.orderId ?? 0) as OrderId,
    seq: at as Seq,
    cumQty: instrument === null || reply.cumQty === undefined ? null : lots(instrument, reply.cumQty),
    duplicate: reply.duplicate === true,
  }
}

function refusal(code: string): Answer {
  if (code === 'OUTCOME_UNKNOWN' || code === 'INTERNAL') return UNKNOWN
  const rejected = CODES.get(code)
  return rejected === undefined ? denied(code) : { outcome: 'rejected', code: rejected }
}

export function lots(instrument: Instrument, text: string): Quantity {
  const parsed = parseQuantity(instrument, text)
  if (!parsed.ok) throw new TypeError(`${text} is not a quantity of ${instrument.symbol}: ${parsed.fault}`)
  return parsed.value
}
