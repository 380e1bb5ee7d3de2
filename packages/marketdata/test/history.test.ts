// The history is what the journal says, once, however it was written; money in it adds up; pages have no holes.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  type AccountId,
  type InstrumentId,
  type Seq,
  type ShardIndex,
  shardOfOrder,
  type Timestamp,
} from '@wintrades/domain'
import { SchemaError } from '@wintrades/platform/migrations'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Posting, postingsOfExecution, postingsOfFunds } from '../src/history/postings.ts'
import type { Execution, HistoryReader, Page, PageQuery } from '../src/history/reader.ts'
import type { ExecutionsTable, FundsTable } from '../src/history/schema.ts'
import { HistoryNotCaughtUp } from '../src/history/server.ts'
import { historyPath } from '../src/history/sqlite-files.ts'
import { openSqliteHistory } from '../src/history/sqlite-server.ts'
import { SqliteHistoryWriter } from '../src/history/sqlite-writer.ts'
import { MarketDataLoader } from '../src/live/loader.ts'
import { MarketData } from '../src/live/market-data.ts'
import { isDone, OrderStatus } from '../src/order-status.ts'
import { markets } from './support/markets.ts'
import { Random } from './support/random.ts'
import { Flow, followed, type TestBatch, TestShard } from './support/test-shard.ts'

const folders: string[] = []
const SHARD = 0 as ShardIndex
const ACCOUNTS = [1, 2, 3, 4, 5] as AccountId[]
const TABLES = ['orders', 'executions', 'trades', 'funds', 'candles', 'rejects', 'progress', 'days']

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'wintrades-history-'))
  folders.push(path)
  return path
}

afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true })
})

function fileOf(directory: string, shard: ShardIndex = SHARD): string {
  return historyPath(directory, markets.shards[shard] as (typeof markets.shards)[number])
}

/** Every row of every table, in key order. */
function contents(directory: string): Record<string, unknown[]> {
  const database = new DatabaseSync(fileOf(directory), { readOnly: true })
  const rows = TABLES.map((table) => {
    const columns = database.prepare(`select * from ${table} limit 1`).columns()
    const order = columns.map((_, i) => i + 1).join(', ')
    return [table, database.prepare(`select * from ${table} order by ${order}`).all()]
  })
  database.close()
  return Object.fromEntries(rows)
}

function postingsOf(directory: string): Posting[] {
  const { executions, funds } = contents(directory) as unknown as { executions: ExecutionsTable[]; funds: FundsTable[] }
  return [...executions.flatMap(postingsOfExecution), ...funds.flatMap(postingsOfFunds)]
}

async function write(directory: string, batches: readonly TestBatch[], eventsPerTransaction = 5_000): Promise<void> {
  const writer = new SqliteHistoryWriter(directory, markets, { eventsPerTransaction, transaction_ms: 60_000 })
  for (const batch of batches) await writer.write(batch.bytes, batch.events)
  await writer.close()
}

async function allPages<Item>(read: (query: PageQuery) => Promise<Page<Item>>, query: PageQuery): Promise<Item[]> {
  const items: Item[] = []
  let cursor: string | null = null
  do {
    const page: Page<Item> = await read(cursor === null ? query : { ...query, cursor })
    items.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== null)
  return items
}

const shard = new TestShard(SHARD)
const flow = new Flow(shard, 41)
flow.begin()
flow.run(1_200)
const { batches } = shard
const home = folder()
let reader: HistoryReader

beforeAll(async () => {
  await write(home, batches)
  reader = openSqliteHistory(home, markets)
})

afterAll(() => reader.close())

