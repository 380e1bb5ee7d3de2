// The risk rules' part of the state hash. Like the rest of it, it says what is so and not how it is kept: the beginning of a day is
// hashed as it counts today, whether or not a trade has written it down, and an order that no guard can find any more is not there.

import type { Instrument } from '../instruments.ts'
import { LIMIT_LAYOUT, POSITION_LAYOUT } from '../layouts.ts'
import type { ShardState } from '../state.ts'
import type { Sum } from '../state-hash.ts'
import { RECENT_FIELDS } from './recent-orders.ts'
import { dayPriceOf, dayStartOf } from './results.ts'

const { POSITION_SHIFT, POSITION_ACCOUNT, POSITION_INSTRUMENT, FEES } = POSITION_LAYOUT
const { LIMIT_SHIFT, LIMIT_ACCOUNT, LIMIT_KEY } = LIMIT_LAYOUT

const Element = { instrument: 32, position: 33, peak: 34, recentOrder: 35 }

export function hashRisk(state: ShardState, sum: Sum): void {
  const { positions, ledger, limits } = state
  for (const id of state.instrumentIds) {
    const instrument = state.instruments[id] as Instrument
    sum.begin(Element.instrument).int(id).wide(dayPriceOf(state, instrument))
    sum.wide(instrument.auctionPrice).wide(instrument.reopensAt).end()
  }
  for (let slot = 1; slot <= positions.count; slot++) {
    const at = slot << POSITION_SHIFT
    const instrument = state.instruments[positions.data[at + POSITION_INSTRUMENT]] as Instrument
    const dayStart = dayStartOf(state, instrument, slot)
    const fees = positions.values[at + FEES]
    if (dayStart === 0 && fees === 0) continue
    sum
      .begin(Element.position)
      .int(positions.data[at + POSITION_ACCOUNT])
      .int(instrument.id)
    sum.wide(dayStart).wide(fees).end()
  }
  for (let balance = 1; balance <= ledger.count; balance++) {
    const peak = state.peaks.of(balance)
    if (peak === 0) continue
    sum.begin(Element.peak).int(ledger.accountOf(balance)).int(ledger.assetOf(balance)).wide(peak).end()
  }
  state.recentOrders.forEach(state.timestamp, (data, at) => {
    const record = data[at] << LIMIT_SHIFT
    sum
      .begin(Element.recentOrder)
      .int(limits.data[record + LIMIT_ACCOUNT])
      .int(limits.data[record + LIMIT_KEY])
    for (let i = 1; i < RECENT_FIELDS; i++) sum.wide(data[at + i])
    sum.end()
  })
}
