// Volatility interruptions. In continuous trading nothing trades farther than the dynamic band from the last price before the incoming
// order, nor farther than the static band from the last auction's price: where an order would, its matching stops and a call auction
// begins, in which what is left of a resting order takes part. The auction ends by itself after `LIMITS.volatility_auction_us`.

import { LIMITS, Phase, Side } from '@wintrades/domain'
import { shareFloorClamped } from '../exact.ts'
import type { Incoming } from '../incoming.ts'
import type { Instrument } from '../instruments.ts'
import { changePhase } from '../sessions.ts'
import { type ShardState, VERSION_RISK } from '../state.ts'

/** The worst price at which an incoming order may trade: its own limit (0: none) or the edge of the bands, whichever comes first. */
export function boundedPrice(state: ShardState, instrument: Instrument, side: Side, price: number): number {
  if (!instrument.hasBands || state.version < VERSION_RISK) return price
  const { staticBand_ppm, dynamicBand_ppm, referencePrice } = instrument.definition
  const fixed = instrument.auctionPrice || referencePrice
  if (side === Side.buy) {
    const high = Math.min(
      edge(fixed, staticBand_ppm, 1, LIMITS.price_ticks_max),
      edge(instrument.referencePrice, dynamicBand_ppm, 1, LIMITS.price_ticks_max),
    )
    return price === 0 ? high : Math.min(price, high)
  }
  const low = Math.max(edge(fixed, staticBand_ppm, -1, 1), edge(instrument.referencePrice, dynamicBand_ppm, -1, 1))
  return Math.max(price, low)
}

/** The last price within a band of `reference`; `open` without a band or a reference. */
function edge(reference: number, band_ppm: number, sign: 1 | -1, open: number): number {
  if (band_ppm === 0 || reference === 0) return open
  const at = reference + sign * shareFloorClamped(reference, band_ppm)
  return Math.max(1, Math.min(at, LIMITS.price_ticks_max))
}

/** After an order was matched as far as the bands allow: begins an auction if its own price would have reached farther. */
export function interruptIfBeyond(state: ShardState, instrument: Instrument, incoming: Incoming): void {
  const { side, price } = incoming
  const makers = instrument.book.sideAt(1 - side)
  const isBeyond = price === 0 ? makers.bestLevel !== 0 : instrument.book.wouldMatch(side, price)
  if (isBeyond) changePhase(state, instrument, Phase.volatility_auction)
}

/** Ends the volatility auction that is due first. */
export function reopenNext(state: ShardState): void {
  const instrument = state.reopenings[0]
  changePhase(state, instrument, Phase.continuous)
}
