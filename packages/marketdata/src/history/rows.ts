// From committed batches to history rows: pure, and the same history however the batches are divided into transactions. What one
// transaction does to an order becomes one row, or one change of a row. Storing is the writers'.

import {
  assert,
  COMMAND_REJECTED,
  CommandType,
  type DoneReason,
  EVENT,
  EVENT_SLOTS,
  EventType,
  FUNDS_MOVED,
  type Instrument,
  type InstrumentId,
  type Markets,
  type NewOrder,
  ORDER_ACCEPTED,
  ORDER_DONE,
  ORDER_REDUCED,
  ORDER_REPLACED,
  ORDER_TRIGGERED,
  type OrderType,
  type Price,
  readBatchHeader,
  Side,
  type Timestamp,
  TRADE,
} from '@wintrades/domain'
import { CommandCursor } from '../command-cursor.ts'
import { CANDLE_INTERVALS, CandleSeries } from '../live/candles.ts'
import { acceptedStatus, doneStatus, OrderStatus, triggeredStatus } from '../order-status.ts'
import { type Calendar, dayOf } from './calendar.ts'
import type { DaysTable, ExecutionsTable, FundsTable, OrdersTable, RejectsTable, TradesTable } from './schema.ts'

/** What happened to an order that was stored earlier; null: that column stays. */
export type OrderChangeRow = {
  readonly account: number
  readonly shard: number
  readonly order_id: number
  readonly day: number
  status: number | null
  /** 1: its list went live, which decides the status if `status` is null and the order has no trigger of its own. */
  activated: number
  done_reason: number | null
  price: number | null
  quantity: number | null
  cum_qty: number | null
  cum_quote: number | null
  leaves_qty: number | null
  updated_at: number
  updated_seq: number
}

/** A transaction's candles are bounded by its trades. */
const CANDLES_MAX = 2 ** 24

type Batch = { readonly shard: number; readonly seq: number; readonly timestamp: number; readonly day: number }

export class HistoryRows {
  readonly orders = new Map<number, OrdersTable>()
  readonly orderChanges = new Map<number, OrderChangeRow>()
  readonly executions: ExecutionsTable[] = []
  readonly trades: TradesTable[] = []
  readonly funds: FundsTable[] = []
  readonly rejects: RejectsTable[] = []
  /** Days that these batches began. */
  readonly days: DaysTable[] = []
  /** By instrument, one series per interval; only what these batches traded. */
  readonly candles = new Map<InstrumentId, readonly CandleSeries[]>()
  readonly #instruments = new Map<number, Instrument>()
  readonly #commands = new CommandCursor()
  readonly #calendar: Calendar
  #batch: Batch = { shard: 0, seq: 0, timestamp: 0, day: 0 }

  /** `calendar` is the shard's, and grows by the days that batches begin. */
  constructor(markets: Markets, calendar: Calendar) {
    this.#calendar = calendar
    for (const instrument of markets.instruments) this.#instruments.set(instrument.id, instrument)
  }

  /** Rows so far; changes of stored ones included, candles not. */
  get count(): number {
    const lists = [this.executions, this.trades, this.funds, this.rejects, this.days]
    return lists.reduce((sum, list) => sum + list.length, this.orders.size + this.orderChanges.size)
  }

  clear(): void {
    this.orders.clear()
    this.orderChanges.clear()
    this.executions.length = 0
    this.trades.length = 0
    this.funds.length = 0
    this.rejects.length = 0
    this.days.length = 0
    this.candles.clear()
  }

  /** Adds what a batch (that `checkBatch` has passed) and its events say. */
  take(bytes: Uint8Array, events: Float64Array): void {
    const { shard, seq, timestamp, firstCommand } = readBatchHeader(bytes)
    const day = dayOf(timestamp)
    this.#batch = { shard, seq, timestamp, day }
    const begun = this.#calendar.begin(shard, day, seq, firstCommand)
    if (begun !== null) this.days.push(begun)
    this.#commands.reset(bytes)
    for (let offset = 0, index = 0; offset < events.length; index++) {
      const type = events[offset] as EventType
      this.#event(type, events, offset, index)
      const slots = EVENT_SLOTS[type] ?? 0
      assert(slots > 0, `event type ${type} unknown`)
      offset += slots
    }
  }

