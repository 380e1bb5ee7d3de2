// What a region says of itself (`GET /health/region`), for the panel and `wintrades status`.

import type { ProcessStatus } from './status-file.ts'

export type ShardReport = {
  readonly shard: number
  readonly name: string
  readonly leader: string | null
  readonly epoch: number
  readonly seq: number
  /** Commands in the shard's journal so far; null if the region does not tell. */
  readonly commands: number | null
  readonly fault: string | null
}

export type RegionReport = {
  readonly region: string
  readonly shards: readonly ShardReport[]
  readonly memory_bytes: number | null
}

const TIMEOUT_MS = 2_000

/** Null: the process does not answer. */
export async function readRegion(process: ProcessStatus): Promise<RegionReport | null> {
  if (process.httpPort === null || process.pid === null) return null
  try {
    const url = `http://${process.host}:${process.httpPort}/health/region`
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    return parse(process.name, (await response.json()) as RawReport)
  } catch {
    return null // a process that is just starting or dying; its state says so beside
  }
}

type RawReport = {
  readonly region?: string
  readonly memory_bytes?: number
  readonly shards?: readonly (Partial<ShardReport> & { readonly shard: number })[]
}

function parse(name: string, raw: RawReport): RegionReport {
  return {
    region: raw.region ?? name,
    memory_bytes: raw.memory_bytes ?? null,
    shards: (raw.shards ?? []).map((shard) => ({
      shard: shard.shard,
      name: shard.name ?? String(shard.shard),
      leader: shard.leader ?? null,
      epoch: shard.epoch ?? 0,
      seq: shard.seq ?? 0,
      commands: shard.commands ?? null,
      fault: shard.fault ?? null,
    })),
  }
}
