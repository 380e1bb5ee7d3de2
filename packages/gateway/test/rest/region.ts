// One region for tests: the real engine, venue, history and gateway in this process, on a free port, with the repository's markets.yml and
// a directory of its own. It leads every shard.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Markets, type RegionName, readMarkets, type ShardIndex, type Timestamp } from '@wintrades/domain'
import { MarketData, openSqliteHistory, SqliteHistoryWriter } from '@wintrades/marketdata'
import { type Config, createLogger, loadConfig, loadSecrets, readYamlFile, type Secrets } from '@wintrades/platform'
import { Metrics } from '@wintrades/platform/metrics'
import type { RedisCluster } from '@wintrades/platform/redis'
import {
  MemoryJournal,
  MemoryJournalStore,
  MemorySnapshots,
  newOrigin,
  startVenueInProcess,
  type Transport,
  type Venue,
} from '@wintrades/venue'
import { createGateway } from '../../src/index.ts'

const MARKETS_FILE = fileURLToPath(new URL('../../../../markets.yml', import.meta.url))
const REGION = 'us-east' as RegionName

/** Limits that tests do not run into by accident. */
const UNLIMITED = {
  RATE_LIMIT_REQUESTS_PER_SECOND: '1000000',
  RATE_LIMIT_ORDERS_PER_SECOND: '10000000',
  RATE_LIMIT_ADDRESS_PER_SECOND: '1000000',
  RATE_LIMIT_LOGINS_PER_MINUTE: '1000000',
}

export type TestRegion = {
  readonly url: string
  readonly markets: Markets
  readonly config: Config
  readonly secrets: Secrets
  readonly venue: Venue
  /** Lines that were logged at level error. */
  readonly errors: readonly string[]
  /** Stops and starts writing the history, as an archiver that falls behind. */
  holdHistory(held: boolean): void
  /** The state hash of every shard, once no transfer is on its way: those change the state by themselves. */
  stateHashes(): Promise<string[]>
  /** Only the gateway, as a part of a process that stops. */
  stopGateway(): Promise<void>
  stop(): Promise<void>
}

const alone: Transport = {
  regions: [],
  start: async () => {},
  isGone: () => true,
  isDeserted: () => false,
  send: () => false,
  close: async () => {},
}

export async function startRegion(
  environment: Readonly<Record<string, string>> = {},
  more: { readonly redis?: RedisCluster } = {},
): Promise<TestRegion> {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-rest-'))
  const read = loadConfig({ DATA_DIRECTORY: directory, HTTP_PORT: '0', REGION, ...UNLIMITED, ...environment })
  if (!read.ok) throw new Error(read.faults.map((fault) => fault.message).join('; '))
  const file = readYamlFile(MARKETS_FILE, readMarkets)
  if (!file.ok) throw new Error(file.faults.map((fault) => `${fault.path} ${fault.message}`).join('; '))
  const { config } = read
  const { markets } = file
  const secrets = loadSecrets(config)
  const errors: string[] = []
  const write = (line: string) => void (line.includes('"level":"error"') && errors.push(line))
  const logger = createLogger('test', { level: 'warn', write })

  const now_us = () => (Date.now() * 1_000) as Timestamp
  const venue = await startVenueInProcess({
    region: REGION,
    origin: newOrigin(),
    markets,
    journals: markets.shards.map(() => new MemoryJournal(new MemoryJournalStore(now_us))),
    transport: alone,
    snapshots: new MemorySnapshots(),
    logger,
    timing: { claimStep_ms: 1, leaseRead_ms: 5, leaseTtl_ms: 60_000 },
  })
  const writer = new SqliteHistoryWriter(join(directory, 'history'), markets, { transaction_ms: 0 })
  const history = openSqliteHistory(join(directory, 'history'), markets)
  let held = false
  let waiting: (readonly [Uint8Array, Float64Array])[] = []
  const unsubscribe = venue.onBatch(({ bytes, events }) => {
    waiting.push([bytes, events])
    if (!held) drain()
  })
  const drain = () => {
    for (const [bytes, events] of waiting) void writer.write(bytes, events)
    waiting = []
    for (const shard of markets.shards) void writer.flush(shard.index)
  }

  const gateway = createGateway({
    config,
    secrets,
    markets,
    venue,
    marketData: new MarketData(markets),
    history,
    metrics: new Metrics({ region: REGION }),
    logger,
    ...more,
  })
  const { port } = await gateway.start()
  const url = `http://127.0.0.1:${port}`
  await untilReady(url)
  return {
    url,
    markets,
    config,
    secrets,
    venue,
    errors,
    holdHistory: (hold) => {
      held = hold
      if (!held) drain()
    },
    stateHashes: async () => {
      const shards = markets.shards.map((_, index) => index as ShardIndex)
      for (;;) {
        const states = await Promise.all(shards.map((shard) => venue.trialBalance(shard)))
        if (states.every(({ value }) => value.inFlight.length === 0)) break
        await pause(5)
      }
      return await Promise.all(shards.map(async (shard) => (await venue.stateHash(shard)).value))
    },
    stopGateway: () => gateway.stop(),
    stop: async () => {
      await gateway.stop()
      unsubscribe()
      await venue.close()
      await history.close()
      await writer.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function untilReady(url: string): Promise<void> {
  const deadline_ms = performance.now() + 15_000
  for (;;) {
    const response = await fetch(`${url}/health/ready`)
    const text = await response.text()
    if (response.ok) return
    if (performance.now() > deadline_ms) throw new Error(`the region does not become ready: ${text}`)
    await pause(20)
  }
}
