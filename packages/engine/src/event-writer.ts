// Writes the events of a batch into one growing Float64Array (`domain/events.ts` names the slots). Nothing is allocated per
// event; the array is used again for the next batch.

import {
  BALANCE_CHANGED,
  COMMAND_DONE,
  COMMAND_DUPLICATE,
  COMMAND_REJECTED,
  DEFINITION_CHANGED,
  EventType,
  FUNDS_MOVED,
  LEVEL_CHANGED,
  ORDER_ACCEPTED,
  ORDER_DONE,
  ORDER_REDUCED,
  ORDER_REPLACED,
  ORDER_TRIGGERED,
  PHASE_CHANGED,
} from '@wintrades/domain'
import { grownFloats } from './order-store.ts'

export class EventWriter {
  data = new Float64Array(4096)
  length = 0
  /** Index in its batch of the command under way; −1: the passing of time. */
  command = -1

  clear(): void {
    this.length = 0
  }

  /** The batch's events, valid until the next batch. */
  view(): Float64Array {
    return this.data.subarray(0, this.length)
  }

  /** Makes room for a record and writes its four common slots; returns its offset. */
  begin(type: number, slots: number, account: number, subject: number): number {
    const offset = this.length
    if (offset + slots > this.data.length) this.data = grownFloats(this.data, this.data.length * 2)
    this.length = offset + slots
    const data = this.data
    data[offset] = type
    data[offset + 1] = this.command
    data[offset + 2] = account
    data[offset + 3] = subject
    return offset
  }

  accepted(
    account: number,
    instrument: number,
    order: number,
    side: number,
    orderType: number,
    timeInForce: number,
    price: number,
    quantity: number,
    flags: number,
    selfTradePrevention: number,
  ): number {
    const at = this.begin(EventType.order_accepted, ORDER_ACCEPTED.slots, account, instrument)
    const data = this.data
    data[at + ORDER_ACCEPTED.order] = order
    data[at + ORDER_ACCEPTED.side] = side
    data[at + ORDER_ACCEPTED.orderType] = orderType
    data[at + ORDER_ACCEPTED.timeInForce] = timeInForce
    data[at + ORDER_ACCEPTED.price] = price
    data[at + ORDER_ACCEPTED.quantity] = quantity
    data[at + ORDER_ACCEPTED.quoteAmount] = 0
    data[at + ORDER_ACCEPTED.flags] = flags
    data[at + ORDER_ACCEPTED.selfTradePrevention] = selfTradePrevention
    data[at + ORDER_ACCEPTED.stopPrice] = 0
    data[at + ORDER_ACCEPTED.displayQuantity] = 0
    data[at + ORDER_ACCEPTED.expireTime] = 0
    return at
  }

  rejected(
    account: number,
    subject: number,
    commandType: number,
    order: number,
    code: number,
    limit: number,
    value: number,
  ): void {
    const at = this.begin(EventType.command_rejected, COMMAND_REJECTED.slots, account, subject)
    this.data[at + COMMAND_REJECTED.commandType] = commandType
    this.data[at + COMMAND_REJECTED.order] = order
    this.data[at + COMMAND_REJECTED.code] = code
    this.data[at + COMMAND_REJECTED.limit] = limit
    this.data[at + COMMAND_REJECTED.value] = value
  }

  duplicate(account: number, subject: number, commandType: number, order: number, code: number): void {
    const at = this.begin(EventType.command_duplicate, COMMAND_DUPLICATE.slots, account, subject)
    this.data[at + COMMAND_DUPLICATE.commandType] = commandType
    this.data[at + COMMAND_DUPLICATE.order] = order
    this.data[at + COMMAND_DUPLICATE.code] = code
  }

  done(
    account: number,
    instrument: number,
    order: number,
    reason: number,
    cancelledQty: number,
    cumQty: number,
    cumQuote: number,
    side: number,
    price: number,
  ): void {
    const at = this.begin(EventType.order_done, ORDER_DONE.slots, account, instrument)
    const data = this.data
    data[at + ORDER_DONE.order] = order
    data[at + ORDER_DONE.reason] = reason
    data[at + ORDER_DONE.cancelledQty] = cancelledQty
    data[at + ORDER_DONE.cumQty] = cumQty
    data[at + ORDER_DONE.cumQuote] = cumQuote
    data[at + ORDER_DONE.side] = side
    data[at + ORDER_DONE.price] = price
  }

