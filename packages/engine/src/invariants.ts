// Everything that must agree, checked by walking the whole state from the orders up. For tests, drills and the curious.

import { assert, LIMITS, Phase, Side } from '@wintrades/domain'
import type { Instrument } from './instruments.ts'
import { LEVEL_LAYOUT, ORDER_LAYOUT, POSITION_LAYOUT, ROLE } from './layouts.ts'
import { SUPPLY_MAX } from './ledger.ts'
import { heldBalance, isCountedLeg, wholeHold } from './open-orders.ts'
import { sideOf } from './order-store.ts'
import { checkRiskState } from './risk/risk-invariants.ts'
import { waitingQueues } from './snapshot-orders.ts'
import type { ShardState } from './state.ts'
import type { Triggers } from './triggers.ts'

const { LEVEL_SHIFT, HEAD } = LEVEL_LAYOUT
const {
  HOT_SHIFT,
  LEAVES,
  NEXT,
  OWNER,
  BITS,
  WARM_SHIFT,
  RARE_SHIFT,
  PRICE,
  QUANTITY,
  DISPLAY,
  ACCOUNT_NEXT,
  EXPIRY_PLACE,
  TRAILING_OFFSET,
  LINK,
  ROLE: ROLE_OF,
  PLACE: PLACE_OF,
  WAITING,
} = ORDER_LAYOUT
const { POSITION_SHIFT, POSITION_ACCOUNT, POSITION_INSTRUMENT, OPEN_BUY, OPEN_SELL } = POSITION_LAYOUT

export function checkInvariants(state: ShardState): void {
  const needed = new Float64Array(state.ledger.count + 1)
  const open = new Float64Array((state.positions.count + 1) * 2)
  let inBooks = 0
  for (const id of state.instrumentIds) {
    inBooks += checkBook(state, state.instruments[id] as Instrument, needed, open)
  }
  let waiting = 0
  for (const id of state.instrumentIds) {
    const instrument = state.instruments[id] as Instrument
    if (instrument.triggers !== null) waiting += checkWaiting(state, instrument, instrument.triggers, needed, open)
  }
  const { count } = state.orders
  assert(inBooks + waiting === count, `${inBooks} orders in books and ${waiting} waiting, ${count} open`)
  checkExpiries(state)
  checkAccounts(state)
  checkMoney(state, needed)
  checkRiskState(state)
  for (let slot = 1; slot <= state.positions.count; slot++) {
    const at = slot << POSITION_SHIFT
    assert(state.positions.values[at + OPEN_BUY] === open[slot * 2], 'open buys sum up')
    assert(state.positions.values[at + OPEN_SELL] === open[slot * 2 + 1], 'open sells sum up')
  }
}

/** A book is sorted, linked, summed and not crossed; each of its orders is whole. Returns how many it has. */
function checkBook(state: ShardState, instrument: Instrument, needed: Float64Array, open: Float64Array): number {
  const { bids, asks } = instrument.book
  const { hot } = state.orders
  let count = 0
  for (const side of [bids, asks]) {
    side.check()
    for (let level = side.bestLevel; level !== 0; level = side.levelAfter(level)) {
      const price = state.levels.keyOf(level) ^ side.mirror
      for (
        let slot = state.levels.level[(level << LEVEL_SHIFT) + HEAD];
        slot !== 0;
        slot = hot[(slot << HOT_SHIFT) + NEXT]
      ) {
        checkOrder(state, instrument, slot, price, side.side, needed, open)
        count++
      }
    }
  }
  const isMatching = instrument.phase === Phase.continuous
  const crossed = isMatching && bids.bestLevel !== 0 && asks.bestLevel !== 0 && bids.bestPrice >= asks.bestPrice
  assert(!crossed, `the book of instrument ${instrument.id} is not crossed: ${bids.bestPrice} / ${asks.bestPrice}`)
  return count
}

function checkOrder(
  state: ShardState,
  instrument: Instrument,
  slot: number,
  price: number,
  side: number,
  needed: Float64Array,
  open: Float64Array,
): void {
  const { orders, positions } = state
  const h = slot << HOT_SHIFT
  const owner = orders.hot[h + OWNER]
  const at = owner << POSITION_SHIFT
  const leaves = orders.leavesOf(slot)
  assert(orders.find(orders.numberOf(slot)) === slot, 'an open order is found by its id')
  assert(sideOf(orders.hot[h + BITS]) === side, 'an order is on its side')
  assert(orders.warm[(slot << WARM_SHIFT) + PRICE] === price, 'an order is at its price')
  assert(positions.data[at + POSITION_INSTRUMENT] === instrument.id, 'an order is in its instrument')
  assert(leaves > 0 && leaves <= orders.warm[(slot << WARM_SHIFT) + QUANTITY], 'CumQty + LeavesQty = OrderQty')
  const display = orders.warm[(slot << WARM_SHIFT) + DISPLAY]
  const isShown = display === 0 ? orders.hot[h + LEAVES] === leaves : orders.hot[h + LEAVES] <= display
  assert(isShown, 'an order shows what it displays, and hides nothing else')
  assert((orders.hot[h + BITS] & WAITING) === 0, 'an order in a book does not wait')
  open[owner * 2 + side] += leaves
  addNeed(state, instrument, slot, needed)
}

