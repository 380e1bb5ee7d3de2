// One shard's journal and lease in a database like MySQL with lossless semi-sync: a commit becomes visible when another server has
// acknowledged it, in order, and holds its locks until then, so several are under way. A fail-over keeps a prefix of what was not acknowledged:
// visible on the new primary, known to nobody else, and gone with the next fail-over unless something acknowledged has been committed on top.

import { type Epoch, hashOf, type RegionName, readBatchHeader, type Seq } from '@wintrades/domain'
import type { JournalEntry } from '@wintrades/operations/drill'
import type { AppendResult, Claim, Lease, StoredBatch } from '@wintrades/venue'
import { DatabaseUnavailable, type SimulatedDatabase } from './database.ts'
import type { Scheduler } from './scheduler.ts'
import type { Store } from './stores.ts'

/** What may be left out, to see the checker find it. */
export type ReplicatedFaults = {
  /** What is read may vanish. */
  readonly readUnsettled?: true
  /** A batch that is found there is committed, whoever else has it. */
  readonly foundIsCommitted?: true
  /** What stands behind a gap is left there by a claim. */
  readonly keepBehindGap?: true
  /** A claim does not wait for appends under way. */
  readonly claimAtOnce?: true
}

type Row = { readonly bytes: Uint8Array; readonly holder: string }
type Held = Omit<Lease, 'remaining_ms'> & { readonly expires_us: number }
type State = { readonly rows: Map<number, Row>; lease: Held }
type Effect = (state: State) => void
type Lock = 'shared' | 'alone' | 'none'

type Transaction = {
  readonly effect: Effect
  readonly lock: Lock
  readonly seq: number
  readonly done: () => void
  readonly broken: () => void
}

/** What a transaction holds before its commit. */
type Grant = { readonly lock: Lock; readonly seq: number }

const NOTHING: Grant = { lock: 'none', seq: 0 }
const ACKNOWLEDGED_TYPICAL_US = 1_500
const ACKNOWLEDGED_WORST_US = 15_000
const NOBODY: Held = {
  epoch: 0 as Epoch,
  holder: null,
  origin: 0,
  expires_us: 0,
  reservedFor: null,
  pinned: false,
}

export class ReplicatedStore implements Store {
  readonly appendsInFlight_max: number
  readonly entries: JournalEntry[] = []
  readonly #scheduler: Scheduler
  readonly #database: SimulatedDatabase
  readonly #faults: ReplicatedFaults
  /** What no fail-over takes away. */
  readonly #settled: State = { rows: new Map(), lease: NOBODY }
  #visible: State = { rows: new Map(), lease: NOBODY }
  /** What makes the difference between the two. */
  #phantoms: Effect[] = []
  /** Not acknowledged yet, in the order of the binlog. */
  #underWay: Transaction[] = []
  readonly #granted = new Set<Grant>()
  #waiting: { readonly goOn: () => void; readonly broken: () => void }[] = []
  #waitingAlone = 0

  constructor(scheduler: Scheduler, database: SimulatedDatabase, faults: ReplicatedFaults) {
    this.#scheduler = scheduler
    this.#database = database
    this.#faults = faults
    this.appendsInFlight_max = scheduler.random.pick([2, 4, 16])
  }

  currentEpoch(): Epoch {
    return this.#visible.lease.epoch
  }

  lastSeq(): Seq {
    return this.entries.length as Seq
  }

  async readLease(): Promise<Lease> {
    await this.#settle()
    const { expires_us, ...lease } = this.#visible.lease
    return { ...lease, remaining_ms: lease.holder === null ? 0 : (expires_us - this.#database.now_us()) / 1_000 }
  }

  async claim({ region, origin, seen, early, ttl_ms, pinned }: Claim): Promise<Epoch | null> {
    const grant = await this.#locked('alone', 0)
    const { lease, rows } = this.#visible
    const isHeld = !early && lease.holder !== null && lease.expires_us > this.#database.now_us()
    if (lease.epoch !== seen || isHeld) {
      this.#giveBack(grant)
      return null
    }
    const epoch = (seen + 1) as Epoch
    const expires_us = this.#database.now_us() + ttl_ms * 1_000
    const behind = this.#faults.keepBehindGap ? [] : behindGap(rows)
    if (behind.length > 0) this.#scheduler.log(`${region} claims epoch ${epoch} and removes ${behind.join()}`)
    await this.#commit(grant, (state) => {
      state.lease = { epoch, holder: region, origin, expires_us, reservedFor: null, pinned }
      for (const seq of behind) state.rows.delete(seq)
    })
    return epoch
  }

