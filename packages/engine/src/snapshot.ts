// The whole state as bytes, and back: self-checking, and independent of how the tables lie in memory. Orders are written book by
// book in their priority, so that queues come back as they were; lists and indexes are built anew.

import type {
  AccountId,
  Amount,
  AssetId,
  CommandNumber,
  InstrumentDefinition,
  Phase,
  Seq,
  ShardIndex,
  Timestamp,
} from '@wintrades/domain'
import { LIMITS } from '@wintrades/domain'
import { addInstrument } from './definitions.ts'
import type { Instrument } from './instruments.ts'
import { LEVEL_LAYOUT, LIMIT_LAYOUT, ORDER_LAYOUT, PLACE, POSITION_LAYOUT, ROLE } from './layouts.ts'
import { countOpen, pendingUntil, triggersOf } from './open-orders.ts'
import { isCountedLeg } from './order-lists.ts'
import { kindOf, sideOf } from './order-store.ts'
import type { BookSide } from './price-levels.ts'
import { readRisk, startRisk, writeRisk } from './risk/risk-snapshot.ts'
import { SnapshotError, SnapshotReader, SnapshotWriter } from './snapshot-bytes.ts'
import { ENGINE_VERSION, ShardState } from './state.ts'
import type { Triggers } from './triggers.ts'

const { LEVEL_SHIFT, HEAD } = LEVEL_LAYOUT
const { LIMIT_SHIFT } = LIMIT_LAYOUT
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
const { POSITION_SHIFT, POSITION_ACCOUNT, POSITION_INSTRUMENT, POSITION_QUANTITY, COST, REALISED } = POSITION_LAYOUT

const MAGIC = 0x31535457
/** Format 1 had neither orders that wait nor the numbers behind each order, nor what risk rules remember. */
const FORMAT = 2
const ORDER_BYTES = 4 * (12 + TEXT_WORDS) + 8 * 5
const DEDUPLICATION_BYTES = 4 * 7 + 8

export function writeSnapshot(state: ShardState): Uint8Array {
  const expected = state.orders.count * ORDER_BYTES + state.deduplication.size * DEDUPLICATION_BYTES
  const out = new SnapshotWriter(65_536 + expected + state.ledger.count * 24 + state.positions.count * 32)
  out.int(MAGIC)
  out.int(FORMAT)
  out.int(state.shard)
  out.int(state.version)
  out.wide(state.seq)
  out.wide(state.nextCommand)
  out.wide(state.timestamp)
  out.int(state.blocked ? 1 : 0)
  writeMoney(state, out)
  writeAccounts(state, out)
  writeInstruments(state, out)
  writePositions(state, out)
  out.int(state.orders.count)
  writeWaitingRecords(state, out)
  for (const id of state.instrumentIds) {
    const { book } = state.instruments[id] as Instrument
    writeSide(state, book.bids, out)
    writeSide(state, book.asks, out)
  }
  writeWaiting(state, out)
  writeTransfers(state, out)
  writeDeduplication(state, out)
  writeRisk(state, out)
  return out.finish()
}

/** Throws `SnapshotError`. */
export function restoreState(bytes: Uint8Array): ShardState {
  const from = new SnapshotReader(bytes)
  if (from.int() !== MAGIC) throw new SnapshotError('not a snapshot')
  const format = from.int()
  if (format < 1 || format > FORMAT) throw new SnapshotError(`snapshot of format ${format}, this is ${FORMAT}`)
  const shard = from.int()
  if (shard < 0 || shard >= LIMITS.shards_max) throw new SnapshotError(`shard ${shard}`)
  const state = new ShardState(shard as ShardIndex)
  state.version = from.int()
  if (state.version > ENGINE_VERSION) {
    throw new SnapshotError(`engine version ${state.version}, this engine knows ${ENGINE_VERSION}`)
  }
  state.seq = from.wide() as Seq
  state.nextCommand = from.wide() as CommandNumber
  state.timestamp = from.wide() as Timestamp
  state.blocked = from.int() === 1
  readMoney(state, from)
  readAccounts(state, from)
  readInstruments(state, from)
  readPositions(state, from)
  readOrders(state, from, format)
  readTransfers(state, from)
  readDeduplication(state, from)
  startRisk(state)
  if (format > 1) readRisk(state, from)
  from.done()
  return state
}

// ---- money ----

