// Off the hot path, for the shards that are led here: tails the journal with a replica of its own, hands every batch with its events to the
// history, takes snapshots, and prunes the journal behind them. Promises that the history has every batch before a snapshot is taken of it,
// so that what is pruned is in both; a crash anywhere repeats nothing and misses nothing.

import type { Markets, Seq, Shard, ShardIndex } from '@wintrades/domain'
import { readBatchHeader } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import type { Journal, SnapshotStore } from './ports.ts'
import { Replica } from './replica.ts'

/** Where the history goes. `progress` is the last batch of a shard that is there for good. */
export interface HistorySink {
  progress(shard: ShardIndex): Seq
  write(batch: Uint8Array, events: Float64Array): void
  /** What was written is there for good when it returns. */
  flush(): void
}

export type ArchiverOptions = {
  readonly markets: Markets
  /** By shard; the archiver's own connections. */
  readonly journals: readonly Journal[]
  readonly snapshots: SnapshotStore
  readonly history: HistorySink
  readonly logger: Logger
  readonly isLeading: (shard: ShardIndex) => boolean
  /** A snapshot is taken after this many commands, … */
  readonly snapshotCommands?: number
  /** … or when there were any and the last one is this old. */
  readonly snapshot_ms?: number
}

const READ_BYTES = 512 * 1024
const SNAPSHOT_COMMANDS = 250_000
const SNAPSHOT_MS = 60_000
/** A damaged one leaves older ones, and the journal reaches back to the oldest kept. */
const SNAPSHOTS_KEPT = 3

export class Archiver {
  readonly #options: ArchiverOptions
  readonly #archives = new Map<ShardIndex, Archive>()
  readonly #failed = new Set<ShardIndex>()

  constructor(options: ArchiverOptions) {
    this.#options = options
  }

  /** Does a little of what is to be done for each shard; true: there is more at once. */
  async turn(): Promise<boolean> {
    let more = false
    for (const shard of this.#options.markets.shards) {
      if (this.#failed.has(shard.index)) continue
      if (!this.#options.isLeading(shard.index)) {
        this.#archives.delete(shard.index)
        continue
      }
      try {
        more = (await this.#archive(shard)) || more
      } catch (error) {
        // Stop, do not guess: trading goes on, the journal keeps everything, and the log says why.
        this.#failed.add(shard.index)
        this.#archives.delete(shard.index)
        this.#options.logger.error('the history of a shard is not written any more', { shard: shard.name, error })
      }
    }
    return more
  }

  async #archive(shard: Shard): Promise<boolean> {
    let archive = this.#archives.get(shard.index)
    if (archive === undefined) {
      const journal = this.#options.journals[shard.index]
      if (journal === undefined) throw new RangeError(`shard ${shard.name} has no journal`)
      archive = new Archive(shard, journal, this.#options)
      await archive.open()
      this.#archives.set(shard.index, archive)
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
  #snapshotSeq = 0
  #snapshotAt_ms = performance.now()
  #commands = 0

  constructor(shard: Shard, journal: Journal, options: ArchiverOptions) {
    this.#shard = shard
    this.#journal = journal
    this.#options = options
    this.#replica = new Replica(shard)
  }

  /** Begins at the newest snapshot that the history has reached; with no history yet, at the newest there is. */
  async open(): Promise<void> {
    const { snapshots, history, logger } = this.#options
    this.#written = history.progress(this.#shard.index)
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

  async turn(): Promise<boolean> {
    const rows = await this.#journal.read((this.#replica.seq + 1) as Seq, READ_BYTES)
    for (const { bytes } of rows) {
      const events = this.#replica.apply(bytes)
      this.#commands += readBatchHeader(bytes).commandCount
      if (this.#replica.seq > this.#written) this.#options.history.write(bytes, events)
    }
    if (rows.length === 0) this.#options.history.flush()
    await this.#snapshotIfDue()
    return rows.length > 0
  }

  async #snapshotIfDue(): Promise<void> {
    const { snapshots, history, logger } = this.#options
    const isOld = performance.now() - this.#snapshotAt_ms >= (this.#options.snapshot_ms ?? SNAPSHOT_MS)
    const isDue =
      this.#commands >= (this.#options.snapshotCommands ?? SNAPSHOT_COMMANDS) || (isOld && this.#commands > 0)
    if (!isDue || this.#replica.seq === this.#snapshotSeq) return
    const began_ms = performance.now()
    history.flush()
    const snapshot = this.#replica.snapshot()
    await snapshots.write(this.#shard.index, snapshot)
    await snapshots.prune(this.#shard.index, SNAPSHOTS_KEPT)
    const oldest = (await snapshots.list(this.#shard.index)).at(-1)
    if (oldest !== undefined) await this.#journal.prune(oldest)
    this.#snapshotSeq = snapshot.seq
    this.#snapshotAt_ms = performance.now()
    this.#commands = 0
    const { seq } = snapshot
    const took_ms = performance.now() - began_ms
    logger.info('snapshot', { shard: this.#shard.name, seq, bytes: snapshot.engine.length, took_ms })
  }
}
