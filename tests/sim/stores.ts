// What outlives every process of a simulated cluster: the journals and leases in the database, the snapshots, the archived history; and
// the auditor's own copy of every batch that became durable, which pruning does not touch.

import { createHash } from 'node:crypto'
import { assert, type Epoch, readBatchHeader, type Seq, type ShardIndex } from '@wintrades/domain'
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

type Awaitable<Value> = Value | Promise<Value>

/** One shard's journal and lease as the database keeps them, and who made which batch durable when. */
export interface Store {
  readonly appendsInFlight_max: number
  readonly entries: readonly JournalEntry[]
  currentEpoch(): Epoch
  lastSeq(): Seq
  readLease(): Awaitable<Lease>
  claim(claim: Claim): Awaitable<Epoch | null>
  renew(epoch: Epoch, ttl_ms: number): Awaitable<boolean>
  release(epoch: Epoch, reservedFor: Claim['region'] | null, pinned: boolean): Awaitable<boolean>
  append(holder: string, origin: number, epoch: Epoch, batch: Uint8Array): Awaitable<AppendResult>
  read(from: Seq, bytesMax: number): Awaitable<readonly StoredBatch[]>
  extent(): Awaitable<{ first: Seq; last: Seq } | null>
  prune(through: Seq): Awaitable<void>
  failOver(): void
}

/** Everything in one step, as in SQLite: what is committed is durable, and there is nothing to fail over to. */
export class AtomicStore implements Store {
  readonly appendsInFlight_max = 1
  readonly entries: JournalEntry[] = []
  readonly #journal: MemoryJournalStore
  readonly #scheduler: Scheduler
  readonly #durable = new Set<string>()

  constructor(scheduler: Scheduler, journal: MemoryJournalStore) {
    this.#scheduler = scheduler
    this.#journal = journal
  }

  currentEpoch(): Epoch {
    return this.#journal.readLease().epoch
  }

  lastSeq(): Seq {
    return this.#journal.extent()?.last ?? (0 as Seq)
  }

  append(holder: string, _origin: number, epoch: Epoch, batch: Uint8Array): AppendResult {
    const result = this.#journal.append(epoch, batch)
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

  readLease(): Lease {
    return this.#journal.readLease()
  }

  claim(claim: Claim): Epoch | null {
    return this.#journal.claim(claim)
  }

  renew(epoch: Epoch, ttl_ms: number): boolean {
    return this.#journal.renew(epoch, ttl_ms)
  }

  release(epoch: Epoch, reservedFor: Claim['region'] | null, pinned: boolean): boolean {
    return this.#journal.release(epoch, reservedFor, pinned)
  }

  read(from: Seq, bytesMax: number): readonly StoredBatch[] {
    return this.#journal.read(from, bytesMax)
  }

  extent(): { first: Seq; last: Seq } | null {
    return this.#journal.extent()
  }

  prune(through: Seq): void {
    this.#journal.prune(through)
  }

  failOver(): void {}
}

/** A process's way to one shard's journal: every call crosses the simulated database. */
export class SimulatedJournal implements Journal {
  readonly appendsInFlight_max: number
  readonly #store: Store
  readonly #database: SimulatedDatabase
  readonly #process: SimulatedProcess
  readonly #origin: number

  constructor(store: Store, database: SimulatedDatabase, process: SimulatedProcess, origin: number) {
    this.appendsInFlight_max = store.appendsInFlight_max
    this.#store = store
    this.#database = database
    this.#process = process
    this.#origin = origin
  }

  readLease(): Promise<Lease> {
    return this.#call('read lease', (store) => store.readLease())
  }

  claim(claim: Claim): Promise<Epoch | null> {
    return this.#call('claim', (store) => store.claim(claim))
  }

  renew(epoch: Epoch, ttl_ms: number): Promise<boolean> {
    return this.#call('renew', (store) => store.renew(epoch, ttl_ms))
  }

  release(epoch: Epoch, reservedFor: Claim['region'] | null, pinned: boolean): Promise<boolean> {
    return this.#call('release', (store) => store.release(epoch, reservedFor, pinned))
  }

  append(epoch: Epoch, batch: Uint8Array): Promise<AppendResult> {
    return this.#call('append', (store) => store.append(this.#process.name, this.#origin, epoch, batch))
  }

  read(from: Seq, bytesMax: number): Promise<readonly StoredBatch[]> {
    return this.#call('read', (store) => store.read(from, bytesMax))
  }

  extent(): Promise<{ first: Seq; last: Seq } | null> {
    return this.#call('extent', (store) => store.extent())
  }

  prune(through: Seq): Promise<void> {
    return this.#call('prune', (store) => store.prune(through))
  }

  close(): void {}

  #call<Result>(name: string, operation: (store: Store) => Awaitable<Result>): Promise<Result> {
    return this.#database.call(this.#process, name, () => operation(this.#store))
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
