// The history on real MySQL servers: equal to the journal whatever crashes, read where it is fresh enough, kept in order by partitions.

import { setTimeout as pause } from 'node:timers/promises'
import type { AccountId, OrderId, Seq } from '@wintrades/domain'
import {
  HistoryNotCaughtUp,
  HistoryReader,
  HistoryUnavailable,
  keepPartitions,
  MysqlHistoryServer,
  MysqlHistoryWriter,
  openMysqlHistory,
} from '@wintrades/marketdata'
import { historyQueries, Random } from '@wintrades/marketdata/testing'
import { SchemaError } from '@wintrades/platform/migrations'
import { isServerTrouble, PrimaryFinder } from '@wintrades/platform/mysql'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  Archiving,
  caughtUp,
  differencesFrom,
  emptyHistory,
  follow,
  journalOf,
  logger,
  markets,
  mysqlOptionsOf,
  openForWriting,
  SHARD,
} from './history/ground.ts'
import { type Lab, type LabMysql, startLab, until } from './lab/index.ts'

const journal = journalOf(500, 71)
const ACCOUNT = 1 as AccountId
const ALL = journal.length
let lab: Lab
let primary: LabMysql
let replica: LabMysql

beforeAll(async () => {
  lab = await startLab()
  ;[primary, replica] = await Promise.all([
    lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' }),
    lab.mysql({ name: 'mysql_slave_us', region: 'us-east', serverId: 4, role: 'reader', port: 3307 }),
  ])
  await openForWriting(primary)
})

afterAll(() => lab?.close())

describe('what is written', () => {
  beforeEach(() => emptyHistory(primary))

  test('is what the journal says, in transactions of any size', async () => {
    for (const rowsPerTransaction of [150, 100_000]) {
      await emptyHistory(primary)
      const archiving = new Archiving([primary], { rowsPerTransaction })
      await archiving.archive(journal)
      expect(archiving.writer.figures(SHARD).batches).toBe(ALL)
      await archiving.close()
      expect(await differencesFrom(journal, [primary])).toEqual([])
    }
  })

  test('is the same after a writer was killed again and again at any point', async () => {
    const random = new Random(11)
    for (let lives = 0; ; lives++) {
      const archiving = new Archiving([primary], { rowsPerTransaction: 200 })
      const from = await archiving.writer.begin(SHARD)
      if (from === ALL) {
        await archiving.close()
        expect(lives).toBeGreaterThan(2)
        break
      }
      const through = Math.min(ALL, from + random.between(50, 250))
      const dying = pause(random.below(800)).then(() => archiving.kill())
      const writing = archiving.archive(journal, through)
      // Some are through before they are killed.
      await Promise.allSettled([writing, dying])
    }
    expect(await differencesFrom(journal, [primary])).toEqual([])
  })

  test('is the same when two writers, of an old and a new leader, are at it together', async () => {
    const writers = [
      new Archiving([primary], { rowsPerTransaction: 300 }),
      new Archiving([primary], { rowsPerTransaction: 500 }),
    ]
    let clashes = 0
    const untilDone = async (archiving: Archiving) => {
      for (;;) {
        try {
          await archiving.archive(journal)
          return
        } catch {
          clashes += 1
        }
      }
    }
    await Promise.all(writers.map(untilDone))
    expect(clashes).toBeGreaterThan(0)
    for (const archiving of writers) await archiving.close()
    expect(await differencesFrom(journal, [primary])).toEqual([])
  })

  test('goes on after the primary was killed under it', async () => {
    const archiving = new Archiving([primary], { rowsPerTransaction: 200 })
    await archiving.archive(journal, 150)
    const failing = expect(archiving.archive(journal)).rejects.toThrow()
    await primary.kill()
    await failing
    await primary.start()
    await openForWriting(primary)
    await archiving.goOn(journal)
    await archiving.close()
    expect(await differencesFrom(journal, [primary])).toEqual([])
  })

  test('a batch that follows another journal is refused, and nothing of it is written', async () => {
    const archiving = new Archiving([primary])
    await archiving.archive(journal, 100)
    await primary.query("UPDATE wintrades.progress SET hash = REPEAT('ab', 32)")
    await expect(archiving.archive(journal)).rejects.toThrow('does not follow the batch 100')
    await archiving.close()
  })

  test('rows where the progress says there are none are told, not written over', async () => {
    const archiving = new Archiving([primary])
    await archiving.archive(journal, 200)
    const [before] = await primary.query<{ seq: number }>('SELECT seq FROM wintrades.progress')
    expect(before?.seq).toBe(200)
    await primary.query('DELETE FROM wintrades.progress')
    await expect(archiving.archive(journal)).rejects.toMatchObject({ name: 'HistoryDamage', isDamage: true })
    await archiving.close()
  })

  test('a sync has an acknowledged commit behind it, and finds out when somebody else has written', async () => {
    const archiving = new Archiving([primary])
    await archiving.archive(journal, 100)
    const other = new Archiving([primary])
    await other.archive(journal, 100)
    await other.writer.sync(SHARD)
    expect(await primary.query('SELECT number FROM wintrades.syncs')).toEqual([{ number: 1 }])
    await other.writer.begin(SHARD)
    await archiving.archive(journal, 120)
    await expect(other.writer.sync(SHARD)).rejects.toMatchObject({ name: 'HistoryMoved' })
    await Promise.all([archiving.close(), other.close()])
  })
})

