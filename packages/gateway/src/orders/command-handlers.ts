// What waits for the outcome of a command: one object per command, called back by the venue. Promises to answer once.

import {
  type Instrument,
  type InstrumentId,
  type OrderId,
  type RegionName,
  type ShardIndex,
  shardOfOrder,
} from '@wintrades/domain'
import type { CommandHandler, CommittedBatch, SubmitResult } from '@wintrades/venue'
import { denial, type OrderReply } from './answers.ts'
import type { DisconnectCancels } from './disconnect-cancels.ts'
import { changedReply, type Named, placedReply, readOutcome, refusedReply } from './order-answers.ts'
import type { OrderLookup } from './order-lookup.ts'
import type { NewOrderSubmission } from './order-request.ts'

/** Called once, possibly before the call that took it returns. */
export type Done = (reply: OrderReply) => void

/** Why a command was not sent. */
export type NotSent = Exclude<SubmitResult, 'submitted'>

/** Waits for the outcome of one new order. */
export class Placing implements CommandHandler {
  readonly #shards: readonly RegionName[]
  readonly #lookup: OrderLookup
  readonly #disconnects: DisconnectCancels | null
  readonly #instrument: Instrument
  readonly #submission: NewOrderSubmission
  readonly #done: Done

  constructor(
    shards: readonly RegionName[],
    lookup: OrderLookup,
    disconnects: DisconnectCancels | null,
    instrument: Instrument,
    submission: NewOrderSubmission,
    done: Done,
  ) {
    this.#shards = shards
    this.#lookup = lookup
    this.#disconnects = disconnects
    this.#instrument = instrument
    this.#submission = submission
    this.#done = done
  }

  committed(batch: CommittedBatch, _commandIndex: number, start: number, end: number): void {
    const submission = this.#submission
    this.#disconnects?.settled(submission.session, batch.shard)
    const shard = this.#shards[batch.shard] as RegionName
    const outcome = readOutcome(batch.events, start, end, 0 as OrderId)
    if (outcome.kind === 'duplicate') {
      const { order, code } = outcome
      this.#lookup.original(submission, this.#instrument, order, code, this.#done)
    } else if (outcome.kind === 'rejected') {
      const { clientOrderId, side } = submission
      this.#done(
        refusedReply({ order: outcome.order, clientOrderId }, outcome, this.#instrument, side, shard, batch, true),
      )
    } else {
      this.#done(placedReply(submission, this.#instrument, outcome, shard, batch, start, end))
    }
  }

  unknown(): void {
    const { session, clientOrderId } = this.#submission
    this.#disconnects?.settled(session, this.#instrument.shard)
    this.#done(outcomeUnknown(this.#shards[this.#instrument.shard], { clientOrderId }))
  }
}

/** Waits for the outcome of one cancel or replace. */
export class Changing implements CommandHandler {
  readonly #shards: readonly RegionName[]
  readonly #instruments: readonly (Instrument | undefined)[]
  readonly #name: Named
  readonly #done: Done

  constructor(
    shards: readonly RegionName[],
    instruments: readonly (Instrument | undefined)[],
    name: Named,
    done: Done,
  ) {
    this.#shards = shards
    this.#instruments = instruments
    this.#name = name
    this.#done = done
  }

  committed(batch: CommittedBatch, _commandIndex: number, start: number, end: number): void {
    const shard = this.#shards[batch.shard] as RegionName
    const outcome = readOutcome(batch.events, start, end, this.#name.order)
    const instrument = this.#instruments[outcome.instrument as InstrumentId] ?? null
    this.#done(
      outcome.kind === 'rejected' || instrument === null
        ? refusedReply(this.#name, outcome, instrument, null, shard, batch, false)
        : changedReply(this.#name, instrument, outcome, shard, batch),
    )
  }

  unknown(): void {
    const { order } = this.#name
    this.#done(outcomeUnknown(order === 0 ? undefined : this.#shards[shardOfOrder(order)], nameDetails(this.#name)))
  }
}

/** Adds up a mass cancel over its shards; a shard that cannot be reached, or does not answer, makes the whole answer say so. */
export class MassCancelTally {
  readonly #shards: readonly RegionName[]
  readonly #done: Done
  readonly #single: boolean
  #open: number
  #cancelled = 0
  #unknown: RegionName[] = []
  #notSent: { shard: RegionName; result: NotSent }[] = []
  #refused: OrderReply | null = null
  #at: Pick<OrderReply, 'shard' | 'seq'> = { shard: null, seq: 0 }

  constructor(shardCount: number, shards: readonly RegionName[], done: Done) {
    this.#open = shardCount
    this.#single = shardCount === 1
    this.#shards = shards
    this.#done = done
  }

  of(shard: ShardIndex): CommandHandler {
    const name = this.#shards[shard] as RegionName
    return {
      committed: (batch, _commandIndex, start, end) => {
        const outcome = readOutcome(batch.events, start, end, 0 as OrderId)
        if (outcome.kind === 'rejected') {
          this.#refused = refusedReply(
            { order: 0 as OrderId, clientOrderId: '' },
            outcome,
            null,
            null,
            name,
            batch,
            false,
          )
        } else this.#cancelled += outcome.count
        if (this.#single) this.#at = { shard: name, seq: batch.seq }
        this.#settle()
      },
      unknown: () => {
        this.#unknown.push(name)
        this.#settle()
      },
    }
  }

  notSent(shard: ShardIndex, result: NotSent): void {
    this.#notSent.push({ shard: this.#shards[shard] as RegionName, result })
    this.#settle()
  }

  #settle(): void {
    if (--this.#open > 0) return
    const cancelled = this.#cancelled
    const [missed] = this.#notSent
    if (this.#unknown.length > 0) {
      this.#done(denial('OUTCOME_UNKNOWN', { details: { cancelled, shards: this.#unknown } }))
    } else if (missed !== undefined) {
      const shards = this.#notSent.map((one) => one.shard)
      const message =
        'Some shards could not be told to cancel; those that could have done so. Cancelling again does no harm.'
      this.#done(denial(CODE_OF[missed.result], { message, details: { cancelled, shards } }))
    } else if (this.#refused !== null) {
      this.#done(this.#refused)
    } else {
      this.#done({ status: 200, json: `{"cancelled":${cancelled}}`, ...this.#at })
    }
  }
}

const CODE_OF = { overloaded: 'OVERLOADED', unavailable: 'SHARD_UNAVAILABLE' } as const
const RETRY_AFTER_MS = 50

export function notSent(
  result: NotSent,
  shard: RegionName | undefined,
  details: Readonly<Record<string, unknown>>,
): OrderReply {
  return denial(CODE_OF[result], { details: { ...details, shard }, retryAfter_ms: RETRY_AFTER_MS })
}

function outcomeUnknown(shard: RegionName | undefined, details: Readonly<Record<string, unknown>>): OrderReply {
  return denial('OUTCOME_UNKNOWN', { details: { ...details, shard } })
}

export function nameDetails({ order, clientOrderId }: Named): Readonly<Record<string, unknown>> {
  return order === 0 ? { clientOrderId } : { orderId: String(order) }
}
