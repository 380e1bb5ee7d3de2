// History on MySQL: how many rows a second its writer sustains while journal batches are appended beside it, and how long a page of an account's
// orders takes from the region's replica among many millions of rows.

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type AccountId, type InstrumentId, type Markets, readMarkets, type ShardIndex } from '@wintrades/domain'
import { keepPartitions, MysqlHistoryWriter, OrderStatus, openMysqlHistory } from '@wintrades/marketdata'
import { createLogger, readYamlFile } from '@wintrades/platform'
import { isServerTrouble, type MysqlOptions, PrimaryFinder } from '@wintrades/platform/mysql'
import type { Connection } from 'mysql2/promise'
import { type Lab, type LabMysql, startLab, until } from '../cluster/lab/index.ts'
import type { BenchOptions, Figure } from './figure.ts'
import { HistoryWork } from './history-work.ts'
import { median } from './statistics.ts'

const SHARD = 0 as ShardIndex
const ROWS_PER_SECOND_TARGET = 20_000
const READ_MS_TARGET = 5
/** Beside the history, as live trading does: this often, of this size. */
const APPEND_MS = 20
const APPEND_BYTES = 32 * 1_024
const ACCOUNTS_TRADING = 1_000
const BATCH_COMMANDS = 100
/** About; the most that the writing part can show. */
const ROWS_PER_BATCH = 320
const ROWS_PER_SECOND_MADE = 40_000
/** Of the reading part; `HISTORY_ROWS` says otherwise. */
const ROWS = 10_000_000
const ORDERS_PER_ACCOUNT = 500
const WEEKS = 12
/** Orders of one account in one statement of the generator. */
const ACCOUNTS_PER_FILL = 500
const READS = 400
const DAY_MS = 86_400_000

export async function run({ say, seconds, signal }: BenchOptions): Promise<Figure[]> {
  const lab = await startLab({ say, storage: 'disk' })
  signal.addEventListener('abort', () => void lab.close(), { once: true })
  try {
    const [primary, replica] = await startServers(lab)
    const bench = new HistoryBench(primary, replica, say)
    try {
      return [...(await bench.write(seconds)), ...(await bench.read(Number(process.env['HISTORY_ROWS'] ?? ROWS)))]
    } finally {
      bench.close()
    }
  } finally {
    await lab.close()
  }
}