function writeMoney(state: ShardState, out: SnapshotWriter): void {
  const { ledger } = state
  const assets: number[] = []
  for (let asset = 1; asset <= LIMITS.assets_max; asset++) if (ledger.isDefined(asset)) assets.push(asset)
  out.int(assets.length)
  for (const asset of assets) {
    out.int(asset)
    out.int(ledger.scales[asset])
    for (const table of assetTables(state)) out.wide(table[asset])
  }
  out.int(ledger.count)
  for (let slot = 1; slot <= ledger.count; slot++) {
    out.int(ledger.accountOf(slot))
    out.int(ledger.assetOf(slot))
    out.wide(ledger.available(slot))
    out.wide(ledger.held(slot))
  }
}

function assetTables(state: ShardState): Float64Array[] {
  const { supply, deposited, withdrawn, transferredIn, transferredOut } = state.ledger
  return [supply, deposited, withdrawn, transferredIn, transferredOut]
}

function readMoney(state: ShardState, from: SnapshotReader): void {
  const { ledger } = state
  for (let left = from.count(48); left > 0; left--) {
    const asset = from.int()
    if (asset < 1 || asset > LIMITS.assets_max) throw new SnapshotError(`asset ${asset}`)
    ledger.scales[asset] = from.int()
    for (const table of assetTables(state)) table[asset] = from.wide()
  }
  const count = from.count(24)
  ledger.reserve(count)
  for (let left = count; left > 0; left--) {
    const slot = ledger.ensure(from.int(), from.int())
    ledger.money[slot * 2] = from.wide()
    ledger.money[slot * 2 + 1] = from.wide()
  }
}

// ---- accounts and limits ----

function writeAccounts(state: ShardState, out: SnapshotWriter): void {
  const { accounts, limits } = state
  out.int(accounts.count)
  for (let i = 0; i < accounts.count; i++) {
    out.int(accounts.ids[i])
    out.int(accounts.flags(accounts.ids[i]))
  }
  out.int(limits.count)
  for (let record = 1; record <= limits.count; record++) {
    for (let i = 0; i < 1 << LIMIT_SHIFT; i++) out.wide(limits.data[(record << LIMIT_SHIFT) + i])
  }
}

function readAccounts(state: ShardState, from: SnapshotReader): void {
  const { accounts, limits } = state
  for (let left = from.count(8); left > 0; left--) {
    const account = from.int()
    if (account < 0 || account > LIMITS.accounts_max) throw new SnapshotError(`account ${account}`)
    accounts.mark(account, from.int())
  }
  const values = new Float64Array(1 << LIMIT_SHIFT)
  for (let left = from.count(values.byteLength); left > 0; left--) {
    for (let i = 0; i < values.length; i++) values[i] = from.wide()
    const record = limits.ensure(values[0], values[1])
    const at = record << LIMIT_SHIFT
    const chain = limits.data[at + 2]
    limits.data.set(values, at)
    limits.data[at + 2] = chain
  }
}

// ---- instruments and positions ----

function writeInstruments(state: ShardState, out: SnapshotWriter): void {
  out.int(state.instrumentIds.length)
  for (const id of state.instrumentIds) {
    const instrument = state.instruments[id] as Instrument
    for (const key of DEFINITION_KEYS) out.wide(instrument.definition[key])
    out.int(instrument.phase)
    out.int(instrument.blocked ? 1 : 0)
    out.wide(instrument.lastPrice)
    out.wide(instrument.tradeNumber)
    out.wide(instrument.bookVersion)
  }
}

const DEFINITION_KEYS: readonly (keyof InstrumentDefinition)[] = [
  'instrument',
  'base',
  'quote',
  'phase',
  'baseUnitsPerLot',
  'quoteUnitsPerTickLot',
  'priceMin',
  'priceMax',
  'quantityMin',
  'quantityMax',
  'notionalMin',
  'notionalMax',
  'makerFee_ppm',
  'takerFee_ppm',
  'stressMove_ppm',
  'priceBand_ppm',
  'staticBand_ppm',
  'dynamicBand_ppm',
  'referencePrice',
]

function readInstruments(state: ShardState, from: SnapshotReader): void {
  for (let left = from.count(8 * DEFINITION_KEYS.length + 32); left > 0; left--) {
    const values: Record<string, number> = {}
    for (const key of DEFINITION_KEYS) values[key] = from.wide()
    const definition = values as unknown as InstrumentDefinition
    if (definition.instrument < 1 || definition.instrument > LIMITS.instruments_max) {
      throw new SnapshotError(`instrument ${definition.instrument}`)
    }
    const instrument = addInstrument(state, definition)
    instrument.phase = from.int() as Phase
    instrument.blocked = from.int() === 1
    instrument.lastPrice = from.wide()
    instrument.tradeNumber = from.wide()
    instrument.bookVersion = from.wide()
  }
}

