// The two commands that most of a market consists of, each in one go: a limit order that rests without trading, and the cancel of one.
// They touch one account, one balance and one level, and need nothing that the general way keeps ready for the other commands.
//
// Promises: true means that the command was carried out exactly as on the general way (`order-entry.ts`, `order-changes.ts`), event by
// event; false that nothing was changed, and that way is to be gone. So whatever is rare or refused is decided there, and only there.
// The oracle is held against both, and `plain-orders.test.ts` holds one against the other.

import {
  CANCEL_ORDER,
  CommandType,
  commandOfOrder,
  DoneReason,
  HEADER,
  LIMITS,
  NEW_ORDER,
  type OrderId,
  OrderType,
  Phase,
  readInteger,
  type SelfTradePrevention,
  type Side,
  shardOfOrder,
  TimeInForce,
} from '@wintrades/domain'
import { AHEAD_MAX } from './deduplication.ts'
import { SAFE_MAX } from './exact.ts'
import type { Instrument } from './instruments.ts'
import { ACCOUNT_LAYOUT, LEVEL_LAYOUT, ORDER_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import { countKey, storePlain } from './open-orders.ts'
import { packBits, sideOf } from './order-store.ts'
import type { ShardState } from './state.ts'

const { limit: LIMIT } = OrderType
const { gtc: GTC } = TimeInForce
const { continuous: CONTINUOUS } = Phase
const { open_orders_per_account_max: OPEN_ORDERS_MAX } = LIMITS
const { ACCOUNT_SHIFT, LIMITS_FIRST, OPEN_COUNT, KNOWN, BLOCKED } = ACCOUNT_LAYOUT
const { POSITION_SHIFT, POSITION_ACCOUNT, POSITION_INSTRUMENT, BASE_BALANCE, QUOTE_BALANCE, OPEN_BUY, OPEN_SELL } =
  POSITION_LAYOUT
const { LEVEL_SHIFT, COUNT } = LEVEL_LAYOUT
const { HOT_SHIFT, LEAVES, LEVEL, OWNER, BITS, WAITING } = ORDER_LAYOUT
const { WARM_SHIFT, PRICE, QUANTITY, HIDDEN, ORIGIN, API_KEY, EXPIRY_PLACE, ROLE, WIDE_SHIFT, CUM_QUOTE } = ORDER_LAYOUT
const BUY = 0

/** A new order: limit, good till cancelled, without flags and further fields, of an account without limits, that does not trade. */
export function restPlain(state: ShardState): boolean {
  const { view, at, account, positions, ledger, orders, deduplication } = state
  if (view.getUint8(at + HEADER.flags) !== 0 || view.getUint8(at + NEW_ORDER.flags) !== 0) return false
  if (view.getUint8(at + NEW_ORDER.orderType) !== LIMIT) return false
  if (view.getUint8(at + NEW_ORDER.timeInForce) !== GTC) return false
  const instrument = state.instruments[view.getUint16(at + NEW_ORDER.instrument, true)]
  if (instrument === undefined || !isOpen(state, instrument) || !isFree(state, account)) return false
  const side = view.getUint8(at + NEW_ORDER.side) as Side
  const price = readInteger(view, at + NEW_ORDER.price)
  const quantity = readInteger(view, at + NEW_ORDER.quantity)
  if (!isAllowed(instrument, price, quantity)) return false
  if (instrument.book.wouldMatch(side, price) || orders.full) return false
  deduplication.recall(state.events.command & (AHEAD_MAX - 1))
  if (deduplication.find(account) !== -1) return false
  const position = positions.find(account, instrument.id)
  if (position === 0) return false
  const p = position << POSITION_SHIFT
  const hold = side === BUY ? instrument.buyHold(price, quantity) : quantity * instrument.baseUnitsPerLot
  const balance = positions.data[p | (side === BUY ? QUOTE_BALANCE : BASE_BALANCE)]
  if (hold > ledger.available(balance)) return false

  const order = state.orderId(state.number)
  const selfTrade = view.getUint8(at + NEW_ORDER.selfTradePrevention) as SelfTradePrevention
  const { events, number } = state
  events.accepted(account, instrument.id, order, side, LIMIT, GTC, price, quantity, 0, selfTrade)
  const bits = packBits(side, LIMIT, GTC, selfTrade, 0)
  const session = view.getInt32(at + NEW_ORDER.session, true)
  const apiKey = view.getInt32(at + NEW_ORDER.apiKey, true)
  const textLength = view.getUint8(at + NEW_ORDER.textLength)
  const text = at + NEW_ORDER.text
  const slot = storePlain(state, account, position, bits, price, quantity, quantity, session, apiKey, text, textLength)
  positions.values[p | (side === BUY ? OPEN_BUY : OPEN_SELL)] += quantity
  instrument.book.add(slot, side, price)
  deduplication.remember(account, number, 0, true, state.timestamp)
  tellLevel(state, instrument, orders.hot[(slot << HOT_SHIFT) | LEVEL], side, price)
  ledger.holdAndTell(balance, hold, events)
  return true
}

/** The cancel, by its id, of an order in the book that belongs to no list and ends with no connection or date. */
export function cancelPlain(state: ShardState): boolean {
  const { view, at, account, positions, orders, events } = state
  const named = readInteger(view, at + CANCEL_ORDER.order) as OrderId
  const number = commandOfOrder(named)
  if (named === 0 || shardOfOrder(named) !== state.shard || number >= state.number) return false
  const slot = orders.find(number)
  if (slot === 0 || state.releasing.length !== 0) return false
  const { hot, warm, wide } = orders
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const bits = hot[h | BITS]
  const p = hot[h | OWNER] << POSITION_SHIFT
  if (positions.data[p | POSITION_ACCOUNT] !== account || (bits & WAITING) !== 0) return false
  if ((warm[w | ROLE] | warm[w | ORIGIN] | warm[w | EXPIRY_PLACE]) !== 0) return false

  const instrument = state.instruments[positions.data[p | POSITION_INSTRUMENT]] as Instrument
  const side = sideOf(bits)
  const price = warm[w | PRICE]
  const leaves = hot[h | LEAVES] + warm[w | HIDDEN]
  const level = hot[h | LEVEL]
  const hold = side === BUY ? instrument.buyHold(price, leaves) : leaves * instrument.baseUnitsPerLot
  const cumQty = warm[w | QUANTITY] - leaves
  positions.values[p | (side === BUY ? OPEN_BUY : OPEN_SELL)] -= leaves
  instrument.book.remove(slot)
  const { cancelled_by_client } = DoneReason
  const cumQuote = wide[(slot << WIDE_SHIFT) | CUM_QUOTE]
  events.done(account, instrument.id, named, cancelled_by_client, leaves, cumQty, cumQuote, side, price)
  events.commandDone(account, instrument.id, CommandType.cancel_order, named, 1)
  state.accounts.unlink(account, slot)
  countKey(state, account, warm[w | API_KEY], -1)
  orders.release(slot)
  tellLevel(state, instrument, level, side, price)
  state.ledger.holdAndTell(positions.data[p | (side === BUY ? QUOTE_BALANCE : BASE_BALANCE)], -hold, events)
  return true
}

/** Orders of the instrument are matched as they come, no rule of the instrument looks at them, and nothing waits to enter the market. */
function isOpen(state: ShardState, instrument: Instrument): boolean {
  if (state.blocked || instrument.blocked || state.releasing.length !== 0) return false
  return instrument.phase === CONTINUOUS && instrument.priceBand_ppm === 0
}

/** The account has funds here, is not blocked, and has no limits; it may open another order. */
function isFree(state: ShardState, account: number): boolean {
  const { data } = state.accounts
  const a = account << ACCOUNT_SHIFT
  if (account === 0 || account >= data.length >> ACCOUNT_SHIFT) return false
  return (
    (data[a] & (KNOWN | BLOCKED)) === KNOWN && data[a | LIMITS_FIRST] === 0 && data[a | OPEN_COUNT] < OPEN_ORDERS_MAX
  )
}

function isAllowed(instrument: Instrument, price: number, quantity: number): boolean {
  if (price < instrument.priceMin || price > instrument.priceMax) return false
  if (quantity < instrument.quantityMin || quantity > instrument.quantityMax) return false
  const notional = instrument.notional(price, quantity)
  return notional >= instrument.notionalMin && notional <= (instrument.notionalMax || SAFE_MAX)
}

/** The one level that the command has touched, as it now is. */
function tellLevel(state: ShardState, instrument: Instrument, level: number, side: Side, price: number): void {
  const { levels } = state
  const count = levels.level[(level << LEVEL_SHIFT) | COUNT]
  state.events.levelChanged(instrument.id, side, price, levels.quantity[level], count, ++instrument.bookVersion)
  levels.endCommand()
}
