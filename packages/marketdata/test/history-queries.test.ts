// Every query that the gateway asks is answered from an index, in the index's order: no table is scanned, nothing is sorted.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { AccountId, InstrumentId, OrderId, ShardIndex } from '@wintrades/domain'
import { compilingQueries } from '@wintrades/platform/migrations'
import type { CompiledQuery } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import * as ask from '../src/history/queries.ts'
import type { HistoryDatabase } from '../src/history/schema.ts'
import { openHistoryToWrite } from '../src/history/sqlite-files.ts'

const directory = mkdtempSync(join(tmpdir(), 'wintrades-queries-'))
const database: DatabaseSync = openHistoryToWrite(join(directory, 'history.sqlite'))
const queries = compilingQueries<HistoryDatabase>('sqlite')

afterAll(() => {
  database.close()
  rmSync(directory, { recursive: true })
})

const account = 7 as AccountId
const shard = 0 as ShardIndex
const instrument = 3 as InstrumentId
const order = 160 as OrderId
const before = { seq: 100, idx: 5, part: 1 }

const EXPECTED: readonly (readonly [name: string, query: CompiledQuery, plan: string])[] = [
  [
    'orderById',
    ask.orderById(queries, account, order),
    'SEARCH orders USING PRIMARY KEY (account=? AND shard=? AND order_id=?)',
  ],
  [
    'orderByClientId',
    ask.orderByClientId(queries, account, shard, 'mine'),
    'SEARCH orders USING INDEX orders_by_client_order_id (account=? AND client_order_id=?)',
  ],
  [
    'closedOrders',
    ask.closedOrders(queries, account, shard, null, 1_000, 50),
    'SEARCH orders USING PRIMARY KEY (account=? AND shard=? AND order_id<?)',
  ],
  [
    'closedOrders of an instrument',
    ask.closedOrders(queries, account, shard, instrument, 1_000, 50),
    'SEARCH orders USING INDEX orders_by_instrument (account=? AND instrument=? AND order_id<?)',
  ],
  [
    'executionsOfAccount',
    ask.executionsOfAccount(queries, account, shard, null, before, 50),
    'SEARCH executions USING PRIMARY KEY (account=? AND shard=? AND seq<?)',
  ],
  [
    'executionsOfAccount of an instrument',
    ask.executionsOfAccount(queries, account, shard, instrument, before, 50),
    'SEARCH executions USING INDEX executions_by_instrument (account=? AND instrument=? AND seq<?)',
  ],
  [
    'executionsOfOrder',
    ask.executionsOfOrder(queries, order, 50),
    'SEARCH executions USING INDEX executions_by_order (order_id=?)',
  ],
  [
    'fundsOfAccount',
    ask.fundsOfAccount(queries, account, shard, before, 50),
    'SEARCH funds USING PRIMARY KEY (account=? AND shard=? AND seq<?)',
  ],
  [
    'fundsByTransferId',
    ask.fundsByTransferId(queries, account, shard, 'mine', 50),
    'SEARCH funds USING INDEX funds_by_transfer_id (account=? AND transfer_id=?)',
  ],
  [
    'rejectsOfAccount',
    ask.rejectsOfAccount(queries, account, shard, before, 50),
    'SEARCH rejects USING PRIMARY KEY (account=? AND shard=? AND seq<?)',
  ],
  [
    'candlesOf',
    ask.candlesOf(queries, instrument, 60, 0, 1_000, 50),
    'SEARCH candles USING PRIMARY KEY (instrument=? AND interval_seconds=? AND open_time>? AND open_time<?)',
  ],
  [
    'tradesOf',
    ask.tradesOf(queries, instrument, 1, 50, 50),
    'SEARCH trades USING PRIMARY KEY (instrument=? AND trade_number>? AND trade_number<?)',
  ],
  ['lastTradesOf', ask.lastTradesOf(queries, instrument, 50), 'SEARCH trades USING PRIMARY KEY (instrument=?)'],
  ['progressOf', ask.progressOf(queries, shard), 'SEARCH progress USING PRIMARY KEY (shard=?)'],
]

test('every query is among them', () => {
  const asked = new Set(EXPECTED.map(([name]) => name.split(' ')[0]))
  const all = Object.entries(ask).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))
  expect(all.filter((name) => !asked.has(name))).toEqual([])
})

test.each(EXPECTED)('%s', (_, query, plan) => {
  const rows = database.prepare(`explain query plan ${query.sql}`).all(...(query.parameters as (string | number)[]))
  expect(rows.map((row) => row['detail'])).toEqual([plan])
})