/** What an order that counts holds; a pair once, for its dearer leg. */
function addNeed(state: ShardState, instrument: Instrument, slot: number, needed: Float64Array): void {
  const { orders } = state
  const w = slot << WARM_SHIFT
  const leaves = orders.leavesOf(slot)
  const isBuy = sideOf(orders.hot[(slot << HOT_SHIFT) + BITS]) === Side.buy
  let need = isBuy ? instrument.buyHold(orders.warm[w + PRICE], leaves) : leaves * instrument.baseUnitsPerLot
  if (orders.warm[w + ROLE_OF] === ROLE.leg) {
    const other = orders.warm[w + LINK]
    assert(orders.warm[(other << WARM_SHIFT) + LINK] === slot, 'the legs of a pair know each other')
    assert(orders.warm[(other << WARM_SHIFT) + QUANTITY] === leaves, 'no leg of a pair has traded')
    need = Math.max(need, wholeHold(state, instrument, other))
  }
  needed[heldBalance(state, slot)] += need
}

/** Every order that waits is in one queue, at its stop price, and holds funds if it is live. Returns how many there are. */
function checkWaiting(
  state: ShardState,
  instrument: Instrument,
  triggers: Triggers,
  needed: Float64Array,
  open: Float64Array,
): number {
  const { hot, warm } = state.orders
  triggers.falling.check()
  triggers.rising.check()
  let count = 0
  let trailing = 0
  for (const [queue, slots] of waitingQueues(state, triggers).entries()) {
    for (const slot of slots) {
      const w = slot << WARM_SHIFT
      const role = warm[w + ROLE_OF]
      count++
      assert((hot[(slot << HOT_SHIFT) + BITS] & WAITING) !== 0, 'an order among the triggers waits')
      assert(state.orders.rare[(slot << RARE_SHIFT) + PLACE_OF] === queue + 1, 'an order that waits knows where')
      const isLive = (role & (ROLE.pending | ROLE.exit)) === 0
      assert(isLive === (queue !== 3) || (queue === 2 && role === ROLE.exit), 'what waits for its list is not live')
      if (queue < 2 && warm[w + TRAILING_OFFSET] !== 0) trailing++
      if (!isLive || (role === ROLE.leg && !isCountedLeg(state, slot))) continue
      const side = sideOf(hot[(slot << HOT_SHIFT) + BITS])
      open[hot[(slot << HOT_SHIFT) + OWNER] * 2 + side] += state.orders.leavesOf(slot)
      addNeed(state, instrument, slot, needed)
    }
  }
  assert(trailing === triggers.fallingTrail.count + triggers.risingTrail.count, 'every trailing stop follows the price')
  return count
}

function checkExpiries(state: ShardState): void {
  const { expiries, orders } = state
  for (let place = 1; place <= expiries.count; place++) {
    const slot = expiries.slotAt(place)
    assert(
      orders.warm[(slot << WARM_SHIFT) + EXPIRY_PLACE] === place,
      'an order knows its place among those that expire',
    )
    assert(orders.find(orders.numberOf(slot)) === slot, 'an order that expires is open')
    assert(expiries.timeAt(place) >= expiries.timeAt(Math.max(1, place >> 1)), 'what is due first is on top')
  }
}

function checkAccounts(state: ShardState): void {
  const { orders, positions, accounts } = state
  let listed = 0
  for (let i = 0; i < accounts.count; i++) {
    const account = accounts.ids[i]
    let count = 0
    let before = 0
    for (let slot = accounts.firstOrder(account); slot !== 0; slot = orders.warm[(slot << WARM_SHIFT) + ACCOUNT_NEXT]) {
      const at = orders.hot[(slot << HOT_SHIFT) + OWNER] << POSITION_SHIFT
      assert(positions.data[at + POSITION_ACCOUNT] === account, 'an order is in its account’s list')
      assert(orders.numberOf(slot) > before, 'an account’s orders are in the order of their ids')
      before = orders.numberOf(slot)
      count++
    }
    assert(count === accounts.openCount(account), 'an account counts its open orders')
    listed += count
  }
  assert(listed === orders.count, 'every open order is in one account’s list')
}

/** Held funds are what open orders need, and money is conserved, per asset. */
function checkMoney(state: ShardState, needed: Float64Array): void {
  const { ledger } = state
  const total = new Float64Array(LIMITS.assets_max + 1)
  for (let slot = 1; slot <= ledger.count; slot++) {
    const available = ledger.available(slot)
    const held = ledger.held(slot)
    const whose = `account ${ledger.accountOf(slot)} in asset ${ledger.assetOf(slot)}`
    assert(Number.isSafeInteger(available) && Number.isSafeInteger(held), `${whose}: whole units`)
    assert(available >= 0 && held >= 0, `${whose}: not negative`)
    assert(held === needed[slot], `${whose}: ${held} held, open orders need ${needed[slot]}`)
    total[ledger.assetOf(slot)] += available + held
  }
  for (let asset = 1; asset <= LIMITS.assets_max; asset++) {
    const entered = ledger.deposited[asset] + ledger.transferredIn[asset]
    const left = ledger.withdrawn[asset] + ledger.transferredOut[asset]
    assert(total[asset] === entered - left, `asset ${asset}: ${total[asset]} here, ${entered - left} came and stayed`)
    assert(total[asset] === ledger.supply[asset] && total[asset] <= SUPPLY_MAX, `asset ${asset}: supply`)
  }
}
