// From fills to money: each fill releases what was held for it, moves both assets, charges both fees, and books both positions.
// Fees are in the quote asset, rounded up to its smallest unit; but what a buy order pays in fees never exceeds what was held for
// them, so the rounding of many small fills cannot overdraw it. Account 0 collects fees; nothing is created or lost.

import { DoneReason, EventType, Side, TRADE } from '@wintrades/domain'
import { shareCeil } from './exact.ts'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { FILL_LAYOUT, ORDER_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import { closeOrder, legTraded } from './order-ends.ts'
import { bookTrade } from './risk/results.ts'
import type { ShardState } from './state.ts'

const { FILL_SHIFT, FILL_MAKER, FILL_QUANTITY, FILL_PRICE, FILL_MAKER_LEAVES } = FILL_LAYOUT
const { HOT_SHIFT, OWNER, WARM_SHIFT, QUANTITY, ROLE, WIDE_SHIFT, CUM_QUOTE, UPDATED_AT } = ORDER_LAYOUT
const { POSITION_SHIFT, POSITION_ACCOUNT, BASE_BALANCE, QUOTE_BALANCE, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

/** Settles the fills of the last `match`, in their order, and empties the buffer. Each price that was traded at meets its triggers. */
export function settleFills(state: ShardState, instrument: Instrument, incoming: Incoming): void {
  const { fills } = state
  let tradedAt = 0
  for (let i = 0; i < fills.count; i++) {
    const f = i << FILL_SHIFT
    const price = fills.data[f + FILL_PRICE]
    settleFill(
      state,
      instrument,
      incoming,
      fills.data[f + FILL_MAKER],
      fills.data[f + FILL_QUANTITY],
      price,
      fills.data[f + FILL_MAKER_LEAVES],
    )
    if (instrument.triggers !== null && price !== tradedAt) {
      if (instrument.triggers.traded(price)) state.noteReleased(instrument)
      tradedAt = price
    }
  }
  fills.count = 0
}

function settleFill(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  maker: number,
  quantity: number,
  price: number,
  makerLeaves: number,
): void {
  const notional = instrument.notional(price, quantity)
  const makerPosition = state.orders.hot[(maker << HOT_SHIFT) + OWNER]
  incoming.leaves -= quantity
  incoming.cumQuote += notional
  let takerFee = shareCeil(notional, instrument.takerFee_ppm)
  let makerFee = shareCeil(notional, instrument.makerFee_ppm)
  if (incoming.side === Side.buy) {
    takerFee = payAsTaker(state, instrument, incoming, notional, takerFee)
    deliver(state, instrument, makerPosition, quantity, notional - makerFee, true)
    receive(state, instrument, incoming.position, quantity)
    state.positions.values[(makerPosition << POSITION_SHIFT) + OPEN_SELL] -= quantity
  } else {
    makerFee = payAsMaker(state, instrument, makerPosition, price, quantity, makerLeaves, notional, makerFee)
    deliver(state, instrument, incoming.position, quantity, notional - takerFee, incoming.price !== 0)
    receive(state, instrument, makerPosition, quantity)
    state.positions.values[(makerPosition << POSITION_SHIFT) + OPEN_BUY] -= quantity
  }
  if (takerFee + makerFee !== 0) state.ledger.post(instrument.feeBalance, takerFee + makerFee, 0)
  const bought = incoming.side === Side.buy ? quantity : -quantity
  bookTrade(state, instrument, incoming.position, makerPosition, bought, notional, price, takerFee, makerFee)
  writeTrade(
    state,
    instrument,
    incoming,
    maker,
    makerPosition,
    quantity,
    price,
    makerLeaves,
    notional,
    takerFee,
    makerFee,
  )
}

/** A limit order pays out of its hold and gets back what a better price saved; a market order pays from what is available. */
function payAsTaker(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  notional: number,
  feeWanted: number,
): number {
  const balance = state.positions.data[(incoming.position << POSITION_SHIFT) + QUOTE_BALANCE]
  if (incoming.price === 0) {
    const fee = Math.min(feeWanted, incoming.feeLeft)
    incoming.feeLeft -= fee
    state.ledger.post(balance, -notional - fee, 0)
    return fee
  }
  const held = instrument.buyHold(incoming.price, incoming.leaves)
  const released = incoming.held - held
  incoming.held = held
  const fee = Math.min(feeWanted, released - notional)
  state.ledger.post(balance, released - notional - fee, released)
  return fee
}

function payAsMaker(
  state: ShardState,
  instrument: Instrument,
  position: number,
  price: number,
  quantity: number,
  leaves: number,
  notional: number,
  feeWanted: number,
): number {
  const balance = state.positions.data[(position << POSITION_SHIFT) + QUOTE_BALANCE]
  const released = instrument.buyHold(price, leaves + quantity) - instrument.buyHold(price, leaves)
  const fee = Math.min(feeWanted, released - notional)
  state.ledger.post(balance, released - notional - fee, released)
  return fee
}

/** The seller gives the base asset (out of its hold, if it had one) and gets the proceeds. */
function deliver(
  state: ShardState,
  instrument: Instrument,
  position: number,
  quantity: number,
  proceeds: number,
  held: boolean,
): void {
  const at = position << POSITION_SHIFT
  const units = quantity * instrument.baseUnitsPerLot
  const base = state.positions.data[at + BASE_BALANCE]
  if (held) state.ledger.post(base, 0, units)
  else state.ledger.post(base, -units, 0)
  state.ledger.post(state.positions.data[at + QUOTE_BALANCE], proceeds, 0)
}

function receive(state: ShardState, instrument: Instrument, position: number, quantity: number): void {
  const base = state.positions.data[(position << POSITION_SHIFT) + BASE_BALANCE]
  state.ledger.post(base, quantity * instrument.baseUnitsPerLot, 0)
}

function writeTrade(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  maker: number,
  makerPosition: number,
  quantity: number,
  price: number,
  makerLeaves: number,
  notional: number,
  takerFee: number,
  makerFee: number,
): void {
  const { orders, events } = state
  const wide = maker << WIDE_SHIFT
  const makerCumQty = orders.warm[(maker << WARM_SHIFT) + QUANTITY] - makerLeaves
  const makerCumQuote = orders.wide[wide + CUM_QUOTE] + notional
  const makerAccount = state.positions.data[(makerPosition << POSITION_SHIFT) + POSITION_ACCOUNT]
  const makerId = state.orderIdAt(maker)
  orders.wide[wide + CUM_QUOTE] = makerCumQuote
  orders.wide[wide + UPDATED_AT] = state.timestamp
  const at = events.begin(EventType.trade, TRADE.slots, incoming.account, instrument.id)
  const data = events.data
  data[at + TRADE.takerOrder] = incoming.orderId
  data[at + TRADE.makerOrder] = makerId
  data[at + TRADE.makerAccount] = makerAccount
  data[at + TRADE.takerSide] = incoming.side
  data[at + TRADE.price] = price
  data[at + TRADE.quantity] = quantity
  data[at + TRADE.tradeNumber] = instrument.tradeNumber
  data[at + TRADE.takerFee] = takerFee
  data[at + TRADE.makerFee] = makerFee
  data[at + TRADE.takerCumQty] = incoming.cumQty
  data[at + TRADE.takerLeavesQty] = incoming.leaves
  data[at + TRADE.takerCumQuote] = incoming.cumQuote
  data[at + TRADE.makerCumQty] = makerCumQty
  data[at + TRADE.makerLeavesQty] = makerLeaves
  data[at + TRADE.makerCumQuote] = makerCumQuote
  data[at + TRADE.notional] = notional
  if (orders.warm[(maker << WARM_SHIFT) + ROLE] !== 0) legTraded(state, instrument, maker)
  if (makerLeaves > 0) return
  const makerSide = 1 - incoming.side
  events.done(makerAccount, instrument.id, makerId, DoneReason.filled, 0, makerCumQty, makerCumQuote, makerSide, price)
  closeOrder(state, maker)
}
