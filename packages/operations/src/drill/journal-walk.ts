// Reads a shard's journal as an auditor does: trusts nothing, and says of each batch what is wrong with it. It gives back the
// longest sound prefix, which is what can be replayed; what the commands in it do is the replay's to say.

import { createHash } from 'node:crypto'
import {
  type BatchHeader,
  CodecError,
  checkBatch,
  HASH_BYTES,
  hashOf,
  previousHashOf,
  readBatchHeader,
} from '@wintrades/domain'
import type { JournalEntry, ShardRecord } from './history.ts'

export type SoundBatch = {
  readonly header: BatchHeader
  readonly bytes: Uint8Array
  readonly committedAt_ms: number | null
}

export type JournalWalk = {
  readonly sound: readonly SoundBatch[]
  /** Bytes that are no batch, a batch that does not hash to its own hash or does not follow the one before it. */
  readonly chainFaults: readonly string[]
  /** Gaps and repetitions in the numbers of batches and commands, time running back. */
  readonly sequenceFaults: readonly string[]
  /** Epochs that fall, and epochs with two writers. */
  readonly epochFaults: readonly string[]
  /** The sound prefix starts at the shard's first batch. */
  readonly whole: boolean
}

export function walkJournal(record: ShardRecord): JournalWalk {
  const walk = new Walk(record)
  for (const entry of record.journal) walk.take(entry)
  return {
    sound: walk.sound,
    chainFaults: walk.chainFaults,
    sequenceFaults: walk.sequenceFaults,
    epochFaults: walk.epochFaults,
    whole: record.base === null,
  }
}

class Walk {
  readonly sound: SoundBatch[] = []
  readonly chainFaults: string[] = []
  readonly sequenceFaults: string[] = []
  readonly epochFaults: string[] = []
  readonly #record: ShardRecord
  readonly #holders = new Map<number, string>()
  #last: SoundBatch | null = null
  #expectedSeq: number
  #epoch = 0
  #intact = true

  constructor(record: ShardRecord) {
    this.#record = record
    this.#expectedSeq = record.base === null ? 1 : record.base.seq + 1
  }

  take(entry: JournalEntry): void {
    const fault = formFault(entry.bytes)
    if (fault !== null) {
      this.#break(this.chainFaults, `shard ${this.#record.shard}, after seq ${this.#expectedSeq - 1}: ${fault}`)
      return
    }
    const batch = { header: readBatchHeader(entry.bytes), bytes: entry.bytes, committedAt_ms: entry.committedAt_ms }
    const { header } = batch
    const where = `shard ${header.shard} seq ${header.seq}`
    if (header.shard !== this.#record.shard) this.#break(this.chainFaults, `${where} lies in another shard's journal`)
    this.#checkEpoch(header, entry.holder, where)
    this.#checkSequence(header, where)
    this.#checkChain(batch, where)
    if (this.#intact) this.sound.push(batch)
    this.#last = batch
    this.#expectedSeq = header.seq + 1
  }

  #checkEpoch(header: BatchHeader, holder: string | null, where: string): void {
    if (header.epoch < this.#epoch) this.epochFaults.push(`${where} has epoch ${header.epoch} after ${this.#epoch}`)
    this.#epoch = Math.max(this.#epoch, header.epoch)
    if (holder === null) return
    const known = this.#holders.get(header.epoch)
    if (known === undefined) this.#holders.set(header.epoch, holder)
    else if (known !== holder)
      this.epochFaults.push(`${where}: epoch ${header.epoch} written by ${known} and ${holder}`)
  }

  #checkSequence(header: BatchHeader, where: string): void {
    if (header.seq !== this.#expectedSeq) {
      this.#break(this.sequenceFaults, `${where} stands where seq ${this.#expectedSeq} belongs`)
    }
    const last = this.#last?.header
    const firstExpected =
      last === undefined ? (this.#record.base === null ? 1 : null) : last.firstCommand + last.commandCount
    if (firstExpected !== null && header.firstCommand !== firstExpected) {
      this.#break(this.sequenceFaults, `${where} starts at command ${header.firstCommand}, not ${firstExpected}`)
    }
    if (last !== undefined && header.timestamp < last.timestamp) {
      this.#break(this.sequenceFaults, `${where}: time runs back from ${last.timestamp} to ${header.timestamp}`)
    }
  }

  #checkChain(batch: SoundBatch, where: string): void {
    if (this.#last === null) return
    if (!Buffer.from(previousHashOf(batch.bytes)).equals(hashOf(this.#last.bytes))) {
      this.#break(this.chainFaults, `${where} does not carry the hash of the batch before it`)
    }
  }

  #break(faults: string[], message: string): void {
    faults.push(message)
    this.#intact = false
  }
}

function formFault(bytes: Uint8Array): string | null {
  try {
    checkBatch(bytes)
  } catch (error) {
    if (error instanceof CodecError) return `not a batch: ${error.message}`
    throw error
  }
  const digest = createHash('sha256')
    .update(bytes.subarray(0, bytes.length - HASH_BYTES))
    .digest()
  if (digest.equals(hashOf(bytes))) return null
  return `seq ${readBatchHeader(bytes).seq} does not hash to the hash it ends with`
}
