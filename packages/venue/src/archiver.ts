// Off the hot path, for the shards that are led here: tails the journal with a replica of its own, hands every batch with its events to the
// history, takes snapshots, and prunes the journal behind them. Promises that the history has every batch, on disk, before a snapshot is taken of it,
// so that what is pruned is in both; a crash anywhere repeats nothing and misses nothing.

import type { Markets, Seq, Shard, ShardIndex } from '@wintrades/domain'
import { readBatchHeader } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import { JournalDamage } from './chain.ts'
import type { Journal, SnapshotStore } from './ports.ts'
import { Replica } from './replica.ts'

/**
 * Where the history goes, shard by shard. A call that fails has lost what was taken: begin again; unless the error has `isDamage`, which
 * says that history and journal do not fit together.
 */
export interface HistorySink {
  /** Forgets what was taken and is not committed; the last batch that is there for good, after which the next one is written. */
  begin(shard: ShardIndex): Promise<Seq>
  /** Takes the next batch; the events may be changed once the promise is made. Resolves when there is room for another. */
  write(batch: Uint8Array, events: Float64Array): Promise<void>
  /** What was taken can be read when it resolves. */
  flush(shard: ShardIndex): Promise<void>
  /** And nothing can take it back: what the journal is pruned of must be there. */
  sync(shard: ShardIndex): Promise<void>
}

export type ArchiverOptions = {
  readonly markets: Markets
  /** By shard; the archiver's own connections. */
  readonly journals: readonly Journal[]
  readonly snapshots: SnapshotStore
  readonly history: HistorySink
  readonly logger: Logger
  readonly isLeading: (shard: ShardIndex) => boolean
  /** How much of the journal is read for the next turn; more where the journal is far away. */
  readonly readBytes?: () => number
  /** A snapshot is taken after this many commands, … */
  readonly snapshotCommands?: number
  /** … or when there were any and the last one is this old. */
  readonly snapshot_ms?: number
  /** A replica that was held up has at least this long to read what it missed before the journal is pruned of it. */
  readonly journalKept_ms?: number
  /** Milliseconds, monotonic. */
  readonly now_ms?: () => number
}

/** A turn is short, so that whoever paces the archiver can let others have the processor in between. */
const READ_BYTES = 64 * 1024
const SNAPSHOT_COMMANDS = 250_000
const SNAPSHOT_MS = 60_000
const JOURNAL_KEPT_MS = 60_000
/** A damaged one leaves older ones, and the journal reaches back to the oldest kept. */
const SNAPSHOTS_KEPT = 3
const RETRY_MS = 1_000

export class Archiver {
  readonly #options: ArchiverOptions
  readonly #archives = new Map<ShardIndex, Archive>()
  readonly #failed = new Set<ShardIndex>()
  /** Shards whose journal, snapshots or history could not be reached, and when to try again. */
  readonly #retryAt_ms = new Map<ShardIndex, number>()
  readonly #now_ms: () => number

  constructor(options: ArchiverOptions) {
    this.#options = options
    this.#now_ms = options.now_ms ?? (() => performance.now())
  }

  /** Does a little of what is to be done for each shard; returns how many batches are left. */
  async turn(): Promise<number> {
    // One shard's history may be a round trip away while another's is not.
    const left = await Promise.all(this.#options.markets.shards.map((shard) => this.#turn(shard)))
    return left.reduce((sum, one) => sum + one, 0)
  }

  async #turn(shard: Shard): Promise<number> {
    if (this.#failed.has(shard.index) || this.#now_ms() < (this.#retryAt_ms.get(shard.index) ?? 0)) return 0
    if (!this.#options.isLeading(shard.index)) {
      this.#archives.delete(shard.index)
      return 0
    }
    try {
      return await this.#archive(shard)
    } catch (error) {
      this.#trouble(shard, error)
      return 0
    }
  }

  /** Either way trading goes on and the journal keeps everything. */
  #trouble(shard: Shard, error: unknown): void {
    const { logger } = this.#options
    const isBroken =
      error instanceof JournalDamage || isDamage(error) || (this.#archives.get(shard.index)?.fault ?? null) !== null
    // What was in hand is given up: the next archive begins at what the history has for good.
    this.#archives.delete(shard.index)
    if (isBroken) {
      // Stop, do not guess: the log says why.
      this.#failed.add(shard.index)
      logger.error('the history of a shard is not written any more', { shard: shard.name, error })
    } else {
      this.#retryAt_ms.set(shard.index, this.#now_ms() + RETRY_MS)
      logger.warn('the history of a shard has to wait, trying again', { shard: shard.name, error })
    }
  }

  async #archive(shard: Shard): Promise<number> {
    let archive = this.#archives.get(shard.index)
    if (archive === undefined) {
      const journal = this.#options.journals[shard.index]
      if (journal === undefined) throw new RangeError(`shard ${shard.name} has no journal`)
      archive = new Archive(shard, journal, this.#options, this.#now_ms)
      this.#archives.set(shard.index, archive)
      await archive.open()
    }
    return await archive.turn()
  }
}

class Archive {
  readonly #shard: Shard
  readonly #journal: Journal
  readonly #options: ArchiverOptions
  readonly #replica: Replica
  /** The history has everything up to here. */
  #written = 0
  readonly #now_ms: () => number
  #snapshotSeq = 0
  #snapshotAt_ms: number
  #commands = 0
  /** Own snapshots, oldest first, until the journal is pruned behind them. */
  #taken: { readonly seq: Seq; readonly at_ms: number }[] = []

