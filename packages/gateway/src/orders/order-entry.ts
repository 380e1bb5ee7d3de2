// Order entry: checks what a client asks, sends it to the shard, and answers from the events of that very command. REST and streams
// share it. Promises one answer per request: the outcome, the first outcome of an id that was used before, a refusal before
// anything was sent, or "unknown". Nothing is awaited per order on the way.

import {
  CommandType,
  type Instrument,
  type Markets,
  OrderFlag,
  type Price,
  type Quantity,
  type RegionName,
  type ShardIndex,
  shardOfOrder,
} from '@wintrades/domain'
import type { Submission, Venue } from '@wintrades/venue'
import type { AccountPrincipal, Scope } from '../auth/principal.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import { denial, malformation, type OrderReply } from './answers.ts'
import {
  Changing,
  type Done,
  MassCancelTally,
  type NotSent,
  nameDetails,
  notSent,
  Placing,
} from './command-handlers.ts'
import { DisconnectCancels } from './disconnect-cancels.ts'
import { legsOf, readOrderList } from './order-lists.ts'
import { type OrderHistory, OrderLookup } from './order-lookup.ts'
import { type NewOrderSubmission, type OrderName, OrderRequestReader } from './order-request.ts'
import { readPrice, readQuantity } from './request-values.ts'

/** Orders in one batch request. */
export const ORDERS_PER_BATCH_MAX = 500

export type OrderEntryOptions = {
  readonly markets: Markets
  readonly venue: Pick<Venue, 'origin' | 'submit' | 'order' | 'outcome'>
  readonly history: OrderHistory
  readonly limits: Pick<RateLimits, 'orders' | 'requests'>
  /** Told of faults of the platform itself, which the client hears as INTERNAL. */
  readonly onFault: (error: unknown) => void
}

export class OrderEntry {
  readonly #venue: OrderEntryOptions['venue']
  readonly #limits: OrderEntryOptions['limits']
  readonly #reader: OrderRequestReader
  readonly #shards: readonly RegionName[]
  readonly #instruments: readonly (Instrument | undefined)[]
  readonly #lookup: OrderLookup
  readonly #disconnects: DisconnectCancels

  constructor(options: OrderEntryOptions) {
    const { markets, venue, limits } = options
    this.#venue = venue
    this.#limits = limits
    this.#reader = new OrderRequestReader(markets, venue.origin)
    this.#shards = markets.shards.map((shard) => shard.name)
    const instruments: (Instrument | undefined)[] = []
    for (const instrument of markets.instruments) instruments[instrument.id] = instrument
    this.#instruments = instruments
    this.#lookup = new OrderLookup({ ...options, instruments })
    this.#disconnects = new DisconnectCancels(venue)
  }

  /**
   * Enters an order. `session` is the stream's number; 0 is a request of its own, which is told the whole order and its fills, where
   * a stream is told id, status and quantities.
   */
  place(principal: AccountPrincipal, body: unknown, session: number, done: Done): void {
    const denied = this.#deniedTrading(principal, 1)
    if (denied !== null) done(denied)
    else this.#enter(principal, body, session, '', done)
  }