async function startServers(lab: Lab): Promise<readonly [LabMysql, LabMysql]> {
  const common = ['innodb_buffer_pool_size = 1G', 'innodb_redo_log_capacity = 1G']
  const [primary, replica] = await Promise.all([
    lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter', settings: common }),
    lab.mysql({ name: 'mysql_slave_us', region: 'us-east', serverId: 4, role: 'reader', port: 3307, settings: common }),
  ])
  await primary.query('SET GLOBAL super_read_only = OFF')
  await primary.query('SET GLOBAL read_only = OFF')
  await replica.query(
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = 'lab_admin', SOURCE_PASSWORD = ?,
      SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1`,
    [primary.host, primary.port, primary.adminPassword],
  )
  await replica.query('START REPLICA')
  return [primary, replica]
}

class HistoryBench {
  readonly #primary: LabMysql
  readonly #replica: LabMysql
  readonly #say: (line: string) => void
  readonly #options: MysqlOptions
  readonly #finder: PrimaryFinder
  readonly #markets = repositoryMarkets()
  readonly #logger = createLogger('bench', { level: 'warn' })

  constructor(primary: LabMysql, replica: LabMysql, say: (line: string) => void) {
    this.#primary = primary
    this.#replica = replica
    this.#say = say
    this.#options = {
      servers: [{ host: primary.host, port: primary.port }],
      readServer: { host: replica.host, port: replica.port },
      database: 'wintrades',
      user: 'wintrades_app_a',
      password: { text: readFileSync(primary.credentials.passwordFileOf('app'), 'utf8').trimEnd() },
      caFile: primary.credentials.authorityFile,
      connections_max: 8,
    }
    this.#finder = new PrimaryFinder(this.#options, this.#logger)
  }

  close(): void {
    this.#finder.close()
  }

  async write(seconds: number): Promise<Figure[]> {
    const writer = new MysqlHistoryWriter(this.#finder, this.#markets, this.#logger)
    await writer.begin(SHARD)
    await this.#keepPartitions()
    const instruments = [1, 2, 3] as InstrumentId[]
    const work = new HistoryWork({ accounts: ACCOUNTS_TRADING, instruments, batchCommands: BATCH_COMMANDS })
    for (const { bytes, events } of work.opening) await writer.write(bytes, events)
    await writer.flush(SHARD)
    // Made beforehand: what trading costs is measured elsewhere.
    const batches = Array.from({ length: Math.ceil((seconds * ROWS_PER_SECOND_MADE) / ROWS_PER_BATCH) }, () =>
      work.next(),
    )
    const trading = await Appending.start(this.#primary)
    await pause(1_000)
    const alone = trading.take()
    const before = writer.figures(SHARD)
    const cpu = process.cpuUsage()
    const began_ms = performance.now()
    for (const { bytes, events } of batches) {
      await writer.write(bytes, events)
      if (performance.now() - began_ms >= seconds * 1_000) break
    }
    await writer.flush(SHARD)
    const taken_seconds = (performance.now() - began_ms) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    const beside = trading.take()
    await trading.stop()
    const rows = writer.figures(SHARD).rows - before.rows
    const perSecond = rows / taken_seconds
    this.#say(`history: ${rows} rows in ${taken_seconds.toFixed(1)} s, ${perSecond.toFixed(0)} rows/s`)
    return [
      { name: 'history.rows', value: perSecond, unit: 'rows/s', reference: ROWS_PER_SECOND_TARGET },
      { name: 'history.client_processor', value: (user + system) / rows, unit: 'µs/row', reference: null },
      { name: 'history.append_p50', value: median(beside), unit: 'ms', reference: median(alone) },
    ]
  }

  async read(rows: number): Promise<Figure[]> {
    const accounts = Math.max(1, Math.floor(rows / ORDERS_PER_ACCOUNT))
    const connection = await this.#primary.connect()
    try {
      await fillOrders(connection, accounts, this.#say)
    } finally {
      await connection.end()
    }
    await this.#replicaCaughtUp()
    const { reader } = openMysqlHistory(this.#options, this.#finder, this.#markets)
    const taken: number[] = []
    try {
      for (let i = 0; i < READS; i++) {
        const account = (FIRST_ACCOUNT + ((i * 7_919) % accounts)) as AccountId
        const began_ms = performance.now()
        const page = await reader.closedOrders({ account, shard: SHARD, limit: 50 })
        taken.push(performance.now() - began_ms)
        if (page.items.length !== 50) throw new Error(`account ${account} has ${page.items.length} orders`)
      }
    } finally {
      await reader.close()
    }
    const sorted = taken.toSorted((a, b) => a - b)
    const p99 = sorted[Math.floor(sorted.length * 0.99)] as number
    this.#say(`history: 50 orders of ${accounts * ORDERS_PER_ACCOUNT}, median ${median(taken).toFixed(2)} ms`)
    return [
      { name: 'history.orders_stored', value: (accounts * ORDERS_PER_ACCOUNT) / 1e6, unit: 'M rows', reference: 50 },
      { name: 'history.last_orders_p50', value: median(taken), unit: 'ms', reference: READ_MS_TARGET },
      { name: 'history.last_orders_p99', value: p99, unit: 'ms', reference: null },
    ]
  }

  async #keepPartitions(): Promise<void> {
    const policy = { days: 7, ahead_days: 7 * WEEKS, retention_days: null }
    await this.#finder.use(
      (connection) => keepPartitions(connection, { policy, now_ms: Date.now(), deadline_ms: 60_000 }),
      5_000,
      isServerTrouble,
    )
  }

  async #replicaCaughtUp(): Promise<void> {
    const [row] = await this.#primary.query<{ executed: string }>('SELECT @@global.gtid_executed AS executed')
    const isThere = async () => {
      const [done] = await this.#replica.query<{ done: number }>(
        'SELECT GTID_SUBSET(?, @@global.gtid_executed) AS done',
        [row?.executed],
      )
      return done?.done === 1
    }
    await until('the replica has all of it', isThere, { timeout_ms: 1_800_000, every_ms: 500 })
  }
}

/** Journal batches beside the history: one connection, one commit after another. */
class Appending {
  readonly #connection: Connection
  #taken: number[] = []
  #stopping = false
  #done: Promise<void>

  private constructor(connection: Connection) {
    this.#connection = connection
    this.#done = this.#run()
  }

  static async start(primary: LabMysql): Promise<Appending> {
    const connection = await primary.connect()
    await connection.query(
      'CREATE TABLE IF NOT EXISTS wintrades.bench_journal (seq BIGINT PRIMARY KEY, batch MEDIUMBLOB NOT NULL)',
    )
    return new Appending(connection)
  }

  /** How long each took since the last time. */
  take(): number[] {
    return this.#taken.splice(0)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#done
    await this.#connection.end()
  }

  async #run(): Promise<void> {
    const batch = Buffer.alloc(APPEND_BYTES, 7)
    for (let seq = 1; !this.#stopping; seq++) {
      const began_ms = performance.now()
      await this.#connection.execute('INSERT INTO wintrades.bench_journal VALUES (?, ?)', [seq, batch])
      this.#taken.push(performance.now() - began_ms)
      await pause(APPEND_MS)
    }
  }
}

/** Above the accounts of the writing part. */
const FIRST_ACCOUNT = 1_000_000

/**
 * So many accounts with their closed orders, spread over the weeks. Made on the server, in the order of the primary key; rows go through the
 * binlog as any others do.
 */
async function fillOrders(connection: Connection, accounts: number, say: (line: string) => void): Promise<void> {
  await connection.query('USE wintrades')
  await connection.query('SET SESSION transaction_isolation = ?', ['READ-COMMITTED'])
  const numbers = (count: number) => JSON.stringify(Array.from({ length: count }, (_, i) => i))
  const today = Math.floor(Date.now() / DAY_MS)
  const perWeek = Math.ceil(ORDERS_PER_ACCOUNT / WEEKS)
  for (let week = 0; week < WEEKS; week++) {
    const earlier = week * perWeek
    const orders = numbers(Math.min(perWeek, ORDERS_PER_ACCOUNT - earlier))
    const day = today + week * 7
    const time = day * DAY_MS * 1_000
    for (let first = 0; first < accounts; first += ACCOUNTS_PER_FILL) {
      const some = numbers(Math.min(ACCOUNTS_PER_FILL, accounts - first))
      const ids = [FIRST_ACCOUNT + first, earlier, accounts, first]
      await connection.execute(FILL, [...ids, day, earlier, OrderStatus.filled, time, time, some, orders])
    }
    say(`history: ${(week + 1) * perWeek * accounts} orders stored`)
  }
}

const FILL = `
  INSERT INTO orders (
    account, shard, order_id, day, instrument, client_order_id, side, order_type, time_in_force, self_trade_prevention, flags, api_key,
    price, quantity, quote_amount, stop_price, trailing_offset, display_quantity, minimum_quantity, expire_time, status, done_reason,
    reject_code, reject_limit, reject_value, cum_qty, cum_quote, leaves_qty, accepted_at, updated_at, seq, updated_seq)
  SELECT
    ? + a.n, 0, (1000000000 + (? + o.n) * ? + ? + a.n) * 16, ?, 1 + (a.n + o.n) % 3, CONCAT('fill-', ? + o.n), (a.n + o.n) % 2, 1, 1, 0, 0, 0,
    20000 + o.n, 5, 0, 0, 0, 0, 0, 0, ?, 1,
    0, 0, 0, 5, 100000, 0, ? + o.n * 1000000, ? + o.n * 1000000, 1, 1
  FROM JSON_TABLE(?, '$[*]' COLUMNS (n INT PATH '$')) AS a
  STRAIGHT_JOIN JSON_TABLE(?, '$[*]' COLUMNS (n INT PATH '$')) AS o`

function repositoryMarkets(): Markets {
  const file = readYamlFile(fileURLToPath(new URL('../../markets.yml', import.meta.url)), readMarkets)
  if (!file.ok) throw new Error('markets.yml cannot be read')
  return file.markets
}