describe('what is written', () => {
  test('does not depend on how batches fall into transactions', async () => {
    const some = batches.slice(0, 250)
    const whole = folder()
    await write(whole, some, 1_000_000)
    const expected = contents(whole)
    expect(expected['executions']?.length).toBeGreaterThan(100)
    for (const size of [1, 30, 300]) {
      const other = folder()
      await write(other, some, size)
      expect(contents(other)).toEqual(expected)
    }
  })

  test('is the same when batches come twice, from two writers, and after crashes', async () => {
    const directory = folder()
    const random = new Random(5)
    const options = { eventsPerTransaction: 200, transaction_ms: 60_000 }
    let writer = new SqliteHistoryWriter(directory, markets, options)
    let other = new SqliteHistoryWriter(directory, markets, options)
    for (;;) {
      const from = await writer.begin(SHARD)
      if (from === batches.length) break
      const through = Math.min(batches.length, from + random.between(1, 80))
      for (const batch of batches.slice(from, through)) await writer.write(batch.bytes, batch.events)
      // What a writer that dies had not committed is gone with it: the next one asks where to go on.
      if (random.below(3) === 0) await writer.flush(SHARD)
      else writer = new SqliteHistoryWriter(directory, markets, options)
      ;[writer, other] = [other, writer]
    }
    expect(contents(directory)).toEqual(contents(home))
  })

  test('a batch that is already there changes nothing', async () => {
    const directory = folder()
    const before = contents(home)
    await write(directory, batches)
    await write(directory, batches.slice(100))
    expect(contents(directory)).toEqual(before)
  })

  test('a missing batch is an error, and nothing of that transaction stays', async () => {
    const directory = folder()
    await write(directory, batches.slice(0, 50))
    const writer = new SqliteHistoryWriter(directory, markets)
    const batch = batches[51] as TestBatch
    await writer.write(batch.bytes, batch.events)
    await expect(writer.flush(SHARD)).rejects.toThrow('ends at batch 50, and batch 52 came')
    expect(await writer.begin(SHARD)).toBe(50)
  })

  test('a history may begin later than its journal, and says so', async () => {
    const directory = folder()
    await write(directory, batches.slice(600))
    const [progress] = contents(directory)['progress'] as { first_seq: number; seq: number }[]
    expect(progress).toMatchObject({ first_seq: 601, seq: batches.length })
  })

  test('events may be changed once write has returned', async () => {
    const directory = folder()
    const writer = new SqliteHistoryWriter(directory, markets)
    for (const batch of batches) {
      const events = batch.events.slice()
      await writer.write(batch.bytes, events)
      events.fill(0)
    }
    await writer.close()
    expect(contents(directory)).toEqual(contents(home))
  })
})

describe('money', () => {
  test('the postings of every event sum to zero in each asset', async () => {
    const sums = new Map<string, number>()
    for (const posting of postingsOf(home)) {
      const key = `${posting.seq}.${posting.index}.${posting.asset}`
      sums.set(key, (sums.get(key) ?? 0) + posting.amount)
    }
    expect(sums.size).toBeGreaterThan(1_000)
    expect([...sums.values()].filter((sum) => sum !== 0)).toEqual([])
  })

  test('the postings of an account are its balance', async () => {
    for (const account of ACCOUNTS) {
      const byAsset = new Map<number, number>()
      for (const posting of await allPages((query) => reader.postings(query), { account, limit: 100 })) {
        byAsset.set(posting.asset, (byAsset.get(posting.asset) ?? 0) + posting.amount)
      }
      for (const balance of shard.engine.account(account).balances) {
        expect(byAsset.get(balance.asset) ?? 0).toBe(balance.available + balance.held)
      }
    }
    const fees = new Map<number, number>()
    for (const { account, asset, amount } of postingsOf(home)) {
      if (account === 0) fees.set(asset, (fees.get(asset) ?? 0) + amount)
    }
    expect(fees.size).toBeGreaterThan(0)
    for (const balance of shard.engine.account(0 as AccountId).balances) {
      expect(fees.get(balance.asset) ?? 0).toBe(balance.available + balance.held)
    }
  })

  test('what is outside and in flight mirrors the trial balance', async () => {
    const outside = new Map<number, number>()
    for (const { account, asset, amount } of postingsOf(home)) {
      if (account < 0) outside.set(asset, (outside.get(asset) ?? 0) - amount)
    }
    for (const line of shard.engine.trialBalance()) {
      const entered = line.deposited - line.withdrawn + line.transferredIn - line.transferredOut
      expect(outside.get(line.asset) ?? 0).toBe(entered)
    }
  })
})