  /** Enters 1 to {@link ORDERS_PER_BATCH_MAX} orders; answers `{results: […]}` once all are answered, each as it would be alone. */
  placeBatch(principal: AccountPrincipal, orders: unknown, session: number, done: Done): void {
    if (!Array.isArray(orders) || orders.length === 0 || orders.length > ORDERS_PER_BATCH_MAX) {
      const message = `must be a list of 1 to ${ORDERS_PER_BATCH_MAX} orders`
      done(malformation('REQUEST_MALFORMED', 'orders', message))
      return
    }
    const denied = this.#deniedTrading(principal, orders.length)
    if (denied !== null) {
      done(denied)
      return
    }
    const results = new Array<string>(orders.length)
    let open = orders.length
    for (const [index, body] of orders.entries()) {
      this.#enter(principal, body, session, `orders.${index}.`, (reply) => {
        results[index] = reply.json
        if (--open === 0) done({ status: 200, json: `{"results":[${results.join(',')}]}`, shard: null, seq: 0 })
      })
    }
  }

  /**
   * Enters the two or three orders of a list; answers `{results: […]}` in the order of the request. One that is malformed, and none is
   * sent. A list that is sent again under the same client order ids goes on where it was interrupted.
   */
  placeList(principal: AccountPrincipal, body: unknown, session: number, done: Done): void {
    const denied = this.#deniedTrading(principal, legsOf(body))
    if (denied !== null) return void done(denied)
    const read = readOrderList(this.#reader, body, principal, session)
    if (!read.ok) return void done(read.reply)
    const results = new Array<string>(read.legs.length)
    let open = read.legs.length
    let missed: NotSent | null = null
    for (const { index, instrument, submission } of read.legs) {
      const settle = (reply: OrderReply) => {
        results[index] = reply.json
        if (--open === 0) done({ status: 200, json: `{"results":[${results.join(',')}]}`, shard: null, seq: 0 })
      }
      // The engine would refuse a leg that comes without the one it names, and remember that.
      if (missed === null) missed = this.#send(instrument, submission, settle)
      else settle(this.#notSent(missed, instrument, submission))
    }
  }

  /** Cancels the order that `{orderId}` or `{clientOrderId, symbol}` names. */
  cancel(principal: AccountPrincipal, name: unknown, done: Done): void {
    const denied = this.#deniedTrading(principal, 1)
    if (denied !== null) return void done(denied)
    const read = this.#reader.name(name)
    if (!read.ok) return void done(read.reply)
    const command: Submission = {
      type: CommandType.cancel_order,
      account: principal.account,
      order: read.order,
      clientOrderId: read.clientOrderId,
    }
    this.#change(read, command, done)
  }

  /** Changes price, quantity (the new total, fills included) or both of the order that is named. */
  replace(principal: AccountPrincipal, name: unknown, change: unknown, done: Done): void {
    const denied = this.#deniedTrading(principal, 1)
    if (denied !== null) return void done(denied)
    const read = this.#reader.name(name)
    if (!read.ok) return void done(read.reply)
    const wanted = this.#reader.change(change)
    if (!wanted.ok) return void done(wanted.reply)
    if (read.instrument !== null) return void this.#replace(principal, read, read.instrument, wanted, done)
    this.#lookup.instrumentOf(principal, read.order, (found) => {
      if (found.ok) this.#replace(principal, read, found.instrument, wanted, done)
      else done(found.reply)
    })
  }

  /** Cancels the account's open orders: all, those of one `symbol`, of one `side`. Answers `{cancelled: n}`. */
  massCancel(principal: AccountPrincipal, filter: unknown, done: Done): void {
    const denied = this.#deniedTrading(principal, 1)
    if (denied !== null) return void done(denied)
    const read = this.#reader.filter(filter)
    if (!read.ok) return void done(read.reply)
    const { instrument, side } = read
    const command: Submission = {
      type: CommandType.mass_cancel,
      account: principal.account,
      instrument: instrument?.id ?? 0,
      side,
    }
    const shards = instrument === null ? this.#shards.map((_, index) => index as ShardIndex) : [instrument.shard]
    const tally = new MassCancelTally(shards.length, this.#shards, done)
    for (const shard of shards) {
      const result = this.#venue.submit(shard, command, tally.of(shard))
      if (result !== 'submitted') tally.notSent(shard, result)
    }
  }

  /** What became of an order of the account: as it is open here, or as history has it. */
  find(principal: AccountPrincipal, name: unknown): Promise<OrderReply> {
    const read = this.#reader.name(name)
    if (!read.ok) return Promise.resolve(read.reply)
    const denied = deniedScope(principal, 'read')
    if (denied !== null) return Promise.resolve(denied)
    const wait_ms = this.#limits.requests(principal.limitKey)
    if (wait_ms > 0) return Promise.resolve(denial('RATE_LIMITED', { retryAfter_ms: wait_ms }))
    return this.#lookup.find(principal, read)
  }

  /** A stream ended: what it left with `cancelOnDisconnect` is cancelled, however long that takes. */
  endSession(session: number): void {
    this.#disconnects.end(session)
  }

  /** Stops repeating what it repeats. */
  close(): void {
    this.#disconnects.close()
  }

  #deniedTrading(principal: AccountPrincipal, count: number): OrderReply | null {
    const denied = deniedScope(principal, 'trade')
    if (denied !== null) return denied
    const wait_ms = this.#limits.orders(principal.account, count)
    return wait_ms > 0 ? denial('RATE_LIMITED', { retryAfter_ms: wait_ms }) : null
  }

  #enter(principal: AccountPrincipal, body: unknown, session: number, path: string, done: Done): void {
    const read = this.#reader.order(body, principal, session, path)
    if (!read.ok) {
      done(read.reply)
      return
    }
    this.#send(read.instrument, read.submission, done)
  }

  /** Answers `done` with the outcome, or at once if it was not sent; returns why it was not. */
  #send(instrument: Instrument, submission: NewOrderSubmission, done: Done): NotSent | null {
    const { session } = submission
    const bound = (submission.flags & OrderFlag.cancel_on_disconnect) !== 0
    const disconnects = bound ? this.#disconnects : null
    const handler = new Placing(this.#shards, this.#lookup, disconnects, instrument, submission, done)
    disconnects?.entered(session, instrument.shard)
    const result = this.#venue.submit(instrument.shard, submission, handler)
    if (result === 'submitted') return null
    disconnects?.settled(session, instrument.shard)
    done(this.#notSent(result, instrument, submission))
    return result
  }

  #notSent(why: NotSent, { shard }: Instrument, { clientOrderId }: NewOrderSubmission): OrderReply {
    return notSent(why, this.#shards[shard], { clientOrderId })
  }

  #replace(
    principal: AccountPrincipal,
    name: OrderName,
    instrument: Instrument,
    change: { readonly price: string | null; readonly quantity: string | null },
    done: Done,
  ): void {
    const price = change.price === null ? null : readPrice(instrument, change.price, 'price')
    if (price !== null && !price.ok) return void done(price.reply)
    const quantity = change.quantity === null ? null : readQuantity(instrument, change.quantity, 'quantity')
    if (quantity !== null && !quantity.ok) return void done(quantity.reply)
    const command: Submission = {
      type: CommandType.replace_order,
      account: principal.account,
      order: name.order,
      clientOrderId: name.clientOrderId,
      price: price?.value ?? (0 as Price),
      quantity: quantity?.value ?? (0 as Quantity),
    }
    this.#change(name, command, done)
  }

  #change(name: OrderName, command: Submission, done: Done): void {
    const shard = name.instrument?.shard ?? shardOfOrder(name.order)
    const handler = new Changing(this.#shards, this.#instruments, name, done)
    const result = this.#venue.submit(shard, command, handler)
    if (result !== 'submitted') done(notSent(result, this.#shards[shard], nameDetails(name)))
  }
}

function deniedScope(principal: AccountPrincipal, scope: Scope): OrderReply | null {
  return principal.scopes.has(scope) ? null : denial('SCOPE_MISSING', { details: { scope } })
}
