// The engine of a shard: (state, command, timestamp) → (state, events). Pure: no clock, no randomness, no input or output, no
// iteration over anything unordered; time is the batch's. Two engines that applied the same batches have the same state hash.
//
//   apply     a batch: time first (what expires), then each command in turn; `approach` has its memory ready before its turn
//   plain     an order that only rests, and its cancel, in one go; everything else:
//   command   read in place → de-duplicate → check (shape, market, risk) → hold funds → match → settle → rest or release
//   triggers  orders whose stop price was met enter the market, a bounded number of them; the rest with the commands that follow
//   events    what happened, then each level, position and balance that the command touched, once, as it now is

import {
  type AccountId,
  type AssetId,
  assert,
  BATCH,
  type BookView,
  type CommandNumber,
  CommandType,
  DoneReason,
  HEADER,
  type IndicativeAuction,
  type InstrumentDefinition,
  type InstrumentId,
  LIMITS,
  type OpenOrder,
  type OrderId,
  type Outcome,
  type Phase,
  readHeaderAt,
  type Seq,
  type ShardIndex,
  type Timestamp,
  type TransferInFlight,
  type TrialBalance,
} from '@wintrades/domain'
import { approach } from './approach.ts'
import { AHEAD_MAX } from './deduplication.ts'
import { define } from './definitions.ts'
import { moveFunds, transferIn, transferSettled } from './funds.ts'
import type { Instrument } from './instruments.ts'
import { checkInvariants } from './invariants.ts'
import { LEVEL_LAYOUT } from './layouts.ts'
import { cancel, cancelSession, massCancel, replace } from './order-changes.ts'
import { cancelOrder } from './order-ends.ts'
import { newOrder } from './order-entry.ts'
import { cancelPlain, restPlain } from './plain-orders.ts'
import { enterReleased } from './released.ts'
import { nextReopening } from './risk/reopenings.ts'
import { dayOf } from './risk/results.ts'
import { reopenNext } from './risk/volatility.ts'
import { restoreState, writeSnapshot } from './snapshot.ts'
import { ShardState } from './state.ts'
import { hashState } from './state-hash.ts'
import * as views from './views.ts'

const { LEVEL_SHIFT, COUNT } = LEVEL_LAYOUT

export class Engine {
  private readonly state: ShardState

  /** An engine with nothing in it: seq 0. */
  constructor(shard: ShardIndex, state = new ShardState(shard)) {
    this.state = state
  }

  /** The engine that {@link snapshot} wrote. Throws `SnapshotError` if the bytes are damaged or of an unknown version. */
  static restore(snapshot: Uint8Array): Engine {
    const state = restoreState(snapshot)
    return new Engine(state.shard, state)
  }

  /**
   * Applies the next batch: bytes that `checkBatch` has passed. Returns its events, valid until the next call.
   * Throws `InvariantViolation` if it is not the next batch; an engine that has thrown must not be used any more.
   */
  apply(batch: Uint8Array): Float64Array {
    const { state } = this
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
    const header = readHeaderAt(view)
    assert(header.shard === state.shard, `batch of shard ${header.shard}, this is ${state.shard}`)
    assert(header.seq === state.seq + 1, `batch ${header.seq} after ${state.seq}`)
    assert(header.firstCommand === state.nextCommand, `command ${header.firstCommand}, expected ${state.nextCommand}`)
    assert(header.timestamp >= state.timestamp, 'time does not run backwards')
    state.timestamp = header.timestamp
    state.day = dayOf(header.timestamp)
    state.events.clear()
    state.view = view
    passTime(state)
    let at: number = BATCH.commands
    for (let i = 0; i < header.commandCount; i++) {
      if (i % AHEAD_MAX === 0) approach(state, at, Math.min(AHEAD_MAX, header.commandCount - i))
      state.events.command = i
      state.at = at
      applyCommand(state)
      at += view.getUint16(at + HEADER.length, true)
    }
    state.seq = header.seq
    return state.events.view()
  }

  get shard(): ShardIndex {
    return this.state.shard
  }

  /** Last batch applied. */
  get seq(): Seq {
    return this.state.seq
  }

  /** Number of the next command. */
  get nextCommand(): CommandNumber {
    return this.state.nextCommand
  }

  /** Time of the last batch. */
  get timestamp(): Timestamp {
    return this.state.timestamp
  }

  /** Rules in force; `ActivateVersion` raises it. */
  get version(): number {
    return this.state.version
  }

  /** When the passing of time alone will change the state; 0: never. A batch at or after that time brings the change about. */
  nextTimer(): Timestamp | 0 {
    return nextTimer(this.state)
  }

  /** 16 bytes that two engines share exactly when they have the same state; independent of history and of layout. */
  stateHash(): Uint8Array {
    return hashState(this.state)
  }

  snapshot(): Uint8Array {
    return writeSnapshot(this.state)
  }

  account(account: AccountId): views.AccountView {
    return views.account(this.state, account)
  }

  order(order: OrderId): OpenOrder | null {
    return views.order(this.state, order)
  }

