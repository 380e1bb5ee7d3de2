// Finds orders: open ones in this process's replica, others in history. Promises that "there is none" is said only once history holds
// everything the replica had applied when it was asked; what the account does not own does not exist for it.

import {
  type AccountId,
  type Instrument,
  type Markets,
  type OrderId,
  type RegionName,
  RejectCode,
  type Seq,
  type ShardIndex,
} from '@wintrades/domain'
import {
  type Found,
  type HistoricOrder,
  HistoryNotCaughtUp,
  type HistoryReader,
  HistoryUnavailable,
  type ReadOptions,
} from '@wintrades/marketdata'
import type { Venue } from '@wintrades/venue'
import type { AccountPrincipal } from '../auth/principal.ts'
import { asciiJson, denial, type OrderReply } from './answers.ts'
import { refusedReply } from './order-answers.ts'
import type { NewOrderSubmission, OrderName } from './order-request.ts'
import { type AnyOrder, type FillView, fillView, orderView } from './order-text.ts'

export type OrderHistory = Pick<HistoryReader, 'progress' | 'orderById' | 'orderByClientId' | 'executionsOfOrder'>

export type OrderLookupOptions = {
  readonly markets: Markets
  readonly venue: Pick<Venue, 'order' | 'outcome'>
  readonly history: OrderHistory
  readonly instruments: readonly (Instrument | undefined)[]
  readonly onFault: (error: unknown) => void
}

export type FoundInstrument =
  | { readonly ok: true; readonly instrument: Instrument }
  | { readonly ok: false; readonly reply: OrderReply }

type FoundOrder = { readonly order: AnyOrder; readonly shard: ShardIndex; readonly seq: Seq }

/** History is written moments after a batch is applied; it is given this long. */
const HISTORY_WAIT_MS = 2_000
/** Lookups under way at once. */
const LOOKUPS_MAX = 4_096
const HISTORY_UNAVAILABLE = denial('HISTORY_UNAVAILABLE', { retryAfter_ms: HISTORY_WAIT_MS })
const OVERLOADED = denial('OVERLOADED', { message: 'Too many orders are being looked up. Try again.' })

export class OrderLookup {
  readonly #venue: OrderLookupOptions['venue']
  readonly #history: OrderHistory
  readonly #instruments: readonly (Instrument | undefined)[]
  readonly #shards: readonly RegionName[]
  readonly #onFault: (error: unknown) => void
  #running = 0

  constructor(options: OrderLookupOptions) {
    this.#venue = options.venue
    this.#history = options.history
    this.#instruments = options.instruments
    this.#shards = options.markets.shards.map((shard) => shard.name)
    this.#onFault = options.onFault
  }

