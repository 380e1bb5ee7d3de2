// Runs a shard's journal through the engine again, from empty or from a snapshot, and notes what became of every command of the
// accounts that are watched. What it finds is the truth that clients' answers, replicas and snapshots are held against.

import {
  type AccountId,
  BATCH,
  COMMAND_DUPLICATE,
  COMMAND_REJECTED,
  type Command,
  CommandType,
  decodeCommand,
  EVENT,
  EventType,
  FUNDS_MOVED,
  forEachEvent,
  HEADER,
  InvariantViolation,
  ORDER_ACCEPTED,
  ORDER_DONE,
  type OrderId,
  type RejectCode,
  type Seq,
  type ShardIndex,
  stateHashOf,
  TRADE,
  type TransferInFlight,
  type TrialBalance,
} from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import type { ShardRecord, SnapshotEntry } from './history.ts'
import type { SoundBatch } from './journal-walk.ts'

/** One place where the journal holds a command of a watched account. */
export type Appearance = {
  readonly seq: Seq
  readonly commandIndex: number
  readonly command: Command
  readonly committedAt_ms: number | null
  effect: 'executed' | 'rejected' | 'duplicate' | 'none'
  order: OrderId | 0
  code: RejectCode | 0
  /** Filled quantity right after the command, and at the end of its batch. */
  cumQtyAfter: number
  cumQtyAtBatchEnd: number
}

export type ReplayedOrder = { readonly account: AccountId; cumQty: number; open: boolean }

/** Σ of what the events say entered and left, per asset: counted apart from the engine's own totals. */
export type Movements = { deposited: number; withdrawn: number; transferredIn: number; transferredOut: number }

export type ShardReplay = {
  readonly shard: ShardIndex
  /** Where the replay ended. */
  readonly seq: Seq
  /** Why it ended early; null: it reached the end of the sound journal. */
  readonly fault: string | null
  /** Hex, by seq: at every seq that was asked for, and at the end. */
  readonly stateHashes: ReadonlyMap<number, string>
  /** Hashes that leaders wrote into the journal and that the replay does not reach. */
  readonly hashFaults: readonly string[]
  /** By `account/clientId`, in the journal's order. */
  readonly appearances: ReadonlyMap<string, readonly Appearance[]>
  /** Cancels of watched accounts that took effect, by order id. */
  readonly cancels: ReadonlyMap<number, readonly Appearance[]>
  readonly orders: ReadonlyMap<number, ReplayedOrder>
  readonly movements: ReadonlyMap<number, Movements>
  readonly baseTrialBalance: readonly TrialBalance[]
  readonly trialBalance: readonly TrialBalance[]
  readonly inFlight: readonly TransferInFlight[]
  /** By sending shard: the last transfer number taken. */
  readonly transfersReceived: ReadonlyMap<number, number>
  readonly tradeCount: number
  readonly commandCount: number
}

export type ReplayOptions = {
  readonly watched: ReadonlySet<number>
  readonly hashAt: ReadonlySet<number>
  readonly shards: readonly ShardIndex[]
}

export const keyOf = (account: AccountId, clientId: string): string => `${account}/${clientId}`

export function replayShard(record: ShardRecord, batches: readonly SoundBatch[], options: ReplayOptions): ShardReplay {
  const replay = new Replay(record, options)
  for (const batch of batches) if (!replay.take(batch)) break
  return replay.finish(options.shards)
}

/** A snapshot that the engine makes when it has replayed all but the last `tail` batches. */
export function snapshotBefore(record: ShardRecord, batches: readonly SoundBatch[], tail: number): SnapshotEntry {
  const engine = record.base === null ? new Engine(record.shard) : Engine.restore(record.base.bytes)
  for (const batch of batches.slice(0, Math.max(0, batches.length - tail))) engine.apply(batch.bytes)
  return { name: `one made by the replay at seq ${engine.seq}`, seq: engine.seq, bytes: engine.snapshot() }
}

