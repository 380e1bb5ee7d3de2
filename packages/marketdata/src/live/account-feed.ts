// The private events of the accounts that somebody listens to: orders, balances, positions, funds. Promises that a client which
// names the cursor of the last event it saw gets every later one exactly once, or is told "reset". Accounts nobody listens to cost
// one look-up per event. Rings and waiting lines are bounded.

import {
  type AccountId,
  type Amount,
  type AssetId,
  assert,
  BALANCE_CHANGED,
  COMMAND_REJECTED,
  CommandType,
  type DoneReason,
  EVENT,
  EVENT_SLOTS,
  EventType,
  FUNDS_MOVED,
  type FundsKind,
  type InstrumentId,
  type OpenOrder,
  ORDER_ACCEPTED,
  ORDER_DONE,
  ORDER_REDUCED,
  ORDER_REPLACED,
  ORDER_TRIGGERED,
  type OrderId,
  type OrderType,
  POSITION_CHANGED,
  type Price,
  type Quantity,
  type RejectCode,
  type SelfTradePrevention,
  type Seq,
  type ShardIndex,
  type Side,
  type TimeInForce,
  type Timestamp,
  TRADE,
} from '@wintrades/domain'
import { CommandCursor } from '../command-cursor.ts'
import { acceptedStatus, doneStatus, isDone, OrderStatus, openStatus, triggeredStatus } from '../order-status.ts'
import type { MarketBatch } from './market-data.ts'

export type AccountBatch = MarketBatch & { readonly bytes: Uint8Array }

/** An order as it was right after an event. */
export type OrderSnapshot = {
  readonly order: OrderId
  readonly account: AccountId
  readonly instrument: InstrumentId
  readonly clientOrderId: string
  readonly side: Side
  readonly orderType: OrderType
  readonly timeInForce: TimeInForce
  readonly selfTradePrevention: SelfTradePrevention
  readonly flags: number
  readonly price: Price
  /** Of a trailing stop: where it stood when it was accepted, or when this began to listen. */
  readonly stopPrice: Price
  readonly trailingOffset: Price
  readonly displayQuantity: Quantity
  /** Unknown of an order that was open before anybody listened. */
  readonly minimumQuantity?: Quantity
  readonly expireTime: Timestamp
  readonly quantity: Quantity
  readonly quoteAmount: Amount
  readonly cumQty: Quantity
  readonly leavesQty: Quantity
  readonly cumQuote: Amount
  readonly status: OrderStatus
  readonly acceptedAt: Timestamp
  readonly updatedAt: Timestamp
}

export type Fill = {
  readonly tradeNumber: number
  readonly price: Price
  readonly quantity: Quantity
  readonly notional: Amount
  /** Quote asset's smallest units. */
  readonly fee: Amount
  readonly liquidity: 'MAKER' | 'TAKER'
}

/** `activated`: the list of the order has come about, and it waits no longer for that. */
export type OrderChange = 'accepted' | 'fill' | 'replaced' | 'reduced' | 'activated' | 'triggered' | 'done' | 'rejected'

type At = { readonly seq: Seq; readonly index: number; readonly timestamp: Timestamp }

export type OrderEvent = At & {
  readonly kind: 'order'
  readonly change: OrderChange
  readonly order: OrderSnapshot
  readonly fill: Fill | null
  /** The price that met its trigger, when the change is `triggered`. */
  readonly triggerPrice?: Price
  /** Set when the change is `done`. */
  readonly doneReason: DoneReason | null
  /** 0 unless the change is `rejected`. */
  readonly rejectCode: RejectCode
}

export type BalanceEvent = At & {
  readonly kind: 'balance'
  readonly asset: AssetId
  readonly available: Amount
  readonly held: Amount
}

export type PositionEvent = At & {
  readonly kind: 'position'
  readonly instrument: InstrumentId
  readonly quantity: number
  readonly cost: number
  readonly realisedProfit: number
}