function writePositions(state: ShardState, out: SnapshotWriter): void {
  const { positions } = state
  out.int(positions.count)
  for (let slot = 1; slot <= positions.count; slot++) {
    const at = slot << POSITION_SHIFT
    out.int(positions.data[at + POSITION_ACCOUNT])
    out.int(positions.data[at + POSITION_INSTRUMENT])
    out.wide(positions.values[at + POSITION_QUANTITY])
    out.wide(positions.values[at + COST])
    out.wide(positions.values[at + REALISED])
  }
}

function readPositions(state: ShardState, from: SnapshotReader): void {
  const { positions, ledger } = state
  const count = from.count(32)
  positions.reserve(count)
  for (let left = count; left > 0; left--) {
    const account = from.int()
    const id = from.int()
    const instrument = state.instruments[id]
    if (instrument === undefined) throw new SnapshotError(`position in instrument ${id}, which is not defined`)
    const base = ledger.ensure(account, instrument.base)
    const slot = positions.add(account, id, base, ledger.ensure(account, instrument.quote))
    const at = slot << POSITION_SHIFT
    positions.values[at + POSITION_QUANTITY] = from.wide()
    positions.values[at + COST] = from.wide()
    positions.values[at + REALISED] = from.wide()
  }
}

// ---- orders ----

function writeSide(state: ShardState, side: BookSide, out: SnapshotWriter): void {
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
  out.wide(orders.numberOf(slot))
  out.int(positions.data[position + POSITION_ACCOUNT])
  out.int(positions.data[position + POSITION_INSTRUMENT])
  out.int(hot[h + LEAVES])
  out.int(kindOf(hot[h + BITS]))
  out.int(warm[w + PRICE])
  out.int(warm[w + QUANTITY])
  out.int(warm[w + HIDDEN])
  out.int(warm[w + DISPLAY])
  out.int(warm[w + ORIGIN] === 0 ? 0 : state.origins.originOf(slot))
  out.int(warm[w + ORIGIN] === 0 ? 0 : 1)
  out.int(warm[w + SESSION])
  out.int(warm[w + API_KEY])
  out.wide(wide[f + CUM_QUOTE])
  out.wide(wide[f + ACCEPTED_AT])
  out.wide(wide[f + UPDATED_AT])
  out.wide(wide[f + EXPIRE_TIME])
  for (let i = 0; i < TEXT_WORDS; i++) out.int(text[slot * TEXT_WORDS + i])
  out.int(warm[w + STOP_PRICE])
  out.int(warm[w + TRAILING_OFFSET])
}

function readOrders(state: ShardState, from: SnapshotReader, format: number): void {
  const count = from.count(ORDER_BYTES)
  const numbers = new Float64Array(count)
  /** Origins of the orders that have one; few. */
  const origins = new Map<number, number>()
  state.orders.reserve(count)
  for (let i = 0; i < count; i++) numbers[i] = readOrder(state, from, format, origins)
  if (format > 1) readWaiting(state, from)
  state.levels.endCommand()
  state.triggerLevels.endCommand()
  linkInOrder(state, numbers.sort(), origins)
}

