// Snapshots in MySQL, compressed, in parts of bounded size, so that a new machine in any region can start. A snapshot is listed once all of it is
// there; one that is damaged says so, and an older one is used. Its own durability needs no proof: a checksum says that it is whole, and it
// was taken of batches that are durable.

import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import type { Seq, ShardIndex } from '@wintrades/domain'
import type { JournalDatabase } from '../journal/mysql-database.ts'
import type { Snapshot, SnapshotStore } from '../ports.ts'
import { decodeSnapshot, encodeSnapshot, SnapshotDamage } from './format.ts'

const PART_BYTES = 512 * 1024
const PARTS_MAX = 16_384
const SNAPSHOT_BYTES_MAX = 4_000_000_000
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

  /** The database is its owner's to close. */
  constructor(database: JournalDatabase) {
    this.#database = database
  }

  async list(shard: ShardIndex): Promise<readonly Seq[]> {
    const rows = await this.#database.readUnsettled(LIST, [shard, LISTED_MAX])
    return rows.map((row) => Number(row['seq']) as Seq)
  }

  async read(shard: ShardIndex, seq: Seq): Promise<Snapshot> {
    const where = `snapshot of shard ${shard} after batch ${seq} in MySQL`
    const [row] = await this.#database.readUnsettled(PARTS, [shard, seq])
    if (row === undefined) throw new SnapshotDamage(`${where}: it is not there any more`)
    const parts: Buffer[] = []
    for (let part = 0; part < Number(row['parts']); part++) {
      const [found] = await this.#database.readUnsettled(READ_PART, [shard, seq, part])
      if (found === undefined) throw new SnapshotDamage(`${where}: part ${part} of ${row['parts']} is missing`)
      parts.push(found['bytes'] as Buffer)
    }
    let bytes: Buffer
    try {
      bytes = await decompress(Buffer.concat(parts), { maxOutputLength: SNAPSHOT_BYTES_MAX })
    } catch (error) {
      throw new SnapshotDamage(`${where}: it cannot be decompressed`, { cause: error })
    }
    return decodeSnapshot(bytes, shard, seq, where)
  }

  async write(shard: ShardIndex, snapshot: Snapshot): Promise<void> {
    const bytes = await compress(encodeSnapshot(shard, snapshot), SPEED)
    const parts = Math.ceil(bytes.length / PART_BYTES)
    if (parts > PARTS_MAX) throw new RangeError(`a snapshot of ${bytes.length} bytes is too large`)
    for (let part = 0; part < parts; part++) {
      const chunk = bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES)
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
