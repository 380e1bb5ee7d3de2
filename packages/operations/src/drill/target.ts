// The platform a drill works against: the one that runs on a data directory (`./wintrades up`), or a private one on free ports with
// a data directory of its own, which is stopped and removed at the end.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Markets, readMarkets } from '@wintrades/domain'
import { type HistoryRowsSource, historyDirectory, sqliteRows } from '@wintrades/marketdata'
import { readYamlFile } from '@wintrades/platform'
import { type Journal, journalPath, SnapshotFiles, type SnapshotStore, SqliteJournal } from '@wintrades/venue'
import { inRepository } from '../repository.ts'
import { readRunningStatus, startPlatform } from '../supervisor/index.ts'

export type RegionProcess = {
  readonly name: string
  readonly region: string
  readonly pid: number
  readonly host: string
  readonly httpPort: number
}

/** A platform's journals, by shard, its snapshots, and the history that it has written. */
export type Evidence = {
  /** Each is closed by who opened them. */
  readonly journals: readonly Journal[]
  readonly snapshots: SnapshotStore
  readonly history: HistoryRowsSource
  close(): void
}

/** One shard as a region's process sees it (`GET /health/region`). */
export type ShardHealth = {
  readonly shard: number
  readonly leader: string | null
  readonly epoch: number
  readonly seq: number
  readonly fault: string | null
  readonly stateHash: string | null
}

export type Target = {
  readonly baseUrl: string
  readonly dataDirectory: string
  openEvidence(markets: Markets): Promise<Evidence>
  /** The region processes that run now. */
  regions(): readonly RegionProcess[]
  /** What one process knows of every shard; with `hash` it computes its state hashes. Throws when it does not answer. */
  health(process: RegionProcess, hash: boolean): Promise<readonly ShardHealth[]>
  close(): Promise<void>
}

const REQUEST_TIMEOUT_MS = 5_000

/** The markets that a platform started from here has, and where they stand. */
export function readTargetMarkets(): { readonly path: string; readonly markets: Markets } {
  const path = process.env['MARKETS_FILE'] || inRepository('markets.yml')
  const read = readYamlFile(path, readMarkets)
  if (!read.ok) throw new Error(`${path} has faults; wintrades up names them`)
  return { path, markets: read.markets }
}

/** The platform that runs on the data directory; null: none does. */
export function attach(dataDirectory: string): Target | null {
  const status = readRunningStatus(dataDirectory)
  if (status === null) return null
  return target(`http://localhost:${status.frontDoor.port}`, dataDirectory, async () => {})
}

/** Starts a platform of the caller's own in a new temporary directory. */
export async function startPrivate(
  say: (line: string) => void,
  signal: AbortSignal,
  options: { readonly simulation?: boolean } = {},
): Promise<Target> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'wintrades-private-'))
  const platform = await startPlatform({
    ...options,
    dataDirectory,
    signal,
    onEvent: (event) => {
      if (event.fault) say(`  ${event.process}: ${event.message}`)
    },
  })
  return target(platform.baseUrl, dataDirectory, async () => {
    await platform.stop()
    await rm(dataDirectory, { recursive: true, force: true })
  })
}

/** A platform that runs on the data directory, as a target; `openEvidence` if its journals are not files there. */
export function target(
  baseUrl: string,
  dataDirectory: string,
  close: () => Promise<void>,
  openEvidence: Target['openEvidence'] = filesIn(dataDirectory),
): Target {
  return { baseUrl, dataDirectory, openEvidence, regions: () => readRegions(dataDirectory), health: readHealth, close }
}

function filesIn(dataDirectory: string): Target['openEvidence'] {
  return async (markets) => ({
    journals: markets.shards.map((shard) => new SqliteJournal(journalPath(dataDirectory, shard))),
    snapshots: new SnapshotFiles(dataDirectory, markets),
    history: sqliteRows(historyDirectory(dataDirectory), markets),
    close: () => {},
  })
}

function readRegions(dataDirectory: string): readonly RegionProcess[] {
  return (readRunningStatus(dataDirectory)?.processes ?? []).flatMap(({ name, region, pid, host, httpPort }) =>
    region === undefined || pid === null || httpPort === null ? [] : [{ name, region, pid, host, httpPort }],
  )
}

async function readHealth(process: RegionProcess, hash: boolean): Promise<readonly ShardHealth[]> {
  const url = `http://${process.host}:${process.httpPort}/health/region${hash ? '?hash=1' : ''}`
  const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
  const body = (await response.json()) as { shards?: readonly Partial<ShardHealth>[] }
  if (body.shards === undefined) throw new TypeError(`${url} answers ${response.status} without shards`)
  return body.shards.map((one) => ({
    shard: Number(one.shard),
    leader: one.leader ?? null,
    epoch: Number(one.epoch),
    seq: Number(one.seq),
    fault: one.fault ?? null,
    stateHash: one.stateHash ?? null,
  }))
}
