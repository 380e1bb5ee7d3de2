// A batch: what one append writes. Little-endian, integers as in `codec.ts`:
//
//   0   u32 magic "WTB1"        48  u32 command_count
//   4   u16 codec version       52  u32 bytes of the commands
//   6   u16 shard               56  u64 hashed_seq   (0: none)
//   8   u64 seq                 64  u8[16] state_hash after hashed_seq
//   16  u64 epoch               80  u8[32] previous_hash
//   24  u64 timestamp, µs       112 … commands, each as in `codec.ts`
//   32  u64 first_command       end u8[32] hash: SHA-256 of every byte before it
//   40  u64 reserved, 0
//
// The hash chain makes the journal tamper-evident. Hashing itself belongs to the venue: this package has no crypto.

import { assert } from './assert.ts'
import { CODEC_VERSION, CodecError, checkCommand, readInteger, writeInteger } from './codec.ts'
import type { CommandNumber, Epoch, Seq, ShardIndex, Timestamp } from './identifiers.ts'
import { LIMITS } from './limits.ts'

export const HASH_BYTES = 32
export const STATE_HASH_BYTES = 16

export const BATCH = {
  magic: 0,
  version: 4,
  shard: 6,
  seq: 8,
  epoch: 16,
  timestamp: 24,
  firstCommand: 32,
  reserved: 40,
  commandCount: 48,
  bodyBytes: 52,
  hashedSeq: 56,
  stateHash: 64,
  previousHash: 80,
  commands: 112,
} as const

const MAGIC = 0x31425457

/** The header of a batch. An empty batch (no commands) is legal: it lets time pass, and marks a take-over. */
export type BatchHeader = {
  readonly shard: ShardIndex
  readonly seq: Seq
  readonly epoch: Epoch
  readonly timestamp: Timestamp
  readonly firstCommand: CommandNumber
  readonly commandCount: number
  /** The batch after which `stateHash` was taken by the leader; 0: this batch carries none. */
  readonly hashedSeq: number
}

/** Total bytes of a batch whose commands take `bodyBytes`. */
export function batchBytes(bodyBytes: number): number {
  return BATCH.commands + bodyBytes + HASH_BYTES
}

/** Writes the header of a batch whose commands already stand at `BATCH.commands`. The hash at its end stays to be written. */
export function writeBatchHeader(
  bytes: Uint8Array,
  header: BatchHeader,
  bodyBytes: number,
  stateHash: Uint8Array | null,
  previousHash: Uint8Array,
): void {
  assert(previousHash.length === HASH_BYTES, 'previous hash has 32 bytes')
  assert(stateHash === null || stateHash.length === STATE_HASH_BYTES, 'state hash has 16 bytes')
  assert((stateHash === null) === (header.hashedSeq === 0), 'a state hash names its batch')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setUint32(BATCH.magic, MAGIC, true)
  view.setUint16(BATCH.version, CODEC_VERSION, true)
  view.setUint16(BATCH.shard, header.shard, true)
  writeInteger(view, BATCH.seq, header.seq)
  writeInteger(view, BATCH.epoch, header.epoch)
  writeInteger(view, BATCH.timestamp, header.timestamp)
  writeInteger(view, BATCH.firstCommand, header.firstCommand)
  writeInteger(view, BATCH.reserved, 0)
  view.setUint32(BATCH.commandCount, header.commandCount, true)
  view.setUint32(BATCH.bodyBytes, bodyBytes, true)
  writeInteger(view, BATCH.hashedSeq, header.hashedSeq)
  if (stateHash === null) bytes.fill(0, BATCH.stateHash, BATCH.stateHash + STATE_HASH_BYTES)
  else bytes.set(stateHash, BATCH.stateHash)
  bytes.set(previousHash, BATCH.previousHash)
}

/** Reads the header of a batch that {@link checkBatch} has passed. */
export function readBatchHeader(bytes: Uint8Array): BatchHeader {
  return readHeaderAt(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}

/** The same from a view of the batch's bytes. */
export function readHeaderAt(view: DataView): BatchHeader {
  return {
    shard: view.getUint16(BATCH.shard, true) as ShardIndex,
    seq: readInteger(view, BATCH.seq) as Seq,
    epoch: readInteger(view, BATCH.epoch) as Epoch,
    timestamp: readInteger(view, BATCH.timestamp) as Timestamp,
    firstCommand: readInteger(view, BATCH.firstCommand) as CommandNumber,
    commandCount: view.getUint32(BATCH.commandCount, true),
    hashedSeq: readInteger(view, BATCH.hashedSeq),
  }
}

/** The leader's state hash that a batch carries, or null. */
export function stateHashOf(bytes: Uint8Array): Uint8Array | null {
  if (readBatchHeader(bytes).hashedSeq === 0) return null
  return bytes.subarray(BATCH.stateHash, BATCH.stateHash + STATE_HASH_BYTES)
}

export function previousHashOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(BATCH.previousHash, BATCH.previousHash + HASH_BYTES)
}

/** The last 32 bytes: SHA-256 of all before them. */
export function hashOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(bytes.length - HASH_BYTES)
}

/** Checks the form of a batch and of every command in it; the hashes are the venue's to check. Throws {@link CodecError}. */
export function checkBatch(bytes: Uint8Array): void {
  if (bytes.length < batchBytes(0) || bytes.length > LIMITS.batch_bytes_max) {
    throw new CodecError(`batch of ${bytes.length} bytes`, 0)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(BATCH.magic, true) !== MAGIC) throw new CodecError('not a batch', BATCH.magic)
  const version = view.getUint16(BATCH.version, true)
  if (version !== CODEC_VERSION)
    throw new CodecError(`batch of codec version ${version}, this is ${CODEC_VERSION}`, BATCH.version)
  if (view.getUint16(BATCH.shard, true) >= LIMITS.shards_max) throw new CodecError('shard out of range', BATCH.shard)
  for (const at of [BATCH.seq, BATCH.epoch, BATCH.timestamp, BATCH.firstCommand, BATCH.hashedSeq]) {
    if (view.getUint32(at + 4, true) > 0x1f_ffff) throw new CodecError('integer beyond 2^53', at)
  }
  const count = view.getUint32(BATCH.commandCount, true)
  if (count > LIMITS.batch_commands_max) throw new CodecError(`batch of ${count} commands`, BATCH.commandCount)
  const bodyBytes = view.getUint32(BATCH.bodyBytes, true)
  if (batchBytes(bodyBytes) !== bytes.length)
    throw new CodecError('batch length does not match its header', BATCH.bodyBytes)
  const end = BATCH.commands + bodyBytes
  let offset: number = BATCH.commands
  for (let i = 0; i < count; i++) offset += checkCommand(view, offset, end)
  if (offset !== end) throw new CodecError('bytes after the last command', offset)
}