describe('what stops it', () => {
  beforeEach(() => emptyHistory(primary))

  async function beginning(options: Parameters<typeof mysqlOptionsOf>[0], change: object): Promise<unknown> {
    const finder = new PrimaryFinder({ ...mysqlOptionsOf(options), ...change }, logger)
    try {
      return await new MysqlHistoryWriter(finder, markets, logger).begin(SHARD).catch((error: unknown) => error)
    } finally {
      finder.close()
    }
  }

  test('a wrong password is told with what to check', async () => {
    const error = await beginning([primary], { password: { text: 'wrong' } })
    expect(String(error)).toMatch(/check DB_USER .*DB_PASSWORD_FILE/)
  })

  test('a user who may only read is told what is missing', async () => {
    const password = { text: primary.credentials.passwordOf('read') }
    const error = await beginning([primary], { user: 'wintrades_read_a', password })
    expect(String(error)).toContain('grant')
  })

  test('a schema of a newer release is left alone, by writers and by readers', async () => {
    const archiving = new Archiving([primary])
    await archiving.archive(journal, 10)
    await archiving.close()
    await primary.query(
      "UPDATE wintrades.schema_version SET version = 9, compatible_from = 9 WHERE component = 'history'",
    )
    const error = await beginning([primary], {})
    expect(error).toBeInstanceOf(SchemaError)
    expect(String(error)).toContain('start a newer release')
    const finder = new PrimaryFinder(mysqlOptionsOf([primary]), logger)
    const { reader } = openMysqlHistory(mysqlOptionsOf([primary]), finder, markets)
    await expect(reader.closedOrders({ account: ACCOUNT, limit: 10 })).rejects.toThrow('start a newer release')
    finder.close()
  })
})

