// When each instrument's volatility auction ends by itself, the one that is due first in front.

import { LIMITS, Phase } from '@wintrades/domain'
import type { Instrument } from '../instruments.ts'
import { type ShardState, VERSION_RISK } from '../state.ts'

/** Keeps the time at which an instrument's volatility auction ends. */
export function keepReopening(state: ShardState, instrument: Instrument, phase: Phase): void {
  const { reopenings } = state
  const at = reopenings.indexOf(instrument)
  if (at !== -1) reopenings.splice(at, 1)
  instrument.reopensAt = 0
  if (phase !== Phase.volatility_auction || state.version < VERSION_RISK) return
  instrument.reopensAt = state.timestamp + LIMITS.volatility_auction_us
  addReopening(state, instrument)
}

/** Instruments stand in the order of their times, then of their ids. */
export function addReopening(state: ShardState, instrument: Instrument): void {
  const { reopenings } = state
  let at = reopenings.length
  while (at > 0 && isAfter(reopenings[at - 1], instrument)) at--
  reopenings.splice(at, 0, instrument)
}

function isAfter(a: Instrument, b: Instrument): boolean {
  return a.reopensAt === b.reopensAt ? a.id > b.id : a.reopensAt > b.reopensAt
}

/** When the next volatility auction ends; 0: there is none. */
export function nextReopening(state: ShardState): number {
  return state.reopenings.length === 0 ? 0 : state.reopenings[0].reopensAt
}
