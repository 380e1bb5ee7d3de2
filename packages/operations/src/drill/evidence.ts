// Collects what a drill leaves behind in the platform: the journals (followed while the drill runs, because the platform prunes
// what its snapshots cover), the snapshots, and what every replica says of its state.

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import type { Markets, Seq, Shard, ShardIndex } from '@wintrades/domain'
import { openSqlite } from '@wintrades/platform'
import { journalPath, SnapshotDamage, SnapshotFiles } from '@wintrades/venue'
import type { JournalEntry, ReplicaRecord, ShardRecord, SnapshotEntry } from './history.ts'
import type { Target } from './target.ts'

/** Snapshots are at least seconds apart and the journal reaches back behind several, so this is soon enough. */
const POLL_MS = 500
const ROWS_PER_READ = 500
/** Of one shard's journal: a drill keeps what it copied in memory. */
const JOURNAL_BYTES_MAX = 1024 ** 3

/** Copies one shard's journal as it grows, from its first batch if that is still there, else from the newest snapshot. */
export class JournalFollower {
  readonly #shard: Shard
  readonly #database: DatabaseSync
  readonly #rows: StatementSync
  readonly #snapshots: SnapshotFiles
  readonly #entries: JournalEntry[] = []
  #base: SnapshotEntry | null = null
  #seq = 0
  #bytes = 0
  #closed = false

  private constructor(dataDirectory: string, shard: Shard, markets: Markets) {
    this.#shard = shard
    this.#snapshots = new SnapshotFiles(dataDirectory, markets)
    this.#database = openSqlite(journalPath(dataDirectory, shard), { readOnly: true })
    this.#rows = this.#database.prepare('SELECT seq, batch FROM journal WHERE seq > ? ORDER BY seq LIMIT ?')
  }

  /** Opens the journal and copies what it holds; throws when neither its first batch nor a snapshot before the rest is left. */
  static async open(dataDirectory: string, shard: Shard, markets: Markets): Promise<JournalFollower> {
    const follower = new JournalFollower(dataDirectory, shard, markets)
    try {
      await follower.#begin()
    } catch (error) {
      follower.close()
      throw error
    }
    return follower
  }

  /** Copies new batches until `stop` aborts. */
  async follow(stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !this.#closed) {
      this.#copy()
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
    this.#copy()
    const latest = Math.max(0, ...replicas.filter((one) => one.shard === shard).map((one) => one.seq))
    if (this.#seq < latest) {
      throw new Error(`a replica of ${this.#shard.name} is at seq ${latest}, its journal ends at ${this.#seq}`)
    }
    return { shard, journal: this.#entries, base: this.#base, snapshots }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#database.close()
  }

  async #begin(): Promise<void> {
    const { first } = this.#database.prepare('SELECT min(seq) AS first FROM journal').get() as { first: number | null }
    if (first === null || first === 1) {
      this.#copy()
      return
    }
    for (const seq of await this.#snapshots.list(this.#shard.index)) {
      const snapshot = seq + 1 >= first ? await this.#readSnapshot(seq) : null
      if (snapshot === null || snapshot.bytes.length === 0) continue
      this.#base = snapshot
      this.#seq = seq
      this.#copy()
      return
    }
    throw new Error(`the journal of ${this.#shard.name} begins at seq ${first} and no snapshot leads up to it`)
  }

  #copy(): void {
    for (;;) {
      const rows = this.#rows.all(this.#seq, ROWS_PER_READ) as { seq: number; batch: Uint8Array }[]
      for (const { seq, batch } of rows) {
        this.#entries.push({ bytes: batch, holder: null, committedAt_ms: null })
        this.#seq = seq
        this.#bytes += batch.length
      }
      if (this.#bytes > JOURNAL_BYTES_MAX) {
        throw new RangeError(`the journal of ${this.#shard.name} grew by more than ${JOURNAL_BYTES_MAX} bytes`)
      }
      if (rows.length < ROWS_PER_READ) return
    }
  }

  /** null: it was pruned in the meantime. A damaged one has no bytes, which no check lets pass. */
  async #readSnapshot(seq: Seq): Promise<SnapshotEntry | null> {
    const name = `${this.#shard.name}/${seq}.snapshot`
    try {
      const { engine } = await this.#snapshots.read(this.#shard.index, seq)
      return { name, seq, bytes: engine }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
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
