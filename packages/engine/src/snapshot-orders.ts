// The orders of a snapshot: those in the books, in their priority, and those that wait, queue by queue.

import { SAFE_MAX } from './exact.ts'
import type { Instrument } from './instruments.ts'
import { LEVEL_LAYOUT, ORDER_LAYOUT, PLACE, POSITION_LAYOUT, ROLE } from './layouts.ts'
import { countOpen, isCountedLeg, pendingUntil, triggersOf } from './open-orders.ts'
import { kindOf, sideOf } from './order-store.ts'
import type { BookSide } from './price-levels.ts'
import { SnapshotError, type SnapshotReader, type SnapshotWriter } from './snapshot-bytes.ts'
import { ORDERS_MAX, type ShardState } from './state.ts'
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
  HIDDEN,
  DISPLAY,
  ORIGIN,
  SESSION,
  API_KEY,
  STOP_PRICE,
  TRAILING_OFFSET,
  EXPIRY_PLACE,
  LINK,
  ROLE: ROLE_OF,
  PLACE: PLACE_OF,
  TRIGGER_PRICE,
  ENTRY,
  WAITING,
  WIDE_SHIFT,
  CUM_QUOTE,
  ACCEPTED_AT,
  UPDATED_AT,
  EXPIRE_TIME,
  TEXT_WORDS,
} = ORDER_LAYOUT
const { POSITION_SHIFT, POSITION_ACCOUNT, POSITION_INSTRUMENT } = POSITION_LAYOUT

/** An order in a snapshot: where each field begins, and how long it is; in format 1 without the last two. */
const RECORD = {
  number: 0,
  account: 8,
  instrument: 12,
  leaves: 16,
  kind: 20,
  price: 24,
  quantity: 28,
  hidden: 32,
  display: 36,
  origin: 40,
  hasOrigin: 44,
  session: 48,
  apiKey: 52,
  cumQuote: 56,
  acceptedAt: 64,
  updatedAt: 72,
  expireTime: 80,
  text: 88,
  stopPrice: 124,
  trailingOffset: 128,
  bytes: 132,
  bytesOfFormat1: 124,
} as const

export const ORDER_BYTES = RECORD.bytes
/** More than there are slots. */
const SLOTS = ORDERS_MAX * 2

export function writeSide(state: ShardState, side: BookSide, out: SnapshotWriter): void {
  const { hot } = state.orders
  for (let level = side.bestLevel; level !== 0; level = side.levelAfter(level)) {
    for (
      let slot = state.levels.level[(level << LEVEL_SHIFT) + HEAD];
      slot !== 0;
      slot = hot[(slot << HOT_SHIFT) + NEXT]
    ) {
      writeOrder(state, slot, out)
    }
  }
}

function writeOrder(state: ShardState, slot: number, out: SnapshotWriter): void {
  const { orders, positions } = state
  const { hot, warm, wide, text } = orders
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const f = slot << WIDE_SHIFT
  const position = hot[h + OWNER] << POSITION_SHIFT
  const at = out.record(RECORD.bytes)
  const { view } = out
  view.setFloat64(at + RECORD.number, orders.numberOf(slot), true)
  view.setInt32(at + RECORD.account, positions.data[position + POSITION_ACCOUNT], true)
  view.setInt32(at + RECORD.instrument, positions.data[position + POSITION_INSTRUMENT], true)
  view.setInt32(at + RECORD.leaves, hot[h + LEAVES], true)
  view.setInt32(at + RECORD.kind, kindOf(hot[h + BITS]), true)
  view.setInt32(at + RECORD.price, warm[w + PRICE], true)
  view.setInt32(at + RECORD.quantity, warm[w + QUANTITY], true)
  view.setInt32(at + RECORD.hidden, warm[w + HIDDEN], true)
  view.setInt32(at + RECORD.display, warm[w + DISPLAY], true)
  view.setInt32(at + RECORD.origin, warm[w + ORIGIN] === 0 ? 0 : state.origins.originOf(slot), true)
  view.setInt32(at + RECORD.hasOrigin, warm[w + ORIGIN] === 0 ? 0 : 1, true)
  view.setInt32(at + RECORD.session, warm[w + SESSION], true)
  view.setInt32(at + RECORD.apiKey, warm[w + API_KEY], true)
  view.setFloat64(at + RECORD.cumQuote, wide[f + CUM_QUOTE], true)
  view.setFloat64(at + RECORD.acceptedAt, wide[f + ACCEPTED_AT], true)
  view.setFloat64(at + RECORD.updatedAt, wide[f + UPDATED_AT], true)
  view.setFloat64(at + RECORD.expireTime, wide[f + EXPIRE_TIME], true)
  for (let i = 0; i < TEXT_WORDS; i++) view.setInt32(at + RECORD.text + 4 * i, text[slot * TEXT_WORDS + i], true)
  view.setInt32(at + RECORD.stopPrice, warm[w + STOP_PRICE], true)
  view.setInt32(at + RECORD.trailingOffset, warm[w + TRAILING_OFFSET], true)
}

