// What an account could come to hold, and what the instruments' configured stress moves would take of it. The largest exposure in an
// instrument is what it would be if all open orders of one side were filled and none of the other. Values are at the reference price.

import { Side } from '@wintrades/domain'
import { plusClamped, shareCeilClamped, timesClamped } from '../exact.ts'
import type { Incoming } from '../incoming.ts'
import type { Instrument } from '../instruments.ts'
import { POSITION_LAYOUT } from '../layouts.ts'
import type { ShardState } from '../state.ts'

const { POSITION_SHIFT, POSITION_INSTRUMENT, QUOTE_BALANCE, POSITION_NEXT, POSITION_QUANTITY, OPEN_BUY, OPEN_SELL } =
  POSITION_LAYOUT

/** Lots by which an order of a side may still bring the position nearer to zero, the open orders of that side counted. Negative: they reach beyond it. */
export function reducibleLots(state: ShardState, position: number, side: Side): number {
  const at = position << POSITION_SHIFT
  const { values } = state.positions
  const held = values[at + POSITION_QUANTITY]
  return side === Side.buy ? -held - values[at + OPEN_BUY] : held - values[at + OPEN_SELL]
}

/** Lots of the largest exposure, with `buy` and `sell` more lots on order. */
function worstLots(state: ShardState, at: number, buy: number, sell: number): number {
  const { values } = state.positions
  const held = values[at + POSITION_QUANTITY]
  return Math.max(Math.abs(held + values[at + OPEN_BUY] + buy), Math.abs(held - values[at + OPEN_SELL] - sell))
}

/** Whether `quantity` more lots on order leave the largest exposure in the order's instrument as it is. */
export function addsNoExposure(state: ShardState, incoming: Incoming, quantity: number): boolean {
  const at = incoming.position << POSITION_SHIFT
  const isBuy = incoming.side === Side.buy
  return worstLots(state, at, isBuy ? quantity : 0, isBuy ? 0 : quantity) <= worstLots(state, at, 0, 0)
}

/** What the stress moves would cost the account in the order's quote asset, `quantity` more lots of the order counted; rounded up. */
export function stressCost(state: ShardState, incoming: Incoming, quantity: number): number {
  const { positions } = state
  const { data } = positions
  const quote = data[(incoming.position << POSITION_SHIFT) + QUOTE_BALANCE]
  const isBuy = incoming.side === Side.buy
  let sum = 0
  let slot = positions.firstOf(incoming.account)
  for (; slot !== 0; slot = data[(slot << POSITION_SHIFT) + POSITION_NEXT]) {
    const at = slot << POSITION_SHIFT
    if (data[at + QUOTE_BALANCE] !== quote) continue
    const instrument = state.instruments[data[at + POSITION_INSTRUMENT]] as Instrument
    const isOwn = slot === incoming.position
    const lots = isOwn ? worstLots(state, at, isBuy ? quantity : 0, isBuy ? 0 : quantity) : worstLots(state, at, 0, 0)
    const price = instrument.referencePrice || (isOwn ? incoming.price : 0)
    const value = timesClamped(timesClamped(lots, price), instrument.quoteUnitsPerTickLot)
    sum = plusClamped(sum, shareCeilClamped(value, instrument.definition.stressMove_ppm))
  }
  return sum
}

/**
 * What an account owns in a quote asset: the asset itself, available and held, and every other asset that an instrument prices in it, in
 * whole lots at the reference price. What has no such price counts as nothing.
 */
export function equityOf(state: ShardState, account: number, quote: number): number {
  const { ledger } = state
  let sum = 0
  for (let slot = ledger.firstOf(account); slot !== 0; slot = ledger.nextOf(slot)) {
    const amount = ledger.available(slot) + ledger.held(slot)
    const asset = ledger.assetOf(slot)
    if (asset === quote) sum = plusClamped(sum, amount)
    else {
      const instrument = state.pairs.get(pairOf(asset, quote))
      if (instrument === undefined) continue
      const lots = Math.floor(amount / instrument.baseUnitsPerLot)
      const value = timesClamped(timesClamped(lots, instrument.referencePrice), instrument.quoteUnitsPerTickLot)
      sum = plusClamped(sum, value)
    }
  }
  return sum
}

/** The key of `ShardState.pairs`. */
export function pairOf(base: number, quote: number): number {
  return base * 4_096 + quote
}
