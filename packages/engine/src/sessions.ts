// Trading sessions of an instrument. Orders come in while it is open, are matched as they come in continuous trading only, and gather
// in the other open phases (the book may then be crossed) until a call auction trades them at one price.
//
//   closed   nothing comes in; orders may be cancelled; DAY orders have ended     halted   nothing comes in, nothing trades
//   pre_open, opening_auction, closing_auction, volatility_auction                limit and waiting orders gather
//   continuous                                                                    everything, matched as it comes
//
// A journaled command moves between phases. An auction trades when its phase gives way to continuous or closed, and whatever crosses
// otherwise trades when the phase becomes continuous. A halt takes the orders as they are.

import { DoneReason, Phase, RejectCode, TimeInForce } from '@wintrades/domain'
import { uncross } from './auctions.ts'
import type { Instrument } from './instruments.ts'
import { LEVEL_LAYOUT, ORDER_LAYOUT } from './layouts.ts'
import { cancelOrder } from './order-ends.ts'
import { grownFloats, timeInForceOf } from './order-store.ts'
import type { BookSide } from './price-levels.ts'
import { keepReopening } from './risk/reopenings.ts'
import { type ShardState, VERSION_ORDER_TYPES } from './state.ts'

const { LEVEL_SHIFT, HEAD } = LEVEL_LAYOUT
const { HOT_SHIFT, NEXT, BITS } = ORDER_LAYOUT

/** Whether orders come in. */
export function checkSession(state: ShardState, instrument: Instrument): number {
  const { phase } = instrument
  if (phase === Phase.continuous) return 0
  if (phase === Phase.halted) return state.refuse(RejectCode.market_halted)
  if (phase === Phase.closed || state.version < VERSION_ORDER_TYPES) return state.refuse(RejectCode.market_closed)
  return 0
}

function isAuction(phase: Phase): boolean {
  return phase === Phase.opening_auction || phase === Phase.closing_auction || phase === Phase.volatility_auction
}

/** Moves an instrument to a phase: tells it, trades what the auction has gathered, and ends the day's orders when it closes. */
export function changePhase(state: ShardState, instrument: Instrument, phase: Phase): void {
  const { phase: before } = instrument
  state.events.phaseChanged(instrument.id, phase, before)
  instrument.phase = phase
  keepReopening(state, instrument, phase)
  if (phase === Phase.continuous || (phase === Phase.closed && isAuction(before))) uncross(state, instrument)
  if (phase === Phase.closed) cancelWhere(state, instrument, DoneReason.expired, TimeInForce.day)
  const at = state.releasing.indexOf(instrument)
  if (phase === Phase.continuous) {
    if (instrument.triggers !== null && instrument.triggers.released.first !== 0) state.noteReleased(instrument)
  } else if (at !== -1) state.releasing.splice(at, 1)
}

/** Cancels every order of an instrument: bids and asks by price and time, then those that wait. */
export function cancelOfInstrument(state: ShardState, instrument: Instrument, reason: number): void {
  cancelWhere(state, instrument, reason, ANY)
}

const ANY = -1

/** Cancels orders of one time in force (or any), side by side and queue by queue. */
function cancelWhere(state: ShardState, instrument: Instrument, reason: number, timeInForce: number): void {
  const { book, triggers } = instrument
  const found = new Numbers()
  collectSide(state, book.bids, state.levels.level, timeInForce, found)
  collectSide(state, book.asks, state.levels.level, timeInForce, found)
  if (triggers !== null) {
    collectSide(state, triggers.falling, state.triggerLevels.level, timeInForce, found)
    collectSide(state, triggers.rising, state.triggerLevels.level, timeInForce, found)
    collectQueue(state, triggers.released.first, timeInForce, found)
    collectQueue(state, triggers.unnamed.first, timeInForce, found)
  }
  cancelFound(state, found, reason)
  if (triggers === null || timeInForce !== ANY) return
  // Exits of an entry that was filled in part: its end has brought them here.
  found.count = 0
  collectQueue(state, triggers.released.first, ANY, found)
  cancelFound(state, found, reason)
}

/** Command numbers of orders: an order may end with one that is cancelled before it. */
class Numbers {
  data = new Float64Array(64)
  count = 0

  add(number: number): void {
    if (this.count === this.data.length) this.data = grownFloats(this.data, this.count * 2)
    this.data[this.count++] = number
  }
}

function collectSide(state: ShardState, side: BookSide, level: Int32Array, timeInForce: number, found: Numbers): void {
  for (let at = side.bestLevel; at !== 0; at = side.levelAfter(at)) {
    collectQueue(state, level[(at << LEVEL_SHIFT) + HEAD], timeInForce, found)
  }
}

function collectQueue(state: ShardState, first: number, timeInForce: number, found: Numbers): void {
  const { hot } = state.orders
  for (let slot = first; slot !== 0; slot = hot[(slot << HOT_SHIFT) + NEXT]) {
    const bits = hot[(slot << HOT_SHIFT) + BITS]
    if (timeInForce === ANY || timeInForceOf(bits) === timeInForce) found.add(state.orders.numberOf(slot))
  }
}

function cancelFound(state: ShardState, found: Numbers, reason: number): void {
  for (let i = 0; i < found.count; i++) {
    const slot = state.orders.find(found.data[i])
    if (slot !== 0) cancelOrder(state, slot, reason)
  }
}
