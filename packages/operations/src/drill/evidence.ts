// Collects what a drill leaves behind in the platform: the journals (followed while the drill runs, because the platform prunes
// what its snapshots cover), the snapshots, and what every replica says of its state.

import { setTimeout as pause } from 'node:timers/promises'
import type { Seq, Shard, ShardIndex } from '@wintrades/domain'
import { type Journal, SnapshotDamage, type SnapshotStore } from '@wintrades/venue'
import type { JournalEntry, ReplicaRecord, ShardRecord, SnapshotEntry } from './history.ts'
import type { Target } from './target.ts'

/** Snapshots are at least seconds apart and the journal reaches back behind several, so this is soon enough. */
const POLL_MS = 500
const BYTES_PER_READ = 4 * 1024 * 1024
/** Of one shard's journal: a drill keeps what it copied in memory. */
const JOURNAL_BYTES_MAX = 1024 ** 3

/** Copies one shard's journal as it grows, from its first batch if that is still there, else from the newest snapshot. */
export class JournalFollower {
  readonly #shard: Shard
  readonly #journal: Journal
  readonly #snapshots: SnapshotStore
  readonly #entries: JournalEntry[] = []
  #base: SnapshotEntry | null = null
  #seq = 0 as Seq
  #bytes = 0
  #closed = false

  private constructor(shard: Shard, journal: Journal, snapshots: SnapshotStore) {
    this.#shard = shard
    this.#journal = journal
    this.#snapshots = snapshots
  }

  /** Copies what the journal holds; throws when neither its first batch nor a snapshot before the rest is left. The journal is closed by `close`. */
  static async open(shard: Shard, journal: Journal, snapshots: SnapshotStore): Promise<JournalFollower> {
    const follower = new JournalFollower(shard, journal, snapshots)
    try {
      await follower.#begin()
    } catch (error) {
      follower.close()
      throw error
    }
    return follower
  }

  /** Copies new batches until `stop` aborts; a journal that cannot be reached now is asked again. */
  async follow(stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !this.#closed) {
      await this.#copy().catch((error: unknown) => {
        if (error instanceof RangeError) throw error
      })
      await pause(POLL_MS, undefined, { signal: stop }).catch(() => null)
    }
  }

  /** The shard's record up to what the latest replica has applied; the snapshots are those at hand now. */
  async finish(replicas: readonly ReplicaRecord[]): Promise<ShardRecord> {
    const shard = this.#shard.index
    const snapshots: SnapshotEntry[] = []
    for (const seq of await this.#snapshots.list(shard)) {
      const entry = seq >= (this.#base?.seq ?? 0) ? await this.#readSnapshot(seq) : null
      if (entry !== null) snapshots.push(entry)
    }
    // Whatever a snapshot or a replica covers is in the journal by now.
    await this.#copy()
    const latest = Math.max(0, ...replicas.filter((one) => one.shard === shard).map((one) => one.seq))
    if (this.#seq < latest) {
      throw new Error(`a replica of ${this.#shard.name} is at seq ${latest}, its journal ends at ${this.#seq}`)
    }
    return { shard, journal: this.#entries, base: this.#base, snapshots }
  }

  /** Whether there are batches that were not copied. */
  async hasGrown(): Promise<boolean> {
    return ((await this.#journal.extent())?.last ?? 0) > this.#seq
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#journal.close()
  }

  async #begin(): Promise<void> {
    const extent = await this.#journal.extent()
    if (extent === null || extent.first === 1) return await this.#copy()
    const { first } = extent
    for (const seq of await this.#snapshots.list(this.#shard.index)) {
      const snapshot = seq + 1 >= first ? await this.#readSnapshot(seq) : null
      if (snapshot === null || snapshot.bytes.length === 0) continue
      this.#base = snapshot
      this.#seq = seq
      return await this.#copy()
    }
    throw new Error(`the journal of ${this.#shard.name} begins at seq ${first} and no snapshot leads up to it`)
  }

  async #copy(): Promise<void> {
    for (;;) {
      const rows = await this.#journal.read((this.#seq + 1) as Seq, BYTES_PER_READ)
      for (const { seq, bytes } of rows) {
        this.#entries.push({ bytes, holder: null, committedAt_ms: null })
        this.#seq = seq
        this.#bytes += bytes.length
      }
      if (this.#bytes > JOURNAL_BYTES_MAX) {
        throw new RangeError(`the journal of ${this.#shard.name} grew by more than ${JOURNAL_BYTES_MAX} bytes`)
      }
      if (rows.length === 0) return
    }
  }

  /** null: it was pruned in the meantime. A damaged one has no bytes, which no check lets pass. */
  async #readSnapshot(seq: Seq): Promise<SnapshotEntry | null> {
    const name = `${this.#shard.name}/${seq}.snapshot`
    try {
      const { engine } = await this.#snapshots.read(this.#shard.index, seq)
      return { name, seq, bytes: engine }
    } catch (error) {
      if (!(await this.#snapshots.list(this.#shard.index)).includes(seq)) return null
      if (error instanceof SnapshotDamage) return { name: `${name} (${error.message})`, seq, bytes: new Uint8Array() }
      throw error
    }
  }
}

/** The state of every shard in every region, each at the seq at which that region computed it. */
export async function collectReplicas(target: Target): Promise<readonly ReplicaRecord[]> {
  const perRegion = target.regions().map(async (process) => {
    const shards = await target.health(process, true)
    return shards.map((one): ReplicaRecord => {
      if (one.stateHash === null)
        throw new Error(`${process.region} does not tell the state hash of shard ${one.shard}`)
      return {
        region: process.region,
        shard: one.shard as ShardIndex,
        seq: one.seq as Seq,
        stateHash: one.stateHash,
        trialBalance: null,
        inFlight: null,
        fault: one.fault,
      }
    })
  })
  return (await Promise.all(perRegion)).flat()
}
