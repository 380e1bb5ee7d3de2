// What accounts have won and lost: the result of a position is its realised profit, less the fees paid, plus what its lots are worth at
// the reference price beyond their cost. Days are those of UTC. A day's start needs no timer: an instrument notes the price it had, and a
// position the result it had, when it first trades on a day; what has not traded since has its start in what it is.
//
// An account's result in a quote asset is the sum over its positions there. Sums that pass 2^53 − 1 stay at it.

import { plusClamped, timesClamped } from '../exact.ts'
import type { Instrument } from '../instruments.ts'
import { LIMIT_LAYOUT, POSITION_LAYOUT } from '../layouts.ts'
import { type ShardState, VERSION_RISK } from '../state.ts'

const {
  POSITION_SHIFT,
  POSITION_ACCOUNT,
  POSITION_INSTRUMENT,
  QUOTE_BALANCE,
  POSITION_NEXT,
  WATCHED,
  POSITION_QUANTITY,
  COST,
  REALISED,
  DAY,
  DAY_START,
  FEES,
} = POSITION_LAYOUT
const { LIMIT_SHIFT, LIMIT_ACCOUNT, DRAWDOWN_MAX } = LIMIT_LAYOUT

const DAY_US = 86_400_000_000

/** The day a time is of; the first of 1970 is 1. */
export function dayOf(timestamp: number): number {
  return Math.floor(timestamp / DAY_US) + 1
}

/** Books a trade in both positions: `quantity` lots that the taker bought (negative: sold) from the maker for `notional`. */
export function bookTrade(
  state: ShardState,
  instrument: Instrument,
  taker: number,
  maker: number,
  quantity: number,
  notional: number,
  price: number,
  takerFee: number,
  makerFee: number,
): void {
  const { positions } = state
  const isKept = state.version >= VERSION_RISK
  if (isKept) startDay(state, instrument, taker, maker)
  positions.trade(taker, quantity, notional)
  positions.trade(maker, -quantity, notional)
  instrument.lastPrice = price
  instrument.tradeNumber++
  if (!isKept) return
  positions.values[(taker << POSITION_SHIFT) + FEES] += takerFee
  positions.values[(maker << POSITION_SHIFT) + FEES] += makerFee
  if (positions.data[(taker << POSITION_SHIFT) + WATCHED] !== 0) raisePeak(state, taker)
  if (positions.data[(maker << POSITION_SHIFT) + WATCHED] !== 0) raisePeak(state, maker)
}

function startDay(state: ShardState, instrument: Instrument, taker: number, maker: number): void {
  const { values } = state.positions
  const { day } = state
  if (instrument.day !== day) {
    instrument.dayPrice = instrument.referencePrice
    instrument.day = day
  }
  if (values[(taker << POSITION_SHIFT) + DAY] !== day) startPosition(state, instrument, taker)
  if (values[(maker << POSITION_SHIFT) + DAY] !== day) startPosition(state, instrument, maker)
}

function startPosition(state: ShardState, instrument: Instrument, position: number): void {
  const { values } = state.positions
  const at = position << POSITION_SHIFT
  values[at + DAY_START] = resultAt(values, at, instrument, instrument.dayPrice)
  values[at + DAY] = state.day
}

/** The price that an instrument's day began with. */
export function dayPriceOf(state: ShardState, instrument: Instrument): number {
  return instrument.day === state.day ? instrument.dayPrice : instrument.referencePrice
}

/** The result that a position began the day with. */
export function dayStartOf(state: ShardState, instrument: Instrument, position: number): number {
  const { values } = state.positions
  const at = position << POSITION_SHIFT
  if (values[at + DAY] === state.day) return values[at + DAY_START]
  return resultAt(values, at, instrument, dayPriceOf(state, instrument))
}

/** The result of a position so far. */
export function resultOf(state: ShardState, instrument: Instrument, position: number): number {
  return resultAt(state.positions.values, position << POSITION_SHIFT, instrument, instrument.referencePrice)
}

function resultAt(values: Float64Array, at: number, instrument: Instrument, price: number): number {
  const lots = values[at + POSITION_QUANTITY]
  const size = timesClamped(timesClamped(Math.abs(lots), price), instrument.quoteUnitsPerTickLot)
  const open = plusClamped(lots < 0 ? -size : size, -values[at + COST])
  return plusClamped(plusClamped(values[at + REALISED], -values[at + FEES]), open)
}

