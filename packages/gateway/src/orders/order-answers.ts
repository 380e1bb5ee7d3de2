// Answers of order entry, made from the events of the command that was asked for: read once, written as text. This runs for every
// order, so the common answer is put together by hand.

import {
  COMMAND_DONE,
  COMMAND_DUPLICATE,
  COMMAND_REJECTED,
  DONE_REASON_NAMES,
  type DoneReason,
  EVENT,
  EVENT_SLOTS,
  EventType,
  formatQuantity,
  type Instrument,
  ORDER_ACCEPTED,
  ORDER_DONE,
  ORDER_REDUCED,
  ORDER_REPLACED,
  ORDER_TRIGGERED,
  type OrderId,
  type Price,
  type Quantity,
  REJECT_CODE_NAMES,
  type RegionName,
  RejectCode,
  type Seq,
  type Side,
  type Timestamp,
  TRADE,
} from '@wintrades/domain'
import {
  acceptedStatus,
  doneStatus,
  type Fill,
  ORDER_STATUS_NAMES,
  type OrderStatus,
  openStatus,
} from '@wintrades/marketdata'
import type { CommittedBatch } from '@wintrades/venue'
import { asciiJson, errorJson, type OrderReply, statusOf } from './answers.ts'
import type { NewOrderSubmission } from './order-request.ts'
import { averagePrice, type FillView, fillView, orderView, rejectDetails, rejectReason } from './order-text.ts'

/** What an answer calls the order by; 0 and '' where it is not known. */
export type Named = { readonly order: OrderId; readonly clientOrderId: string }

/** What a command's events say of the order it was about. One object, reused: read it before the next command's. */
export type CommandOutcome = {
  kind: 'done' | 'rejected' | 'duplicate'
  order: OrderId
  instrument: number
  /** Of a replaced order the new total; else what was accepted. */
  quantity: number
  price: number
  /** Of a new order; of a trailing stop, where it stands. */
  stopPrice: number
  /** Its trigger has been met. */
  triggered: boolean
  cumQty: number
  leavesQty: number
  /** −1: these events do not tell. */
  cumQuote: number
  /** −1: it is still open. */
  doneReason: DoneReason | -1
  code: RejectCode
  limit: number
  value: number
  /** Orders that a cancel or replace touched. */
  count: number
}

const outcome: CommandOutcome = {
  kind: 'done',
  order: 0 as OrderId,
  instrument: 0,
  quantity: 0,
  price: 0,
  stopPrice: 0,
  triggered: false,
  cumQty: 0,
  leavesQty: 0,
  cumQuote: -1,
  doneReason: -1,
  code: RejectCode.none,
  limit: 0,
  value: 0,
  count: 0,
}

/** Reads the slots `[start, end)`. `order`: which order the command named; 0: the first one that the events speak of. */
export function readOutcome(events: Float64Array, start: number, end: number, order: OrderId): CommandOutcome {
  outcome.kind = 'done'
  outcome.order = order
  outcome.instrument = 0
  outcome.quantity = 0
  outcome.stopPrice = 0
  outcome.triggered = false
  outcome.cumQty = 0
  outcome.leavesQty = 0
  outcome.cumQuote = -1
  outcome.doneReason = -1
  outcome.code = RejectCode.none
  outcome.count = 0
  for (let at = start; at < end; at += EVENT_SLOTS[events[at] as number] as number) {
    const type = events[at] as EventType
    // What the command touched (levels, positions, balances) follows what happened.
    if (type === EventType.level_changed || type === EventType.balance_changed) break
    readEvent(type, events, at)
  }
  return outcome
}