/** Reads an order, and rests it in its book unless it waits. Returns its command number. */
function readOrder(state: ShardState, from: SnapshotReader, format: number, origins: Map<number, number>): number {
  const { orders } = state
  const number = from.wide()
  const slot = orders.allocate(number)
  const h = slot << HOT_SHIFT
  const w = slot << WARM_SHIFT
  const f = slot << WIDE_SHIFT
  const { hot, warm, wide, text } = orders
  const account = from.int()
  const instrument = state.instruments[from.int()]
  const position = instrument === undefined ? 0 : state.positions.find(account, instrument.id)
  if (instrument === undefined || position === 0) throw new SnapshotError(`order of command ${number} has no position`)
  hot[h + OWNER] = position
  hot[h + LEAVES] = from.int()
  orders.setKind(slot, from.int() & 0xffff)
  warm[w + PRICE] = from.int()
  warm[w + QUANTITY] = from.int()
  warm[w + HIDDEN] = from.int()
  warm[w + DISPLAY] = from.int()
  const origin = from.int()
  if (from.int() === 1) origins.set(number, origin >>> 0)
  warm[w + ORIGIN] = 0
  warm[w + SESSION] = from.int()
  warm[w + API_KEY] = from.int()
  warm[w + EXPIRY_PLACE] = 0
  warm[w + LINK] = 0
  warm[w + ROLE_OF] = 0
  wide[f + CUM_QUOTE] = from.wide()
  wide[f + ACCEPTED_AT] = from.wide()
  wide[f + UPDATED_AT] = from.wide()
  wide[f + EXPIRE_TIME] = from.wide()
  for (let t = 0; t < TEXT_WORDS; t++) text[slot * TEXT_WORDS + t] = from.int()
  warm[w + STOP_PRICE] = format === 1 ? 0 : from.int()
  warm[w + TRAILING_OFFSET] = format === 1 ? 0 : from.int()
  if (wide[f + EXPIRE_TIME] !== 0) state.expiries.add(slot, wide[f + EXPIRE_TIME])
  if ((hot[h + BITS] & WAITING) !== 0) return number
  countOpen(state, slot, orders.leavesOf(slot))
  instrument.book.add(slot, sideOf(hot[h + BITS]), warm[w + PRICE])
  return number
}

// ---- orders that wait ----

function writeWaitingRecords(state: ShardState, out: SnapshotWriter): void {
  for (const id of state.instrumentIds) {
    const { triggers } = state.instruments[id] as Instrument
    if (triggers === null) continue
    for (const slots of waitingQueues(state, triggers)) for (const slot of slots) writeOrder(state, slot, out)
  }
}

/** Queues of each instrument that has any, then which of them enter the market first. */
function writeWaiting(state: ShardState, out: SnapshotWriter): void {
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
function linkInOrder(state: ShardState, numbers: Float64Array, origins: Map<number, number>): void {
  for (const number of numbers) {
    const slot = state.orders.find(number)
    const account = state.positions.accountOf(state.orders.hot[(slot << HOT_SHIFT) + OWNER])
    state.accounts.mark(account, 0)
    state.accounts.link(account, slot)
    const origin = origins.get(number)
    if (origin !== undefined) state.origins.link(origin, slot)
  }
}

// ---- transfers and remembered ids ----

function writeTransfers(state: ShardState, out: SnapshotWriter): void {
  const { transfers } = state
  for (let shard = 0; shard < LIMITS.shards_max; shard++) {
    out.wide(transfers.received[shard])
    out.wide(transfers.sent[shard])
    out.wide(transfers.settled[shard])
    out.int(transfers.inFlight[shard].length)
    for (const transfer of transfers.inFlight[shard]) {
      out.int(transfer.account)
      out.int(transfer.asset)
      out.wide(transfer.amount)
      out.wide(transfer.number)
      out.wide(transfer.sentAt)
      out.text(transfer.transferId)
    }
  }
}

function readTransfers(state: ShardState, from: SnapshotReader): void {
  const { transfers } = state
  for (let shard = 0; shard < LIMITS.shards_max; shard++) {
    transfers.received[shard] = from.wide()
    transfers.sent[shard] = from.wide()
    transfers.settled[shard] = from.wide()
    for (let left = from.count(36); left > 0; left--) {
      transfers.inFlight[shard].push({
        account: from.int() as AccountId,
        asset: from.int() as AssetId,
        amount: from.wide() as Amount,
        number: from.wide(),
        sentAt: from.wide() as Timestamp,
        transferId: from.text(),
        toShard: shard as ShardIndex,
      })
    }
  }
}

function writeDeduplication(state: ShardState, out: SnapshotWriter): void {
  const { deduplication } = state
  out.wide(deduplication.forgottenAt)
  out.int(deduplication.size)
  deduplication.forEach((data, at, time) => {
    for (let i = 0; i < 5; i++) out.int(data[at + i])
    out.int(data[at + 6])
    out.int(data[at + 7])
    out.wide(time)
  })
}

function readDeduplication(state: ShardState, from: SnapshotReader): void {
  const { deduplication } = state
  deduplication.forgottenAt = from.wide()
  const count = from.count(DEDUPLICATION_BYTES)
  deduplication.reserve(count)
  const words = new Int32Array(4)
  for (let left = count; left > 0; left--) {
    const account = from.int()
    for (let i = 0; i < 4; i++) words[i] = from.int()
    deduplication.restore(account, words, from.int(), from.int(), from.wide())
  }
}
