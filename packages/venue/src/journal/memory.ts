// A journal in memory, for tests and simulations: the rules of the real ones, in their plainest form. It lives as long as the object,
// and several venues may share it as processes share a database.

import {
  type Epoch,
  hashOf,
  previousHashOf,
  type RegionName,
  readBatchHeader,
  type Seq,
  type Timestamp,
} from '@wintrades/domain'
import { equalBytes, NO_HASH } from '../chain.ts'
import type { AppendResult, Claim, Journal, Lease, StoredBatch } from '../ports.ts'

type Row = { readonly seq: Seq; readonly bytes: Uint8Array }

/** The rules, without waiting: what the database does in one step. */
export class MemoryJournalStore {
  readonly #now_us: () => Timestamp
  #rows: Row[] = []
  #epoch = 0 as Epoch
  #holder: RegionName | null = null
  #origin = 0
  #expires_us = 0
  #reservedFor: RegionName | null = null
  #pinned = false

  constructor(now_us: () => Timestamp) {
    this.#now_us = now_us
  }

  readLease(): Lease {
    return {
      epoch: this.#epoch,
      holder: this.#holder,
      origin: this.#origin,
      remaining_ms: this.#holder === null ? 0 : (this.#expires_us - this.#now_us()) / 1_000,
      reservedFor: this.#reservedFor,
      pinned: this.#pinned,
    }
  }

  claim({ region, origin, seen, early, ttl_ms, pinned }: Claim): Epoch | null {
    if (this.#epoch !== seen) return null
    if (!early && this.#holder !== null && this.#expires_us > this.#now_us()) return null
    this.#epoch = (seen + 1) as Epoch
    this.#holder = region
    this.#origin = origin
    this.#expires_us = this.#now_us() + ttl_ms * 1_000
    this.#reservedFor = null
    this.#pinned = pinned
    return this.#epoch
  }

  renew(epoch: Epoch, ttl_ms: number): boolean {
    if (this.#epoch !== epoch || this.#holder === null) return false
    this.#expires_us = this.#now_us() + ttl_ms * 1_000
    return true
  }

  release(epoch: Epoch, reservedFor: RegionName | null, pinned: boolean): boolean {
    if (this.#epoch !== epoch || this.#holder === null) return false
    this.#holder = null
    this.#origin = 0
    this.#reservedFor = reservedFor
    this.#pinned = pinned
    return true
  }

  append(epoch: Epoch, batch: Uint8Array): AppendResult {
    const { seq } = readBatchHeader(batch)
    const there = this.#at(seq)
    if (there !== undefined && equalBytes(there.bytes, batch)) return 'committed'
    if (this.#epoch !== epoch || this.#holder === null) return 'fenced'
    const last = this.#rows.at(-1)
    if (seq !== (last?.seq ?? 0) + 1) return 'conflict'
    if (!equalBytes(previousHashOf(batch), last === undefined ? NO_HASH : hashOf(last.bytes))) return 'conflict'
    this.#rows.push({ seq, bytes: batch.slice() })
    return 'committed'
  }

  read(from: Seq, bytesMax: number): readonly StoredBatch[] {
    const found: StoredBatch[] = []
    let bytes = 0
    for (let row = this.#at(from); row !== undefined && bytes < bytesMax; row = this.#at((row.seq + 1) as Seq)) {
      found.push({ seq: row.seq, bytes: row.bytes.slice() })
      bytes += row.bytes.length
    }
    return found
  }

  extent(): { first: Seq; last: Seq } | null {
    const [first] = this.#rows
    const last = this.#rows.at(-1)
    return first === undefined || last === undefined ? null : { first: first.seq, last: last.seq }
  }

  prune(through: Seq): void {
    const last = this.#rows.at(-1)
    this.#rows = this.#rows.filter((row) => row.seq > through || row === last)
  }

  #at(seq: Seq): Row | undefined {
    return this.#rows[seq - (this.#rows[0]?.seq ?? 1)]
  }
}

export class MemoryJournal implements Journal {
  readonly appendsInFlight_max = 1
  readonly #store: MemoryJournalStore

  constructor(store: MemoryJournalStore) {
    this.#store = store
  }

  async readLease(): Promise<Lease> {
    return this.#store.readLease()
  }

  async claim(claim: Claim): Promise<Epoch | null> {
    return this.#store.claim(claim)
  }

  async renew(epoch: Epoch, ttl_ms: number): Promise<boolean> {
    return this.#store.renew(epoch, ttl_ms)
  }

  async release(epoch: Epoch, reservedFor: RegionName | null, pinned: boolean): Promise<boolean> {
    return this.#store.release(epoch, reservedFor, pinned)
  }

  async append(epoch: Epoch, batch: Uint8Array): Promise<AppendResult> {
    return this.#store.append(epoch, batch)
  }

  async read(from: Seq, bytesMax: number): Promise<readonly StoredBatch[]> {
    return this.#store.read(from, bytesMax)
  }

  async extent(): Promise<{ first: Seq; last: Seq } | null> {
    return this.#store.extent()
  }

  async prune(through: Seq): Promise<void> {
    this.#store.prune(through)
  }

  close(): void {}
}