describe('what is read', () => {
  test('open orders are as the engine has them, all others are done', async () => {
    const rows = contents(home)['orders'] as Record<string, number>[]
    const open = ACCOUNTS.flatMap((account) => shard.engine.account(account).openOrders)
    expect(open.length).toBeGreaterThan(3)
    expect(rows.filter((row) => (row['status'] as number) < OrderStatus.filled).length).toBe(open.length)
    for (const order of open) {
      const found = await reader.orderById(order.account, order.order)
      expect(found).toMatchObject({ value: followed(order), seq: batches.length })
      const byClientId = await reader.orderByClientId(SHARD, order.account, order.clientOrderId)
      expect(byClientId.value?.order).toBe(order.order)
      expect((await reader.orderById((order.account + 1) as AccountId, order.order)).value).toBeNull()
    }
    const account = ACCOUNTS[0] as AccountId
    expect((await reader.orderById(account, (16 * 9_999_999) as never)).value).toBeNull()
    expect((await reader.orderById(account, (16 * 9_999_999 + 9) as never)).value).toBeNull()
    expect((await reader.orderByClientId(SHARD, account, 'never')).value).toBeNull()
  })

  test('closed orders come in pages, newest first, without holes or repeats', async () => {
    for (const account of ACCOUNTS) {
      const orders = await allPages((query) => reader.closedOrders(query), { account, limit: 17 })
      const rows = contents(home)['orders'] as Record<string, number>[]
      const expected = rows.filter((row) => row['account'] === account && isDone(row['status'] as OrderStatus))
      expect(orders.map((order) => order.order)).toEqual(expected.map((row) => row['order_id']).reverse())
      expect(orders.every((order) => shardOfOrder(order.order) === SHARD)).toBe(true)
    }
    const instrument = 3 as InstrumentId
    const some = await allPages((query) => reader.closedOrders(query), {
      account: ACCOUNTS[0] as AccountId,
      instrument,
      limit: 5,
    })
    expect(some.length).toBeGreaterThan(20)
    expect(new Set(some.map((order) => order.instrument))).toEqual(new Set([instrument]))
    expect(new Set(some.map((order) => order.order)).size).toBe(some.length)
  })

  test('an order’s fills are its cumulative quantity and quote', async () => {
    const account = ACCOUNTS[1] as AccountId
    const filled = (await allPages((query) => reader.closedOrders(query), { account, limit: 500 })).filter(
      (order) => order.cumQty > 0,
    )
    expect(filled.length).toBeGreaterThan(50)
    for (const order of filled) {
      const fills = await reader.executionsOfOrder(order.order)
      expect(fills.reduce((sum, fill) => sum + fill.quantity, 0)).toBe(order.cumQty)
      expect(fills.reduce((sum, fill) => sum + fill.notional, 0)).toBe(order.cumQuote)
    }
  })

  test('executions come in pages, whole and in order', async () => {
    const account = ACCOUNTS[2] as AccountId
    const key = (one: Execution) => [one.seq, one.index, one.liquidity === 'TAKER' ? 1 : 0]
    const executions = await allPages((query) => reader.executions(query), { account, limit: 9 })
    const rows = (contents(home)['executions'] as Record<string, number>[]).filter((row) => row['account'] === account)
    expect(executions.map(key)).toEqual(rows.map((row) => [row['seq'], row['idx'], row['taker']]).reverse())
    const instrument = 2 as InstrumentId
    const some = await allPages((query) => reader.executions(query), { account, instrument, limit: 4 })
    expect(some).toEqual(executions.filter((one) => one.instrument === instrument))
  })

  test('funds and rejects are found by account and by transfer id', async () => {
    const account = ACCOUNTS[3] as AccountId
    const funds = await allPages((query) => reader.funds(query), { account, limit: 6 })
    expect(new Set(funds.map((one) => one.kind)).size).toBe(3)
    const [first] = funds
    expect(await reader.fundsByTransferId(account, first?.transferId ?? '')).toEqual([first])
    const rejects = await allPages((query) => reader.rejects(query), { account, limit: 6 })
    expect(rejects.length).toBeGreaterThan(5)
    expect(rejects.every((one) => one.rejectCode > 0)).toBe(true)
  })

  test('a read that names what it must have seen waits for it, and is refused when the time is over', async () => {
    const directory = folder()
    await write(directory, batches.slice(0, 100))
    const behind = openSqliteHistory(directory, markets)
    const account = ACCOUNTS[0] as AccountId
    const atLeast = [{ shard: SHARD, seq: 200 as Seq }]
    const early = behind.closedOrders({ account, limit: 1_000, atLeast, timeout_ms: 30 })
    await expect(early).rejects.toThrow(HistoryNotCaughtUp)
    const waiting = behind.closedOrders({ account, limit: 1_000, atLeast, timeout_ms: 10_000 })
    await write(directory, batches.slice(100, 200))
    expect((await waiting).places[0]).toEqual({ shard: SHARD, seq: 200 })
    await behind.close()
  })

  test('where nothing is written there is nothing', async () => {
    const empty = openSqliteHistory(folder(), markets)
    expect(await empty.progress(SHARD)).toBe(0)
    const page = await empty.closedOrders({ account: ACCOUNTS[0] as AccountId, limit: 10 })
    expect(page).toMatchObject({ items: [], nextCursor: null })
    expect((await empty.marketHistory(1 as InstrumentId)).lastTradeNumber).toBe(0)
  })

  test('live market data begun from history is what it would have been without a restart', async () => {
    const whole = new MarketData(markets)
    for (const market of whole.instruments) {
      market.initialise({ ...shard.engine.book(market.instrument.id, 0), bookVersion: 0, lastTradeNumber: 0 })
    }
    for (const batch of batches) whole.apply(batch)
    const late = new MarketData(markets)
    const books = { book: async (id: InstrumentId) => ({ value: shard.engine.book(id, 10_000) }) }
    expect(await new MarketDataLoader(late, books, reader).load()).toEqual({ unready: 0, missingTrades: 0 })
    for (const market of late.instruments.filter((one) => one.instrument.shard === SHARD)) {
      const other = whole.get(market.instrument.id)
      const now = shard.engine.timestamp
      expect(market.ticker(now)).toMatchObject({
        volume: other?.ticker(now).volume,
        tradeCount: other?.ticker(now).tradeCount,
      })
      const range = [0 as Timestamp, Number.MAX_SAFE_INTEGER as Timestamp, 2_000] as const
      expect(market.candles['1h'].range(...range)).toEqual(other?.candles['1h'].range(...range))
      expect(market.trades.latest(500)).toEqual(other?.trades.latest(500))
      expect(await reader.candles(market.instrument.id, '15m', ...range)).toEqual(market.candles['15m'].range(...range))
    }
  })
})

