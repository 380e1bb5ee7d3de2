// Commands that move funds or set an account's limits, from submission to what became of them. Promises the catalogue's answer for each
// way it can end: done, refused, seen before, not sent, unknown.

import {
  type Amount,
  type Asset,
  COMMAND_DUPLICATE,
  COMMAND_REJECTED,
  EVENT_SLOTS,
  EventType,
  FUNDS_MOVED,
  formatAmount,
  REJECT_CODE_NAMES,
  RejectCode as Reject,
  type RejectCode,
  type Seq,
  type ShardIndex,
} from '@wintrades/domain'
import type { CommittedBatch, Submission, Venue } from '@wintrades/venue'
import { ApiFault, type ErrorBody, rejectStatus } from '../errors.ts'

const RETRY_AFTER_MS = 100

/** A command that was committed. */
export type Settled = {
  readonly shard: ShardIndex
  readonly seq: Seq
  /** Its id was seen before: nothing happened now, `code` is what happened then. */
  readonly duplicate: boolean
  /** 0: accepted. */
  readonly code: RejectCode
  readonly limit: number
  readonly value: number
  /** Number of a transfer within its pair of shards; 0 for anything else. */
  readonly transferNumber: number
}

/** Resolves when the command is durable and applied; throws OVERLOADED, SHARD_UNAVAILABLE or OUTCOME_UNKNOWN. */
export function settle(venue: Venue, shard: ShardIndex, submission: Submission): Promise<Settled> {
  return new Promise((resolve, reject) => {
    const result = venue.submit(shard, submission, {
      committed: (batch, _index, start, end) => resolve(readEvents(batch, start, end)),
      unknown: () => reject(new ApiFault('OUTCOME_UNKNOWN')),
    })
    if (result === 'overloaded') reject(new ApiFault('OVERLOADED', { retryAfter_ms: RETRY_AFTER_MS }))
    if (result === 'unavailable') reject(new ApiFault('SHARD_UNAVAILABLE', { retryAfter_ms: RETRY_AFTER_MS }))
  })
}

function readEvents({ shard, seq, events }: CommittedBatch, start: number, end: number): Settled {
  let settled: Settled = { shard, seq, duplicate: false, code: Reject.none, limit: 0, value: 0, transferNumber: 0 }
  for (let at = start; at < end; at += EVENT_SLOTS[events[at] as EventType] as number) {
    const type = events[at] as EventType
    if (type === EventType.command_rejected) {
      settled = {
        ...settled,
        code: events[at + COMMAND_REJECTED.code] as RejectCode,
        limit: events[at + COMMAND_REJECTED.limit] as number,
        value: events[at + COMMAND_REJECTED.value] as number,
      }
    } else if (type === EventType.command_duplicate) {
      settled = { ...settled, duplicate: true, code: events[at + COMMAND_DUPLICATE.code] as RejectCode }
    } else if (type === EventType.funds_moved) {
      settled = { ...settled, transferNumber: events[at + FUNDS_MOVED.transferNumber] as number }
    }
  }
  return settled
}

/** The engine's refusal of a command that is not an order. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly settled: Settled
  readonly #details: Readonly<Record<string, unknown>>

  /** `asset`: whose units the limits on funds are in; null where there is none. */
  constructor(settled: Settled, asset: Asset | null) {
    super(`${nameOf(settled.code)}${settled.duplicate ? ', when the id was first sent' : ''}`)
    this.settled = settled
    this.status = rejectStatus(settled.code)
    this.#details = settled.limit === 0 && settled.value === 0 ? {} : limitDetails(settled, asset)
  }

  body(): ErrorBody {
    const details = { ...this.#details, ...(this.settled.duplicate ? { duplicate: true } : {}) }
    return {
      error: {
        code: nameOf(this.settled.code),
        message: 'Refused by the engine.',
        ...(Object.keys(details).length === 0 ? {} : { details }),
      },
    }
  }
}

/** Limits on funds are amounts of the asset; those on a shard's own capacity are counts. */
function limitDetails({ code, limit, value }: Settled, asset: Asset | null): Record<string, unknown> {
  const isAmount = code !== Reject.capacity_exhausted && code !== Reject.account_unknown
  if (asset === null || !isAmount || !Number.isSafeInteger(limit) || !Number.isSafeInteger(value))
    return { limit, value }
  return { limit: formatAmount(asset, limit as Amount), value: formatAmount(asset, value as Amount) }
}

function nameOf(code: RejectCode): string {
  return REJECT_CODE_NAMES[code] ?? String(code)
}
