// Before their turn, the commands of a batch have the memory they will need brought into the processor's caches: many lines at once,
// where each command for itself would wait for one after the other. Nothing is decided here, and nothing that counts is changed.

import {
  CANCEL_ORDER,
  CommandType,
  commandOfOrder,
  HEADER,
  NEW_ORDER,
  newOrderTextAt,
  type OrderId,
  readInteger,
} from '@wintrades/domain'
import { AHEAD_MAX } from './deduplication.ts'
import { ACCOUNT_LAYOUT, ORDER_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import type { ShardState } from './state.ts'

const { HOT_SHIFT, OWNER, WARM_SHIFT, WIDE_SHIFT, NEXT, PREVIOUS } = ORDER_LAYOUT
const { POSITION_SHIFT, BASE_BALANCE, QUOTE_BALANCE, FEES } = POSITION_LAYOUT
const { ACCOUNT_SHIFT } = ACCOUNT_LAYOUT

/** What the commands at hand are about: the open orders they name, and the positions they may change. 0: none. */
const orders = new Int32Array(AHEAD_MAX)
const positions = new Int32Array(AHEAD_MAX)
/** Takes what was loaded, or the compiler would leave the loading out. */
const loaded = new Int32Array(1)

/** Looks at the `count` commands from `from` on, `AHEAD_MAX` at most. Hashes the client order ids of new orders. */
export function approach(state: ShardState, from: number, count: number): void {
  const { view, deduplication } = state
  let at = from
  for (let k = 0; k < count; k++) {
    const type = view.getUint8(at)
    const account = view.getUint32(at + HEADER.account, true)
    orders[k] = 0
    positions[k] = 0
    if (type === CommandType.new_order) {
      const textAt = at + newOrderTextAt(view.getUint8(at + HEADER.flags))
      deduplication.hashAhead(k, view, textAt, view.getUint8(at + NEW_ORDER.textLength), account)
      positions[k] = state.positions.find(account, view.getUint16(at + NEW_ORDER.instrument, true))
    } else if (type === CommandType.cancel_order || type === CommandType.replace_order) {
      orders[k] = state.orders.find(commandOfOrder(readInteger(view, at + CANCEL_ORDER.order) as OrderId))
    }
    at += view.getUint16(at + HEADER.length, true)
  }
  loaded[0] = deduplication.touchAhead(count) ^ touchOrders(state, count) ^ touchPositions(state, count)
}

function touchOrders(state: ShardState, count: number): number {
  const { hot, warm, wide } = state.orders
  let sum = 0
  for (let k = 0; k < count; k++) {
    const slot = orders[k]
    if (slot === 0) continue
    const h = slot << HOT_SHIFT
    positions[k] = hot[h + OWNER]
    sum ^= warm[slot << WARM_SHIFT] ^ wide[slot << WIDE_SHIFT]
    sum ^= hot[hot[h + NEXT] << HOT_SHIFT] ^ hot[hot[h + PREVIOUS] << HOT_SHIFT]
  }
  return sum
}

function touchPositions(state: ShardState, count: number): number {
  const { data, values } = state.positions
  const { ledger } = state
  const accounts = state.accounts.data
  let sum = 0
  for (let k = 0; k < count; k++) {
    const p = positions[k] << POSITION_SHIFT
    if (p === 0) continue
    sum ^= values[p] ^ values[p + FEES] ^ accounts[data[p] << ACCOUNT_SHIFT]
    sum ^= ledger.available(data[p + BASE_BALANCE]) ^ ledger.available(data[p + QUOTE_BALANCE])
  }
  return sum
}
