// What outlives every process of a simulated cluster: the journals and leases in the database, the snapshots, the archived history; and
// the auditor's own copy of every batch that became durable, which pruning does not touch.

import { createHash } from 'node:crypto'
import { assert, type Epoch, readBatchHeader, type Seq, type ShardIndex, type Timestamp } from '@wintrades/domain'
import type { JournalEntry } from '@wintrades/operations/drill'
import type {
  AppendResult,
  Claim,
  HistorySink,
  Journal,
  Lease,
  MemoryJournalStore,
  StoredBatch,
} from '@wintrades/venue'
import type { SimulatedDatabase } from './database.ts'
import type { Scheduler, SimulatedProcess } from './scheduler.ts'

/** One shard's journal and lease, and who made which batch durable when. */
export class ShardStore {
  readonly journal: MemoryJournalStore
  readonly entries: JournalEntry[] = []
  readonly #scheduler: Scheduler
  readonly #durable = new Set<string>()

  constructor(
    scheduler: Scheduler,
    database: SimulatedDatabase,
    make: (now_us: () => Timestamp) => MemoryJournalStore,
  ) {
    this.#scheduler = scheduler
    this.journal = make(() => database.now_us())
  }

  append(holder: string, epoch: Epoch, batch: Uint8Array): AppendResult {
    const result = this.journal.append(epoch, batch)
    const { shard, seq, commandCount } = readBatchHeader(batch)
    this.#scheduler.log(`journal ${shard}: batch ${seq} of ${commandCount} in epoch ${epoch} by ${holder}: ${result}`)
    if (result !== 'committed') return result
    const name = createHash('sha256').update(batch).digest('hex')
    // The same bytes again are the same batch, durable since the first time.
    if (this.#durable.has(name)) return result
    this.#durable.add(name)
    this.entries.push({ bytes: batch.slice(), holder, committedAt_ms: this.#scheduler.now_us / 1_000 })
    return result
  }
}

/** A process's way to one shard's journal: every call crosses the simulated database. */
export class SimulatedJournal implements Journal {
  readonly appendsInFlight_max = 1
  readonly #store: ShardStore
  readonly #database: SimulatedDatabase
  readonly #process: SimulatedProcess

  constructor(store: ShardStore, database: SimulatedDatabase, process: SimulatedProcess) {
    this.#store = store
    this.#database = database
    this.#process = process
  }

  readLease(): Promise<Lease> {
    return this.#call('read lease', (journal) => journal.readLease())
  }

  claim(claim: Claim): Promise<Epoch | null> {
    return this.#call('claim', (journal) => journal.claim(claim))
  }

  renew(epoch: Epoch, ttl_ms: number): Promise<boolean> {
    return this.#call('renew', (journal) => journal.renew(epoch, ttl_ms))
  }

  release(epoch: Epoch, reservedFor: Claim['region'] | null, pinned: boolean): Promise<boolean> {
    return this.#call('release', (journal) => journal.release(epoch, reservedFor, pinned))
  }

  append(epoch: Epoch, batch: Uint8Array): Promise<AppendResult> {
    return this.#call('append', () => this.#store.append(this.#process.name, epoch, batch))
  }

  read(from: Seq, bytesMax: number): Promise<readonly StoredBatch[]> {
    return this.#call('read', (journal) => journal.read(from, bytesMax))
  }

  extent(): Promise<{ first: Seq; last: Seq } | null> {
    return this.#call('extent', (journal) => journal.extent())
  }

  prune(through: Seq): Promise<void> {
    return this.#call('prune', (journal) => journal.prune(through))
  }

  close(): void {}

  #call<Result>(name: string, operation: (journal: MemoryJournalStore) => Result): Promise<Result> {
    return this.#database.call(this.#process, name, () => operation(this.#store.journal))
  }
}

/** The archived history, as all regions share it: what is there already is not written again, and nothing may be missing. */
export class ArchivedHistory {
  readonly batches = new Map<ShardIndex, Uint8Array[]>()

  /** One process's writer: what it has not flushed dies with it. As strict as the real one about what it is given. */
  writer(): HistorySink {
    const unflushed = new Map<ShardIndex, { readonly seq: Seq; readonly bytes: Uint8Array }[]>()
    const flush = async (shard: ShardIndex) => {
      for (const { bytes } of unflushed.get(shard) ?? []) this.#keep(bytes)
      unflushed.delete(shard)
    }
    return {
      begin: async (shard) => {
        unflushed.delete(shard)
        return this.#of(shard).length as Seq
      },
      write: async (batch) => {
        const { shard, seq } = readBatchHeader(batch)
        const waiting = unflushed.get(shard) ?? []
        const last = waiting.at(-1)
        assert(last === undefined || seq === last.seq + 1, `batch ${seq} after ${last?.seq ?? 0} in the history`)
        waiting.push({ seq, bytes: batch.slice() })
        unflushed.set(shard, waiting)
      },
      flush,
      sync: flush,
    }
  }

  #keep(batch: Uint8Array): void {
    const { shard, seq } = readBatchHeader(batch)
    const batches = this.#of(shard)
    if (seq <= batches.length) return
    if (seq !== batches.length + 1) throw new Error(`history of shard ${shard}: batch ${seq} after ${batches.length}`)
    batches.push(batch)
  }

  #of(shard: ShardIndex): Uint8Array[] {
    let batches = this.batches.get(shard)
    if (batches === undefined) {
      batches = []
      this.batches.set(shard, batches)
    }
    return batches
  }
}