/** The result so far of all positions of an account in the quote asset of one of them. */
export function accountResult(state: ShardState, position: number): number {
  const { data } = state.positions
  const quote = data[(position << POSITION_SHIFT) + QUOTE_BALANCE]
  let sum = 0
  let slot = state.positions.firstOf(data[(position << POSITION_SHIFT) + POSITION_ACCOUNT])
  for (; slot !== 0; slot = data[(slot << POSITION_SHIFT) + POSITION_NEXT]) {
    const at = slot << POSITION_SHIFT
    if (data[at + QUOTE_BALANCE] === quote) sum = plusClamped(sum, resultOf(state, instrumentAt(state, at), slot))
  }
  return sum
}

/** What the account has lost since the day began in the quote asset of one of its positions; negative: won. */
export function accountDayLoss(state: ShardState, position: number): number {
  const { data } = state.positions
  const quote = data[(position << POSITION_SHIFT) + QUOTE_BALANCE]
  let sum = 0
  let slot = state.positions.firstOf(data[(position << POSITION_SHIFT) + POSITION_ACCOUNT])
  for (; slot !== 0; slot = data[(slot << POSITION_SHIFT) + POSITION_NEXT]) {
    const at = slot << POSITION_SHIFT
    if (data[at + QUOTE_BALANCE] !== quote) continue
    const instrument = instrumentAt(state, at)
    sum = plusClamped(sum, plusClamped(dayStartOf(state, instrument, slot), -resultOf(state, instrument, slot)))
  }
  return sum
}

function instrumentAt(state: ShardState, at: number): Instrument {
  return state.instruments[state.positions.data[at + POSITION_INSTRUMENT]] as Instrument
}

// ---- the highest result, for accounts with a drawdown limit ----

/** Notes the account's result if it is the highest so far; returns by how much it is below the highest. */
export function raisePeak(state: ShardState, position: number): number {
  const balance = state.positions.data[(position << POSITION_SHIFT) + QUOTE_BALANCE]
  const now = accountResult(state, position)
  const peak = state.peaks.of(balance)
  if (now <= peak) return plusClamped(peak, -now)
  state.peaks.set(balance, now)
  return 0
}

/** From now on the highest results of an account are what its results are now. */
export function restartPeaks(state: ShardState, account: number): void {
  const { positions, peaks } = state
  const { data } = positions
  const first = positions.firstOf(account)
  for (let slot = first; slot !== 0; slot = data[(slot << POSITION_SHIFT) + POSITION_NEXT]) {
    watchPosition(state, slot)
    peaks.set(data[(slot << POSITION_SHIFT) + QUOTE_BALANCE], 0)
  }
  if (!hasDrawdownLimit(state, account)) return
  for (let slot = first; slot !== 0; slot = data[(slot << POSITION_SHIFT) + POSITION_NEXT]) {
    const balance = data[(slot << POSITION_SHIFT) + QUOTE_BALANCE]
    const result = resultOf(state, instrumentAt(state, slot << POSITION_SHIFT), slot)
    peaks.set(balance, plusClamped(peaks.of(balance), result))
  }
}

/** Restarts the highest results of every account with a drawdown limit. */
export function startPeaks(state: ShardState): void {
  const { limits } = state
  for (let record = 1; record <= limits.count; record++) {
    const at = record << LIMIT_SHIFT
    if (limits.data[at + DRAWDOWN_MAX] !== 0) restartPeaks(state, limits.data[at + LIMIT_ACCOUNT])
  }
}

/** Marks a position, if its account has a drawdown limit. */
export function watchPosition(state: ShardState, position: number): void {
  const at = position << POSITION_SHIFT
  const isWatched = hasDrawdownLimit(state, state.positions.data[at + POSITION_ACCOUNT])
  state.positions.data[at + WATCHED] = isWatched ? 1 : 0
}

function hasDrawdownLimit(state: ShardState, account: number): boolean {
  const { limits } = state
  for (let record = state.accounts.limitsOf(account); record !== 0; record = limits.nextOf(record)) {
    if (limits.data[(record << LIMIT_SHIFT) + DRAWDOWN_MAX] !== 0) return true
  }
  return false
}