export type FundsEvent = At & {
  readonly kind: 'funds'
  readonly movement: FundsKind
  readonly asset: AssetId
  readonly amount: Amount
  readonly otherShard: ShardIndex
  readonly transferNumber: number
  readonly transferId: string
}

export type AccountEvent = OrderEvent | BalanceEvent | PositionEvent | FundsEvent

/** A place in a shard's events. `INDEX_END`: after everything of that batch. */
export type Cursor = { readonly seq: number; readonly index: number }
export const INDEX_END = 4_294_967_295

/** `"1042.7"`, or `"1042.end"`. */
export function formatCursor(cursor: Cursor): string {
  return `${cursor.seq}.${cursor.index === INDEX_END ? 'end' : cursor.index}`
}

/** null: not a cursor. */
export function parseCursor(text: string): Cursor | null {
  const match = /^([0-9]{1,15})\.(end|[0-9]{1,9})$/.exec(text)
  if (match === null) return null
  return { seq: Number(match[1]), index: match[2] === 'end' ? INDEX_END : Number(match[2]) }
}

/** Called once per batch that touched the account, with its events in order. */
export type AccountListener = (events: readonly AccountEvent[]) => void

export type AccountFeedOptions = {
  /** Events kept per account and shard for clients that resume. */
  readonly eventsKept?: number
  /** Streams kept up for a while though nobody listens any more, so that a client may come back. */
  readonly idleStreamsMax?: number
  /** Batches that wait for {@link AccountStream.initialise}. */
  readonly waitingBatchesMax?: number
}

const EVENTS_KEPT = 1_024
const IDLE_STREAMS_MAX = 1_024
const WAITING_BATCHES_MAX = 1_024

export class AccountFeed {
  readonly #streams: Map<AccountId, AccountStream>[] = []
  readonly #seqs: Seq[] = []
  /** Streams nobody listens to, the one unused for longest first. */
  readonly #idle = new Set<AccountStream>()
  readonly #idleMax: number
  readonly #eventsKept: number
  readonly #waitingMax: number
  readonly #touched = new Set<AccountStream>()
  readonly #commands = new CommandCursor()

  constructor(options: AccountFeedOptions = {}) {
    this.#eventsKept = options.eventsKept ?? EVENTS_KEPT
    this.#idleMax = options.idleStreamsMax ?? IDLE_STREAMS_MAX
    this.#waitingMax = options.waitingBatchesMax ?? WAITING_BATCHES_MAX
  }