  replaced(
    account: number,
    instrument: number,
    order: number,
    price: number,
    quantity: number,
    leavesQty: number,
    priorityKept: boolean,
  ): void {
    const at = this.begin(EventType.order_replaced, ORDER_REPLACED.slots, account, instrument)
    const data = this.data
    data[at + ORDER_REPLACED.order] = order
    data[at + ORDER_REPLACED.price] = price
    data[at + ORDER_REPLACED.quantity] = quantity
    data[at + ORDER_REPLACED.leavesQty] = leavesQty
    data[at + ORDER_REPLACED.priorityKept] = priorityKept ? 1 : 0
  }

  reduced(
    account: number,
    instrument: number,
    order: number,
    reducedBy: number,
    quantity: number,
    leavesQty: number,
  ): void {
    const at = this.begin(EventType.order_reduced, ORDER_REDUCED.slots, account, instrument)
    this.data[at + ORDER_REDUCED.order] = order
    this.data[at + ORDER_REDUCED.reducedBy] = reducedBy
    this.data[at + ORDER_REDUCED.quantity] = quantity
    this.data[at + ORDER_REDUCED.leavesQty] = leavesQty
  }

  triggered(account: number, instrument: number, order: number, triggerPrice: number): void {
    const at = this.begin(EventType.order_triggered, ORDER_TRIGGERED.slots, account, instrument)
    this.data[at + ORDER_TRIGGERED.order] = order
    this.data[at + ORDER_TRIGGERED.triggerPrice] = triggerPrice
  }

  levelChanged(
    instrument: number,
    side: number,
    price: number,
    quantity: number,
    orderCount: number,
    bookVersion: number,
  ): void {
    const at = this.begin(EventType.level_changed, LEVEL_CHANGED.slots, 0, instrument)
    const data = this.data
    data[at + LEVEL_CHANGED.side] = side
    data[at + LEVEL_CHANGED.price] = price
    data[at + LEVEL_CHANGED.quantity] = quantity
    data[at + LEVEL_CHANGED.orderCount] = orderCount
    data[at + LEVEL_CHANGED.bookVersion] = bookVersion
  }

  balanceChanged(account: number, asset: number, available: number, held: number): void {
    const at = this.begin(EventType.balance_changed, BALANCE_CHANGED.slots, account, asset)
    this.data[at + BALANCE_CHANGED.available] = available
    this.data[at + BALANCE_CHANGED.held] = held
  }

  fundsMoved(
    account: number,
    asset: number,
    kind: number,
    amount: number,
    otherShard: number,
    transferNumber: number,
    movement: number,
  ): void {
    const at = this.begin(EventType.funds_moved, FUNDS_MOVED.slots, account, asset)
    const data = this.data
    data[at + FUNDS_MOVED.kind] = kind
    data[at + FUNDS_MOVED.amount] = amount
    data[at + FUNDS_MOVED.otherShard] = otherShard
    data[at + FUNDS_MOVED.transferNumber] = transferNumber
    data[at + FUNDS_MOVED.movement] = movement
  }

  phaseChanged(instrument: number, phase: number, previousPhase: number): void {
    const at = this.begin(EventType.phase_changed, PHASE_CHANGED.slots, 0, instrument)
    this.data[at + PHASE_CHANGED.phase] = phase
    this.data[at + PHASE_CHANGED.previousPhase] = previousPhase
  }

  definitionChanged(account: number, subject: number, commandType: number, target: number): void {
    const at = this.begin(EventType.definition_changed, DEFINITION_CHANGED.slots, account, subject)
    this.data[at + DEFINITION_CHANGED.commandType] = commandType
    this.data[at + DEFINITION_CHANGED.target] = target
  }

  commandDone(account: number, subject: number, commandType: number, order: number, count: number): void {
    const at = this.begin(EventType.command_done, COMMAND_DONE.slots, account, subject)
    this.data[at + COMMAND_DONE.commandType] = commandType
    this.data[at + COMMAND_DONE.order] = order
    this.data[at + COMMAND_DONE.count] = count
  }
}
