// The sequencer of one shard for one epoch: copies what has arrived into a batch, appends it, and only then lets it take effect. While
// an append is under way the next batch fills by itself: no timer, no artificial delay. Acknowledges strictly in order.

import { batchBytes, type Epoch, HEADER, LIMITS, readBatchHeader, type Seq, type Timestamp } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
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

export type LeaderFigures = { batches: number; commands: number; appendSeconds: number; retries: number }

/** The longest that is waited in one go: a timer of Node knows no more than 24 days, and would go off at once. */
const TIMER_MS_MAX = 3_600_000
const RETRY_MS_FIRST = 20
const RETRY_MS_MAX = 500
/** More than all gateways together may have in flight. */
const WAITING_MAX = 262_144
const OWN_WAITING_MAX = LIMITS.batch_commands_max

export class Leader {
  readonly epoch: Epoch
  readonly #journal: Journal
  readonly #replica: Replica
  readonly #clock: Clock
  readonly #listener: LeaderListener
  readonly #logger: Logger
  readonly #figures: LeaderFigures
  readonly #inbox = new Inbox()
  #hashedSeq = 0
  #working = false
  #stopped = false
  #ended = false
  #idle: (() => void)[] = []
  #cancelTimer: (() => void) | null = null
  #timerAt = 0

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
  }

  /** Commands that wait for a batch. */
  get waiting(): number {
    return this.#inbox.count
  }

  /** Appends the first batch of the epoch, which shows every replica that it has begun; true: this leader leads. */
  async begin(definitions: Uint8Array, count: number): Promise<boolean> {
    this.#working = true
    this.#inbox.add(definitions, count)
    const committed = await this.#appendOne()
    this.#rest()
    return committed
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
    if (this.#working) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#ended = true
  }

  /** The epoch is over: what is under way is given up. */
  end(): void {
    this.#stopped = true
    this.#ended = true
    this.#cancelTimer?.()
  }

  #wake(): void {
    if (this.#working || this.#stopped || this.#inbox.count === 0) return
    this.#working = true
    this.#clock.soon(() => void this.#work())
  }

  async #work(): Promise<void> {
    if (!this.#stopped) await this.#appendOne()
    this.#rest()
  }

  #rest(): void {
    this.#working = false
    for (const resolve of this.#idle.splice(0)) resolve()
    // A new turn each time: what has arrived meanwhile goes into the next batch.
    this.#wake()
    if (!this.#stopped) this.#setTimer()
  }

  /** Brings about what only the passing of time changes. */
  #setTimer(): void {
    const at = this.#replica.engine.nextTimer()
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
      if (this.#working || this.#stopped) return
      this.#working = true
      void this.#work()
    })
  }

  async #appendOne(): Promise<boolean> {
    const batch = this.#seal()
    const began_us = this.#clock.now_us()
    const result = await this.#append(batch)
    this.#figures.appendSeconds += (this.#clock.now_us() - began_us) / 1e6
    if (this.#ended || result === null) return false
    if (result === 'committed') {
      this.#figures.batches++
      this.#figures.commands += readBatchHeader(batch).commandCount
      this.#listener.committed(batch)
      return true
    }
    this.end()
    if (result === 'fenced') this.#listener.fenced()
    else this.#listener.broken(`batch ${readBatchHeader(batch).seq} does not follow what the journal holds`)
    return false
  }

  #seal(): Uint8Array {
    const { bytes, bodyBytes, count } = this.#inbox.take()
    const replica = this.#replica
    const { engine, stateHash } = replica
    const isNew = stateHash !== null && stateHash.seq > this.#hashedSeq
    if (isNew) this.#hashedSeq = stateHash.seq
    const header = {
      shard: replica.shard,
      seq: (replica.seq + 1) as Seq,
      epoch: this.epoch,
      // Time does not run backwards, whatever a clock says.
      timestamp: Math.max(this.#clock.now_us(), engine.timestamp) as Timestamp,
      firstCommand: engine.nextCommand,
      commandCount: count,
      hashedSeq: isNew ? stateHash.seq : 0,
    }
    sealBatch(bytes, header, bodyBytes, isNew ? stateHash.hash : null, replica.hash)
    return bytes.subarray(0, batchBytes(bodyBytes))
  }

  /** Repeats the same bytes until the journal has said what became of them; null: given up because the epoch is over. */
  async #append(batch: Uint8Array): Promise<AppendResult | null> {
    let wait_ms = RETRY_MS_FIRST
    for (;;) {
      try {
        return await this.#journal.append(this.epoch, batch)
      } catch (error) {
        if (this.#ended) return null
        this.#figures.retries++
        const { shard, seq } = readBatchHeader(batch)
        this.#logger.warn('an append has no outcome yet, trying again', { shard, seq, wait_ms, error })
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
