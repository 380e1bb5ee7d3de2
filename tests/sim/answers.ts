// What a simulated client makes of the events of its command.

import {
  COMMAND_DUPLICATE,
  COMMAND_REJECTED,
  EVENT_SLOTS,
  EventType,
  ORDER_ACCEPTED,
  type OrderId,
  type Quantity,
  type RejectCode,
  TRADE,
} from '@wintrades/domain'
import type { Answer } from '@wintrades/operations/drill'
import type { CommittedBatch } from '@wintrades/venue'

/** The answer in the slots `[start, end)` of a batch's events. */
export function answerFrom({ events, seq }: CommittedBatch, start: number, end: number): Answer {
  let order = 0
  let cumQty = 0
  for (let at = start; at < end; at += EVENT_SLOTS[events[at] as EventType] as number) {
    switch (events[at]) {
      case EventType.order_accepted:
        order = events[at + ORDER_ACCEPTED.order] as number
        break
      case EventType.trade:
        if (events[at + TRADE.takerOrder] === order) cumQty = events[at + TRADE.takerCumQty] as number
        break
      case EventType.command_rejected:
        return { outcome: 'rejected', code: events[at + COMMAND_REJECTED.code] as RejectCode }
      case EventType.command_duplicate: {
        const code = events[at + COMMAND_DUPLICATE.code] as RejectCode
        if (code !== 0) return { outcome: 'rejected', code }
        const first = events[at + COMMAND_DUPLICATE.order] as OrderId
        return { outcome: 'acknowledged', order: first, seq, cumQty: null, duplicate: true }
      }
    }
  }
  const isOrder = order !== 0
  return {
    outcome: 'acknowledged',
    order: order as OrderId,
    seq,
    cumQty: isOrder ? (cumQty as Quantity) : null,
    duplicate: false,
  }
}
