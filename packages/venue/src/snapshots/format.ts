// A snapshot as bytes, with a checksum over everything:
//
//   0 "WTS1"   4 u16 version   6 u16 shard   8 u64 seq   16 u64 epoch   24 u8[32] hash of the batch   56 engine …   end SHA-256

import { hash as digest } from 'node:crypto'
import type { Epoch, Seq, ShardIndex } from '@wintrades/domain'
import { equalBytes } from '../chain.ts'
import type { Snapshot } from '../ports.ts'

/** A snapshot that is not what was written: says which and what. */
export class SnapshotDamage extends Error {
  override readonly name = 'SnapshotDamage'
}

const MAGIC = 'WTS1'
const VERSION = 1
const HEADER_BYTES = 56
const HASH_BYTES = 32

export function encodeSnapshot(shard: ShardIndex, snapshot: Snapshot): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + snapshot.engine.length + HASH_BYTES)
  bytes.write(MAGIC, 'latin1')
  bytes.writeUInt16LE(VERSION, 4)
  bytes.writeUInt16LE(shard, 6)
  bytes.writeBigUInt64LE(BigInt(snapshot.seq), 8)
  bytes.writeBigUInt64LE(BigInt(snapshot.epoch), 16)
  bytes.set(snapshot.hash, 24)
  bytes.set(snapshot.engine, HEADER_BYTES)
  const body = bytes.subarray(0, bytes.length - HASH_BYTES)
  bytes.set(digest('sha256', body, 'buffer'), bytes.length - HASH_BYTES)
  return bytes
}

/** Throws {@link SnapshotDamage}; `where` is for its message. */
export function decodeSnapshot(bytes: Buffer, shard: ShardIndex, seq: Seq, where: string): Snapshot {
  const damaged = (what: string) => new SnapshotDamage(`${where}: ${what}`)
  if (bytes.length < HEADER_BYTES + HASH_BYTES) throw damaged(`${bytes.length} bytes are too few`)
  if (bytes.toString('latin1', 0, 4) !== MAGIC) throw damaged('it is no snapshot')
  const version = bytes.readUInt16LE(4)
  if (version !== VERSION) throw damaged(`it has version ${version}, this release reads ${VERSION}`)
  const body = bytes.subarray(0, bytes.length - HASH_BYTES)
  if (!equalBytes(digest('sha256', body, 'buffer'), bytes.subarray(bytes.length - HASH_BYTES))) {
    throw damaged('its checksum is not that of its bytes')
  }
  if (bytes.readUInt16LE(6) !== shard) throw damaged(`it is of shard ${bytes.readUInt16LE(6)}`)
  if (Number(bytes.readBigUInt64LE(8)) !== seq) throw damaged(`it was taken after batch ${bytes.readBigUInt64LE(8)}`)
  return {
    seq,
    epoch: Number(bytes.readBigUInt64LE(16)) as Epoch,
    hash: new Uint8Array(bytes.subarray(24, HEADER_BYTES)),
    engine: new Uint8Array(body.subarray(HEADER_BYTES)),
  }
}
