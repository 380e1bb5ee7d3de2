// What must hold of positions and of what the risk rules remember, checked by walking all of it.

import { assert, LIMITS, Phase } from '@wintrades/domain'
import { openOrdersOfKey } from '../definitions.ts'
import type { Instrument } from '../instruments.ts'
import { LIMIT_LAYOUT, POSITION_LAYOUT } from '../layouts.ts'
import { type ShardState, VERSION_RISK } from '../state.ts'

const { POSITION_SHIFT, POSITION_ACCOUNT, POSITION_INSTRUMENT, POSITION_NEXT, WATCHED } = POSITION_LAYOUT
const { POSITION_QUANTITY, COST, REALISED, FEES } = POSITION_LAYOUT
const { LIMIT_SHIFT, LIMIT_ACCOUNT, LIMIT_KEY, DRAWDOWN_MAX, KEY_OPEN_COUNT } = LIMIT_LAYOUT

export function checkRiskState(state: ShardState): void {
  checkPositions(state)
  checkChains(state)
  checkLimitRecords(state)
  checkReopenings(state)
  assert(state.recentOrders.size <= LIMITS.recent_orders_max, 'recent orders are bounded')
}

/** Whoever buys, another sells, at the same price: over all positions of an instrument nothing is held, and nothing is won. */
function checkPositions(state: ShardState): void {
  const { positions } = state
  const held = new Map<number, bigint>()
  const won = new Map<number, bigint>()
  for (let slot = 1; slot <= positions.count; slot++) {
    const at = slot << POSITION_SHIFT
    const instrument = positions.data[at + POSITION_INSTRUMENT]
    const lots = positions.values[at + POSITION_QUANTITY]
    const cost = positions.values[at + COST]
    const realised = positions.values[at + REALISED]
    const isWhole = Number.isSafeInteger(lots) && Number.isSafeInteger(cost) && Number.isSafeInteger(realised)
    assert(isWhole, 'a position is counted in whole units')
    assert(lots !== 0 || cost === 0, 'what is not held has no cost')
    assert(lots >= 0 === cost >= 0 || cost === 0, 'cost has the sign of what is held')
    assert(Number.isSafeInteger(positions.values[at + FEES]) && positions.values[at + FEES] >= 0, 'fees are whole')
    held.set(instrument, (held.get(instrument) ?? 0n) + BigInt(lots))
    won.set(instrument, (won.get(instrument) ?? 0n) + BigInt(realised) - BigInt(cost))
  }
  for (const id of state.instrumentIds) {
    assert((held.get(id) ?? 0n) === 0n, `instrument ${id}: what some are long others are short`)
    assert((won.get(id) ?? 0n) === 0n, `instrument ${id}: what some have paid others have received`)
  }
}

/** Every balance and every position is in the chain of its account. */
function checkChains(state: ShardState): void {
  const { ledger, positions } = state
  let balances = 0
  let chained = 0
  for (
    let account = 0;
    account <= LIMITS.accounts_max && balances + chained < ledger.count + positions.count;
    account++
  ) {
    for (let slot = ledger.firstOf(account); slot !== 0; slot = ledger.nextOf(slot)) {
      assert(ledger.accountOf(slot) === account, 'a balance is in the chain of its account')
      balances++
    }
    for (let slot = positions.firstOf(account); slot !== 0; ) {
      assert(positions.data[(slot << POSITION_SHIFT) + POSITION_ACCOUNT] === account, 'a position is in its chain')
      chained++
      slot = positions.data[(slot << POSITION_SHIFT) + POSITION_NEXT]
    }
  }
  assert(balances === ledger.count, 'every balance is in a chain')
  assert(chained === positions.count, 'every position is in a chain')
}

function checkLimitRecords(state: ShardState): void {
  const { limits, positions } = state
  const watched = new Set<number>()
  for (let record = 1; record <= limits.count; record++) {
    const at = record << LIMIT_SHIFT
    const account = limits.data[at + LIMIT_ACCOUNT]
    const key = limits.data[at + LIMIT_KEY]
    assert(limits.find(account, key) === record, 'limits are found by account and key')
    if (key !== 0) {
      assert(limits.data[at + KEY_OPEN_COUNT] === openOrdersOfKey(state, account, key), 'a key counts its open orders')
    }
    if (limits.data[at + DRAWDOWN_MAX] !== 0) watched.add(account)
  }
  if (state.version < VERSION_RISK) return
  for (let slot = 1; slot <= positions.count; slot++) {
    const at = slot << POSITION_SHIFT
    const isWatched = watched.has(positions.data[at + POSITION_ACCOUNT])
    assert((positions.data[at + WATCHED] === 1) === isWatched, 'positions are watched where a drawdown limit is')
  }
}

function checkReopenings(state: ShardState): void {
  let count = 0
  for (const id of state.instrumentIds) {
    const instrument = state.instruments[id] as Instrument
    const isIn = state.reopenings.includes(instrument)
    assert(isIn === (instrument.reopensAt !== 0), 'an auction that will end is listed')
    assert(!isIn || instrument.phase === Phase.volatility_auction, 'only volatility auctions end by themselves')
    if (isIn) count++
  }
  assert(state.reopenings.length === count, 'an auction ends once')
  for (let i = 1; i < state.reopenings.length; i++) {
    const [a, b] = [state.reopenings[i - 1] as Instrument, state.reopenings[i] as Instrument]
    assert(a.reopensAt < b.reopensAt || (a.reopensAt === b.reopensAt && a.id < b.id), 'auctions end in order')
  }
}