describe('what is read', () => {
  let finder: PrimaryFinder
  let reader: HistoryReader
  let archiving: Archiving
  const half = [{ shard: SHARD, seq: 250 as Seq }]
  const most = [{ shard: SHARD, seq: 350 as Seq }]

  beforeAll(async () => {
    await emptyHistory(primary)
    await follow(replica, primary)
    archiving = new Archiving([primary])
    await archiving.archive(journal, 250)
    await caughtUp(replica, primary)
    const options = mysqlOptionsOf([primary], replica)
    finder = new PrimaryFinder(options, logger)
    reader = openMysqlHistory(options, finder, markets).reader
  })

  afterAll(async () => {
    await archiving?.close()
    await reader?.close()
    finder?.close()
  })

  test('comes from the replica, and a read that must be fresh waits for it', async () => {
    const page = await reader.closedOrders({ account: ACCOUNT, limit: 20, atLeast: half })
    expect(page.items).toHaveLength(20)
    expect(page.places[0]).toEqual({ shard: SHARD, seq: 250 })
    const waiting = reader.closedOrders({
      account: ACCOUNT,
      limit: 20,
      atLeast: [{ shard: SHARD, seq: 300 as Seq }],
      timeout_ms: 20_000,
    })
    await archiving.archive(journal, 300)
    expect((await waiting).places[0]?.seq).toBeGreaterThanOrEqual(300)
  })

  test('a replica 60 s behind never answers a read that names what it must have seen', async () => {
    await follow(replica, primary, 60)
    await archiving.archive(journal, 350)
    for (let i = 0; i < 20; i++) {
      const page = await reader.executions({ account: ACCOUNT, limit: 10, atLeast: most })
      expect(page.places[0]?.seq).toBeGreaterThanOrEqual(350)
      const order = await reader.orderByClientId(SHARD, ACCOUNT, 'order-1', { atLeast: most })
      expect(order.seq).toBeGreaterThanOrEqual(350)
    }
    // Whoever names nothing reads what is near.
    expect((await reader.executions({ account: ACCOUNT, limit: 10 })).places[0]?.seq).toBeLessThan(350)
    const beyond = { account: ACCOUNT, limit: 10, atLeast: [{ shard: SHARD, seq: 450 as Seq }], timeout_ms: 500 }
    await expect(reader.funds(beyond)).rejects.toThrow(HistoryNotCaughtUp)
  })

  test('a replica that is late and a primary that is gone: the read is refused, not answered with what is old', async () => {
    const options = mysqlOptionsOf([primary], replica)
    const alone = new PrimaryFinder(options, logger)
    const late = openMysqlHistory(options, alone, markets).reader
    await primary.pause()
    try {
      const read = late.closedOrders({ account: ACCOUNT, limit: 10, atLeast: most, timeout_ms: 1_000 })
      await expect(read).rejects.toThrow(HistoryUnavailable)
      const old = await late.closedOrders({ account: ACCOUNT, limit: 10 })
      expect(old.places[0]?.seq).toBeLessThan(350)
    } finally {
      await primary.unpause()
      await late.close()
      alone.close()
    }
  })

  test('a replica that is gone is passed over, and its circuit opens', async () => {
    await follow(replica, primary)
    await caughtUp(replica, primary)
    const options = mysqlOptionsOf([primary], replica)
    const { reader: other, circuits } = openMysqlHistory(options, finder, markets)
    await other.progress(SHARD)
    await replica.kill()
    for (let i = 0; i < 5; i++) {
      expect((await other.closedOrders({ account: ACCOUNT, limit: 10, atLeast: most })).items).toHaveLength(10)
    }
    expect(circuits.map(({ backend, state }) => `${backend} ${state}`)).toContain('mysql-replica open')
    await replica.start()
    await until('the replica is asked again', async () => {
      await other.progress(SHARD)
      return circuits[0]?.state === 'closed'
    })
    await other.close()
  })

  test('pages of every kind are those of the rebuilt history', async () => {
    await archiving.archive(journal)
    const primaryOnly = new HistoryReader(markets, [
      new MysqlHistoryServer('primary', (work) => finder.use(work, 5_000, isServerTrouble)),
    ])
    for (const kind of ['closedOrders', 'executions', 'funds', 'postings', 'rejects'] as const) {
      const seen: unknown[] = []
      let cursor: string | null = null
      do {
        const page: Awaited<ReturnType<HistoryReader[typeof kind]>> = await primaryOnly[kind]({
          account: ACCOUNT,
          limit: 37,
          ...(cursor === null ? {} : { cursor }),
        })
        seen.push(...page.items)
        cursor = page.nextCursor
      } while (cursor !== null)
      const whole = await primaryOnly[kind]({ account: ACCOUNT, limit: 1_000 })
      expect(seen.slice(0, 1_000)).toEqual(whole.items)
      expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(seen.length)
    }
    const [order] = (await primaryOnly.closedOrders({ account: ACCOUNT, limit: 1 })).items
    expect((await primaryOnly.orderById(ACCOUNT, order?.order as OrderId)).value).toEqual(order)
    expect((await primaryOnly.marketHistory(1 as never)).lastTradeNumber).toBeGreaterThan(0)
  })
})

