// What the tests of the history on MySQL share: a primary and this region's replica, the application's way to them, and a journal whose history
// is known.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Markets, readMarkets, type ShardIndex } from '@wintrades/domain'
import {
  compareHistory,
  type HistoryDifference,
  type HistoryRowsSource,
  MysqlHistoryWriter,
  type MysqlHistoryWriterOptions,
  mysqlRows,
  rebuildHistory,
} from '@wintrades/marketdata'
import { Flow, type TestBatch, TestShard } from '@wintrades/marketdata/testing'
import { createLogger, readYamlFile } from '@wintrades/platform'
import { isServerTrouble, type MysqlOptions, PrimaryFinder } from '@wintrades/platform/mysql'
import { type Lab, type LabMysql, until } from '../lab/index.ts'

export const SHARD = 0 as ShardIndex
export const logger = createLogger('test', { level: 'silent' })

export function readRepositoryMarkets(): Markets {
  const file = readYamlFile(fileURLToPath(new URL('../../../markets.yml', import.meta.url)), readMarkets)
  if (!file.ok) throw new Error('markets.yml cannot be read')
  return file.markets
}

export const markets = readRepositoryMarkets()

/** Some trading of a shard, every kind of command. */
export function journalOf(batches: number, seed: number): readonly TestBatch[] {
  const shard = new TestShard(SHARD)
  const flow = new Flow(shard, seed)
  flow.begin()
  flow.run(batches)
  return shard.batches
}

export async function openForWriting(server: LabMysql): Promise<void> {
  await server.query('SET GLOBAL super_read_only = OFF')
  await server.query('SET GLOBAL read_only = OFF')
}

/** As the operator's reconciler does it: `replica` follows `source`. */
export async function follow(replica: LabMysql, source: LabMysql, delay_seconds = 0): Promise<void> {
  await replica.query('STOP REPLICA')
  await replica.query(
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = 'lab_admin', SOURCE_PASSWORD = ?,
      SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_DELAY = ?`,
    [source.host, source.port, source.adminPassword, delay_seconds],
  )
  await replica.query('START REPLICA')
}

/** Resolves when `replica` has executed all that `source` has committed. */
export async function caughtUp(replica: LabMysql, source: LabMysql): Promise<void> {
  const [row] = await source.query<{ executed: string }>('SELECT @@global.gtid_executed AS executed')
  const hasAll = async () => {
    const [done] = await replica.query<{ done: number }>('SELECT GTID_SUBSET(?, @@global.gtid_executed) AS done', [
      row?.executed,
    ])
    return done?.done === 1
  }
  await until(`${replica.name} has all of ${source.name}`, hasAll, { timeout_ms: 180_000 })
}

export function mysqlOptionsOf(servers: readonly LabMysql[], readServer: LabMysql | null = null): MysqlOptions {
  const [first] = servers as [LabMysql]
  const at = ({ host, port }: LabMysql) => ({ host, port })
  return {
    servers: servers.map(at),
    readServer: readServer === null ? null : at(readServer),
    database: 'wintrades',
    user: 'wintrades_app_a',
    password: { file: first.credentials.passwordFileOf('app') },
    caFile: first.credentials.authorityFile,
    connections_max: 8,
  }
}

/** A writer as one process has it: with its own connections, which end when it dies. */
export class Archiving {
  readonly writer: MysqlHistoryWriter
  readonly #finder: PrimaryFinder

  constructor(servers: readonly LabMysql[], options: MysqlHistoryWriterOptions = {}) {
    this.#finder = new PrimaryFinder(mysqlOptionsOf(servers), logger)
    this.writer = new MysqlHistoryWriter(this.#finder, markets, logger, { transaction_ms: 60_000, ...options })
  }

  /** As `kill -9` does: nothing is finished, connections are gone. */
  kill(): void {
    this.#finder.close()
  }

  async close(): Promise<void> {
    await this.writer.close()
    this.#finder.close()
  }

  /** Writes what the history does not have yet. */
  async archive(batches: readonly TestBatch[], through = batches.length): Promise<void> {
    const from = await this.writer.begin(SHARD)
    for (const { bytes, events } of batches.slice(from, through)) await this.writer.write(bytes, events)
    await this.writer.flush(SHARD)
  }

  /** As the archiver does after a failure: begins again until it is through. */
  async goOn(batches: readonly TestBatch[]): Promise<void> {
    const attempt = async () => {
      await this.archive(batches)
      return true
    }
    await until('the history goes on', attempt, { timeout_ms: 60_000 })
  }
}

/** The history of `server` held against one that is rebuilt from the journal. */
export async function differencesFrom(
  journal: readonly TestBatch[],
  servers: readonly LabMysql[],
): Promise<HistoryDifference[]> {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-rebuilt-'))
  const finder = new PrimaryFinder(mysqlOptionsOf(servers), logger)
  try {
    const actual: HistoryRowsSource = mysqlRows((work) => finder.use(work, 10_000, isServerTrouble))
    const expected = await rebuildHistory(directory, markets, SHARD, inOrder(journal))
    return await compareHistory(expected, actual, { markets, shard: SHARD })
  } finally {
    finder.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function* inOrder(journal: readonly TestBatch[]): AsyncGenerator<TestBatch> {
  yield* journal
}

const TABLES = [
  'orders',
  'executions',
  'trades',
  'funds',
  'rejects',
  'candles',
  'days',
  'progress',
  'syncs',
  'schema_step',
  'schema_version',
]

/** A database without a history. */
export async function emptyHistory(primary: LabMysql): Promise<void> {
  for (const table of TABLES) await primary.query(`DROP TABLE IF EXISTS wintrades.${table}`)
}

export async function startPrimary(lab: Lab): Promise<LabMysql> {
  const primary = await lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' })
  await openForWriting(primary)
  return primary
}
