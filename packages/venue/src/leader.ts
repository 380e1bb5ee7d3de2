// The sequencer of one shard for one epoch: copies what has arrived into a batch, appends it, and only then lets it take effect. Where the
// journal takes several appends at once, batches are sealed ahead of what is durable, each on top of the one before; they take effect, and are
// acknowledged, strictly in order. Batches form by themselves: what arrives while there is no room is the next one.

import {
  assert,
  batchBytes,
  type CommandNumber,
  type Epoch,
  HEADER,
  hashOf,
  LIMITS,
  readBatchHeader,
  type Seq,
  type Timestamp,
} from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import { AppendPace } from './append-pace.ts'
import { sealBatch } from './chain.ts'
import { Inbox } from './inbox.ts'
import type { AppendResult, Clock, Journal } from './ports.ts'
import type { Replica } from './replica.ts'

export type LeaderListener = {
  /** The batch is durable; the replica has not applied it yet. */
  committed(batch: Uint8Array): void
  /** The epoch is over: nothing of this leader will ever be appended again. */
  fenced(): void
  /** The journal holds what cannot be there. */
  broken(reason: string): void
}

export type LeaderFigures = {
  batches: number
  commands: number
  appendSeconds: number
  heldUp: number
  retries: number
}

/** The longest that is waited in one go: a timer of Node knows no more than 24 days, and would go off at once. */
const TIMER_MS_MAX = 3_600_000
const RETRY_MS_FIRST = 20
const RETRY_MS_MAX = 500
/** More than all gateways together may have in flight. */
const WAITING_MAX = 262_144
const OWN_WAITING_MAX = LIMITS.batch_commands_max

type Flight = { readonly batch: Uint8Array; isCommitted: boolean }

/** What the next batch follows. */
type Tip = {
  readonly seq: Seq
  readonly hash: Uint8Array
  readonly timestamp: Timestamp
  readonly nextCommand: CommandNumber
}

export class Leader {
  readonly epoch: Epoch
  readonly #journal: Journal
  readonly #replica: Replica
  readonly #clock: Clock
  readonly #listener: LeaderListener
  readonly #logger: Logger
  readonly #figures: LeaderFigures
  readonly #inbox = new Inbox()
  /** Sealed and not yet taken effect, oldest first. */
  readonly #window: Flight[] = []
  /** The last batch sealed. */
  #tip: Tip | null = null
  #hashedSeq = 0
  #scheduled = false
  #stopped = false
  #ended = false
  #begun: ((began: boolean) => void) | null = null
  #idle: (() => void)[] = []
  /** Time has to pass in the journal although nobody has sent anything. */
  #timeDue = false
  #cancelTimer: (() => void) | null = null
  #timerAt = 0
  readonly #pace: AppendPace
  #sealedAt_us = 0