export function readOrders(state: ShardState, from: SnapshotReader, format: number): void {
  const count = from.count(format === 1 ? RECORD.bytesOfFormat1 : RECORD.bytes)
  const slots = new Int32Array(count)
  /** Origins of the orders that have one; few. */
  const origins = new Map<number, number>()
  state.orders.reserve(count)
  for (let i = 0; i < count; i++) slots[i] = readOrder(state, from, format, origins)
  if (format > 1) readWaiting(state, from)
  state.levels.endCommand()
  state.triggerLevels.endCommand()
  linkInOrder(state, slots, origins)
}

/** Reads an order, and rests it in its book unless it waits. Returns its slot. */
function readOrder(state: ShardState, from: SnapshotReader, format: number, origins: Map<number, number>): number {
  const { orders } = state
  const at = from.record(format === 1 ? RECORD.bytesOfFormat1 : RECORD.bytes)
  const { view } = from
  const number = view.getFloat64(at + RECORD.number, true)
  const slot = orders.allocate(number)
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const f = slot << WIDE_SHIFT
  const { hot, warm, wide, text } = orders
  const account = view.getInt32(at + RECORD.account, true)
  const instrument = state.instruments[view.getInt32(at + RECORD.instrument, true)]
  const position = instrument === undefined ? 0 : state.positions.find(account, instrument.id)
  if (instrument === undefined || position === 0) throw new SnapshotError(`order of command ${number} has no position`)
  hot[h + OWNER] = position
  hot[h + LEAVES] = view.getInt32(at + RECORD.leaves, true)
  orders.setKind(slot, view.getInt32(at + RECORD.kind, true) & 0xffff)
  warm[w + PRICE] = view.getInt32(at + RECORD.price, true)
  warm[w + QUANTITY] = view.getInt32(at + RECORD.quantity, true)
  warm[w + HIDDEN] = view.getInt32(at + RECORD.hidden, true)
  warm[w + DISPLAY] = view.getInt32(at + RECORD.display, true)
  if (view.getInt32(at + RECORD.hasOrigin, true) === 1) origins.set(number, view.getUint32(at + RECORD.origin, true))
  warm[w + ORIGIN] = 0
  warm[w + SESSION] = view.getInt32(at + RECORD.session, true)
  warm[w + API_KEY] = view.getInt32(at + RECORD.apiKey, true)
  warm[w + EXPIRY_PLACE] = 0
  warm[w + LINK] = 0
  warm[w + ROLE_OF] = 0
  wide[f + CUM_QUOTE] = view.getFloat64(at + RECORD.cumQuote, true)
  wide[f + ACCEPTED_AT] = view.getFloat64(at + RECORD.acceptedAt, true)
  wide[f + UPDATED_AT] = view.getFloat64(at + RECORD.updatedAt, true)
  wide[f + EXPIRE_TIME] = view.getFloat64(at + RECORD.expireTime, true)
  for (let i = 0; i < TEXT_WORDS; i++) text[slot * TEXT_WORDS + i] = view.getInt32(at + RECORD.text + 4 * i, true)
  warm[w + STOP_PRICE] = format === 1 ? 0 : view.getInt32(at + RECORD.stopPrice, true)
  warm[w + TRAILING_OFFSET] = format === 1 ? 0 : view.getInt32(at + RECORD.trailingOffset, true)
  if (wide[f + EXPIRE_TIME] !== 0) state.expiries.add(slot, wide[f + EXPIRE_TIME])
  if ((hot[h + BITS] & WAITING) !== 0) return slot
  countOpen(state, slot, orders.leavesOf(slot))
  instrument.book.add(slot, sideOf(hot[h + BITS]), warm[w + PRICE])
  return slot
}

