// What the risk rules remember, as bytes of a snapshot and back: the beginnings of days, fees, highest results, recent orders and the
// ends of volatility auctions. Limits themselves stand with the accounts.

import type { Instrument } from '../instruments.ts'
import { POSITION_LAYOUT } from '../layouts.ts'
import { SnapshotError, type SnapshotReader, type SnapshotWriter } from '../snapshot-bytes.ts'
import type { ShardState } from '../state.ts'
import { RECENT_FIELDS } from './recent-orders.ts'
import { addReopening } from './reopenings.ts'
import { dayOf, watchPosition } from './results.ts'

const { POSITION_SHIFT, DAY, DAY_START, FEES } = POSITION_LAYOUT

export function writeRisk(state: ShardState, out: SnapshotWriter): void {
  const { positions, ledger, peaks } = state
  for (const id of state.instrumentIds) {
    const instrument = state.instruments[id] as Instrument
    out.int(instrument.day)
    out.wide(instrument.dayPrice)
    out.wide(instrument.auctionPrice)
    out.wide(instrument.reopensAt)
  }
  for (let slot = 1; slot <= positions.count; slot++) {
    const at = slot << POSITION_SHIFT
    out.int(positions.values[at + DAY])
    out.wide(positions.values[at + DAY_START])
    out.wide(positions.values[at + FEES])
  }
  let count = 0
  for (let balance = 1; balance <= ledger.count; balance++) if (peaks.of(balance) !== 0) count++
  out.int(count)
  for (let balance = 1; balance <= ledger.count; balance++) {
    if (peaks.of(balance) === 0) continue
    out.int(ledger.accountOf(balance))
    out.int(ledger.assetOf(balance))
    out.wide(peaks.of(balance))
  }
  out.int(state.recentOrders.size)
  state.recentOrders.forEach(0, (data, at) => {
    for (let i = 0; i < RECENT_FIELDS; i++) out.wide(data[at + i])
  })
}

/** What follows from the rest of a restored state. */
export function startRisk(state: ShardState): void {
  state.day = dayOf(state.timestamp)
  for (let slot = 1; slot <= state.positions.count; slot++) watchPosition(state, slot)
}

export function readRisk(state: ShardState, from: SnapshotReader): void {
  const { positions, ledger, peaks } = state
  for (const id of state.instrumentIds) {
    const instrument = state.instruments[id] as Instrument
    instrument.day = from.int()
    instrument.dayPrice = from.wide()
    instrument.auctionPrice = from.wide()
    instrument.reopensAt = from.wide()
    if (instrument.reopensAt !== 0) addReopening(state, instrument)
  }
  for (let slot = 1; slot <= positions.count; slot++) {
    const at = slot << POSITION_SHIFT
    positions.values[at + DAY] = from.int()
    positions.values[at + DAY_START] = from.wide()
    positions.values[at + FEES] = from.wide()
  }
  for (let left = from.count(16); left > 0; left--) {
    const account = from.int()
    const asset = from.int()
    const balance = ledger.find(account, asset)
    if (balance === 0) throw new SnapshotError(`highest result of account ${account} in asset ${asset}: no balance`)
    peaks.set(balance, from.wide())
  }
  const values = new Float64Array(RECENT_FIELDS)
  for (let left = from.count(values.byteLength); left > 0; left--) {
    for (let i = 0; i < RECENT_FIELDS; i++) values[i] = from.wide()
    if (values[0] < 1 || values[0] > state.limits.count)
      throw new SnapshotError(`limits ${values[0]} of a recent order`)
    state.recentOrders.restore(values)
  }
}
