// Snapshots as files: `<data>/snapshots/<shard>/<seq>.snapshot`, written whole or not at all, with a checksum over everything.
//
//   0 "WTS1"   4 u16 version   6 u16 shard   8 u64 seq   16 u64 epoch   24 u8[32] hash of the batch   56 engine …   end SHA-256

import { hash as digest } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Epoch, Markets, Seq, ShardIndex } from '@wintrades/domain'
import { writeFileAtomically } from '@wintrades/platform'
import { equalBytes } from '../chain.ts'
import type { Snapshot, SnapshotStore } from '../ports.ts'

/** A snapshot file that is not what was written: says which and what. */
export class SnapshotDamage extends Error {
  override readonly name = 'SnapshotDamage'
}

const MAGIC = 'WTS1'
const VERSION = 1
const HEADER_BYTES = 56
const HASH_BYTES = 32
const NAME = /^(\d{1,16})\.snapshot$/

export class SnapshotFiles implements SnapshotStore {
  readonly #directory: string
  readonly #markets: Markets

  constructor(dataDirectory: string, markets: Markets) {
    this.#directory = join(dataDirectory, 'snapshots')
    this.#markets = markets
  }

  async list(shard: ShardIndex): Promise<readonly Seq[]> {
    try {
      const names = await readdir(this.#folder(shard))
      const seqs = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map((text) => Number(text) as Seq)
      return seqs.sort((left, right) => right - left)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  async read(shard: ShardIndex, seq: Seq): Promise<Snapshot> {
    const path = this.#path(shard, seq)
    const bytes = await readFile(path)
    const damaged = (what: string) => new SnapshotDamage(`${path}: ${what}`)
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

  async write(shard: ShardIndex, snapshot: Snapshot): Promise<void> {
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
    mkdirSync(this.#folder(shard), { recursive: true, mode: 0o700 })
    writeFileAtomically(this.#path(shard, snapshot.seq), bytes)
  }

  async prune(shard: ShardIndex, keep: number): Promise<void> {
    for (const seq of (await this.list(shard)).slice(keep)) await unlink(this.#path(shard, seq))
  }

  #folder(shard: ShardIndex): string {
    return join(this.#directory, this.#markets.shards[shard]?.name ?? String(shard))
  }

  #path(shard: ShardIndex, seq: Seq): string {
    return join(this.#folder(shard), `${seq}.snapshot`)
  }
}

/** Snapshots in memory, for tests and simulations. */
export class MemorySnapshots implements SnapshotStore {
  readonly #kept = new Map<ShardIndex, Snapshot[]>()

  async list(shard: ShardIndex): Promise<readonly Seq[]> {
    return (this.#kept.get(shard) ?? []).map((one) => one.seq)
  }

  async read(shard: ShardIndex, seq: Seq): Promise<Snapshot> {
    const found = this.#kept.get(shard)?.find((one) => one.seq === seq)
    if (found === undefined) throw new SnapshotDamage(`there is no snapshot of shard ${shard} after batch ${seq}`)
    return found
  }

  async write(shard: ShardIndex, snapshot: Snapshot): Promise<void> {
    const others = (this.#kept.get(shard) ?? []).filter((one) => one.seq !== snapshot.seq)
    this.#kept.set(
      shard,
      [snapshot, ...others].sort((left, right) => right.seq - left.seq),
    )
  }

  async prune(shard: ShardIndex, keep: number): Promise<void> {
    this.#kept.set(shard, (this.#kept.get(shard) ?? []).slice(0, keep))
  }
}
