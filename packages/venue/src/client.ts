// The gateway's side of the venue: gives each command its correlation, encodes it once, sends what one turn of the event loop brought as
// one buffer per shard, and calls every handler exactly once: with the outcome, or with "unknown" when the deadline has passed. Nothing is
// allocated per command but what its caller made.

import {
  type AccountId,
  assert,
  CodecError,
  type Command,
  checkCommand,
  commandBytes,
  encodeCommand,
  HEADER,
  type InstrumentId,
  LIMITS,
  type OrderId,
  type RegionName,
  type Seq,
  type ShardIndex,
} from '@wintrades/domain'
import type {
  AccountState,
  At,
  CommandHandler,
  CommittedBatch,
  Submission,
  SubmitResult,
  Venue,
  VenueStatus,
} from './api.ts'
import type { Question } from './core.ts'
import { OUTCOME } from './outcomes.ts'

/** The way to the core: in this thread, or in another. */
export type CoreChannel = {
  /** Gives the records away. */
  submit(shard: ShardIndex, records: Uint8Array, first: number, count: number): void
  forgetThrough(shard: ShardIndex, correlation: number): void
  ask(question: Question): Promise<At<unknown>>
  handOver(shard: ShardIndex, to: RegionName): Promise<void>
  close(): Promise<void>
}

export type VenueClientOptions = {
  readonly channel: CoreChannel
  readonly status: VenueStatus
  /** Milliseconds, monotonic. */
  readonly now_ms: () => number
  /** Calls once, after what this turn brings. */
  readonly soon: (action: () => void) => void
  /** Calls again and again; returns what ends it. */
  readonly every: (interval_ms: number, action: () => void) => () => void
  /** How long an outcome is waited for. */
  readonly deadline_ms?: number
  /** Commands of one shard that may be without an outcome at once; a power of two. */
  readonly inFlightMax?: number
}

export const DEADLINE_MS = 5_000
/** A shard without a leader for longer than this takes no new commands. */
const UNAVAILABLE_AFTER_MS = 3_000
const EXPIRY_MS = 100
const IN_FLIGHT_MAX = 65_536
const WAITERS_MAX = 65_536
const FRAME_BYTES_FIRST = 16 * 1024
/** A frame travels over links whole, in batches' size. */
const FRAME_BYTES_MAX = LIMITS.batch_bytes_max - 4_096

type Waiter = { readonly seq: Seq; readonly resolve: (reached: boolean) => void; readonly deadline_ms: number }

class Lane {
  readonly handlers: (CommandHandler | null)[]
  readonly submittedAt_ms: Float64Array
  /** Of a correlation, the bits that say where its handler stands. */
  readonly slotMask: number
  /** Correlation of the oldest command without an outcome, and of the next one. */
  oldest = 1
  next = 1
  pending = 0
  buffer = new Uint8Array(FRAME_BYTES_FIRST)
  view = new DataView(this.buffer.buffer)
  length = 0
  first = 1
  count = 0
  seq = 0 as Seq
  leaderLostAt_ms: number | null = null
  waiters: Waiter[] = []

  constructor(inFlightMax: number) {
    this.handlers = new Array<CommandHandler | null>(inFlightMax).fill(null)
    this.submittedAt_ms = new Float64Array(inFlightMax)
    this.slotMask = inFlightMax - 1
  }
}

export class VenueClient implements Venue {
  readonly region: RegionName
  readonly origin: number
  readonly #channel: CoreChannel
  readonly #options: VenueClientOptions
  readonly #lanes: readonly Lane[]
  readonly #listeners = new Set<(batch: CommittedBatch) => void>()
  readonly #deadline_ms: number
  readonly #stopExpiry: () => void
  #status: VenueStatus
  #flushDue = false
  #closed = false

  constructor(options: VenueClientOptions) {
    this.#options = options
    this.#channel = options.channel
    this.#status = options.status
    this.region = options.status.region
    this.origin = options.status.origin
    this.#deadline_ms = options.deadline_ms ?? DEADLINE_MS
    const inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX
    assert((inFlightMax & (inFlightMax - 1)) === 0, `${inFlightMax} is not a power of two`)
    this.#lanes = options.status.shards.map(() => new Lane(inFlightMax))
    this.takeStatus(options.status)
    this.#stopExpiry = options.every(EXPIRY_MS, () => this.#expire())
  }