// ---- orders that wait ----

export function writeWaitingRecords(state: ShardState, out: SnapshotWriter): void {
  for (const id of state.instrumentIds) {
    const { triggers } = state.instruments[id] as Instrument
    if (triggers === null) continue
    for (const slots of waitingQueues(state, triggers)) for (const slot of slots) writeOrder(state, slot, out)
  }
}

/** Queues of each instrument that has any, then which of them enter the market first. */
export function writeWaiting(state: ShardState, out: SnapshotWriter): void {
  const having = state.instrumentIds.filter((id) => (state.instruments[id] as Instrument).triggers !== null)
  out.int(having.length)
  for (const id of having) {
    const triggers = (state.instruments[id] as Instrument).triggers as Triggers
    out.int(id)
    for (const slots of waitingQueues(state, triggers)) {
      out.int(slots.length)
      for (const slot of slots) writeWaitingOrder(state, slot, out)
    }
    for (const trail of [triggers.fallingTrail, triggers.risingTrail]) {
      out.int(trail.count)
      for (let i = 0; i < trail.count; i++) out.wide(state.orders.numberOf(trail.slots[i]))
    }
  }
  out.int(state.releasing.length)
  for (const instrument of state.releasing) out.int(instrument.id)
}

/** The orders of an instrument that wait, queue by queue: falling, rising, released, unnamed. */
export function waitingQueues(state: ShardState, triggers: Triggers): number[][] {
  const queues: number[][] = []
  for (const side of [triggers.falling, triggers.rising]) {
    const slots: number[] = []
    for (let level = side.bestLevel; level !== 0; level = side.levelAfter(level)) {
      queueInto(state, state.triggerLevels.level[(level << LEVEL_SHIFT) + HEAD], slots)
    }
    queues.push(slots)
  }
  for (const queue of [triggers.released, triggers.unnamed]) queues.push(queueInto(state, queue.first, []))
  return queues
}

function queueInto(state: ShardState, first: number, slots: number[]): number[] {
  const { hot } = state.orders
  for (let slot = first; slot !== 0; slot = hot[(slot << HOT_SHIFT) + NEXT]) slots.push(slot)
  return slots
}

function writeWaitingOrder(state: ShardState, slot: number, out: SnapshotWriter): void {
  const { orders } = state
  const w = slot << WARM_SHIFT
  const other = orders.warm[w + LINK]
  const entry = orders.rare[(slot << RARE_SHIFT) + ENTRY]
  out.wide(orders.numberOf(slot))
  out.int(orders.rare[(slot << RARE_SHIFT) + TRIGGER_PRICE])
  out.int(orders.warm[w + ROLE_OF])
  out.wide(other === 0 ? 0 : orders.numberOf(other))
  out.wide(entry === 0 ? 0 : orders.numberOf(entry))
}