  constructor(shard: Shard, journal: Journal, options: ArchiverOptions, now_ms: () => number) {
    this.#shard = shard
    this.#journal = journal
    this.#options = options
    this.#replica = new Replica(shard)
    this.#now_ms = now_ms
    this.#snapshotAt_ms = now_ms()
  }

  get fault(): string | null {
    return this.#replica.fault
  }

  /** Begins at the newest snapshot that the history has reached; with no history yet, at the newest there is. */
  async open(): Promise<void> {
    const { snapshots, history, logger } = this.#options
    this.#written = await history.begin(this.#shard.index)
    for (const seq of await snapshots.list(this.#shard.index)) {
      if (this.#written > 0 && seq > this.#written) continue
      try {
        this.#replica.restore(await snapshots.read(this.#shard.index, seq))
        break
      } catch (error) {
        logger.error('a snapshot cannot be used, trying an older one', { shard: this.#shard.name, seq, error })
      }
    }
    this.#snapshotSeq = this.#replica.seq
  }

  async turn(): Promise<number> {
    const rows = await this.#journal.read((this.#replica.seq + 1) as Seq, this.#options.readBytes?.() ?? READ_BYTES)
    for (const { bytes } of rows) {
      const events = this.#replica.apply(bytes)
      this.#commands += readBatchHeader(bytes).commandCount
      if (this.#replica.seq > this.#written) await this.#options.history.write(bytes, events)
    }
    const left = rows.length === 0 ? 0 : ((await this.#journal.extent())?.last ?? 0) - this.#replica.seq
    if (left === 0) await this.#options.history.flush(this.#shard.index)
    await this.#snapshotIfDue()
    return left
  }

  async #snapshotIfDue(): Promise<void> {
    const isOld = this.#now_ms() - this.#snapshotAt_ms >= (this.#options.snapshot_ms ?? SNAPSHOT_MS)
    const isDue =
      this.#commands >= (this.#options.snapshotCommands ?? SNAPSHOT_COMMANDS) || (isOld && this.#commands > 0)
    if (isDue && this.#replica.seq !== this.#snapshotSeq) await this.#takeSnapshot()
  }

  async #takeSnapshot(): Promise<void> {
    const { snapshots, history, logger } = this.#options
    const began_ms = this.#now_ms()
    await history.sync(this.#shard.index)
    const snapshot = this.#replica.snapshot()
    const { seq } = snapshot
    await snapshots.write(this.#shard.index, snapshot)
    await snapshots.prune(this.#shard.index, SNAPSHOTS_KEPT)
    this.#snapshotSeq = seq
    this.#snapshotAt_ms = this.#now_ms()
    this.#commands = 0
    this.#taken.push({ seq, at_ms: this.#snapshotAt_ms })
    await this.#prune()
    const took_ms = this.#now_ms() - began_ms
    logger.info('snapshot', { shard: this.#shard.name, seq, bytes: snapshot.engine.length, took_ms })
  }

  /** Behind the oldest snapshot that is kept, and not behind one that was only just taken. */
  async #prune(): Promise<void> {
    const before_ms = this.#now_ms() - (this.#options.journalKept_ms ?? JOURNAL_KEPT_MS)
    const settled = this.#taken.findLast((one) => one.at_ms <= before_ms)
    const oldest = (await this.#options.snapshots.list(this.#shard.index)).at(-1)
    if (settled === undefined || oldest === undefined) return
    await this.#journal.prune(Math.min(settled.seq, oldest) as Seq)
    this.#taken = this.#taken.filter((one) => one.seq >= settled.seq)
  }
}

function isDamage(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'isDamage' in error && error.isDamage === true
}
