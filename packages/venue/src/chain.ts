// The hash chain of a journal: every batch ends in the SHA-256 of all before it, which contains the hash of its predecessor.

import { hash as digest } from 'node:crypto'
import {
  BATCH,
  type BatchHeader,
  CodecError,
  checkBatch,
  HASH_BYTES,
  hashOf,
  previousHashOf,
  readBatchHeader,
  type Seq,
  writeBatchHeader,
} from '@wintrades/domain'

/** What the first batch of a journal follows. */
export const NO_HASH: Uint8Array = new Uint8Array(HASH_BYTES)

/** Bytes in the journal that cannot be what was written there: says where and what. Never guessed around. */
export class JournalDamage extends Error {
  override readonly name = 'JournalDamage'
}

/** Completes a batch whose commands stand at `BATCH.commands`. */
export function sealBatch(
  bytes: Uint8Array,
  header: BatchHeader,
  bodyBytes: number,
  stateHash: Uint8Array | null,
  previousHash: Uint8Array,
): void {
  writeBatchHeader(bytes, header, bodyBytes, stateHash, previousHash)
  bytes.set(hashBytes(bytes.subarray(0, BATCH.commands + bodyBytes)), BATCH.commands + bodyBytes)
}

/** Checks form and hashes of the batch that shall follow `previousHash` at `seq`; throws {@link JournalDamage}. */
export function checkLink(bytes: Uint8Array, seq: Seq, previousHash: Uint8Array, where: string): BatchHeader {
  const damaged = (what: string) => new JournalDamage(`${where}, batch ${seq}: ${what}`)
  try {
    checkBatch(bytes)
  } catch (error) {
    if (error instanceof CodecError) throw damaged(error.message)
    throw error
  }
  const header = readBatchHeader(bytes)
  if (header.seq !== seq) throw damaged(`its header says ${header.seq}`)
  if (!equalBytes(hashOf(bytes), hashBytes(bytes.subarray(0, bytes.length - HASH_BYTES)))) {
    throw damaged('its hash is not that of its bytes')
  }
  if (!equalBytes(previousHashOf(bytes), previousHash)) throw damaged('it does not follow the batch before it')
  return header
}

function hashBytes(bytes: Uint8Array): Uint8Array {
  return digest('sha256', bytes, 'buffer')
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false
  return true
}
