// What an incoming order would find in the book, without touching it: how much it could fill, at what cost. Market orders learn
// here how much their funds buy; fill-or-kill and minimum quantities whether there is enough.

import { SelfTradePrevention } from '@wintrades/domain'
import { SAFE_MAX, shareCeil } from './exact.ts'
import type { Incoming } from './incoming.ts'
import type { Instrument } from './instruments.ts'
import { LEVEL_LAYOUT, ORDER_LAYOUT } from './layouts.ts'
import { boundedPrice } from './risk/volatility.ts'
import type { ShardState } from './state.ts'

const { LEVEL_SHIFT, HEAD } = LEVEL_LAYOUT
const { HOT_SHIFT, LEAVES, NEXT, OWNER, WARM_SHIFT, HIDDEN } = ORDER_LAYOUT

export type LookAhead = {
  /** Lots that would trade, and Σ price × quantity of them. */
  quantity: number
  notional: number
  /** What one lot costs at the best price, the fee included; 0: the other side is empty. */
  firstLotCost: number
  /** The budget ended the walk. */
  limited: boolean
}

const result: LookAhead = { quantity: 0, notional: 0, firstLotCost: 0, limited: false }

/**
 * Walks the other side for up to `quantityMax` lots within the order's price and `budget`, which the notional and a fee of
 * `fee_ppm` on it (rounded up once) must not pass. The result is valid until the next call.
 */
export function lookAhead(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  quantityMax: number,
  budget: number,
  fee_ppm: number,
): LookAhead {
  // What a limit order could fill at once ends where the volatility bands do; a market order is looked ahead for what it may cost.
  const limit = incoming.price === 0 ? 0 : boundedPrice(state, instrument, incoming.side, incoming.price)
  return walk(state, instrument, incoming, quantityMax, budget, fee_ppm, limit)
}

/** How much a market order would fill before it comes to a volatility band, `quantityMax` at most. */
export function lotsWithinBands(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  quantityMax: number,
): number {
  const limit = boundedPrice(state, instrument, incoming.side, 0)
  return walk(state, instrument, incoming, quantityMax, SAFE_MAX, 0, limit).quantity
}

function walk(
  state: ShardState,
  instrument: Instrument,
  incoming: Incoming,
  quantityMax: number,
  budget: number,
  fee_ppm: number,
  limit: number,
): LookAhead {
  const makers = instrument.book.sideAt(1 - incoming.side)
  const limitKey = limit === 0 ? 0 : limit ^ makers.mirror
  result.quantity = 0
  result.notional = 0
  result.limited = false
  result.firstLotCost = makers.bestLevel === 0 ? 0 : cost(instrument.notional(makers.bestPrice, 1), fee_ppm)
  let wanted = quantityMax
  for (let level = makers.bestLevel; level !== 0 && wanted > 0; level = makers.levelAfter(level)) {
    const key = state.levels.keyOf(level)
    if (key < limitKey) break
    const price = key ^ makers.mirror
    const there = atLevel(state, incoming, level, wanted)
    wanted -= ownDecrement
    const taken = Math.min(there, wanted)
    const affordable = lotsWithin(instrument, price, taken, budget, fee_ppm)
    result.quantity += affordable
    result.notional += instrument.notional(price, affordable)
    wanted -= taken
    if (affordable < taken) result.limited = true
    if (result.limited || stopped) break
  }
  return result
}

/** Set by `atLevel`: the walk ends in this level; and what self-trade prevention by decrement takes from the incoming order. */
let stopped = false
let ownDecrement = 0

/** Lots of others that can be reached at a level. */
function atLevel(state: ShardState, incoming: Incoming, level: number, wanted: number): number {
  const { hot, warm } = state.orders
  const mode = incoming.selfTradePrevention
  let shown = 0
  let hidden = 0
  stopped = false
  ownDecrement = 0
  for (
    let order = state.levels.level[(level << LEVEL_SHIFT) + HEAD];
    order !== 0;
    order = hot[(order << HOT_SHIFT) + NEXT]
  ) {
    const h = order << HOT_SHIFT
    if (mode !== SelfTradePrevention.none && hot[h + OWNER] === incoming.position) {
      if (mode === SelfTradePrevention.cancel_newest || mode === SelfTradePrevention.cancel_both) {
        stopped = true
        return shown
      }
      if (mode === SelfTradePrevention.decrement) {
        ownDecrement += Math.max(0, Math.min(state.orders.leavesOf(order), wanted - ownDecrement - shown))
      }
      continue
    }
    shown += hot[h + LEAVES]
    hidden += warm[(order << WARM_SHIFT) + HIDDEN]
    if (shown + ownDecrement >= wanted) return shown
  }
  return shown + hidden
}

/** The most lots, up to `lots`, whose cost at `price` keeps the walk's whole cost within the budget. */
function lotsWithin(instrument: Instrument, price: number, lots: number, budget: number, fee_ppm: number): number {
  const perLot = instrument.notional(price, 1)
  const spent = result.notional
  if (budget >= SAFE_MAX || cost(spent + perLot * lots, fee_ppm) <= budget) return lots
  // An estimate first; the exact rule then moves it by a lot or two.
  let guess = Math.floor((budget / (1 + fee_ppm / 1_000_000) - spent) / perLot)
  guess = Math.max(0, Math.min(lots, guess))
  while (guess > 0 && cost(spent + perLot * guess, fee_ppm) > budget) guess--
  while (guess < lots && cost(spent + perLot * (guess + 1), fee_ppm) <= budget) guess++
  return guess
}

function cost(notional: number, fee_ppm: number): number {
  return notional + shareCeil(notional, fee_ppm)
}