  constructor(options: {
    readonly epoch: Epoch
    readonly journal: Journal
    readonly replica: Replica
    readonly clock: Clock
    readonly listener: LeaderListener
    readonly logger: Logger
    readonly figures: LeaderFigures
  }) {
    this.epoch = options.epoch
    this.#journal = options.journal
    this.#replica = options.replica
    this.#clock = options.clock
    this.#listener = options.listener
    this.#logger = options.logger
    this.#figures = options.figures
    this.#pace = new AppendPace(options.journal.appendsInFlight_max)
    assert(this.#journal.appendsInFlight_max < LIMITS.state_hash_interval_batches, 'a state hash would be skipped')
  }

  /** Commands that wait for a batch. */
  get waiting(): number {
    return this.#inbox.count
  }

  /** Appends the first batch of the epoch, alone, which shows every replica that it has begun; true: this leader leads. */
  async begin(definitions: Uint8Array, count: number): Promise<boolean> {
    if (this.#ended) return false
    this.#inbox.add(definitions, count)
    const begun = new Promise<boolean>((resolve) => {
      this.#begun = resolve
    })
    this.#seal()
    return await begun
  }

  /**
   * Takes well-formed records of one origin. While the journal does not answer, senders give up after a time and send more: past a bound
   * nothing more is taken, and whoever sent it is told `unknown`. The venue's own commands are repeated until they have taken effect,
   * so they stop waiting in line much earlier.
   */
  offer(records: Uint8Array, count: number): void {
    if (this.#ended || this.#inbox.count >= (isOwn(records) ? OWN_WAITING_MAX : WAITING_MAX)) return
    this.#inbox.add(records, count)
    this.#wake()
  }

  /** No new batch from now on; resolves when none is under way. What waits is for the next leader: its senders have it. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTimer?.()
    if (this.#window.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#ended = true
  }

  /** The epoch is over: what is under way is given up. */
  end(): void {
    this.#stopped = true
    this.#ended = true
    this.#cancelTimer?.()
    this.#window.length = 0
    this.#tellIdle()
    this.#begun?.(false)
    this.#begun = null
  }

  /** Seals the next batch as soon as there is something for it, and room, and its time has come. */
  #wake(): void {
    const hasWork = this.#inbox.count > 0 || this.#timeDue
    if (!hasWork || this.#scheduled || this.#stopped || this.#begun !== null || !this.#hasRoom()) return
    this.#scheduled = true
    const seal = () => {
      this.#scheduled = false
      if (this.#stopped) return
      this.#seal()
      this.#wake()
    }
    const wait_ms = this.#pause_ms()
    // A new turn each time: what has arrived meanwhile goes into this batch.
    if (wait_ms > 0) this.#clock.after(wait_ms, seal)
    else this.#clock.soon(seal)
  }

  #hasRoom(): boolean {
    return this.#window.length < this.#journal.appendsInFlight_max
  }

  /**
   * Sealed one at a turn, batches would fill the window with tiny ones, and what comes after them would wait a whole append for room. With a full batch
   * waiting there is no pause; nor with nothing under way, unless appends hold each other up.
   */
  #pause_ms(): number {
    if ((this.#window.length === 0 && this.#pace.target >= 1) || this.#inbox.count >= LIMITS.batch_commands_max)
      return 0
    return this.#pace.interval_ms - (this.#clock.now_us() - this.#sealedAt_us) / 1_000
  }

  #seal(): void {
    const batch = this.#makeBatch()
    const flight: Flight = { batch, isCommitted: false }
    this.#timeDue = false
    this.#window.push(flight)
    this.#sealedAt_us = this.#clock.now_us()
    const began_us = this.#sealedAt_us
    const retries = this.#figures.retries
    void this.#append(flight).then((result) => {
      const now_us = this.#clock.now_us()
      const took_ms = (now_us - began_us) / 1_000
      this.#figures.appendSeconds += took_ms / 1_000
      if (this.#figures.retries !== retries) this.#pace.forget()
      else if (this.#pace.answered(took_ms, now_us)) this.#figures.heldUp++
      if (result !== null && !this.#ended) this.#answered(flight, result)
    })
  }

  #answered(flight: Flight, result: AppendResult): void {
    if (result !== 'committed') {
      this.end()
      if (result === 'fenced') this.#listener.fenced()
      else this.#listener.broken(`batch ${readBatchHeader(flight.batch).seq} does not follow what the journal holds`)
      return
    }
    flight.isCommitted = true
    // One that is there before its predecessors has to wait for them.
    while (this.#window[0]?.isCommitted === true) {
      const { batch } = this.#window.shift() as Flight
      this.#figures.batches++
      this.#figures.commands += readBatchHeader(batch).commandCount
      this.#listener.committed(batch)
      if (this.#ended) return
    }
    if (this.#window.length > 0 && this.#begun !== null) return
    this.#begun?.(true)
    this.#begun = null
    if (this.#window.length === 0) this.#tellIdle()
    if (this.#stopped) return
    this.#setTimer()
    this.#wake()
  }

  #tellIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Brings about what only the passing of time changes. A batch under way whose time is late enough does that already. */
  #setTimer(): void {
    const due = this.#replica.engine.nextTimer()
    const at = this.#window.length > 0 && due <= (this.#tip?.timestamp ?? 0) ? 0 : due
    if (at === this.#timerAt) return
    this.#timerAt = at
    this.#cancelTimer?.()
    this.#cancelTimer = null
    if (at !== 0) this.#waitFor(at)
  }

  #waitFor(at: number): void {
    const left_ms = Math.max(0, (at - this.#clock.now_us()) / 1_000)
    this.#cancelTimer = this.#clock.after(Math.min(left_ms, TIMER_MS_MAX), () => {
      if (left_ms > TIMER_MS_MAX) {
        this.#waitFor(at)
        return
      }
      this.#timerAt = 0
      if (this.#stopped) return
      this.#timeDue = true
      this.#wake()
    })
  }

  #makeBatch(): Uint8Array {
    const { bytes, bodyBytes, count } = this.#inbox.take()
    const replica = this.#replica
    const { engine, stateHash } = replica
    const tip: Tip = this.#tip ?? {
      seq: replica.seq,
      hash: replica.hash,
      timestamp: engine.timestamp,
      nextCommand: engine.nextCommand,
    }
    if (this.#window.length === 0) assert(tip.seq === replica.seq, `batch ${tip.seq} is sealed, ${replica.seq} applied`)
    // Of what is applied, which may be some batches ago; so many that the next hash is taken there are never under way.
    const isNew = stateHash !== null && stateHash.seq > this.#hashedSeq
    if (isNew) this.#hashedSeq = stateHash.seq
    const header = {
      shard: replica.shard,
      seq: (tip.seq + 1) as Seq,
      epoch: this.epoch,
      // Time does not run backwards, whatever a clock says.
      timestamp: Math.max(this.#clock.now_us(), tip.timestamp) as Timestamp,
      firstCommand: tip.nextCommand,
      commandCount: count,
      hashedSeq: isNew ? stateHash.seq : 0,
    }
    sealBatch(bytes, header, bodyBytes, isNew ? stateHash.hash : null, tip.hash)
    const batch = bytes.subarray(0, batchBytes(bodyBytes))
    this.#tip = {
      seq: header.seq,
      hash: hashOf(batch).slice(),
      timestamp: header.timestamp,
      nextCommand: (tip.nextCommand + count) as CommandNumber,
    }
    return batch
  }

  /** Repeats the same bytes until the journal has said what became of them; null: given up because the epoch is over. */
  async #append(flight: Flight): Promise<AppendResult | null> {
    const { batch } = flight
    let wait_ms = RETRY_MS_FIRST
    for (;;) {
      try {
        return await this.#journal.append(this.epoch, batch)
      } catch (error) {
        if (this.#ended) return null
        this.#figures.retries++
        const { shard, seq } = readBatchHeader(batch)
        // All that are under way break together: one of them says so.
        const level = this.#window[0] === flight ? 'warn' : 'debug'
        this.#logger[level]('an append has no outcome yet, trying again', { shard, seq, wait_ms, error })
      }
      const pause_ms = wait_ms
      await new Promise<void>((resolve) => void this.#clock.after(pause_ms, resolve))
      wait_ms = Math.min(wait_ms * 2, RETRY_MS_MAX)
      if (this.#ended) return null
    }
  }
}

/** Records that the venue made itself, for which nobody waits. */
function isOwn(records: Uint8Array): boolean {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  return records.length >= HEADER.bytes && view.getUint32(HEADER.origin, true) === 0
}