  async renew(epoch: Epoch, ttl_ms: number): Promise<boolean> {
    if (!this.#isHeld(epoch)) return false
    const expires_us = this.#database.now_us() + ttl_ms * 1_000
    await this.#commit(NOTHING, (state) => {
      if (state.lease.epoch === epoch && state.lease.holder !== null) state.lease = { ...state.lease, expires_us }
    })
    return true
  }

  async release(epoch: Epoch, reservedFor: RegionName | null, pinned: boolean): Promise<boolean> {
    const grant = await this.#locked('alone', 0)
    if (!this.#isHeld(epoch)) {
      this.#giveBack(grant)
      return false
    }
    await this.#commit(grant, (state) => {
      state.lease = { ...state.lease, holder: null, origin: 0, reservedFor, pinned }
    })
    return true
  }

  async append(holder: string, origin: number, epoch: Epoch, batch: Uint8Array): Promise<AppendResult> {
    const { seq, shard, commandCount } = readBatchHeader(batch)
    const grant = await this.#locked('shared', seq)
    let what: AppendResult = 'committed'
    if (this.#isOwn(epoch, origin) && !this.#visible.rows.has(seq)) {
      const bytes = batch.slice()
      await this.#commit(grant, (state) => void state.rows.set(seq, { bytes, holder }))
    } else {
      this.#giveBack(grant)
      what = await this.#whatHappened(origin, epoch, batch)
    }
    this.#scheduler.log(`journal ${shard}: batch ${seq} of ${commandCount} in epoch ${epoch} by ${holder}: ${what}`)
    return what
  }

  async read(from: Seq, bytesMax: number): Promise<readonly StoredBatch[]> {
    await this.#settle()
    const found: StoredBatch[] = []
    let bytes = 0
    for (let seq = from; bytes < bytesMax; seq = (seq + 1) as Seq) {
      const row = this.#visible.rows.get(seq)
      if (row === undefined) break
      found.push({ seq, bytes: row.bytes.slice() })
      bytes += row.bytes.length
    }
    return found
  }

  async extent(): Promise<{ first: Seq; last: Seq } | null> {
    await this.#settle()
    const seqs = [...this.#visible.rows.keys()]
    return seqs.length === 0 ? null : { first: Math.min(...seqs) as Seq, last: Math.max(...seqs) as Seq }
  }

  async prune(through: Seq): Promise<void> {
    const last = Math.max(...this.#visible.rows.keys())
    const old = [...this.#visible.rows.keys()].filter((seq) => seq <= through && seq < last)
    await this.#commit(NOTHING, (state) => {
      for (const seq of old) state.rows.delete(seq)
    })
  }

  /** Another server becomes the primary: everybody's connections break. */
  failOver(): void {
    const effects = [...this.#phantoms, ...this.#underWay.map(({ effect }) => effect)]
    this.#phantoms = effects.slice(0, this.#scheduler.random.below(effects.length + 1))
    if (effects.length > 0)
      this.#scheduler.log(`fail-over: ${this.#phantoms.length} of ${effects.length} are still there`)
    this.#visible = { rows: new Map(this.#settled.rows), lease: this.#settled.lease }
    for (const effect of this.#phantoms) effect(this.#visible)
    for (const { broken } of this.#underWay.splice(0)) broken()
    for (const { broken } of this.#waiting.splice(0)) broken()
  }

  async #whatHappened(origin: number, epoch: Epoch, batch: Uint8Array): Promise<AppendResult> {
    const { seq } = readBatchHeader(batch)
    if (!this.#faults.foundIsCommitted) await this.#settle()
    const there = this.#visible.rows.get(seq)
    if (there !== undefined && Buffer.from(hashOf(there.bytes)).equals(hashOf(batch))) return 'committed'
    await this.#commit(NOTHING, () => {})
    if (!this.#isOwn(epoch, origin)) return 'fenced'
    if (there !== undefined) return 'conflict'
    throw new DatabaseUnavailable('the lease changed meanwhile')
  }

  /** Acknowledged on top of whatever might vanish. */
  async #settle(): Promise<void> {
    if (this.#phantoms.length > 0 && !this.#faults.readUnsettled) await this.#commit(NOTHING, () => {})
  }

  #isOwn(epoch: Epoch, origin: number): boolean {
    return this.#isHeld(epoch) && this.#visible.lease.origin === origin
  }

  #isHeld(epoch: Epoch): boolean {
    return this.#visible.lease.epoch === epoch && this.#visible.lease.holder !== null
  }

  /** Held from the moment it is granted, as a row's lock is, until it is given back or its commit is acknowledged. */
  async #locked(lock: Lock, seq: number): Promise<Grant> {
    if (lock === 'alone') this.#waitingAlone++
    try {
      while (this.#isBlocked(lock, seq)) {
        await new Promise<void>((resolve, reject) =>
          this.#waiting.push({ goOn: resolve, broken: () => reject(new DatabaseUnavailable('fail-over')) }),
        )
      }
      const grant = { lock, seq }
      this.#granted.add(grant)
      return grant
    } finally {
      if (lock === 'alone') this.#waitingAlone--
    }
  }

  #giveBack(grant: Grant): void {
    this.#granted.delete(grant)
    for (const { goOn } of this.#waiting.splice(0)) goOn()
  }

  #isBlocked(lock: Lock, seq: number): boolean {
    const others = [...this.#granted, ...this.#underWay]
    if (lock === 'alone') return !this.#faults.claimAtOnce && others.some((other) => other.lock !== 'none')
    // Who waits for the row alone is not overtaken.
    return this.#waitingAlone > 0 || others.some((other) => other.lock === 'alone' || other.seq === seq)
  }

  #commit(grant: Grant, effect: Effect): Promise<void> {
    const { lock, seq } = grant
    this.#granted.delete(grant)
    return new Promise((resolve, reject) => {
      const broken = () => reject(new DatabaseUnavailable('fail-over'))
      const transaction: Transaction = { effect, lock, seq, done: resolve, broken }
      this.#underWay.push(transaction)
      const delay_us = this.#scheduler.random.delay(ACKNOWLEDGED_TYPICAL_US, ACKNOWLEDGED_WORST_US)
      this.#scheduler.after(delay_us, () => this.#acknowledge(transaction))
    })
  }

  /** Of everything up to it: what came before it in the binlog is there too. */
  #acknowledge(transaction: Transaction): void {
    const index = this.#underWay.indexOf(transaction)
    if (index < 0) return
    for (const effect of this.#phantoms.splice(0)) effect(this.#settled)
    for (const { effect, done } of this.#underWay.splice(0, index + 1)) {
      effect(this.#settled)
      effect(this.#visible)
      done()
    }
    this.#audit()
    for (const { goOn } of this.#waiting.splice(0)) goOn()
  }

  /** What is settled and has no gap before it is the journal, for good. */
  #audit(): void {
    for (;;) {
      const row = this.#settled.rows.get(this.entries.length + 1)
      if (row === undefined) return
      this.entries.push({ bytes: row.bytes, holder: row.holder, committedAt_ms: this.#scheduler.now_us / 1_000 })
    }
  }
}

function behindGap(rows: ReadonlyMap<number, Row>): readonly number[] {
  const seqs = [...rows.keys()].sort((left, right) => left - right)
  const gap = seqs.findIndex((seq, i) => i > 0 && seq !== (seqs[i - 1] as number) + 1)
  return gap < 0 ? [] : seqs.slice(gap)
}
