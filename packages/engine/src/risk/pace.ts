// How fast an account or an API key may send, and that it does not send the same twice: the two rules that remember commands rather
// than positions. Both are asked once per command of a client, before the other limits; triggered orders do not pass here again.

import { RejectCode } from '@wintrades/domain'
import type { Incoming } from '../incoming.ts'
import { LIMIT_LAYOUT } from '../layouts.ts'
import { type ShardState, VERSION_RISK } from '../state.ts'

const { LIMIT_SHIFT, ORDERS_PER_SECOND_MAX, DUPLICATE_WINDOW_MS, RATE_SECOND, RATE_COUNT } = LIMIT_LAYOUT

/** A new order: counts it, and refuses it if it comes too fast or says what another one just said. */
export function checkPace(state: ShardState, instrument: number, incoming: Incoming): number {
  const { account, apiKey } = incoming
  if (state.accounts.limitsOf(account) === 0 || state.version < VERSION_RISK) return 0
  const own = state.limits.find(account, 0)
  const code = own === 0 ? 0 : count(state, own) || lookFor(state, own, instrument, incoming)
  if (code !== 0 || apiKey === 0) return code
  const key = state.limits.find(account, apiKey)
  return key === 0 ? 0 : count(state, key) || lookFor(state, key, instrument, incoming)
}

/** A replacement: counts it, and refuses it if it comes too fast. */
export function checkRate(state: ShardState, account: number, apiKey: number): number {
  if (state.accounts.limitsOf(account) === 0 || state.version < VERSION_RISK) return 0
  const own = state.limits.find(account, 0)
  const code = own === 0 ? 0 : count(state, own)
  if (code !== 0 || apiKey === 0) return code
  const key = state.limits.find(account, apiKey)
  return key === 0 ? 0 : count(state, key)
}

/**
 * Counts against the orders and replacements that an account or a key may send within one second of batch time. What later rules refuse
 * has been counted; what this one refuses has not.
 */
function count(state: ShardState, record: number): number {
  const { data } = state.limits
  const at = record << LIMIT_SHIFT
  const max = data[at + ORDERS_PER_SECOND_MAX]
  if (max === 0) return 0
  const second = Math.floor(state.timestamp / 1_000_000)
  if (data[at + RATE_SECOND] !== second) {
    data[at + RATE_SECOND] = second
    data[at + RATE_COUNT] = 0
  }
  if (data[at + RATE_COUNT] >= max) return state.refuse(RejectCode.order_rate_limit, max, data[at + RATE_COUNT] + 1)
  data[at + RATE_COUNT]++
  return 0
}

/** Refuses an order that says what another one said which was accepted less than the guard's window ago. */
function lookFor(state: ShardState, record: number, instrument: number, incoming: Incoming): number {
  const window_ms = state.limits.data[(record << LIMIT_SHIFT) + DUPLICATE_WINDOW_MS]
  if (window_ms === 0) return 0
  describe(state, record, instrument, incoming)
  const time = state.recentOrders.find()
  const age_us = state.timestamp - time
  if (time === -1 || age_us >= window_ms * 1_000) return 0
  return state.refuse(RejectCode.duplicate_order_guard, window_ms, Math.floor(age_us / 1_000))
}

/** Remembers a new order for the guards that look out for its like. To be called before anything of it trades. */
export function rememberOrder(state: ShardState, instrument: number, incoming: Incoming): void {
  const { account, apiKey } = incoming
  if (state.accounts.limitsOf(account) === 0 || state.version < VERSION_RISK) return
  remember(state, state.limits.find(account, 0), instrument, incoming)
  if (apiKey !== 0) remember(state, state.limits.find(account, apiKey), instrument, incoming)
}

function remember(state: ShardState, record: number, instrument: number, incoming: Incoming): void {
  if (record === 0 || state.limits.data[(record << LIMIT_SHIFT) + DUPLICATE_WINDOW_MS] === 0) return
  describe(state, record, instrument, incoming)
  state.recentOrders.add(state.timestamp)
}

function describe(state: ShardState, record: number, instrument: number, incoming: Incoming): void {
  const { key } = state.recentOrders
  key.record = record
  key.kind = instrument * 16 + incoming.orderType * 2 + incoming.side
  key.price = incoming.price
  // Neither a quantity that was worked out nor a trailing stop's first price is what the order said.
  key.quantity = incoming.quoteAmount === 0 ? incoming.quantity : 0
  key.quoteAmount = incoming.quoteAmount
  key.stopPrice = incoming.trailingOffset || incoming.stopPrice
}