  submit(shard: ShardIndex, command: Submission, handler: CommandHandler): SubmitResult {
    const lane = this.#lane(shard)
    if (this.#closed) return 'unavailable'
    const now_ms = this.#options.now_ms()
    if (lane.leaderLostAt_ms !== null && now_ms - lane.leaderLostAt_ms > UNAVAILABLE_AFTER_MS) return 'unavailable'
    if (((lane.next - lane.oldest) | 0) > lane.slotMask) return 'overloaded'
    this.#encode(lane, shard, command)
    const slot = lane.next & lane.slotMask
    lane.handlers[slot] = handler
    lane.submittedAt_ms[slot] = now_ms
    lane.next = (lane.next + 1) >>> 0
    lane.pending++
    if (!this.#flushDue) {
      this.#flushDue = true
      this.#options.soon(() => this.#flush())
    }
    return 'submitted'
  }

  onBatch(listener: (batch: CommittedBatch) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  waitFor(shard: ShardIndex, seq: Seq, timeout_ms: number): Promise<boolean> {
    const lane = this.#lane(shard)
    if (lane.seq >= seq) return Promise.resolve(true)
    if (lane.waiters.length >= WAITERS_MAX || this.#closed) return Promise.resolve(false)
    const deadline_ms = this.#options.now_ms() + timeout_ms
    return new Promise((resolve) => lane.waiters.push({ seq, resolve, deadline_ms }))
  }

  account(shard: ShardIndex, account: AccountId): Promise<At<AccountState>> {
    return this.#ask({ kind: 'account', shard, account })
  }

  order(order: OrderId): ReturnType<Venue['order']> {
    return this.#ask({ kind: 'order', order })
  }

  outcome(shard: ShardIndex, account: AccountId, clientId: string): ReturnType<Venue['outcome']> {
    return this.#ask({ kind: 'outcome', shard, account, clientId })
  }

  book(instrument: InstrumentId, levelsMax: number): ReturnType<Venue['book']> {
    return this.#ask({ kind: 'book', instrument, levelsMax })
  }

  auction(instrument: InstrumentId): ReturnType<Venue['auction']> {
    return this.#ask({ kind: 'auction', instrument })
  }

  trialBalance(shard: ShardIndex): ReturnType<Venue['trialBalance']> {
    return this.#ask({ kind: 'trial_balance', shard })
  }

  stateHash(shard: ShardIndex): Promise<At<string>> {
    return this.#ask({ kind: 'state_hash', shard })
  }

  status(): VenueStatus {
    const shards = this.#status.shards.map((one) => {
      const lane = this.#lane(one.shard)
      return { ...one, seq: Math.max(one.seq, lane.seq) as Seq, pending: lane.pending }
    })
    return { ...this.#status, shards }
  }

  handOver(shard: ShardIndex, to: RegionName): Promise<void> {
    return this.#channel.handOver(shard, to)
  }

  async close(): Promise<void> {
    this.#flush()
    this.#closed = true
    await this.#channel.close()
    this.#stopExpiry()
    for (const [shard, lane] of this.#lanes.entries()) {
      this.#expireLane(shard as ShardIndex, lane, Number.POSITIVE_INFINITY)
      for (const waiter of lane.waiters.splice(0)) waiter.resolve(false)
    }
  }

  // What the core brings.

  /** Listeners first, so that whoever reads after an outcome sees its effects. */
  takeBatch(batch: CommittedBatch, outcomes: Float64Array): void {
    const lane = this.#lane(batch.shard)
    lane.seq = batch.seq
    for (const listener of this.#listeners) listener(batch)
    for (let at = 0; at < outcomes.length; at += OUTCOME.slots) {
      const correlation = outcomes[at + OUTCOME.correlation] as number
      if (((correlation - lane.oldest) | 0) < 0) continue
      const slot = correlation & lane.slotMask
      const handler = lane.handlers[slot]
      if (handler === null || handler === undefined) continue
      lane.handlers[slot] = null
      lane.pending--
      handler.committed(
        batch,
        outcomes[at + OUTCOME.command] as number,
        outcomes[at + OUTCOME.start] as number,
        outcomes[at + OUTCOME.end] as number,
      )
    }
    this.#advance(lane)
    if (lane.waiters.length > 0) this.#release(lane)
  }

  takeStatus(status: VenueStatus): void {
    this.#status = status
    for (const { shard, leader, seq } of status.shards) {
      const lane = this.#lane(shard)
      lane.seq = Math.max(lane.seq, seq) as Seq
      if (leader !== null) lane.leaderLostAt_ms = null
      else lane.leaderLostAt_ms ??= this.#options.now_ms()
      if (lane.waiters.length > 0) this.#release(lane)
    }
  }

  #lane(shard: ShardIndex): Lane {
    const lane = this.#lanes[shard]
    assert(lane !== undefined, `there is no shard ${shard}`)
    return lane
  }

  #encode(lane: Lane, shard: ShardIndex, command: Submission): void {
    // The codec reads an envelope; ours is written over it, so that no command is copied for its sake.
    const whole = command as Command
    const bytes = commandBytes(whole)
    if (lane.length + bytes > lane.buffer.length) this.#grow(lane, shard, bytes)
    const at = lane.length
    const { view } = lane
    encodeCommand(whole, view, at)
    view.setUint32(at + HEADER.origin, this.origin, true)
    view.setUint32(at + HEADER.correlation, lane.next, true)
    try {
      checkCommand(view, at, at + bytes)
    } catch (error) {
      if (error instanceof CodecError) throw new TypeError(`not a command: ${error.message}`)
      throw error
    }
    if (lane.count === 0) lane.first = lane.next
    lane.length += bytes
    lane.count++
  }

  #grow(lane: Lane, shard: ShardIndex, bytes: number): void {
    if (lane.length + bytes > FRAME_BYTES_MAX) {
      this.#flushLane(lane, shard)
      return
    }
    const larger = new Uint8Array(Math.min(FRAME_BYTES_MAX, Math.max(lane.buffer.length * 2, lane.length + bytes)))
    larger.set(lane.buffer.subarray(0, lane.length))
    lane.buffer = larger
    lane.view = new DataView(larger.buffer)
  }