  #event(type: EventType, events: Float64Array, offset: number, index: number): void {
    switch (type) {
      case EventType.order_accepted:
        this.#accepted(events, offset)
        break
      case EventType.command_rejected:
        this.#rejected(events, offset, index)
        break
      case EventType.trade:
        this.#trade(events, offset, index)
        break
      case EventType.order_done:
        this.#done(events, offset)
        break
      case EventType.order_replaced: {
        const change = this.#changeOf(events, offset, ORDER_REPLACED.order)
        if (change === null) break
        change.price = slot(events, offset, ORDER_REPLACED.price)
        change.quantity = slot(events, offset, ORDER_REPLACED.quantity)
        change.leaves_qty = slot(events, offset, ORDER_REPLACED.leavesQty)
        break
      }
      case EventType.order_reduced: {
        const change = this.#changeOf(events, offset, ORDER_REDUCED.order)
        if (change === null) break
        change.quantity = slot(events, offset, ORDER_REDUCED.quantity)
        change.leaves_qty = slot(events, offset, ORDER_REDUCED.leavesQty)
        break
      }
      case EventType.order_triggered:
        this.#triggered(events, offset)
        break
      case EventType.funds_moved:
        this.#fundsMoved(events, offset, index)
        break
      default:
        break
    }
  }

  #accepted(events: Float64Array, offset: number): void {
    const order = this.#newOrder(events, offset)
    const row = this.#orderRow(slot(events, offset, ORDER_ACCEPTED.order), order)
    // What the engine made of the command counts, where the two differ.
    row.price = slot(events, offset, ORDER_ACCEPTED.price)
    row.quantity = slot(events, offset, ORDER_ACCEPTED.quantity)
    row.leaves_qty = row.quantity
    row.status = acceptedStatus(order.orderType, order.link)
    row.stop_price = slot(events, offset, ORDER_ACCEPTED.stopPrice)
    this.orders.set(row.order_id, row)
  }

  #rejected(events: Float64Array, offset: number, index: number): void {
    const reject_code = slot(events, offset, COMMAND_REJECTED.code)
    const reject_limit = slot(events, offset, COMMAND_REJECTED.limit)
    const reject_value = slot(events, offset, COMMAND_REJECTED.value)
    const order_id = slot(events, offset, COMMAND_REJECTED.order)
    const command_type = slot(events, offset, COMMAND_REJECTED.commandType)
    if (command_type === CommandType.new_order) {
      const row = this.#orderRow(order_id, this.#newOrder(events, offset))
      this.orders.set(order_id, { ...row, status: OrderStatus.rejected, reject_code, reject_limit, reject_value })
      return
    }
    const { shard, seq, timestamp, day } = this.#batch
    this.rejects.push({
      account: slot(events, offset, EVENT.account),
      shard,
      seq,
      idx: index,
      day,
      command_type,
      order_id,
      client_id: this.#clientId(slot(events, offset, EVENT.command)),
      reject_code,
      reject_limit,
      reject_value,
      timestamp,
    })
  }

  #trade(events: Float64Array, offset: number, index: number): void {
    const { shard, seq, timestamp, day } = this.#batch
    const instrument = slot(events, offset, EVENT.subject)
    const trade_number = slot(events, offset, TRADE.tradeNumber)
    const price = slot(events, offset, TRADE.price)
    const quantity = slot(events, offset, TRADE.quantity)
    const notional = slot(events, offset, TRADE.notional)
    const taker_side = slot(events, offset, TRADE.takerSide)
    const takerAccount = slot(events, offset, EVENT.account)
    const makerAccount = slot(events, offset, TRADE.makerAccount)
    const takerOrder = slot(events, offset, TRADE.takerOrder)
    const makerOrder = slot(events, offset, TRADE.makerOrder)
    const { base, quote, definition } = this.#instrument(instrument)
    const units = quantity * definition.baseUnitsPerLot
    const side = (
      account: number,
      order_id: number,
      taker: number,
      isBuyer: boolean,
      fee: number,
    ): ExecutionsTable => ({
      account,
      shard,
      seq,
      idx: index,
      taker,
      day,
      order_id,
      instrument,
      trade_number,
      side: isBuyer ? Side.buy : Side.sell,
      price,
      quantity,
      notional,
      fee,
      base_asset: base.id,
      base_amount: isBuyer ? units : -units,
      quote_asset: quote.id,
      quote_amount: (isBuyer ? -notional : notional) - fee,
      timestamp,
    })
    const takerBuys = taker_side === Side.buy
    this.executions.push(
      side(takerAccount, takerOrder, 1, takerBuys, slot(events, offset, TRADE.takerFee)),
      side(makerAccount, makerOrder, 0, !takerBuys, slot(events, offset, TRADE.makerFee)),
    )
    this.trades.push({
      instrument,
      trade_number,
      day,
      seq,
      idx: index,
      price,
      quantity,
      taker_side,
      notional,
      timestamp,
    })
    const ofTaker = this.#changeOfOrder(takerAccount, takerOrder)
    if (ofTaker !== null) {
      ofTaker.status = OrderStatus.partially_filled
      ofTaker.cum_qty = slot(events, offset, TRADE.takerCumQty)
      ofTaker.cum_quote = slot(events, offset, TRADE.takerCumQuote)
      ofTaker.leaves_qty = slot(events, offset, TRADE.takerLeavesQty)
    }
    const ofMaker = this.#changeOfOrder(makerAccount, makerOrder)
    if (ofMaker !== null) {
      ofMaker.status = OrderStatus.partially_filled
      ofMaker.cum_qty = slot(events, offset, TRADE.makerCumQty)
      ofMaker.cum_quote = slot(events, offset, TRADE.makerCumQuote)
      ofMaker.leaves_qty = slot(events, offset, TRADE.makerLeavesQty)
    }
    for (const series of this.#candlesOf(instrument as InstrumentId)) {
      series.add(timestamp as Timestamp, price as Price, quantity, notional, trade_number)
    }
  }

  #done(events: Float64Array, offset: number): void {
    const reason = slot(events, offset, ORDER_DONE.reason) as DoneReason
    const change = this.#changeOf(events, offset, ORDER_DONE.order)
    if (change === null) return
    change.status = doneStatus(reason)
    change.done_reason = reason
    change.cum_qty = slot(events, offset, ORDER_DONE.cumQty)
    change.cum_quote = slot(events, offset, ORDER_DONE.cumQuote)
    change.leaves_qty = 0
  }

  #triggered(events: Float64Array, offset: number): void {
    const change = this.#changeOf(events, offset, ORDER_TRIGGERED.order)
    if (change === null) return
    const triggerPrice = slot(events, offset, ORDER_TRIGGERED.triggerPrice)
    if ('order_type' in change) change.status = triggeredStatus(change.order_type as OrderType, triggerPrice)
    else if (triggerPrice !== 0) change.status = OrderStatus.new
    else change.activated = 1
  }

  #fundsMoved(events: Float64Array, offset: number, index: number): void {
    const { shard, seq, timestamp, day } = this.#batch
    this.funds.push({
      account: slot(events, offset, EVENT.account),
      shard,
      seq,
      idx: index,
      day,
      kind: slot(events, offset, FUNDS_MOVED.kind),
      asset: slot(events, offset, EVENT.subject),
      amount: slot(events, offset, FUNDS_MOVED.amount),
      other_shard: slot(events, offset, FUNDS_MOVED.otherShard),
      transfer_number: slot(events, offset, FUNDS_MOVED.transferNumber),
      movement: slot(events, offset, FUNDS_MOVED.movement),
      transfer_id: this.#clientId(slot(events, offset, EVENT.command)),
      timestamp,
    })
  }

  #changeOf(events: Float64Array, offset: number, orderSlot: number): OrdersTable | OrderChangeRow | null {
    return this.#changeOfOrder(slot(events, offset, EVENT.account), slot(events, offset, orderSlot))
  }

  /**
   * The row of an order if it is new in this transaction, else the change of the stored one; stamped with this batch. null: it was
   * accepted before the first day that this history keeps.
   */
  #changeOfOrder(account: number, order_id: number): OrdersTable | OrderChangeRow | null {
    const { shard, seq, timestamp } = this.#batch
    let change: OrdersTable | OrderChangeRow | undefined = this.orders.get(order_id) ?? this.orderChanges.get(order_id)
    if (change === undefined) {
      const day = this.#calendar.dayOfOrder(order_id)
      if (day === null) return null
      change = {
        account,
        shard,
        order_id,
        day,
        status: null,
        activated: 0,
        done_reason: null,
        price: null,
        quantity: null,
        cum_qty: null,
        cum_quote: null,
        leaves_qty: null,
        updated_at: timestamp,
        updated_seq: seq,
      }
      this.orderChanges.set(order_id, change)
    }
    assert(change.account === account, `order ${order_id} has an event of account ${account}`)
    change.updated_at = timestamp
    change.updated_seq = seq
    return change
  }

  #orderRow(order_id: number, order: NewOrder): OrdersTable {
    const { shard, seq, timestamp, day } = this.#batch
    return {
      account: order.account,
      shard,
      order_id,
      day,
      instrument: order.instrument,
      client_order_id: order.clientOrderId,
      side: order.side,
      order_type: order.orderType,
      time_in_force: order.timeInForce,
      self_trade_prevention: order.selfTradePrevention,
      flags: order.flags,
      api_key: order.apiKey,
      price: order.price,
      quantity: order.quantity,
      quote_amount: order.quoteAmount,
      stop_price: order.stopPrice,
      trailing_offset: order.trailingOffset,
      display_quantity: order.displayQuantity,
      minimum_quantity: order.minimumQuantity,
      expire_time: order.expireTime,
      status: OrderStatus.new,
      done_reason: null,
      reject_code: 0,
      reject_limit: 0,
      reject_value: 0,
      cum_qty: 0,
      cum_quote: 0,
      leaves_qty: 0,
      accepted_at: timestamp,
      updated_at: timestamp,
      seq,
      updated_seq: seq,
    }
  }

  #newOrder(events: Float64Array, offset: number): NewOrder {
    const command = this.#commands.decode(slot(events, offset, EVENT.command))
    assert(command.type === CommandType.new_order, `an order event of a command of type ${command.type}`)
    return command
  }

  /** The client order id or transfer id that a command carries, if any. */
  #clientId(index: number): string {
    if (index < 0) return ''
    const command = this.#commands.decode(index)
    if ('transferId' in command) return command.transferId
    return 'clientOrderId' in command ? command.clientOrderId : ''
  }

  #instrument(id: number): Instrument {
    const instrument = this.#instruments.get(id)
    assert(instrument !== undefined, `instrument ${id} is not in markets.yml`)
    return instrument
  }

  #candlesOf(instrument: InstrumentId): readonly CandleSeries[] {
    let series = this.candles.get(instrument)
    if (series === undefined) {
      series = CANDLE_INTERVALS.map((interval) => new CandleSeries(interval, CANDLES_MAX))
      this.candles.set(instrument, series)
    }
    return series
  }
}

function slot(events: Float64Array, offset: number, at: number): number {
  return events[offset + at] as number
}