  /**
   * Listens to an account in a shard. A stream that is not `ready` yet needs {@link AccountStream.initialise} with the replica's
   * state; listeners hear nothing before.
   */
  subscribe(
    shard: ShardIndex,
    account: AccountId,
    listener: AccountListener,
  ): { readonly stream: AccountStream; close(): void } {
    const streams = this.#streamsOf(shard)
    let stream = streams.get(account)
    if (stream === undefined) {
      stream = new AccountStream(shard, account, this.#eventsKept, this.#waitingMax)
      streams.set(account, stream)
    }
    this.#idle.delete(stream)
    stream.listeners.add(listener)
    const opened = stream
    return { stream: opened, close: () => this.#unsubscribe(opened, listener) }
  }

  /** Streams that are kept up. */
  get streamCount(): number {
    let count = 0
    for (const streams of this.#streams) count += streams?.size ?? 0
    return count
  }

  apply(batch: AccountBatch): void {
    if (batch.seq <= (this.#seqs[batch.shard] ?? 0)) return
    this.#seqs[batch.shard] = batch.seq
    const streams = this.#streams[batch.shard]
    if (streams === undefined || streams.size === 0) return
    const { events } = batch
    for (let offset = 0, index = 0; offset < events.length; index++) {
      const type = events[offset] as EventType
      const stream = streams.get(events[offset + EVENT.account] as AccountId)
      if (stream !== undefined) this.#deliver(stream, batch, offset, index)
      if (type === EventType.trade) {
        const maker = streams.get(events[offset + TRADE.makerAccount] as AccountId)
        if (maker !== undefined && maker !== stream) this.#deliver(maker, batch, offset, index)
      }
      const slots = EVENT_SLOTS[type] ?? 0
      assert(slots > 0, `event type ${type} unknown`)
      offset += slots
    }
    for (const stream of this.#touched) stream.flush()
    this.#touched.clear()
  }

  #deliver(stream: AccountStream, batch: AccountBatch, offset: number, index: number): void {
    if (!stream.ready) {
      stream.wait(batch)
      return
    }
    if (this.#touched.size === 0) this.#commands.reset(batch.bytes)
    this.#touched.add(stream)
    stream.take(batch, offset, index, this.#commands)
  }

  #streamsOf(shard: ShardIndex): Map<AccountId, AccountStream> {
    const streams = this.#streams[shard] ?? new Map<AccountId, AccountStream>()
    this.#streams[shard] = streams
    return streams
  }

  #unsubscribe(stream: AccountStream, listener: AccountListener): void {
    if (!stream.listeners.delete(listener) || stream.listeners.size > 0) return
    this.#idle.add(stream)
    if (this.#idle.size <= this.#idleMax) return
    const [oldest] = this.#idle
    if (oldest === undefined) return
    this.#idle.delete(oldest)
    this.#streams[oldest.shard]?.delete(oldest.account)
  }
}

/** One account's events in one shard, and its open orders as they are after the last of them. */
export class AccountStream {
  readonly shard: ShardIndex
  readonly account: AccountId
  readonly listeners = new Set<AccountListener>()
  readonly #kept: number
  readonly #waitingMax: number
  readonly #orders = new Map<OrderId, OrderSnapshot>()
  #waiting: AccountBatch[] = []
  #ring: AccountEvent[] = []
  #fresh: AccountEvent[] = []
  /** Everything after this place is in the ring. */
  #from: Cursor = { seq: 0, index: INDEX_END }
  #last: Cursor = { seq: 0, index: INDEX_END }
  #droppedBefore = 0
  #ready = false

  constructor(shard: ShardIndex, account: AccountId, eventsKept: number, waitingMax: number) {
    this.shard = shard
    this.account = account
    this.#kept = eventsKept
    this.#waitingMax = waitingMax
  }

  get ready(): boolean {
    return this.#ready
  }

  /** Where the stream is: after its last event, or after the state it began with. */
  get cursor(): Cursor {
    return this.#last
  }

  get openOrders(): IterableIterator<OrderSnapshot> {
    return this.#orders.values()
  }

  /** Starts from the replica's state at `seq`; false: events after it were dropped meanwhile, so ask for a newer one. */
  initialise(openOrders: readonly OpenOrder[], seq: Seq): boolean {
    if (this.#ready) return true
    if (seq < this.#droppedBefore) return false
    for (const order of openOrders) {
      const status = openStatus(order.cumQty, order.waiting)
      const trailingOffset = order.trailingOffset ?? (0 as Price)
      this.#orders.set(order.order, { ...order, trailingOffset, quoteAmount: 0 as Amount, status })
    }
    this.#ready = true
    this.#from = { seq, index: INDEX_END }
    this.#last = this.#from
    const waiting = this.#waiting
    this.#waiting = []
    for (const batch of waiting) if (batch.seq > seq) this.#takeBatch(batch)
    return true
  }

  /** Events after the cursor; `'reset'`: some are gone; `'ahead'`: this region has not come that far yet, wait for that seq first. */
  since(cursor: Cursor, shardSeq: Seq): readonly AccountEvent[] | 'reset' | 'ahead' {
    if (!this.#ready || isBefore(cursor, this.#from)) return 'reset'
    if (cursor.seq > shardSeq) return 'ahead'
    let low = 0
    let high = this.#ring.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBefore(cursor, this.#ring[middle] as AccountEvent)) high = middle
      else low = middle + 1
    }
    return this.#ring.slice(low)
  }

  /** Keeps a batch until the stream is initialised. */
  wait(batch: AccountBatch): void {
    if (this.#waiting.at(-1) === batch) return
    if (this.#waiting.length >= this.#waitingMax) {
      this.#droppedBefore = (this.#waiting[0] as AccountBatch).seq
      this.#waiting.shift()
    }
    this.#waiting.push(batch)
  }

  /** Takes an event that concerns the account (or, in a trade, its other side). */
  take(batch: AccountBatch, offset: number, index: number, commands: CommandCursor): void {
    const at = { seq: batch.seq, index, timestamp: batch.timestamp }
    const { events } = batch
    switch (events[offset] as EventType) {
      case EventType.order_accepted:
        this.#accepted(at, events, offset, commands)
        break
      case EventType.command_rejected:
        this.#rejected(at, batch, offset, commands)
        break
      case EventType.trade:
        this.#trade(at, events, offset)
        break
      case EventType.order_done:
        this.#done(at, events, offset)
        break
      case EventType.order_replaced:
        this.#changed(at, 'replaced', events[offset + ORDER_REPLACED.order] as OrderId, {
          price: events[offset + ORDER_REPLACED.price] as Price,
          quantity: events[offset + ORDER_REPLACED.quantity] as Quantity,
          leavesQty: events[offset + ORDER_REPLACED.leavesQty] as Quantity,
        })
        break
      case EventType.order_reduced:
        this.#changed(at, 'reduced', events[offset + ORDER_REDUCED.order] as OrderId, {
          quantity: events[offset + ORDER_REDUCED.quantity] as Quantity,
          leavesQty: events[offset + ORDER_REDUCED.leavesQty] as Quantity,
        })
        break
      case EventType.order_triggered:
        this.#triggered(at, events, offset)
        break
      case EventType.balance_changed:
        this.#push({
          kind: 'balance',
          ...at,
          asset: events[offset + EVENT.subject] as AssetId,
          available: events[offset + BALANCE_CHANGED.available] as Amount,
          held: events[offset + BALANCE_CHANGED.held] as Amount,
        })
        break
      case EventType.position_changed:
        this.#push({
          kind: 'position',
          ...at,
          instrument: events[offset + EVENT.subject] as InstrumentId,
          quantity: events[offset + POSITION_CHANGED.quantity] as number,
          cost: events[offset + POSITION_CHANGED.cost] as number,
          realisedProfit: events[offset + POSITION_CHANGED.realisedProfit] as number,
        })
        break
      case EventType.funds_moved:
        this.#funds(at, events, offset, commands)
        break
      default:
        break
    }
  }

  /** Tells the listeners what this batch brought. */
  flush(): void {
    if (this.#fresh.length === 0) return
    const events = this.#fresh
    this.#fresh = []
    for (const listener of this.listeners) listener(events)
  }

  #takeBatch(batch: AccountBatch): void {
    const { events } = batch
    const commands = new CommandCursor()
    commands.reset(batch.bytes)
    for (let offset = 0, index = 0; offset < events.length; index++) {
      const type = events[offset] as EventType
      const mine =
        events[offset + EVENT.account] === this.account ||
        (type === EventType.trade && events[offset + TRADE.makerAccount] === this.account)
      if (mine) this.take(batch, offset, index, commands)
      offset += EVENT_SLOTS[type] as number
    }
    this.flush()
  }

  #accepted(at: At, events: Float64Array, offset: number, commands: CommandCursor): void {
    const command = commands.decode(events[offset + EVENT.command] as number)
    const quantity = events[offset + ORDER_ACCEPTED.quantity] as Quantity
    const entered = command.type === CommandType.new_order ? command : null
    const orderType = events[offset + ORDER_ACCEPTED.orderType] as OrderType
    const order: OrderSnapshot = {
      order: events[offset + ORDER_ACCEPTED.order] as OrderId,
      account: this.account,
      instrument: events[offset + EVENT.subject] as InstrumentId,
      clientOrderId: entered?.clientOrderId ?? '',
      side: events[offset + ORDER_ACCEPTED.side] as Side,
      orderType,
      timeInForce: events[offset + ORDER_ACCEPTED.timeInForce] as TimeInForce,
      selfTradePrevention: events[offset + ORDER_ACCEPTED.selfTradePrevention] as SelfTradePrevention,
      flags: events[offset + ORDER_ACCEPTED.flags] as number,
      price: events[offset + ORDER_ACCEPTED.price] as Price,
      stopPrice: events[offset + ORDER_ACCEPTED.stopPrice] as Price,
      trailingOffset: entered?.trailingOffset ?? (0 as Price),
      displayQuantity: events[offset + ORDER_ACCEPTED.displayQuantity] as Quantity,
      minimumQuantity: entered?.minimumQuantity ?? (0 as Quantity),
      expireTime: events[offset + ORDER_ACCEPTED.expireTime] as Timestamp,
      quantity,
      quoteAmount: events[offset + ORDER_ACCEPTED.quoteAmount] as Amount,
      cumQty: 0 as Quantity,
      leavesQty: quantity,
      cumQuote: 0 as Amount,
      status: acceptedStatus(orderType, entered?.link),
      acceptedAt: at.timestamp,
      updatedAt: at.timestamp,
    }
    this.#orders.set(order.order, order)
    this.#pushOrder(at, 'accepted', order)
  }

