// What a shard says happened. The engine writes events as records of numbers into one Float64Array per batch (every value
// is a safe integer, so nothing is rounded); consumers read the slots by name. Slots 0 to 3 mean the same in every record:
//
//   0 type   1 index of the command in its batch (−1: the passing of time did it)   2 account (0: none)   3 instrument or asset
//
// The position of an event in its batch is its index: `(shard, seq, index)` names it for ever.

import type { CommandType } from './commands.ts'

export const EventType = {
  order_accepted: 1,
  command_rejected: 2,
  /** The client order id or transfer id was seen before: nothing happened, and this is what happened then. */
  command_duplicate: 3,
  trade: 4,
  order_done: 5,
  order_replaced: 6,
  /** Self-trade prevention by decrement took quantity from an order. */
  order_reduced: 7,
  /** A stop or take-profit met its trigger and now stands or trades as its limit or market order. */
  order_triggered: 8,
  level_changed: 9,
  balance_changed: 10,
  position_changed: 11,
  /** A deposit, withdrawal or step of a transfer was applied. */
  funds_moved: 12,
  phase_changed: 13,
  /** An asset, an instrument, limits, a kill switch or a version took effect. */
  definition_changed: 14,
  /** A cancel, replace or mass cancel took effect; `count` orders were touched. */
  command_done: 15,
} as const
export type EventType = (typeof EventType)[keyof typeof EventType]

/** Slots that every event has. */
export const EVENT = { type: 0, command: 1, account: 2, subject: 3 } as const

export const ORDER_ACCEPTED = {
  order: 4,
  side: 5,
  orderType: 6,
  timeInForce: 7,
  price: 8,
  quantity: 9,
  quoteAmount: 10,
  flags: 11,
  selfTradePrevention: 12,
  stopPrice: 13,
  displayQuantity: 14,
  expireTime: 15,
  slots: 16,
} as const

export const COMMAND_REJECTED = {
  commandType: 4,
  /** The order that was refused (its id is used up), or that the command named; 0: none. */
  order: 5,
  /** A `RejectCode`. */
  code: 6,
  /** The limit that the rule sets, and the value that broke it, in the rule's own unit; 0 where there is none. */
  limit: 7,
  value: 8,
  slots: 9,
} as const

export const COMMAND_DUPLICATE = {
  commandType: 4,
  /** The order id that the first one got; for funds commands the command number of the first. */
  order: 5,
  /** The first one's `RejectCode`; 0: it was accepted. */
  code: 6,
  slots: 7,
} as const

/** `account` is the taker's; fees are in the quote asset's smallest units; `*Quote` are Σ price × quantity, fees left out. */
export const TRADE = {
  takerOrder: 4,
  makerOrder: 5,
  makerAccount: 6,
  takerSide: 7,
  price: 8,
  quantity: 9,
  /** Numbers the instrument's trades from 1 without gaps. */
  tradeNumber: 10,
  takerFee: 11,
  makerFee: 12,
  takerCumQty: 13,
  takerLeavesQty: 14,
  takerCumQuote: 15,
  makerCumQty: 16,
  makerLeavesQty: 17,
  makerCumQuote: 18,
  /** Price × quantity in the quote asset's smallest units. */
  notional: 19,
  slots: 20,
} as const

export const ORDER_DONE = {
  order: 4,
  /** A `DoneReason`. */
  reason: 5,
  /** What will not be filled any more; 0 when filled. */
  cancelledQty: 6,
  cumQty: 7,
  cumQuote: 8,
  side: 9,
  price: 10,
  slots: 11,
} as const

export const ORDER_REPLACED = { order: 4, price: 5, quantity: 6, leavesQty: 7, priorityKept: 8, slots: 9 } as const
export const ORDER_REDUCED = { order: 4, reducedBy: 5, quantity: 6, leavesQty: 7, slots: 8 } as const
export const ORDER_TRIGGERED = { order: 4, triggerPrice: 5, slots: 6 } as const

/** `account` is 0. Written once per level that a command touched, after it. */
export const LEVEL_CHANGED = {
  side: 4,
  price: 5,
  /** Displayed quantity that now rests there; 0: the level is gone. */
  quantity: 6,
  orderCount: 7,
  /** Numbers the instrument's level changes from 1 without gaps: the sequence of depth streams, the same in every region. */
  bookVersion: 8,
  slots: 9,
} as const

/** The balance as it is after the command; written once per balance that a command touched. Account 0 collects the fees. */
export const BALANCE_CHANGED = { available: 4, held: 5, slots: 6 } as const

/** Lots held (signed), what they cost in quote units, and profit realised so far (quote units, fees left out). */
export const POSITION_CHANGED = { quantity: 4, cost: 5, realisedProfit: 6, slots: 7 } as const

export const FUNDS_MOVED = {
  /** `CommandType.deposit`, `withdraw`, `transfer_out` or `transfer_in`. */
  kind: 4,
  amount: 5,
  otherShard: 6,
  /** Number of the transfer within its pair of shards; 0 for deposits and withdrawals. */
  transferNumber: 7,
  /** Command number: identifies the movement within the shard. */
  movement: 8,
  slots: 9,
} as const

export const PHASE_CHANGED = { phase: 4, previousPhase: 5, slots: 6 } as const
export const DEFINITION_CHANGED = { commandType: 4, target: 5, slots: 6 } as const
export const COMMAND_DONE = { commandType: 4, order: 5, count: 6, slots: 7 } as const

/** Slots of a record, by event type; 0 where there is no such type. */
export const EVENT_SLOTS: Readonly<Uint8Array> = slotsByType()

function slotsByType(): Uint8Array {
  const slots = new Uint8Array(32)
  slots[EventType.order_accepted] = ORDER_ACCEPTED.slots
  slots[EventType.command_rejected] = COMMAND_REJECTED.slots
  slots[EventType.command_duplicate] = COMMAND_DUPLICATE.slots
  slots[EventType.trade] = TRADE.slots
  slots[EventType.order_done] = ORDER_DONE.slots
  slots[EventType.order_replaced] = ORDER_REPLACED.slots
  slots[EventType.order_reduced] = ORDER_REDUCED.slots
  slots[EventType.order_triggered] = ORDER_TRIGGERED.slots
  slots[EventType.level_changed] = LEVEL_CHANGED.slots
  slots[EventType.balance_changed] = BALANCE_CHANGED.slots
  slots[EventType.position_changed] = POSITION_CHANGED.slots
  slots[EventType.funds_moved] = FUNDS_MOVED.slots
  slots[EventType.phase_changed] = PHASE_CHANGED.slots
  slots[EventType.definition_changed] = DEFINITION_CHANGED.slots
  slots[EventType.command_done] = COMMAND_DONE.slots
  return slots
}

/** Calls `visit` for each event of a batch, in order, with the offset of its slot 0 and its index in the batch. */
export function forEachEvent(
  events: Float64Array,
  visit: (type: EventType, offset: number, index: number) => void,
): void {
  let index = 0
  for (let offset = 0; offset < events.length; index++) {
    const type = events[offset] as EventType
    const slots = EVENT_SLOTS[type]
    if (slots === undefined || slots === 0) throw new RangeError(`event type ${type} unknown at slot ${offset}`)
    visit(type, offset, index)
    offset += slots
  }
}

/** The kinds of funds movement. */
export type FundsKind =
  | typeof CommandType.deposit
  | typeof CommandType.withdraw
  | typeof CommandType.transfer_out
  | typeof CommandType.transfer_in