function readEvent(type: EventType, events: Float64Array, at: number): void {
  switch (type) {
    case EventType.order_accepted:
      outcome.order = events[at + ORDER_ACCEPTED.order] as OrderId
      outcome.instrument = events[at + EVENT.subject] as number
      outcome.quantity = events[at + ORDER_ACCEPTED.quantity] as number
      outcome.stopPrice = events[at + ORDER_ACCEPTED.stopPrice] as number
      outcome.leavesQty = outcome.quantity
      outcome.cumQuote = 0
      break
    case EventType.order_replaced:
      outcome.order = events[at + ORDER_REPLACED.order] as OrderId
      outcome.instrument = events[at + EVENT.subject] as number
      outcome.quantity = events[at + ORDER_REPLACED.quantity] as number
      outcome.price = events[at + ORDER_REPLACED.price] as number
      outcome.leavesQty = events[at + ORDER_REPLACED.leavesQty] as number
      outcome.cumQty = outcome.quantity - outcome.leavesQty
      break
    case EventType.trade:
      if (events[at + TRADE.takerOrder] === outcome.order) {
        outcome.cumQty = events[at + TRADE.takerCumQty] as number
        outcome.leavesQty = events[at + TRADE.takerLeavesQty] as number
        outcome.cumQuote = events[at + TRADE.takerCumQuote] as number
      } else if (events[at + TRADE.makerOrder] === outcome.order) {
        // What it triggered traded with what was left of it.
        outcome.cumQty = events[at + TRADE.makerCumQty] as number
        outcome.leavesQty = events[at + TRADE.makerLeavesQty] as number
        outcome.cumQuote = events[at + TRADE.makerCumQuote] as number
      }
      break
    case EventType.order_triggered:
      if (events[at + ORDER_TRIGGERED.order] !== outcome.order) break
      outcome.triggered = events[at + ORDER_TRIGGERED.triggerPrice] !== 0
      break
    case EventType.order_reduced:
      if (events[at + ORDER_REDUCED.order] !== outcome.order) break
      outcome.quantity = events[at + ORDER_REDUCED.quantity] as number
      outcome.leavesQty = events[at + ORDER_REDUCED.leavesQty] as number
      break
    case EventType.order_done: {
      const order = events[at + ORDER_DONE.order] as OrderId
      // Other orders end with it: those of its list, those that it triggered, those that it met.
      if (outcome.kind !== 'done' || (outcome.order !== 0 && outcome.order !== order)) break
      outcome.order = order
      outcome.instrument = events[at + EVENT.subject] as number
      outcome.doneReason = events[at + ORDER_DONE.reason] as DoneReason
      outcome.cumQty = events[at + ORDER_DONE.cumQty] as number
      outcome.cumQuote = events[at + ORDER_DONE.cumQuote] as number
      outcome.leavesQty = 0
      break
    }
    case EventType.command_done:
      outcome.count = events[at + COMMAND_DONE.count] as number
      break
    case EventType.command_rejected:
      outcome.kind = 'rejected'
      outcome.order = events[at + COMMAND_REJECTED.order] as OrderId
      outcome.instrument = events[at + EVENT.subject] as number
      outcome.code = events[at + COMMAND_REJECTED.code] as RejectCode
      outcome.limit = events[at + COMMAND_REJECTED.limit] as number
      outcome.value = events[at + COMMAND_REJECTED.value] as number
      break
    case EventType.command_duplicate:
      outcome.kind = 'duplicate'
      outcome.order = events[at + COMMAND_DUPLICATE.order] as OrderId
      outcome.code = events[at + COMMAND_DUPLICATE.code] as RejectCode
      break
    default:
      break
  }
}

function statusNow({ doneReason, cumQty }: CommandOutcome): OrderStatus {
  return doneReason === -1 ? openStatus(cumQty) : doneStatus(doneReason)
}

/** Of a new order that was accepted. */
function placedStatus({ orderType, link }: NewOrderSubmission, outcome: CommandOutcome): OrderStatus {
  const { doneReason, cumQty, triggered } = outcome
  return doneReason === -1 && cumQty === 0 && !triggered ? acceptedStatus(orderType, link) : statusNow(outcome)
}

/** An order that was accepted. */
export function placedReply(
  submission: NewOrderSubmission,
  instrument: Instrument,
  outcome: CommandOutcome,
  shard: RegionName,
  batch: CommittedBatch,
  start: number,
  end: number,
): OrderReply {
  const { seq } = batch
  if (submission.session === 0) {
    return { status: 201, json: wholeJson(submission, instrument, outcome, shard, batch, start, end), shard, seq }
  }
  const cumQty = outcome.cumQty as Quantity
  const json =
    `{"orderId":"${outcome.order}","clientOrderId":"${submission.clientOrderId}"` +
    `,"status":"${ORDER_STATUS_NAMES[placedStatus(submission, outcome)]}","cumQty":"${formatQuantity(instrument, cumQty)}"` +
    `,"leavesQty":"${formatQuantity(instrument, outcome.leavesQty as Quantity)}"` +
    (cumQty === 0 ? '' : `,"avgPrice":"${averagePrice(instrument, cumQty, outcome.cumQuote)}"`) +
    reasonText(outcome.doneReason) +
    `,"shard":"${shard}","seq":${seq}}`
  return { status: 201, json, shard, seq }
}

