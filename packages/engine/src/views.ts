// Answers about the state, as plain values. They read and never change it; lists are ordered by id.

import {
  type AccountId,
  type Amount,
  type AssetId,
  assert,
  type Balance,
  type BookView,
  commandOfOrder,
  type IndicativeAuction,
  type InstrumentDefinition,
  type InstrumentId,
  isClientId,
  type Level,
  LIMITS,
  type OpenOrder,
  type OrderId,
  type Outcome,
  Phase,
  type Position,
  type Price,
  type Quantity,
  type RejectCode,
  shardOfOrder,
  type Timestamp,
  type TrialBalance,
} from '@wintrades/domain'
import { auctionPrice } from './auctions.ts'
import type { Instrument } from './instruments.ts'
import { LEVEL_LAYOUT, ORDER_LAYOUT, POSITION_LAYOUT, ROLE } from './layouts.ts'
import { flagsOf, orderTypeOf, selfTradeOf, sideOf, timeInForceOf } from './order-store.ts'
import type { BookSide } from './price-levels.ts'
import type { ShardState } from './state.ts'

const { LEVEL_SHIFT, COUNT } = LEVEL_LAYOUT
const {
  HOT_SHIFT,
  OWNER,
  BITS,
  WARM_SHIFT,
  RARE_SHIFT,
  PRICE,
  QUANTITY,
  DISPLAY,
  ACCOUNT_NEXT,
  STOP_PRICE,
  TRAILING_OFFSET,
  LINK,
  ROLE: ROLE_OF,
  ENTRY,
  WIDE_SHIFT,
  CUM_QUOTE,
  ACCEPTED_AT,
  UPDATED_AT,
  EXPIRE_TIME,
  WAITING,
} = ORDER_LAYOUT
const { POSITION_SHIFT, POSITION_INSTRUMENT, POSITION_QUANTITY, COST, REALISED } = POSITION_LAYOUT

export type AccountView = {
  readonly balances: readonly Balance[]
  readonly positions: readonly Position[]
  readonly openOrders: readonly OpenOrder[]
}

/** Balances that are not empty, positions that have traded, and open orders of an account. */
export function account(state: ShardState, id: AccountId): AccountView {
  const balances: Balance[] = []
  for (let asset = 1; asset <= LIMITS.assets_max; asset++) {
    if (state.ledger.scales[asset] < 0) continue
    const slot = state.ledger.find(id, asset)
    if (slot === 0) continue
    const available = state.ledger.available(slot) as Amount
    const held = state.ledger.held(slot) as Amount
    if (available !== 0 || held !== 0) balances.push({ asset: asset as AssetId, available, held })
  }
  const positions: Position[] = []
  for (const instrument of state.instrumentIds) {
    const slot = state.positions.find(id, instrument)
    if (slot === 0) continue
    const at = slot << POSITION_SHIFT
    const { values } = state.positions
    const quantity = values[at + POSITION_QUANTITY]
    const cost = values[at + COST]
    const realisedProfit = values[at + REALISED]
    if (quantity !== 0 || cost !== 0 || realisedProfit !== 0) {
      positions.push({ instrument: instrument as InstrumentId, quantity, cost, realisedProfit })
    }
  }
  const openOrders: OpenOrder[] = []
  const { warm } = state.orders
  for (let slot = state.accounts.firstOrder(id); slot !== 0; slot = warm[(slot << WARM_SHIFT) + ACCOUNT_NEXT]) {
    openOrders.push(openOrder(state, slot))
  }
  return { balances, positions, openOrders }
}

export function order(state: ShardState, id: OrderId): OpenOrder | null {
  if (shardOfOrder(id) !== state.shard) return null
  const slot = state.orders.find(commandOfOrder(id))
  return slot === 0 ? null : openOrder(state, slot)
}

function openOrder(state: ShardState, slot: number): OpenOrder {
  const { hot, warm, wide } = state.orders
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const f = slot << WIDE_SHIFT
  const bits = hot[h + BITS]
  const position = hot[h + OWNER]
  return {
    order: state.orderIdAt(slot),
    account: state.positions.accountOf(position) as AccountId,
    instrument: state.positions.data[(position << POSITION_SHIFT) + POSITION_INSTRUMENT] as InstrumentId,
    clientOrderId: state.orders.textOf(slot),
    side: sideOf(bits),
    orderType: orderTypeOf(bits),
    timeInForce: timeInForceOf(bits),
    selfTradePrevention: selfTradeOf(bits),
    flags: flagsOf(bits),
    price: warm[w + PRICE] as Price,
    stopPrice: warm[w + STOP_PRICE] as Price,
    ...listed(state, slot),
    displayQuantity: warm[w + DISPLAY] as Quantity,
    expireTime: wide[f + EXPIRE_TIME] as Timestamp,
    quantity: warm[w + QUANTITY] as Quantity,
    cumQty: state.orders.cumQtyOf(slot) as Quantity,
    leavesQty: state.orders.leavesOf(slot) as Quantity,
    cumQuote: wide[f + CUM_QUOTE] as Amount,
    acceptedAt: wide[f + ACCEPTED_AT] as Timestamp,
    updatedAt: wide[f + UPDATED_AT] as Timestamp,
  }
}

