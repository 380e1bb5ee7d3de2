// A replica: one shard's engine and its place in the journal. Promises to apply every batch once, in order, only if it follows the one
// before it, and to stop for good (a fault) when its state is not the leader's or the journal is damaged.

import {
  type Epoch,
  hashOf,
  LIMITS,
  readBatchHeader,
  type Seq,
  type Shard,
  type ShardIndex,
  stateHashOf,
} from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import { checkLink, equalBytes, JournalDamage, NO_HASH } from './chain.ts'
import type { Snapshot } from './ports.ts'

/** This replica's state is not what the leader's was after the same batch. */
export class StateDivergence extends Error {
  override readonly name = 'StateDivergence'
}

export class Replica {
  readonly shard: ShardIndex
  readonly #where: string
  #engine: Engine
  #hash: Uint8Array = NO_HASH
  #epoch = 0 as Epoch
  /** The last state hash this replica took; the leader's comes in a later batch. */
  #hashedSeq = 0
  #stateHash: Uint8Array | null = null
  #fault: string | null = null

  constructor(shard: Shard) {
    this.shard = shard.index
    this.#where = `journal of shard ${shard.name}`
    this.#engine = new Engine(shard.index)
  }

  get engine(): Engine {
    return this.#engine
  }

  /** Last batch applied. */
  get seq(): Seq {
    return this.#engine.seq
  }

  /** Of the last batch applied. */
  get epoch(): Epoch {
    return this.#epoch
  }

  /** Of the last batch applied: what the next one follows. */
  get hash(): Uint8Array {
    return this.#hash
  }

  /** Why this replica applies nothing any more. */
  get fault(): string | null {
    return this.#fault
  }

  /** The state hash of the last batch whose seq is a multiple of the interval, for the leader to journal. */
  get stateHash(): { readonly seq: Seq; readonly hash: Uint8Array } | null {
    return this.#stateHash === null ? null : { seq: this.#hashedSeq as Seq, hash: this.#stateHash }
  }

  /** Throws if the snapshot is not of this shard or not what it says. */
  restore(snapshot: Snapshot): void {
    const engine = Engine.restore(snapshot.engine)
    if (engine.shard !== this.shard || engine.seq !== snapshot.seq) {
      throw new JournalDamage(
        `the snapshot says shard ${this.shard} seq ${snapshot.seq}, its engine shard ${engine.shard} seq ${engine.seq}`,
      )
    }
    this.#engine = engine
    this.#hash = snapshot.hash
    this.#epoch = snapshot.epoch
  }

  /** This replica's state as a snapshot. */
  snapshot(): Snapshot {
    return { seq: this.seq, epoch: this.#epoch, hash: this.#hash.slice(), engine: this.#engine.snapshot() }
  }

  /** Applies the next batch of the journal, checked first; returns its events, valid until the next call. What it throws is a fault for good. */
  apply(batch: Uint8Array): Float64Array {
    try {
      this.#check(batch)
    } catch (error) {
      this.#fault ??= messageOf(error)
      throw error
    }
    return this.applyOwn(batch)
  }

  /** The same for bytes that came over a link: null when they are not the next batch, whole; then the journal has to say. */
  offer(batch: Uint8Array): Float64Array | null {
    if (this.#fault !== null) return null
    try {
      this.#check(batch)
    } catch (error) {
      if (error instanceof JournalDamage) return null
      throw error
    }
    return this.applyOwn(batch)
  }

  /** Applies a batch that this process has just made and committed itself. */
  applyOwn(batch: Uint8Array): Float64Array {
    try {
      return this.#applyChecked(batch)
    } catch (error) {
      this.#fault ??= messageOf(error)
      throw error
    }
  }

  #check(batch: Uint8Array): void {
    const header = checkLink(batch, (this.seq + 1) as Seq, this.#hash, this.#where)
    if (header.epoch < this.#epoch) {
      throw new JournalDamage(`${this.#where}, batch ${header.seq}: epoch ${header.epoch} after ${this.#epoch}`)
    }
  }

  #applyChecked(batch: Uint8Array): Float64Array {
    const { seq, epoch, hashedSeq } = readBatchHeader(batch)
    if (hashedSeq !== 0 && hashedSeq === this.#hashedSeq && this.#stateHash !== null) {
      const expected = stateHashOf(batch)
      if (expected !== null && !equalBytes(expected, this.#stateHash)) {
        throw new StateDivergence(
          `${this.#where}: after batch ${hashedSeq} the leader's state hash is ${hex(expected)}, here it is ${hex(this.#stateHash)}`,
        )
      }
    }
    const events = this.#engine.apply(batch)
    this.#hash = hashOf(batch).slice()
    this.#epoch = epoch
    if (seq % LIMITS.state_hash_interval_batches === 0) {
      this.#hashedSeq = seq
      this.#stateHash = this.#engine.stateHash().slice()
    }
    return events
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