describe('the tables', () => {
  const DAY_MS = 86_400_000
  const began_ms = Math.floor((journal[0] as (typeof journal)[number]).timestamp / 1_000)
  const policy = { days: 7, ahead_days: 14, retention_days: 100 }
  const keep = async (now_ms: number) => {
    const options = { ...mysqlOptionsOf([primary]), user: 'wintrades_operator_a' }
    const password = { file: primary.credentials.passwordFileOf('operator') }
    const finder = new PrimaryFinder({ ...options, password }, logger)
    try {
      return await finder.use(
        (connection) => keepPartitions(connection, { policy, now_ms, deadline_ms: 60_000 }),
        10_000,
        isServerTrouble,
      )
    } finally {
      finder.close()
    }
  }
  const countOf = async (table: string) =>
    Number((await primary.query<{ count: number }>(`SELECT COUNT(*) AS count FROM wintrades.${table}`))[0]?.count)

  test('get partitions while they are written, however late, and lose none because of a clock', async () => {
    await emptyHistory(primary)
    expect(await keep(began_ms)).toEqual([])
    const archiving = new Archiving([primary])
    await archiving.archive(journal, 200)
    const made = await keep(began_ms)
    expect(new Set(made.map((change) => change.table)).size).toBe(5)
    expect(await keep(began_ms)).toEqual([])
    await archiving.archive(journal, 300)
    // The operator was off for weeks.
    expect((await keep(began_ms + 60 * DAY_MS)).every((change) => change.kind === 'make')).toBe(true)
    await archiving.archive(journal)
    expect(await differencesFrom(journal, [primary])).toEqual([])
    // A clock that is years ahead: partitions, yes; but what the history itself calls new stays.
    const orders = await countOf('orders')
    expect((await keep(began_ms + 5_000 * DAY_MS)).some((change) => change.kind === 'drop')).toBe(false)
    expect(await countOf('orders')).toBe(orders)
    await archiving.close()
  })

  test('are dropped by age, and orders that were in them may still change', async () => {
    await emptyHistory(primary)
    const archiving = new Archiving([primary])
    await archiving.archive(journal, 200)
    await keep(began_ms)
    await primary.query('UPDATE wintrades.progress SET timestamp = timestamp + ?', [150 * DAY_MS * 1_000])
    const changes = await keep(began_ms + 150 * DAY_MS)
    expect(changes.some((change) => change.kind === 'drop')).toBe(true)
    expect(await countOf('orders')).toBe(0)
    await archiving.archive(journal)
    expect(await countOf('orders')).toBeGreaterThan(0)
    await archiving.close()
  })

  test('answer every query from an index, in its order, whatever the statistics say', async () => {
    await emptyHistory(primary)
    const archiving = new Archiving([primary])
    await archiving.archive(journal)
    await archiving.close()
    await keep(began_ms)
    const connection = await primary.connect()
    try {
      await connection.query('USE wintrades')
      for (const statistics of ['stale', 'fresh']) {
        if (statistics === 'fresh')
          await connection.query('ANALYZE TABLE orders, executions, trades, funds, rejects, candles')
        for (const [index, query] of historyQueries('mysql')) {
          const [plan] = await connection.query(`EXPLAIN FORMAT=TRADITIONAL ${query.sql}`, [...query.parameters])
          const rows = plan as { key: string; type: string; Extra: string | null }[]
          expect(rows.map((row) => row.key)).toEqual([index])
          expect(rows.map((row) => row.type).filter((type) => !['const', 'ref', 'range'].includes(type))).toEqual([])
          expect(rows.map((row) => row.Extra ?? '').join()).not.toMatch(/filesort|temporary/)
        }
      }
    } finally {
      await connection.end()
    }
  })
})

describe('after a promotion', () => {
  test('the history goes on at the new primary and is what the journal says', async () => {
    await emptyHistory(primary)
    await follow(replica, primary)
    const servers = [primary, replica]
    const archiving = new Archiving(servers, { rowsPerTransaction: 200 })
    await archiving.archive(journal, 250)
    await caughtUp(replica, primary)
    const failing = Promise.allSettled([archiving.archive(journal)])
    await primary.kill()
    await failing
    await until('the relay log is applied', async () => {
      const [row] = await replica.query<Record<string, string>>('SHOW REPLICA STATUS')
      return row?.['Replica_SQL_Running_State']?.includes('has read all relay log') === true
    })
    await replica.query('STOP REPLICA')
    await replica.query('RESET REPLICA ALL')
    await openForWriting(replica)
    await archiving.goOn(journal)
    await archiving.close()
    expect(await differencesFrom(journal, servers)).toEqual([])
  })
})