  /** An order of the account, or why not. */
  find(principal: AccountPrincipal, name: OrderName): Promise<OrderReply> {
    return this.#guarded(async () => {
      const found =
        name.instrument === null
          ? await this.#byId(principal.account, name.order)
          : await this.#byClientId(principal.account, name.instrument.shard, name.clientOrderId)
      if (found === 'late') return denial('NOT_CAUGHT_UP', { retryAfter_ms: HISTORY_WAIT_MS })
      return found === null ? denial('NOT_FOUND') : this.#reply(found, false, await this.#fills(found.order))
    })
  }

  /**
   * What became of the order that a client order id was first used for. The engine gave its id and the code of its refusal (0: it was
   * accepted), so that it is known to exist.
   */
  original(
    { account, clientOrderId, side }: NewOrderSubmission,
    instrument: Instrument,
    order: OrderId,
    code: RejectCode,
    done: (reply: OrderReply) => void,
  ): void {
    const { shard } = instrument
    const details = { clientOrderId, orderId: String(order), shard: this.#shards[shard] }
    // It happened, whatever cannot be found out about it now: never an answer that says "nothing was done".
    const unknown = denial('OUTCOME_UNKNOWN', { details })
    void this.#guarded(async () => {
      const found = await this.#byId(account, order)
      if (found !== null && found !== 'late') return this.#reply(found, true)
      if (code === RejectCode.none) return unknown
      const seq = await this.#history.progress(shard)
      const refusal = { order, code, limit: 0, value: 0 }
      const name = this.#shards[shard] as RegionName
      return refusedReply({ order, clientOrderId }, refusal, instrument, side, name, { seq }, true, true)
    }, unknown).then(done)
  }

  /** The instrument of an order that is open: changes name prices in its ticks. */
  instrumentOf(principal: AccountPrincipal, order: OrderId, done: (found: FoundInstrument) => void): void {
    let instrument: Instrument | undefined
    void this.#guarded(async () => {
      const at = await this.#venue.order(order)
      const shard = this.#shards[at.shard] as RegionName
      const open = at.value
      if (open !== null && open.account === principal.account) instrument = this.#instruments[open.instrument]
      const code =
        open === null ? await this.#codeOfAbsent(principal.account, order) : RejectCode.order_of_other_account
      const refusal = { order, code, limit: 0, value: 0 }
      return refusedReply({ order, clientOrderId: '' }, refusal, null, null, shard, at, false)
    }).then((reply) => done(instrument === undefined ? { ok: false, reply } : { ok: true, instrument }))
  }

  async #codeOfAbsent(account: AccountId, order: OrderId): Promise<RejectCode> {
    const historic = await this.#history.orderById(account, order)
    return historic.value === null ? RejectCode.order_unknown : RejectCode.order_not_open
  }

  async #byId(account: AccountId, order: OrderId): Promise<FoundOrder | 'late' | null> {
    const at = await this.#venue.order(order)
    if (at.value !== null) {
      return at.value.account === account ? { order: at.value, shard: at.shard, seq: at.seq } : null
    }
    return await this.#inHistory(at.shard, at.seq, (options) => this.#history.orderById(account, order, options))
  }

  async #byClientId(account: AccountId, shard: ShardIndex, clientOrderId: string): Promise<FoundOrder | 'late' | null> {
    const at = await this.#venue.outcome(shard, account, clientOrderId)
    const open = at.value?.openOrder ?? null
    if (open !== null) return { order: open, shard, seq: at.seq }
    return await this.#inHistory(shard, at.seq, (options) =>
      this.#history.orderByClientId(shard, account, clientOrderId, options),
    )
  }

  async #inHistory(
    shard: ShardIndex,
    seq: Seq,
    read: (options: ReadOptions) => Promise<Found<HistoricOrder | null>>,
  ): Promise<FoundOrder | 'late' | null> {
    let found = await read({})
    // An order that history has as done can change no more: no need to wait for the rest.
    if (found.seq < seq && !isFinal(found.value)) {
      try {
        found = await read({ atLeast: [{ shard, seq }], timeout_ms: HISTORY_WAIT_MS })
      } catch (error) {
        if (!(error instanceof HistoryNotCaughtUp)) throw error
        found = await read({})
        if (!isFinal(found.value)) return 'late'
      }
    }
    const order = found.value
    return order === null ? null : { order, shard, seq: Math.max(order.seq, Math.min(found.seq, seq)) as Seq }
  }

  /** The fills that history has: all of a done order's; the latest of an open one may still be missing there. */
  async #fills(order: AnyOrder): Promise<{ readonly fills?: readonly FillView[] }> {
    if (order.cumQty === 0) return {}
    const instrument = this.#instruments[order.instrument] as Instrument
    const fills = await this.#history.executionsOfOrder(order.order)
    return { fills: fills.map((fill) => fillView(instrument, fill)) }
  }

  #reply(
    { order, shard: shardIndex, seq }: FoundOrder,
    duplicate: boolean,
    fills: { readonly fills?: readonly FillView[] } = {},
  ): OrderReply {
    const instrument = this.#instruments[order.instrument] as Instrument
    const shard = this.#shards[shardIndex] as RegionName
    const code = order.rejectCode ?? RejectCode.none
    if (duplicate && code !== RejectCode.none) {
      const refusal = { order: order.order, code, limit: order.rejectLimit ?? 0, value: order.rejectValue ?? 0 }
      return refusedReply(order, refusal, instrument, order.side, shard, { seq }, true, true)
    }
    const view = { ...orderView(instrument, order), shard, seq, ...(duplicate ? { duplicate } : {}), ...fills }
    return { status: 200, json: asciiJson(view), shard, seq }
  }

  async #guarded(look: () => Promise<OrderReply>, unknown?: OrderReply): Promise<OrderReply> {
    if (this.#running >= LOOKUPS_MAX) return unknown ?? OVERLOADED
    this.#running += 1
    try {
      return await look()
    } catch (error) {
      if (error instanceof HistoryUnavailable) return unknown ?? HISTORY_UNAVAILABLE
      this.#onFault(error)
      return denial('INTERNAL')
    } finally {
      this.#running -= 1
    }
  }
}

function isFinal(order: HistoricOrder | null): boolean {
  return order !== null && (order.doneReason !== null || order.rejectCode !== RejectCode.none)
}
