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
import { LIMIT_LAYOUT, POSITION_LAYOUT } from './layouts.ts'
import { readRisk, startRisk, writeRisk } from './risk/risk-snapshot.ts'
import { SnapshotError, SnapshotReader, SnapshotWriter } from './snapshot-bytes.ts'
import { ORDER_BYTES, readOrders, writeSide, writeWaiting, writeWaitingRecords } from './snapshot-orders.ts'
import { ENGINE_VERSION, ShardState } from './state.ts'

const { LIMIT_SHIFT } = LIMIT_LAYOUT
const { POSITION_SHIFT, POSITION_ACCOUNT, POSITION_INSTRUMENT, POSITION_QUANTITY, COST, REALISED } = POSITION_LAYOUT

const MAGIC = 0x31535457
/** Format 1 had neither orders that wait nor the numbers behind each order, nor what risk rules remember. */
const FORMAT = 2
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
    ledger.restore(slot, from.wide(), from.wide())
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
    const to = out.record(DEDUPLICATION_BYTES)
    const { view } = out
    for (let i = 0; i < 5; i++) view.setInt32(to + 4 * i, data[at + i], true)
    view.setInt32(to + 20, data[at + 6], true)
    view.setInt32(to + 24, data[at + 7], true)
    view.setFloat64(to + 28, time, true)
  })
}

function readDeduplication(state: ShardState, from: SnapshotReader): void {
  const { deduplication } = state
  deduplication.forgottenAt = from.wide()
  const count = from.count(DEDUPLICATION_BYTES)
  deduplication.reserve(count)
  const words = new Int32Array(4)
  for (let left = count; left > 0; left--) {
    const at = from.record(DEDUPLICATION_BYTES)
    const { view } = from
    for (let i = 0; i < 4; i++) words[i] = view.getInt32(at + 4 + 4 * i, true)
    const account = view.getInt32(at, true)
    deduplication.restore(
      account,
      words,
      view.getInt32(at + 20, true),
      view.getInt32(at + 24, true),
      view.getFloat64(at + 28, true),
    )
  }
}