/** What only orders that wait or belong to a list have. */
function listed(state: ShardState, slot: number): Pick<OpenOrder, 'trailingOffset' | 'linkedOrder' | 'waiting'> {
  const { hot, rare, warm } = state.orders
  const w = slot << WARM_SHIFT
  const waiting = (hot[(slot << HOT_SHIFT) + BITS] & WAITING) !== 0
  const offset = warm[w + TRAILING_OFFSET]
  const entry = waiting && (warm[w + ROLE_OF] & ROLE.exit) !== 0 ? rare[(slot << RARE_SHIFT) + ENTRY] : 0
  const linked = entry || (warm[w + ROLE_OF] === 0 ? 0 : warm[w + LINK])
  return {
    ...(waiting ? { waiting } : {}),
    ...(offset === 0 ? {} : { trailingOffset: offset as Price }),
    ...(linked === 0 ? {} : { linkedOrder: state.orderIdAt(linked) }),
  }
}

export function indicativeAuction(state: ShardState, id: InstrumentId): IndicativeAuction {
  const instrument = state.instrument(id)
  const found = instrument === undefined ? { price: 0, volume: 0, surplus: 0 } : auctionPrice(state, instrument)
  return { price: found.price as Price, volume: found.volume as Quantity, surplus: found.surplus }
}

export function outcome(state: ShardState, id: AccountId, clientId: string): Outcome | null {
  if (!isClientId(clientId)) return null
  const text = new DataView(new ArrayBuffer(40))
  for (let i = 0; i < clientId.length; i++) text.setUint8(i, clientId.charCodeAt(i))
  state.deduplication.hashText(text, 0, clientId.length)
  const entry = state.deduplication.find(id)
  if (entry === -1) return null
  const number = state.deduplication.numberOf(entry)
  return {
    order: state.deduplication.isOrder(entry) ? state.orderId(number) : (number as OrderId),
    code: state.deduplication.codeOf(entry) as RejectCode,
  }
}

export function book(state: ShardState, id: InstrumentId, levelsMax: number): BookView {
  const instrument = state.instrument(id)
  if (instrument === undefined) {
    return {
      instrument: id,
      phase: Phase.closed,
      bookVersion: 0,
      lastTradeNumber: 0,
      lastPrice: 0 as Price,
      bids: [],
      asks: [],
    }
  }
  return {
    instrument: id,
    phase: instrument.phase,
    bookVersion: instrument.bookVersion,
    lastTradeNumber: instrument.tradeNumber,
    lastPrice: instrument.lastPrice as Price,
    bids: levels(state, instrument.book.bids, levelsMax),
    asks: levels(state, instrument.book.asks, levelsMax),
  }
}

function levels(state: ShardState, side: BookSide, levelsMax: number): Level[] {
  const list: Level[] = []
  for (let level = side.bestLevel; level !== 0 && list.length < levelsMax; level = side.levelAfter(level)) {
    list.push({
      price: (state.levels.keyOf(level) ^ side.mirror) as Price,
      quantity: state.levels.quantity[level] as Quantity,
      orderCount: state.levels.level[(level << LEVEL_SHIFT) + COUNT],
    })
  }
  return list
}

export function trialBalance(state: ShardState): TrialBalance[] {
  const { ledger } = state
  const available = new Float64Array(LIMITS.assets_max + 1)
  const held = new Float64Array(LIMITS.assets_max + 1)
  for (let slot = 1; slot <= ledger.count; slot++) {
    available[ledger.assetOf(slot)] += ledger.available(slot)
    held[ledger.assetOf(slot)] += ledger.held(slot)
  }
  const list: TrialBalance[] = []
  for (let asset = 1; asset <= LIMITS.assets_max; asset++) {
    if (!ledger.isDefined(asset)) continue
    const fees = ledger.find(0, asset)
    list.push({
      asset: asset as AssetId,
      available: available[asset],
      held: held[asset],
      fees: fees === 0 ? 0 : ledger.available(fees),
      deposited: ledger.deposited[asset],
      withdrawn: ledger.withdrawn[asset],
      transferredIn: ledger.transferredIn[asset],
      transferredOut: ledger.transferredOut[asset],
    })
  }
  return list
}

export function definitions(state: ShardState): {
  assets: { asset: AssetId; scale: number }[]
  instruments: InstrumentDefinition[]
} {
  const assets: { asset: AssetId; scale: number }[] = []
  for (let asset = 1; asset <= LIMITS.assets_max; asset++) {
    if (state.ledger.isDefined(asset)) assets.push({ asset: asset as AssetId, scale: state.ledger.scales[asset] })
  }
  const instruments = state.instrumentIds.map((id) => {
    const instrument: Instrument | undefined = state.instruments[id]
    assert(instrument !== undefined, 'a listed instrument exists')
    return instrument.definition
  })
  return { assets, instruments }
}
