// Snapshots as files: `<data>/snapshots/<shard>/<seq>.snapshot`, written whole or not at all, with a checksum over everything (`format.ts`).

import { mkdirSync } from 'node:fs'
import { readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Markets, Seq, ShardIndex } from '@wintrades/domain'
import { writeFileAtomically } from '@wintrades/platform'
import type { Snapshot, SnapshotStore } from '../ports.ts'
import { decodeSnapshot, encodeSnapshot, SnapshotDamage } from './format.ts'

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
    return decodeSnapshot(await readFile(path), shard, seq, path)
  }

  async write(shard: ShardIndex, snapshot: Snapshot): Promise<void> {
    mkdirSync(this.#folder(shard), { recursive: true, mode: 0o700 })
    writeFileAtomically(this.#path(shard, snapshot.seq), encodeSnapshot(shard, snapshot))
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