  #rejected(at: At, batch: AccountBatch, offset: number, commands: CommandCursor): void {
    const { events } = batch
    if (events[offset + COMMAND_REJECTED.commandType] !== CommandType.new_order) return
    const index = events[offset + EVENT.command] as number
    const command = commands.decode(index)
    if (command.type !== CommandType.new_order) return
    const order: OrderSnapshot = {
      order: events[offset + COMMAND_REJECTED.order] as OrderId,
      account: this.account,
      instrument: command.instrument,
      clientOrderId: command.clientOrderId,
      side: command.side,
      orderType: command.orderType,
      timeInForce: command.timeInForce,
      selfTradePrevention: command.selfTradePrevention,
      flags: command.flags,
      price: command.price,
      stopPrice: command.stopPrice,
      trailingOffset: command.trailingOffset,
      displayQuantity: command.displayQuantity,
      minimumQuantity: command.minimumQuantity,
      expireTime: command.expireTime,
      quantity: command.quantity,
      quoteAmount: command.quoteAmount,
      cumQty: 0 as Quantity,
      leavesQty: 0 as Quantity,
      cumQuote: 0 as Amount,
      status: OrderStatus.rejected,
      acceptedAt: at.timestamp,
      updatedAt: at.timestamp,
    }
    const code = events[offset + COMMAND_REJECTED.code] as RejectCode
    this.#push({ kind: 'order', ...at, change: 'rejected', order, fill: null, doneReason: null, rejectCode: code })
  }

  #trade(at: At, events: Float64Array, offset: number): void {
    const common = {
      tradeNumber: events[offset + TRADE.tradeNumber] as number,
      price: events[offset + TRADE.price] as Price,
      quantity: events[offset + TRADE.quantity] as Quantity,
      notional: events[offset + TRADE.notional] as Amount,
    }
    if (events[offset + EVENT.account] === this.account) {
      this.#filled(
        at,
        events[offset + TRADE.takerOrder] as OrderId,
        events[offset + TRADE.takerCumQty] as Quantity,
        events[offset + TRADE.takerLeavesQty] as Quantity,
        events[offset + TRADE.takerCumQuote] as Amount,
        { ...common, fee: events[offset + TRADE.takerFee] as Amount, liquidity: 'TAKER' },
      )
    }
    if (events[offset + TRADE.makerAccount] === this.account) {
      this.#filled(
        at,
        events[offset + TRADE.makerOrder] as OrderId,
        events[offset + TRADE.makerCumQty] as Quantity,
        events[offset + TRADE.makerLeavesQty] as Quantity,
        events[offset + TRADE.makerCumQuote] as Amount,
        { ...common, fee: events[offset + TRADE.makerFee] as Amount, liquidity: 'MAKER' },
      )
    }
  }

  #filled(at: At, id: OrderId, cumQty: Quantity, leavesQty: Quantity, cumQuote: Amount, fill: Fill): void {
    const before = this.#orders.get(id)
    assert(before !== undefined, `order ${id} was filled but is not open`)
    // A market order by quote amount has no leaves to count down: only its end says that it is done.
    const filled = leavesQty === 0 && before.quantity > 0
    const status = filled ? OrderStatus.filled : OrderStatus.partially_filled
    const order = { ...before, cumQty, leavesQty, cumQuote, status, updatedAt: at.timestamp }
    this.#orders.set(id, order)
    this.#pushOrder(at, 'fill', order, fill)
  }

  #done(at: At, events: Float64Array, offset: number): void {
    const id = events[offset + ORDER_DONE.order] as OrderId
    const before = this.#orders.get(id)
    assert(before !== undefined, `order ${id} is done but was not open`)
    this.#orders.delete(id)
    // The fill that completed it has said so already.
    if (isDone(before.status)) return
    const reason = events[offset + ORDER_DONE.reason] as DoneReason
    const order: OrderSnapshot = {
      ...before,
      cumQty: events[offset + ORDER_DONE.cumQty] as Quantity,
      cumQuote: events[offset + ORDER_DONE.cumQuote] as Amount,
      leavesQty: 0 as Quantity,
      status: doneStatus(reason),
      updatedAt: at.timestamp,
    }
    this.#push({ kind: 'order', ...at, change: 'done', order, fill: null, doneReason: reason, rejectCode: 0 })
  }

  #triggered(at: At, events: Float64Array, offset: number): void {
    const id = events[offset + ORDER_TRIGGERED.order] as OrderId
    const triggerPrice = events[offset + ORDER_TRIGGERED.triggerPrice] as Price
    const before = this.#orders.get(id)
    assert(before !== undefined, `order ${id} was triggered but is not open`)
    const status = triggeredStatus(before.orderType, triggerPrice)
    const order = { ...before, status, updatedAt: at.timestamp }
    this.#orders.set(id, order)
    if (triggerPrice === 0) this.#pushOrder(at, 'activated', order)
    else {
      const change = 'triggered'
      this.#push({ kind: 'order', ...at, change, order, fill: null, triggerPrice, doneReason: null, rejectCode: 0 })
    }
  }

  #changed(at: At, change: OrderChange, id: OrderId, fields: Partial<OrderSnapshot>): void {
    const before = this.#orders.get(id)
    assert(before !== undefined, `order ${id} was ${change} but is not open`)
    const order = { ...before, ...fields, updatedAt: at.timestamp }
    this.#orders.set(id, order)
    this.#pushOrder(at, change, order)
  }

  #funds(at: At, events: Float64Array, offset: number, commands: CommandCursor): void {
    const index = events[offset + EVENT.command] as number
    const command = index < 0 ? null : commands.decode(index)
    this.#push({
      kind: 'funds',
      ...at,
      movement: events[offset + FUNDS_MOVED.kind] as FundsKind,
      asset: events[offset + EVENT.subject] as AssetId,
      amount: events[offset + FUNDS_MOVED.amount] as Amount,
      otherShard: events[offset + FUNDS_MOVED.otherShard] as ShardIndex,
      transferNumber: events[offset + FUNDS_MOVED.transferNumber] as number,
      transferId: command !== null && 'transferId' in command ? command.transferId : '',
    })
  }

  #pushOrder(at: At, change: OrderChange, order: OrderSnapshot, fill: Fill | null = null): void {
    this.#push({ kind: 'order', ...at, change, order, fill, doneReason: null, rejectCode: 0 })
  }

  #push(event: AccountEvent): void {
    this.#last = { seq: event.seq, index: event.index }
    this.#fresh.push(event)
    this.#ring.push(event)
    if (this.#ring.length < this.#kept * 2) return
    const gone = this.#ring.length - this.#kept
    const lost = this.#ring[gone - 1] as AccountEvent
    this.#from = { seq: lost.seq, index: lost.index }
    this.#ring = this.#ring.slice(gone)
  }
}

function isBefore(a: Cursor, b: Cursor): boolean {
  return a.seq < b.seq || (a.seq === b.seq && a.index < b.index)
}
