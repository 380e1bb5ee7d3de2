// Every query that the gateway asks the history, with the index that MySQL has to answer it from.

import type { AccountId, InstrumentId, OrderId, ShardIndex } from '@wintrades/domain'
import { compilingQueries, type SchemaDialect } from '@wintrades/platform/migrations'
import type { CompiledQuery } from 'kysely'
import * as ask from '../../src/history/queries.ts'
import type { HistoryDatabase } from '../../src/history/schema.ts'

const account = 1 as AccountId
const shard = 0 as ShardIndex
const instrument = 1 as InstrumentId
const order = 1_600 as OrderId
const before = { seq: 100, idx: 5, part: 1 }
const LIMIT = 51

export function historyQueries(dialect: SchemaDialect): readonly (readonly [index: string, query: CompiledQuery])[] {
  const queries = compilingQueries<HistoryDatabase>(dialect)
  return [
    ['PRIMARY', ask.orderById(queries, account, order)],
    ['orders_by_client_order_id', ask.orderByClientId(queries, account, shard, 'order-1')],
    ['PRIMARY', ask.closedOrders(queries, account, shard, null, 100_000, LIMIT)],
    ['orders_by_instrument', ask.closedOrders(queries, account, shard, instrument, 100_000, LIMIT)],
    ['PRIMARY', ask.executionsOfAccount(queries, account, shard, null, before, LIMIT)],
    ['PRIMARY', ask.executionsOfAccount(queries, account, shard, null, ask.NEWEST, LIMIT)],
    ['executions_by_instrument', ask.executionsOfAccount(queries, account, shard, instrument, before, LIMIT)],
    ['executions_by_order', ask.executionsOfOrder(queries, order, LIMIT)],
    ['PRIMARY', ask.fundsOfAccount(queries, account, shard, before, LIMIT)],
    ['funds_by_transfer_id', ask.fundsByTransferId(queries, account, shard, 'funds-1', LIMIT)],
    ['PRIMARY', ask.rejectsOfAccount(queries, account, shard, before, LIMIT)],
    ['PRIMARY', ask.candlesOf(queries, instrument, 60, 0, Number.MAX_SAFE_INTEGER, LIMIT)],
    ['PRIMARY', ask.tradesOf(queries, instrument, 1, 100, LIMIT)],
    ['PRIMARY', ask.lastTradesOf(queries, instrument, LIMIT)],
    ['PRIMARY', ask.progressOf(queries, shard)],
  ]
}