describe('over several shards', () => {
  const directory = folder()
  const others = [0, 1].map((index) => new TestShard(index))

  beforeAll(async () => {
    for (const one of others) {
      const several = new Flow(one, 50 + one.shard)
      several.begin()
      several.run(150)
      await write(directory, one.batches)
    }
  })

  test('pages are merged by time and every shard is read to its end', async () => {
    const merged = openSqliteHistory(directory, markets)
    const account = ACCOUNTS[0] as AccountId
    const orders = await allPages((query) => merged.closedOrders(query), { account, limit: 10 })
    const times = orders.map((order) => order.acceptedAt)
    expect(times).toEqual([...times].sort((a, b) => b - a))
    expect(new Set(orders.map((order) => order.order)).size).toBe(orders.length)
    const single = [0, 1].map((index) =>
      allPages((query) => merged.closedOrders(query), { account, shard: index as ShardIndex, limit: 1_000 }),
    )
    expect(orders.length).toBe((await Promise.all(single)).flat().length)
    await merged.close()
  })
})

describe('the schema', () => {
  test('a history of a newer release that took something away is refused, with what to do', async () => {
    const directory = folder()
    await write(directory, batches.slice(0, 10))
    const database = new DatabaseSync(fileOf(directory))
    database.exec('update schema_version set version = 9, compatible_from = 9')
    database.close()
    await expect(new SqliteHistoryWriter(directory, markets).begin(SHARD)).rejects.toThrow(SchemaError)
    const other = openSqliteHistory(directory, markets)
    await expect(other.progress(SHARD)).rejects.toThrow('start a newer release')
  })

  test('one that only added something goes on working', async () => {
    const directory = folder()
    await write(directory, batches.slice(0, 10))
    const database = new DatabaseSync(fileOf(directory))
    database.exec('update schema_version set version = 9; alter table orders add column added integer')
    database.close()
    await write(directory, batches.slice(10, 20))
    const other = openSqliteHistory(directory, markets)
    expect(await other.progress(SHARD)).toBe(20)
    await other.close()
  })
})