/** State hash after `snapshot` and the tail of `batches` behind it, up to the last; throws when the snapshot is damaged. */
export function hashFromSnapshot(snapshot: Uint8Array, batches: readonly SoundBatch[]): string {
  const engine = Engine.restore(snapshot)
  for (const batch of batches) if (batch.header.seq > engine.seq) engine.apply(batch.bytes)
  return hex(engine.stateHash())
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

class Replay {
  readonly #engine: Engine
  readonly #options: ReplayOptions
  readonly #shard: ShardIndex
  readonly #hashes = new Map<number, string>()
  readonly #hashFaults: string[] = []
  readonly #appearances = new Map<string, Appearance[]>()
  readonly #cancels = new Map<number, Appearance[]>()
  readonly #orders = new Map<number, ReplayedOrder>()
  readonly #movements = new Map<number, Movements>()
  readonly #baseTrialBalance: readonly TrialBalance[]
  #fault: string | null = null
  #tradeCount = 0
  #commandCount = 0

  constructor(record: ShardRecord, options: ReplayOptions) {
    this.#shard = record.shard
    this.#options = options
    this.#engine = record.base === null ? new Engine(record.shard) : Engine.restore(record.base.bytes)
    this.#baseTrialBalance = this.#engine.trialBalance()
    this.#noteHash()
  }

  /** false: the engine refused the batch, and nothing after it can be replayed. */
  take(batch: SoundBatch): boolean {
    const watched = this.#watchedCommands(batch)
    try {
      this.#noteEvents(this.#engine.apply(batch.bytes), watched)
    } catch (error) {
      if (!(error instanceof InvariantViolation)) throw error
      this.#fault = `shard ${this.#shard} seq ${batch.header.seq}: ${error.message}`
      return false
    }
    for (const one of watched.values()) this.#noteAppearance(one)
    this.#commandCount += batch.header.commandCount
    this.#noteHash()
    this.#compareLeaderHash(batch)
    return true
  }

  finish(shards: readonly ShardIndex[]): ShardReplay {
    const engine = this.#engine
    try {
      engine.checkInvariants()
    } catch (error) {
      if (!(error instanceof InvariantViolation)) throw error
      this.#fault ??= `shard ${this.#shard} at seq ${engine.seq}: ${error.message}`
    }
    this.#hashes.set(engine.seq, hex(engine.stateHash()))
    return {
      shard: this.#shard,
      seq: engine.seq,
      fault: this.#fault,
      stateHashes: this.#hashes,
      hashFaults: this.#hashFaults,
      appearances: this.#appearances,
      cancels: this.#cancels,
      orders: this.#orders,
      movements: this.#movements,
      baseTrialBalance: this.#baseTrialBalance,
      trialBalance: engine.trialBalance(),
      inFlight: engine.transfersInFlight(),
      transfersReceived: new Map(
        shards.filter((from) => from !== this.#shard).map((from) => [from, engine.transfersReceived(from)]),
      ),
      tradeCount: this.#tradeCount,
      commandCount: this.#commandCount,
    }
  }

  #noteHash(): void {
    const seq = this.#engine.seq
    if (this.#options.hashAt.has(seq)) this.#hashes.set(seq, hex(this.#engine.stateHash()))
  }

  #compareLeaderHash(batch: SoundBatch): void {
    const claimed = stateHashOf(batch.bytes)
    if (claimed === null) return
    const ours = this.#hashes.get(batch.header.hashedSeq)
    if (ours !== undefined && ours !== hex(claimed)) {
      this.#hashFaults.push(
        `shard ${this.#shard}: the journal's state hash after seq ${batch.header.hashedSeq} is ${hex(claimed)}, replay gives ${ours}`,
      )
    }
  }

  #watchedCommands(batch: SoundBatch): Map<number, Appearance> {
    const found = new Map<number, Appearance>()
    const view = new DataView(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength)
    let offset: number = BATCH.commands
    for (let i = 0; i < batch.header.commandCount; i++) {
      if (this.#options.watched.has(view.getUint32(offset + HEADER.account, true))) {
        found.set(i, {
          seq: batch.header.seq,
          commandIndex: i,
          command: decodeCommand(view, offset),
          committedAt_ms: batch.committedAt_ms,
          effect: 'none',
          order: 0,
          code: 0,
          cumQtyAfter: 0,
          cumQtyAtBatchEnd: 0,
        })
      }
      offset += view.getUint16(offset + HEADER.length, true)
    }
    return found
  }

  #noteEvents(events: Float64Array, watched: ReadonlyMap<number, Appearance>): void {
    forEachEvent(events, (type, at) => {
      const one = watched.get(events[at + EVENT.command] as number)
      switch (type) {
        case EventType.order_accepted:
          this.#noteAccepted(events, at, one)
          break
        case EventType.trade:
          this.#noteTrade(events, at, one)
          break
        case EventType.order_done: {
          const order = this.#orders.get(events[at + ORDER_DONE.order] as number)
          if (order !== undefined) order.open = false
          break
        }
        case EventType.funds_moved:
          this.#noteFunds(events, at)
          if (one !== undefined) one.effect = 'executed'
          break
        case EventType.command_rejected:
          if (one === undefined) break
          one.effect = 'rejected'
          one.code = events[at + COMMAND_REJECTED.code] as RejectCode
          one.order = events[at + COMMAND_REJECTED.order] as OrderId
          break
        case EventType.command_duplicate:
          if (one === undefined) break
          one.effect = 'duplicate'
          one.order = events[at + COMMAND_DUPLICATE.order] as OrderId
          one.code = events[at + COMMAND_DUPLICATE.code] as RejectCode
          break
        case EventType.command_done:
        case EventType.definition_changed:
          if (one !== undefined) one.effect = 'executed'
          break
      }
    })
    for (const one of watched.values()) {
      if (one.order !== 0) one.cumQtyAtBatchEnd = this.#orders.get(one.order)?.cumQty ?? 0
    }
  }

  #noteAccepted(events: Float64Array, at: number, one: Appearance | undefined): void {
    if (one === undefined) return
    const order = events[at + ORDER_ACCEPTED.order] as OrderId
    one.effect = 'executed'
    one.order = order
    this.#orders.set(order, { account: events[at + EVENT.account] as AccountId, cumQty: 0, open: true })
  }

  #noteTrade(events: Float64Array, at: number, one: Appearance | undefined): void {
    this.#tradeCount++
    const taker = this.#orders.get(events[at + TRADE.takerOrder] as number)
    if (taker !== undefined) taker.cumQty = events[at + TRADE.takerCumQty] as number
    const maker = this.#orders.get(events[at + TRADE.makerOrder] as number)
    if (maker !== undefined) maker.cumQty = events[at + TRADE.makerCumQty] as number
    if (one !== undefined && one.order === events[at + TRADE.takerOrder]) {
      one.cumQtyAfter = events[at + TRADE.takerCumQty] as number
    }
  }

  #noteFunds(events: Float64Array, at: number): void {
    const asset = events[at + EVENT.subject] as number
    const amount = events[at + FUNDS_MOVED.amount] as number
    let sums = this.#movements.get(asset)
    if (sums === undefined) {
      sums = { deposited: 0, withdrawn: 0, transferredIn: 0, transferredOut: 0 }
      this.#movements.set(asset, sums)
    }
    switch (events[at + FUNDS_MOVED.kind]) {
      case CommandType.deposit:
        sums.deposited += amount
        break
      case CommandType.withdraw:
        sums.withdrawn += amount
        break
      case CommandType.transfer_in:
        sums.transferredIn += amount
        break
      case CommandType.transfer_out:
        sums.transferredOut += amount
        break
    }
  }

  #noteAppearance(one: Appearance): void {
    const { command } = one
    switch (command.type) {
      case CommandType.new_order:
        append(this.#appearances, keyOf(command.account, command.clientOrderId), one)
        break
      case CommandType.deposit:
      case CommandType.withdraw:
      case CommandType.transfer_out:
        append(this.#appearances, keyOf(command.account, command.transferId), one)
        break
      case CommandType.cancel_order:
        append(this.#cancels, command.order, one)
        break
    }
  }
}

function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