  #flush(): void {
    this.#flushDue = false
    for (let shard = 0; shard < this.#lanes.length; shard++) {
      const lane = this.#lanes[shard] as Lane
      if (lane.count > 0) this.#flushLane(lane, shard as ShardIndex)
    }
  }

  #flushLane(lane: Lane, shard: ShardIndex): void {
    const { first, count } = lane
    const records = lane.buffer.slice(0, lane.length)
    lane.length = 0
    lane.count = 0
    this.#channel.submit(shard, records, first, count)
  }

  #advance(lane: Lane): void {
    while (lane.oldest !== lane.next && lane.handlers[lane.oldest & lane.slotMask] === null) {
      lane.oldest = (lane.oldest + 1) >>> 0
    }
  }

  #release(lane: Lane): void {
    const waiters = lane.waiters
    lane.waiters = []
    for (const waiter of waiters) {
      if (lane.seq >= waiter.seq) waiter.resolve(true)
      else lane.waiters.push(waiter)
    }
  }

  #expire(): void {
    const now_ms = this.#options.now_ms()
    for (const [shard, lane] of this.#lanes.entries()) {
      this.#expireLane(shard as ShardIndex, lane, now_ms - this.#deadline_ms)
      if (lane.waiters.length === 0) continue
      const late = lane.waiters.filter((waiter) => waiter.deadline_ms <= now_ms)
      lane.waiters = lane.waiters.filter((waiter) => waiter.deadline_ms > now_ms)
      for (const waiter of late) waiter.resolve(false)
    }
  }

  /** Commands submitted before `before_ms` are not waited for any more: they may or may not happen. */
  #expireLane(shard: ShardIndex, lane: Lane, before_ms: number): void {
    let expired = 0
    while (lane.oldest !== lane.next) {
      const slot = lane.oldest & lane.slotMask
      const handler = lane.handlers[slot]
      if (handler !== null && handler !== undefined) {
        if ((lane.submittedAt_ms[slot] as number) > before_ms) break
        lane.handlers[slot] = null
        lane.pending--
        expired++
        handler.unknown()
      }
      lane.oldest = (lane.oldest + 1) >>> 0
    }
    if (expired > 0 && !this.#closed) this.#channel.forgetThrough(shard, (lane.oldest - 1) >>> 0)
  }

  #ask<Value>(question: Question): Promise<At<Value>> {
    return this.#channel.ask(question) as Promise<At<Value>>
  }
}
