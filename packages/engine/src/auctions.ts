// The call auction: what has gathered on both sides trades at one price. The price is, in this order,
//
//   1. the one at which most trades              3. with a surplus of buyers the highest of them, of sellers the lowest
//   2. of those, the one that leaves least over  4. else the one nearest to the reference price (without one: their middle, rounded down)
//
// Any tick from the best ask to the best bid may be the price, not only the orders' own. Orders trade in price-time priority, hidden
// quantity after what is displayed at its price. Each trade is between the first bid and the first ask: the younger is the taker. When
// two of one account meet, the self-trade prevention of the younger decides; if the book is still crossed then, another round follows.

import { DoneReason, EventType, SelfTradePrevention, Side, TRADE } from '@wintrades/domain'
import { shareCeil } from './exact.ts'
import type { Instrument } from './instruments.ts'
import { LEVEL_LAYOUT, ORDER_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import { reduceOrder, tellDone } from './open-orders.ts'
import { cancelOrder, closeOrder, legTraded } from './order-ends.ts'
import { selfTradeOf } from './order-store.ts'
import type { BookSide } from './price-levels.ts'
import { bookTrade } from './risk/results.ts'
import type { ShardState } from './state.ts'

const { LEVEL_SHIFT, HEAD } = LEVEL_LAYOUT
const { HOT_SHIFT, LEAVES, NEXT, OWNER, BITS, WARM_SHIFT, PRICE, QUANTITY, HIDDEN, DISPLAY, ROLE, WIDE_SHIFT } =
  ORDER_LAYOUT
const { CUM_QUOTE, UPDATED_AT } = ORDER_LAYOUT
const { POSITION_SHIFT, BASE_BALANCE, QUOTE_BALANCE, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

export type AuctionPrice = {
  /** 0: nothing crosses. */
  price: number
  volume: number
  /** Left over at the price: positive on the buy side. */
  surplus: number
}

const result: AuctionPrice = { price: 0, volume: 0, surplus: 0 }

/** Finds the auction's price without touching anything. The result is valid until the next call. */
export function auctionPrice(state: ShardState, instrument: Instrument): AuctionPrice {
  const { bids, asks } = instrument.book
  result.price = 0
  result.volume = 0
  result.surplus = 0
  if (bids.bestLevel === 0 || asks.bestLevel === 0 || bids.bestPrice < asks.bestPrice) return result
  const volume = crossingVolume(state, bids, asks)
  // The prices at which as much trades: from the ask up to which sellers offer it, to the bid down to which buyers want it.
  const highest = reach(state, bids, volume)
  const demand = reached
  const lowest = reach(state, asks, volume)
  const supply = reached
  result.volume = volume
  choose(state, instrument, lowest, highest, demand, supply)
  result.surplus = upTo(state, bids, result.price) - upTo(state, asks, result.price)
  return result
}

/** Best bids against best asks for as long as they cross: this is the most that can trade at one price. */
function crossingVolume(state: ShardState, bids: BookSide, asks: BookSide): number {
  let bid = bids.bestLevel
  let ask = asks.bestLevel
  let wanted = whole(state, bid)
  let offered = whole(state, ask)
  let volume = 0
  while (bid !== 0 && ask !== 0 && priceOf(state, bids, bid) >= priceOf(state, asks, ask)) {
    const traded = Math.min(wanted, offered)
    volume += traded
    wanted -= traded
    offered -= traded
    if (wanted === 0) {
      bid = bids.levelAfter(bid)
      if (bid !== 0) wanted = whole(state, bid)
    }
    if (offered === 0) {
      ask = asks.levelAfter(ask)
      if (ask !== 0) offered = whole(state, ask)
    }
  }
  return volume
}

/** Set by `reach`: the quantity of the side from its best price to the one returned, and the level of that. */
let reached = 0
let reachedLevel = 0

/** The price down (of asks: up) to which the side has `volume`. */
function reach(state: ShardState, side: BookSide, volume: number): number {
  reached = 0
  reachedLevel = side.bestLevel
  for (;;) {
    reached += whole(state, reachedLevel)
    if (reached >= volume) return priceOf(state, side, reachedLevel)
    reachedLevel = side.levelAfter(reachedLevel)
  }
}

/**
 * Between `lowest` and `highest` the same volume trades. Only one side can have more orders there, or each on its own end: if buyers
 * are over from the start no seller is in between, so that the highest price leaves least over and still buyers; and the other way round.
 */
function choose(
  state: ShardState,
  instrument: Instrument,
  lowest: number,
  highest: number,
  demand: number,
  supply: number,
): void {
  if (demand !== supply) {
    result.price = demand > supply ? highest : lowest
    return
  }
  const { bids, asks } = instrument.book
  const bid = nextInside(state, bids, highest, lowest)
  const bidPrice = bid === 0 ? lowest - 1 : priceOf(state, bids, bid)
  const ask = nextInside(state, asks, lowest, highest)
  const askPrice = ask === 0 ? highest + 1 : priceOf(state, asks, ask)
  if (bidPrice + 1 <= askPrice - 1) {
    result.price = nearest(instrument, bidPrice + 1, askPrice - 1)
    return
  }
  // Neighbouring ticks: at the bid some buyers are left over, at the ask some sellers.
  const buyersLeft = whole(state, bid)
  const sellersLeft = whole(state, ask)
  if (buyersLeft !== sellersLeft) {
    result.price = buyersLeft < sellersLeft ? bidPrice : askPrice
    return
  }
  const below = bids.levelAfter(bid)
  const above = asks.levelAfter(ask)
  const low = Math.max(lowest, below === 0 ? lowest : priceOf(state, bids, below) + 1)
  const high = Math.min(highest, above === 0 ? highest : priceOf(state, asks, above) - 1)
  result.price = nearest(instrument, low, high)
}

/** The level after the one at `from` whose price is not beyond `to`; 0: there is none. */
function nextInside(state: ShardState, side: BookSide, from: number, to: number): number {
  let level = side.bestLevel
  while (priceOf(state, side, level) !== from) level = side.levelAfter(level)
  const next = side.levelAfter(level)
  if (next === 0) return 0
  const price = priceOf(state, side, next)
  return side.side === Side.buy ? (price >= to ? next : 0) : price <= to ? next : 0
}

function nearest(instrument: Instrument, low: number, high: number): number {
  const reference = instrument.referencePrice
  return reference === 0 ? Math.floor((low + high) / 2) : Math.max(low, Math.min(high, reference))
}

function priceOf(state: ShardState, side: BookSide, level: number): number {
  return state.levels.keyOf(level) ^ side.mirror
}

/** Quantity at a level, hidden quantity included. */
function whole(state: ShardState, level: number): number {
  const { hot } = state.orders
  let sum = 0
  for (
    let slot = state.levels.level[(level << LEVEL_SHIFT) + HEAD];
    slot !== 0;
    slot = hot[(slot << HOT_SHIFT) + NEXT]
  ) {
    sum += state.orders.leavesOf(slot)
  }
  return sum
}

/** Quantity of a side from its best price to `price`. */
function upTo(state: ShardState, side: BookSide, price: number): number {
  const key = price ^ side.mirror
  let sum = 0
  for (let level = side.bestLevel; level !== 0 && state.levels.keyOf(level) >= key; level = side.levelAfter(level)) {
    sum += whole(state, level)
  }
  return sum
}

// ---- trading at the price ----

/** Trades what crosses, so that afterwards nothing does. */
export function uncross(state: ShardState, instrument: Instrument): void {
  const { bids, asks } = instrument.book
  for (;;) {
    const { price } = auctionPrice(state, instrument)
    if (price === 0) break
    const before = instrument.tradeNumber
    while (bids.bestLevel !== 0 && asks.bestLevel !== 0 && bids.bestPrice >= price && asks.bestPrice <= price) {
      meet(state, instrument, firstOf(state, bids), firstOf(state, asks), price)
    }
    if (instrument.tradeNumber !== before) instrument.auctionPrice = price
  }
}

function firstOf(state: ShardState, side: BookSide): number {
  return state.levels.level[(side.bestLevel << LEVEL_SHIFT) + HEAD]
}

function meet(state: ShardState, instrument: Instrument, bid: number, ask: number, price: number): void {
  const { orders } = state
  const isBidYounger = orders.numberOf(bid) > orders.numberOf(ask)
  const taker = isBidYounger ? bid : ask
  const maker = isBidYounger ? ask : bid
  const mode = selfTradeOf(orders.hot[(taker << HOT_SHIFT) + BITS])
  const isOwn = orders.hot[(bid << HOT_SHIFT) + OWNER] === orders.hot[(ask << HOT_SHIFT) + OWNER]
  if (isOwn && mode !== SelfTradePrevention.none) preventSelfTrade(state, instrument, taker, maker, mode)
  else trade(state, instrument, taker, maker, isBidYounger ? Side.buy : Side.sell, price)
}

function preventSelfTrade(state: ShardState, instrument: Instrument, taker: number, maker: number, mode: number): void {
  const { orders } = state
  if (mode === SelfTradePrevention.decrement) {
    const by = Math.min(orders.leavesOf(taker), orders.leavesOf(maker))
    cut(state, instrument, maker, by)
    cut(state, instrument, taker, by)
    return
  }
  const takerNumber = orders.numberOf(taker)
  if (mode !== SelfTradePrevention.cancel_newest) cancelOrder(state, maker, DoneReason.self_trade_prevention)
  // The two may be of one list, and have ended together.
  if (mode !== SelfTradePrevention.cancel_oldest && orders.find(takerNumber) === taker) {
    cancelOrder(state, taker, DoneReason.self_trade_prevention)
  }
}

function cut(state: ShardState, instrument: Instrument, slot: number, by: number): void {
  const { orders } = state
  const leaves = orders.leavesOf(slot)
  if (by === leaves) {
    cancelOrder(state, slot, DoneReason.self_trade_prevention)
    return
  }
  legTraded(state, instrument, slot)
  reduceOrder(state, instrument, slot, by)
  const account = state.positions.accountOf(orders.hot[(slot << HOT_SHIFT) + OWNER])
  const quantity = orders.warm[(slot << WARM_SHIFT) + QUANTITY]
  state.events.reduced(account, instrument.id, state.orderIdAt(slot), by, quantity, leaves - by)
}

function trade(
  state: ShardState,
  instrument: Instrument,
  taker: number,
  maker: number,
  takerSide: number,
  price: number,
): void {
  const { hot } = state.orders
  const quantity = Math.min(hot[(taker << HOT_SHIFT) + LEAVES], hot[(maker << HOT_SHIFT) + LEAVES])
  const notional = instrument.notional(price, quantity)
  const buyer = takerSide === Side.buy ? taker : maker
  const seller = buyer === taker ? maker : taker
  let takerFee = shareCeil(notional, instrument.takerFee_ppm)
  let makerFee = shareCeil(notional, instrument.makerFee_ppm)
  const buyerFee = payFromHold(state, instrument, buyer, quantity, notional, buyer === taker ? takerFee : makerFee)
  if (buyer === taker) takerFee = buyerFee
  else makerFee = buyerFee
  deliverFromHold(state, instrument, seller, quantity, notional - (seller === taker ? takerFee : makerFee))
  if (takerFee + makerFee !== 0) state.ledger.post(instrument.feeBalance, takerFee + makerFee, 0)
  const bought = buyer === taker ? quantity : -quantity
  const takerPosition = hot[(taker << HOT_SHIFT) + OWNER]
  const makerPosition = hot[(maker << HOT_SHIFT) + OWNER]
  bookTrade(state, instrument, takerPosition, makerPosition, bought, notional, price, takerFee, makerFee)
  take(state, instrument, buyer, OPEN_BUY, quantity, notional)
  take(state, instrument, seller, OPEN_SELL, quantity, notional)
  tellTrade(state, instrument, taker, maker, takerSide, price, quantity, notional, takerFee, makerFee)
  finish(state, instrument, taker)
  finish(state, instrument, maker)
  const { triggers } = instrument
  if (triggers?.traded(price) === true) state.noteReleased(instrument)
}

/** After a trade: the other leg of its pair ends, and the order itself if it is filled. */
function finish(state: ShardState, instrument: Instrument, slot: number): void {
  if (state.orders.warm[(slot << WARM_SHIFT) + ROLE] !== 0) legTraded(state, instrument, slot)
  if (state.orders.leavesOf(slot) > 0) return
  tellDone(state, instrument, slot, DoneReason.filled)
  closeOrder(state, slot)
}

/** The buyer pays out of its hold, which was for its own limit, and gets back what the auction's price saves. Returns its fee. */
function payFromHold(
  state: ShardState,
  instrument: Instrument,
  buyer: number,
  quantity: number,
  notional: number,
  feeWanted: number,
): number {
  const { orders, positions, ledger } = state
  const at = orders.hot[(buyer << HOT_SHIFT) + OWNER] << POSITION_SHIFT
  const limit = orders.warm[(buyer << WARM_SHIFT) + PRICE]
  const leaves = orders.leavesOf(buyer)
  const released = instrument.buyHold(limit, leaves) - instrument.buyHold(limit, leaves - quantity)
  const fee = Math.min(feeWanted, released - notional)
  ledger.post(positions.data[at + QUOTE_BALANCE], released - notional - fee, released)
  ledger.post(positions.data[at + BASE_BALANCE], quantity * instrument.baseUnitsPerLot, 0)
  return fee
}

function deliverFromHold(
  state: ShardState,
  instrument: Instrument,
  seller: number,
  quantity: number,
  proceeds: number,
): void {
  const { orders, positions, ledger } = state
  const at = orders.hot[(seller << HOT_SHIFT) + OWNER] << POSITION_SHIFT
  ledger.post(positions.data[at + BASE_BALANCE], 0, quantity * instrument.baseUnitsPerLot)
  ledger.post(positions.data[at + QUOTE_BALANCE], proceeds, 0)
}

/** Takes what was traded out of an order and its queue; an iceberg shows its next part, at the end of the queue. */
function take(
  state: ShardState,
  instrument: Instrument,
  slot: number,
  openField: number,
  quantity: number,
  notional: number,
): void {
  const { hot, warm, wide } = state.orders
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const side = instrument.book.sideAt(openField === OPEN_BUY ? Side.buy : Side.sell)
  state.positions.values[(hot[h + OWNER] << POSITION_SHIFT) + openField] -= quantity
  wide[(slot << WIDE_SHIFT) + CUM_QUOTE] += notional
  wide[(slot << WIDE_SHIFT) + UPDATED_AT] = state.timestamp
  side.reduce(slot, quantity)
  if (hot[h + LEAVES] > 0) return
  side.remove(slot)
  if (warm[w + HIDDEN] === 0) return
  const shown = Math.min(warm[w + DISPLAY], warm[w + HIDDEN])
  warm[w + HIDDEN] -= shown
  hot[h + LEAVES] = shown
  side.add(slot, warm[w + PRICE])
}

function tellTrade(
  state: ShardState,
  instrument: Instrument,
  taker: number,
  maker: number,
  takerSide: number,
  price: number,
  quantity: number,
  notional: number,
  takerFee: number,
  makerFee: number,
): void {
  const { orders, positions, events } = state
  const takerAccount = positions.accountOf(orders.hot[(taker << HOT_SHIFT) + OWNER])
  const at = events.begin(EventType.trade, TRADE.slots, takerAccount, instrument.id)
  const { data } = events
  data[at + TRADE.takerOrder] = state.orderIdAt(taker)
  data[at + TRADE.makerOrder] = state.orderIdAt(maker)
  data[at + TRADE.makerAccount] = positions.accountOf(orders.hot[(maker << HOT_SHIFT) + OWNER])
  data[at + TRADE.takerSide] = takerSide
  data[at + TRADE.price] = price
  data[at + TRADE.quantity] = quantity
  data[at + TRADE.tradeNumber] = instrument.tradeNumber
  data[at + TRADE.takerFee] = takerFee
  data[at + TRADE.makerFee] = makerFee
  data[at + TRADE.takerCumQty] = orders.cumQtyOf(taker)
  data[at + TRADE.takerLeavesQty] = orders.leavesOf(taker)
  data[at + TRADE.takerCumQuote] = orders.wide[(taker << WIDE_SHIFT) + CUM_QUOTE]
  data[at + TRADE.makerCumQty] = orders.cumQtyOf(maker)
  data[at + TRADE.makerLeavesQty] = orders.leavesOf(maker)
  data[at + TRADE.makerCumQuote] = orders.wide[(maker << WIDE_SHIFT) + CUM_QUOTE]
  data[at + TRADE.notional] = notional
}