  /** What became of a client order id or transfer id, if it is still remembered. */
  outcome(account: AccountId, clientId: string): Outcome | null {
    return views.outcome(this.state, account, clientId)
  }

  /** The phase of its session; null: there is no such instrument. */
  phaseOf(instrument: InstrumentId): Phase | null {
    return this.state.instrument(instrument)?.phase ?? null
  }

  book(instrument: InstrumentId, levelsMax: number): BookView {
    return views.book(this.state, instrument, levelsMax)
  }

  /** What the instrument's call auction would do if it ended now. */
  indicativeAuction(instrument: InstrumentId): IndicativeAuction {
    return views.indicativeAuction(this.state, instrument)
  }

  trialBalance(): TrialBalance[] {
    return views.trialBalance(this.state)
  }

  transfersInFlight(): TransferInFlight[] {
    return this.state.transfers.inFlight.flat()
  }

  /** Number of the last transfer that came from a shard. */
  transfersReceived(from: ShardIndex): number {
    return this.state.transfers.received[from]
  }

  /** What has been defined, to compare with `markets.yml`. */
  definitions(): { assets: { asset: AssetId; scale: number }[]; instruments: InstrumentDefinition[] } {
    return views.definitions(this.state)
  }

  /** Gateway processes that have open orders with cancel-on-disconnect here, ascending. */
  origins(): number[] {
    return this.state.origins.list()
  }

  /** Ids of batches from this time on are all remembered; older ones are the history's to answer. */
  deduplicationFrom(): Timestamp {
    const { forgottenAt } = this.state.deduplication
    return (forgottenAt === 0 ? 0 : forgottenAt + 1) as Timestamp
  }

  /** Throws `InvariantViolation` unless everything agrees with everything. For tests and drills: it walks the whole state. */
  checkInvariants(): void {
    checkInvariants(this.state)
  }
}

function applyCommand(state: ShardState): void {
  const { view, at } = state
  state.commandType = view.getUint8(at + HEADER.type) as CommandType
  state.account = view.getUint32(at + HEADER.account, true)
  state.number = state.nextCommand
  state.nextCommand = (state.number + 1) as CommandNumber
  switch (state.commandType) {
    case CommandType.new_order:
      if (state.hasShortWay && restPlain(state)) return
      newOrder(state)
      break
    case CommandType.cancel_order:
      if (state.hasShortWay && cancelPlain(state)) return
      cancel(state)
      break
    case CommandType.replace_order:
      replace(state)
      break
    case CommandType.mass_cancel:
      massCancel(state)
      break
    case CommandType.cancel_session:
      cancelSession(state)
      break
    case CommandType.deposit:
    case CommandType.withdraw:
    case CommandType.transfer_out:
      moveFunds(state)
      break
    case CommandType.transfer_in:
      transferIn(state)
      break
    case CommandType.transfer_settled:
      transferSettled(state)
      break
    default:
      define(state)
  }
  endStep(state)
}

/** What the passing of time does, before the batch's commands: orders expire, and triggered ones that waited enter the market. */
function passTime(state: ShardState): void {
  const { expiries, releasing } = state
  state.events.command = -1
  const due = nextDue(state)
  if ((due === 0 || due > state.timestamp) && releasing.length === 0) return
  state.account = 0
  for (let at = due; at !== 0 && at <= state.timestamp; at = nextDue(state)) {
    if (expiries.firstTime === at) cancelOrder(state, expiries.first, DoneReason.expired)
    else reopenNext(state)
  }
  endStep(state)
}

/** After what the command itself did: what it triggered, and then what it touched. */
function endStep(state: ShardState): void {
  if (state.releasing.length !== 0) enterReleased(state, LIMITS.triggers_per_command_max)
  writeTouched(state)
}

function nextTimer(state: ShardState): Timestamp | 0 {
  for (const instrument of state.releasing) {
    if (instrument.triggers !== null && instrument.triggers.released.first !== 0) return state.timestamp
  }
  return nextDue(state) as Timestamp | 0
}

/** When the first order expires or the first volatility auction ends; 0: neither will. */
function nextDue(state: ShardState): number {
  const expiry = state.expiries.firstTime
  const reopening = nextReopening(state)
  return reopening === 0 || (expiry !== 0 && expiry <= reopening) ? expiry : reopening
}

/** Levels, positions and balances that the command touched, each once, as they now are. */
function writeTouched(state: ShardState): void {
  const { levels, events } = state
  for (let i = 0; i < levels.touchedCount; i++) {
    const level = levels.touched[i]
    const side = levels.sideOf(level)
    const instrument = state.instruments[side.instrument] as Instrument
    const price = levels.keyOf(level) ^ side.mirror
    const count = levels.level[(level << LEVEL_SHIFT) + COUNT]
    events.levelChanged(instrument.id, side.side, price, levels.quantity[level], count, ++instrument.bookVersion)
  }
  levels.endCommand()
  if (state.triggerLevels.touchedCount !== 0) state.triggerLevels.endCommand()
  state.positions.writeTouched(events)
  state.ledger.writeTouched(events)
}
