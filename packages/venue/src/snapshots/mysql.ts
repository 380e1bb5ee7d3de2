// Snapshots in MySQL, compressed, in parts of bounded size, so that a new machine in any region can start. A snapshot is listed once all of it is
// there; one that is damaged says so, and an older one is used. Its own durability needs no proof: a checksum says that it is whole, and it
// was taken of batches that are durable.

import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import type { Seq, ShardIndex } from '@wintrades/domain'
import type { JournalDatabase } from '../journal/mysql-database.ts'
import type { Snapshot, SnapshotStore } from '../ports.ts'
import { decodeSnapshot, encodeSnapshot, SnapshotDamage } from './format.ts'

/** Of a part, well below what a server takes in one packet; of all parts together; and of the snapshot before compression. */
export type SnapshotLimits = { readonly partBytes: number; readonly parts_max: number; readonly bytes_max: number }

export const SNAPSHOT_LIMITS: SnapshotLimits = { partBytes: 512 * 1024, parts_max: 16_384, bytes_max: 4_000_000_000 }

const PARTS_REMOVED_AT_ONCE = 32
const LISTED_MAX = 64

const LIST = 'SELECT seq FROM snapshot WHERE shard = ? ORDER BY seq DESC LIMIT ?'
const PARTS = 'SELECT parts FROM snapshot WHERE shard = ? AND seq = ?'
const READ_PART = 'SELECT bytes FROM snapshot_part WHERE shard = ? AND seq = ? AND part = ?'
const WRITE_PART = 'REPLACE INTO snapshot_part (shard, seq, part, bytes) VALUES (?, ?, ?, ?)'
const WRITE = 'REPLACE INTO snapshot (shard, seq, parts) VALUES (?, ?, ?)'
const REMOVE = 'DELETE FROM snapshot WHERE shard = ? AND seq < ?'
const REMOVE_PARTS = 'DELETE FROM snapshot_part WHERE shard = ? AND seq < ? ORDER BY seq, part LIMIT ?'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
const SPEED = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

export class MysqlSnapshots implements SnapshotStore {
  readonly #database: JournalDatabase
  readonly #limits: SnapshotLimits

  /** The database is its owner's to close. */
  constructor(database: JournalDatabase, limits: SnapshotLimits = SNAPSHOT_LIMITS) {
    this.#database = database
    this.#limits = limits
  }

  async list(shard: ShardIndex): Promise<readonly Seq[]> {
    const rows = await this.#database.readUnsettled(LIST, [shard, LISTED_MAX])
    return rows.map((row) => Number(row['seq']) as Seq)
  }

  async read(shard: ShardIndex, seq: Seq): Promise<Snapshot> {
    const where = `snapshot of shard ${shard} after batch ${seq} in MySQL`
    const [row] = await this.#database.readUnsettled(PARTS, [shard, seq])
    if (row === undefined) throw new SnapshotDamage(`${where}: it is not there any more`)
    const count = Number(row['parts'])
    const { parts_max, bytes_max } = this.#limits
    if (!(count >= 1 && count <= parts_max))
      throw new SnapshotDamage(`${where}: it says that it has ${count} parts; there are 1 to ${parts_max}`)
    const parts: Buffer[] = []
    for (let part = 0; part < count; part++) {
      const [found] = await this.#database.readUnsettled(READ_PART, [shard, seq, part])
      if (found === undefined) throw new SnapshotDamage(`${where}: part ${part} of ${count} is missing`)
      parts.push(found['bytes'] as Buffer)
    }
    let bytes: Buffer
    try {
      bytes = await decompress(Buffer.concat(parts), { maxOutputLength: bytes_max })
    } catch (error) {
      throw new SnapshotDamage(`${where}: it cannot be decompressed to at most ${bytes_max} bytes`, { cause: error })
    }
    return decodeSnapshot(bytes, shard, seq, where)
  }

  async write(shard: ShardIndex, snapshot: Snapshot): Promise<void> {
    const { partBytes, parts_max, bytes_max } = this.#limits
    const plain = encodeSnapshot(shard, snapshot)
    // What could not be read again is not written: the journal would be pruned behind it.
    if (plain.length > bytes_max) throw tooLarge(plain.length, `${bytes_max} bytes`)
    const bytes = await compress(plain, SPEED)
    const parts = Math.ceil(bytes.length / partBytes)
    if (parts > parts_max) throw tooLarge(bytes.length, `${parts_max} parts of ${partBytes} bytes`)
    for (let part = 0; part < parts; part++) {
      const chunk = bytes.subarray(part * partBytes, (part + 1) * partBytes)
      await this.#database.write(WRITE_PART, [shard, snapshot.seq, part, chunk])
    }
    await this.#database.write(WRITE, [shard, snapshot.seq, parts])
  }

  async prune(shard: ShardIndex, keep: number): Promise<void> {
    const oldest = (await this.list(shard)).slice(0, keep).at(-1)
    if (oldest === undefined) return
    await this.#database.write(REMOVE, [shard, oldest])
    for (;;) {
      const removed = await this.#database.write(REMOVE_PARTS, [shard, oldest, PARTS_REMOVED_AT_ONCE])
      if (removed < PARTS_REMOVED_AT_ONCE) return
    }
  }
}

function tooLarge(bytes: number, most: string): RangeError {
  return new RangeError(`a snapshot of ${bytes} bytes is too large for MySQL, which takes ${most}; it was not written`)
}