function readWaiting(state: ShardState, from: SnapshotReader): void {
  for (let left = from.count(28); left > 0; left--) {
    const id = from.int()
    const instrument = state.instruments[id]
    if (instrument === undefined) throw new SnapshotError(`triggers of instrument ${id}, which is not defined`)
    const triggers = triggersOf(instrument)
    for (let queue = 0; queue < 4; queue++) {
      for (let count = from.count(32); count > 0; count--) readWaitingOrder(state, triggers, queue, from)
    }
    for (const trail of [triggers.fallingTrail, triggers.risingTrail]) {
      trail.count = 0
      for (let count = from.count(8); count > 0; count--) trail.add(state.orders.find(from.wide()))
    }
  }
  for (let left = from.count(4); left > 0; left--) state.releasing.push(state.instruments[from.int()] as Instrument)
}

function readWaitingOrder(state: ShardState, triggers: Triggers, queue: number, from: SnapshotReader): void {
  const { orders, expiries } = state
  const { rare, warm } = orders
  const number = from.wide()
  const slot = orders.find(number)
  if (slot === 0) throw new SnapshotError(`order of command ${number} waits and is not there`)
  const w = slot << WARM_SHIFT
  const triggerPrice = from.int()
  const role = from.int()
  rare[(slot << RARE_SHIFT) + PLACE_OF] = PLACE.none
  if (queue < 2) triggers.add(slot)
  else if (queue === 2) triggers.release(slot, triggerPrice)
  else triggers.idle(slot)
  rare[(slot << RARE_SHIFT) + TRIGGER_PRICE] = triggerPrice
  warm[w + ROLE_OF] = role
  warm[w + LINK] = orders.find(from.wide())
  rare[(slot << RARE_SHIFT) + ENTRY] = orders.find(from.wide())
  restoreLink(state, slot, role)
  if (role !== ROLE.pending) return
  expiries.remove(slot)
  expiries.add(slot, pendingUntil(state, slot))
}

/** The other side of a link: a leg that rests in the book, or the entry of an exit (which knows the older of a pair). */
function restoreLink(state: ShardState, slot: number, role: number): void {
  const { orders } = state
  const { rare, warm } = orders
  const other = warm[(slot << WARM_SHIFT) + LINK]
  const entry = rare[(slot << RARE_SHIFT) + ENTRY]
  const isCounted = (role & (ROLE.pending | ROLE.exit)) === 0
  if (role === ROLE.leg && other !== 0) {
    warm[(other << WARM_SHIFT) + LINK] = slot
    warm[(other << WARM_SHIFT) + ROLE_OF] = ROLE.leg
  }
  if (isCounted && (role !== ROLE.leg || isCountedLeg(state, slot))) countOpen(state, slot, orders.leavesOf(slot))
  if (entry === 0) return
  const known = warm[(entry << WARM_SHIFT) + LINK]
  warm[(entry << WARM_SHIFT) + ROLE_OF] = ROLE.entry
  if (known === 0 || orders.numberOf(slot) < orders.numberOf(known)) warm[(entry << WARM_SHIFT) + LINK] = slot
}

/** Lists of accounts and origins are in the order of order ids. */
function linkInOrder(state: ShardState, slots: Int32Array, origins: Map<number, number>): void {
  const { orders } = state
  // Sorted as numbers: a command number that leaves room for its slot takes it along, and it need not be looked up.
  const takesSlot = state.nextCommand * SLOTS <= SAFE_MAX
  const keys = new Float64Array(slots.length)
  for (let i = 0; i < slots.length; i++) {
    const number = orders.numberOf(slots[i])
    keys[i] = takesSlot ? number * SLOTS + slots[i] : number
  }
  keys.sort()
  for (let i = 0; i < keys.length; i++) {
    const slot = takesSlot ? keys[i] - Math.floor(keys[i] / SLOTS) * SLOTS : orders.find(keys[i])
    const account = state.positions.accountOf(orders.hot[(slot << HOT_SHIFT) + OWNER])
    state.accounts.mark(account, 0)
    state.accounts.link(account, slot)
    if (origins.size === 0) continue
    const origin = origins.get(orders.numberOf(slot))
    if (origin !== undefined) state.origins.link(origin, slot)
  }
}
