// A venue on MySQL that trades while a test backs its database up, and an archiver as an operator runs it.

import {
  type AccountId,
  type Amount,
  type AssetId,
  CommandType,
  type RegionName,
  readMarkets,
  type ShardIndex,
} from '@wintrades/domain'
import { MysqlHistoryWriter } from '@wintrades/marketdata'
import { type BackupSettings, BinlogArchiver, type Catalogue } from '@wintrades/operations/backup'
import { createLogger, type Logger, readYamlFile } from '@wintrades/platform'
import { type MysqlOptions, PrimaryFinder } from '@wintrades/platform/mysql'
import {
  type CommittedBatch,
  newOrigin,
  openJournals,
  Replica,
  startVenueInProcess,
  TcpTransport,
} from '@wintrades/venue'
import { expect } from 'vitest'
import { until } from './lab/index.ts'

export const REGION = 'eu-west' as RegionName
const own = createLogger('depositing', { level: 'error', write: (line) => process.stderr.write(line) })
const read = readYamlFile(new URL('../../markets.yml', import.meta.url).pathname, readMarkets)
if (!read.ok) throw new Error('markets.yml has faults')
export const { markets } = read
/** The one that is traded in. */
export const SHARD = markets.shards.findIndex((shard) => shard.name === REGION) as ShardIndex
export const LIMITS = { timeout_ms: 120_000, every_ms: 100 }

export type DepositingOptions = {
  readonly directory: string
  readonly mysql: MysqlOptions
  /** Between deposits; none if not given: as many as the database takes. */
  readonly pause_ms?: number
  /** What the venue says; its errors are shown if not given. */
  readonly logger?: Logger
}

/** A venue on MySQL whose client deposits without pause, and what its replica heard. */
export class Depositing {
  /** By seq − 1: the batch, and when its first acknowledgement was here. */
  readonly heard: { readonly bytes: Uint8Array; readonly events: Float64Array; readonly at_ms: number }[] = []
  readonly #mysql: MysqlOptions
  readonly #close: () => Promise<void>
  #isStopping = false
  #trading: Promise<void> = Promise.resolve()

  private constructor(mysql: MysqlOptions, close: () => Promise<void>) {
    this.#mysql = mysql
    this.#close = close
  }

  static async start({ directory, mysql, pause_ms = 0, logger = own }: DepositingOptions): Promise<Depositing> {
    const origin = newOrigin()
    const { journals, snapshots } = await openJournals({ dataDirectory: directory, mysql }, { markets, origin, logger })
    const key = new Uint8Array(32)
    const link = { region: REGION, origin, host: '127.0.0.1', port: 0, peers: [], key, tls: null, logger }
    const transport = new TcpTransport(link)
    const venue = await startVenueInProcess({ region: REGION, origin, markets, journals, transport, snapshots, logger })
    const load = new Depositing(mysql, () => venue.close())
    venue.onBatch((batch) => load.#hear(batch))
    await until('the shard is led', () => venue.status().shards[SHARD]?.leading === true, LIMITS)
    load.#trading = load.#trade((number) => deposit(venue, number), pause_ms)
    return load
  }

  get seq(): number {
    return this.heard.length
  }

  async more(batches: number): Promise<void> {
    const wanted = this.seq + batches
    await until(`${batches} more batches`, () => this.seq >= wanted, LIMITS)
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#trading
    await this.#close()
  }

  /** Writes the history of what was heard so far; returns the last batch that it has. */
  async writeHistory(): Promise<number> {
    const finder = new PrimaryFinder(this.#mysql, own)
    const writer = new MysqlHistoryWriter(finder, markets, own)
    try {
      const from = await writer.begin(SHARD)
      const last = this.seq
      for (const { bytes, events } of this.heard.slice(from, last)) await writer.write(bytes, events)
      await writer.flush(SHARD)
      return last
    } finally {
      await writer.close()
      finder.close()
    }
  }

  /** The state after a batch, by an engine of our own. */
  stateAfter(seq: number): string {
    const own = new Replica(markets.shards[SHARD] as (typeof markets.shards)[number])
    for (const { bytes } of this.heard.slice(0, seq)) own.apply(bytes)
    return Buffer.from(own.engine.stateHash()).toString('hex')
  }

  #hear({ shard, seq, bytes, events }: CommittedBatch): void {
    if (shard !== SHARD) return
    expect(seq).toBe(this.seq + 1)
    this.heard.push({ bytes, events, at_ms: Date.now() })
  }

  async #trade(send: (number: number) => Promise<void>, pause_ms: number): Promise<void> {
    for (let number = 1; !this.#isStopping; number++) {
      await Promise.all([send(3 * number), send(3 * number + 1), send(3 * number + 2)])
      if (pause_ms > 0) await new Promise((resolve) => setTimeout(resolve, pause_ms))
    }
  }
}

/** Resolves when its outcome is known, or will never be. */
async function deposit(venue: Awaited<ReturnType<typeof startVenueInProcess>>, number: number): Promise<void> {
  const command = {
    type: CommandType.deposit,
    account: (1 + (number % 7)) as AccountId,
    asset: (markets.assets[0]?.id ?? 0) as AssetId,
    amount: number as Amount,
    transferId: `d-${number}`,
  } as const
  const isSent = await new Promise<boolean>((resolve) => {
    const handler = { committed: () => resolve(true), unknown: () => resolve(true) }
    if (venue.submit(SHARD, command, handler) !== 'submitted') resolve(false)
  })
  // Nobody leads it just now.
  if (!isSent) await new Promise((resolve) => setTimeout(resolve, 100))
}

/** An archiver as an operator runs it. */
export class Archive {
  readonly archiver: BinlogArchiver
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  constructor(catalogue: Catalogue, settings: BackupSettings) {
    this.archiver = new BinlogArchiver({ catalogue, settings, logger: own })
    this.#running = this.archiver.run(this.#stop.signal)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** Until everything that was committed before now is archived. */
  async isComplete(): Promise<void> {
    const now_ms = Date.now()
    await until('everything is archived', () => this.archiver.figures.completeUntil_ms >= now_ms, LIMITS)
  }
}