function wholeJson(
  submission: NewOrderSubmission,
  instrument: Instrument,
  outcome: CommandOutcome,
  shard: RegionName,
  batch: CommittedBatch,
  start: number,
  end: number,
): string {
  const { order, doneReason, cumQuote } = outcome
  const view = orderView(instrument, {
    ...submission,
    order,
    quantity: outcome.quantity as Quantity,
    cumQty: outcome.cumQty as Quantity,
    leavesQty: outcome.leavesQty as Quantity,
    cumQuote: Math.max(0, cumQuote) as never,
    stopPrice: outcome.stopPrice as Price,
    status: placedStatus(submission, outcome),
    doneReason: doneReason === -1 ? null : doneReason,
    acceptedAt: batch.timestamp as Timestamp,
    updatedAt: batch.timestamp as Timestamp,
  })
  const fills = fillsOf(instrument, batch.events, start, end, order)
  return asciiJson({ ...view, shard, seq: batch.seq, ...(fills.length === 0 ? {} : { fills }) })
}

/** The trades that an order took part in as it came in, or by what it triggered. */
function fillsOf(instrument: Instrument, events: Float64Array, start: number, end: number, order: OrderId): FillView[] {
  const fills: FillView[] = []
  for (let at = start; at < end; at += EVENT_SLOTS[events[at] as number] as number) {
    if (events[at] !== EventType.trade) continue
    const isTaker = events[at + TRADE.takerOrder] === order
    if (!isTaker && events[at + TRADE.makerOrder] !== order) continue
    const fill = {
      tradeNumber: events[at + TRADE.tradeNumber],
      price: events[at + TRADE.price],
      quantity: events[at + TRADE.quantity],
      notional: events[at + TRADE.notional],
      fee: events[at + (isTaker ? TRADE.takerFee : TRADE.makerFee)],
      liquidity: isTaker ? 'TAKER' : 'MAKER',
    } as Fill
    fills.push(fillView(instrument, fill))
  }
  return fills
}

/** A cancel or replace that took effect. */
export function changedReply(
  name: Named,
  instrument: Instrument,
  outcome: CommandOutcome,
  shard: RegionName,
  { seq }: { readonly seq: Seq },
): OrderReply {
  const { cumQty, cumQuote, doneReason } = outcome
  const average = cumQuote < 0 ? null : averagePrice(instrument, cumQty, cumQuote)
  const json =
    `{"orderId":"${outcome.order}"` +
    (name.clientOrderId === '' ? '' : `,"clientOrderId":"${name.clientOrderId}"`) +
    `,"status":"${ORDER_STATUS_NAMES[statusNow(outcome)]}","symbol":"${instrument.symbol}"` +
    (outcome.quantity === 0 ? '' : `,"quantity":"${formatQuantity(instrument, outcome.quantity as Quantity)}"`) +
    `,"cumQty":"${formatQuantity(instrument, cumQty as Quantity)}"` +
    `,"leavesQty":"${formatQuantity(instrument, outcome.leavesQty as Quantity)}"` +
    (average === null ? '' : `,"avgPrice":"${average}"`) +
    reasonText(doneReason) +
    `,"shard":"${shard}","seq":${seq}}`
  return { status: 200, json, shard, seq }
}

function reasonText(doneReason: DoneReason | -1): string {
  return doneReason <= 0 ? '' : `,"reason":"${DONE_REASON_NAMES[doneReason as DoneReason]}"`
}

/** What is known of a refusal by the engine. */
export type Refusal = Pick<CommandOutcome, 'order' | 'code' | 'limit' | 'value'>

/** A refusal by the engine. `isNewOrder`: the order itself is rejected; else it is as it was. `duplicate`: it was rejected before. */
export function refusedReply(
  name: Named,
  refusal: Refusal,
  instrument: Instrument | null,
  side: Side | null,
  shard: RegionName,
  { seq }: { readonly seq: Seq },
  isNewOrder: boolean,
  duplicate = false,
): OrderReply {
  const { code, limit, value } = refusal
  const order = refusal.order === 0 ? name.order : refusal.order
  const codeName = REJECT_CODE_NAMES[code] ?? `CODE_${code}`
  const reason = rejectReason(code)
  const details = rejectDetails(instrument, side, code, limit, value)
  const json =
    '{' +
    (order === 0 ? '' : `"orderId":"${order}",`) +
    (name.clientOrderId === '' ? '' : `"clientOrderId":"${name.clientOrderId}",`) +
    (isNewOrder ? '"status":"REJECTED",' : '') +
    `"rejectCode":"${codeName}","reason":"${reason}","shard":"${shard}","seq":${seq},` +
    (duplicate ? '"duplicate":true,' : '') +
    `"error":${errorJson(codeName, { message: `Refused: ${reason}.`, details })}}`
  return { status: statusOf(codeName), json, shard, seq }
}
