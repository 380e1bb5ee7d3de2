// Every question that the gateway asks the history, as typed queries for SQLite and MySQL. Each is served by an index (a test shows it),
// reads at most its limit, and goes on by key: "after this row", never "skip n rows".

import { type AccountId, type InstrumentId, type OrderId, type ShardIndex, shardOfOrder } from '@wintrades/domain'
import { type Kysely, sql } from 'kysely'
import { OrderStatus } from '../order-status.ts'
import type { HistoryDatabase } from './schema.ts'

/** A place in an account's events, for going on after it (towards the past). */
export type EventKey = { readonly seq: number; readonly idx: number; readonly part: number }

/** Before the first page: every event is before it. */
export const NEWEST: EventKey = { seq: Number.MAX_SAFE_INTEGER, idx: 0, part: 0 }

type Database = Kysely<HistoryDatabase>

/** The shard where it is no part of the index: as a bare column it would tempt SQLite to walk the primary key instead. */
const FILTERED_SHARD = sql<number>`+${sql.ref('shard')}`

/**
 * The index that has the rows in the order of the answer, whatever MySQL's statistics make of it: a page that is sorted, or looked for in another
 * order, takes longer the more an account has traded. To SQLite it is a comment.
 */
function using(table: string, index: string) {
  return sql`/*+ INDEX(${sql.ref(table)} ${sql.ref(index)}) */`
}

export function orderById(database: Database, account: AccountId, order: OrderId) {
  return database
    .selectFrom('orders')
    .selectAll()
    .modifyFront(using('orders', 'PRIMARY'))
    .where('account', '=', account)
    .where('shard', '=', shardOfOrder(order))
    .where('order_id', '=', order)
    .compile()
}

/** The newest order of that client order id: an id may be used again once the engine has forgotten it. */
export function orderByClientId(database: Database, account: AccountId, shard: ShardIndex, clientOrderId: string) {
  return database
    .selectFrom('orders')
    .selectAll()
    .modifyFront(using('orders', 'orders_by_client_order_id'))
    .where('account', '=', account)
    .where('client_order_id', '=', clientOrderId)
    .where(FILTERED_SHARD, '=', shard)
    .orderBy('order_id', 'desc')
    .limit(1)
    .compile()
}

export function closedOrders(
  database: Database,
  account: AccountId,
  shard: ShardIndex,
  instrument: InstrumentId | null,
  before: number,
  limit: number,
) {
  let query = database
    .selectFrom('orders')
    .selectAll()
    .modifyFront(using('orders', instrument === null ? 'PRIMARY' : 'orders_by_instrument'))
    .where('account', '=', account)
  // Without an instrument the primary key has the order; with one, the index that begins with both has.
  query = instrument === null ? query.where('shard', '=', shard) : query.where('instrument', '=', instrument)
  return query
    .where('order_id', '<', before)
    .where('status', '>=', OrderStatus.filled)
    .orderBy('order_id', 'desc')
    .limit(limit)
    .compile()
}

export function executionsOfAccount(
  database: Database,
  account: AccountId,
  shard: ShardIndex,
  instrument: InstrumentId | null,
  before: EventKey,
  limit: number,
) {
  let query = database
    .selectFrom('executions')
    .selectAll()
    .modifyFront(using('executions', instrument === null ? 'PRIMARY' : 'executions_by_instrument'))
    .where('account', '=', account)
  // Without an instrument the primary key has the order; with one, the index that begins with both has.
  query = instrument === null ? query.where('shard', '=', shard) : query.where('instrument', '=', instrument)
  return query
    .where('seq', '<=', before.seq)
    .where(({ eb, or, and }) =>
      or([
        eb('seq', '<', before.seq),
        eb('idx', '<', before.idx),
        and([eb('idx', '=', before.idx), eb('taker', '<', before.part)]),
      ]),
    )
    .orderBy('seq', 'desc')
    .orderBy('idx', 'desc')
    .orderBy('taker', 'desc')
    .limit(limit)
    .compile()
}

/** Oldest first. */
export function executionsOfOrder(database: Database, order: OrderId, limit: number) {
  return database
    .selectFrom('executions')
    .selectAll()
    .modifyFront(using('executions', 'executions_by_order'))
    .where('order_id', '=', order)
    .orderBy('seq')
    .orderBy('idx')
    .limit(limit)
    .compile()
}

export function fundsOfAccount(
  database: Database,
  account: AccountId,
  shard: ShardIndex,
  before: EventKey,
  limit: number,
) {
  return database
    .selectFrom('funds')
    .selectAll()
    .modifyFront(using('funds', 'PRIMARY'))
    .where('account', '=', account)
    .where('shard', '=', shard)
    .where('seq', '<=', before.seq)
    .where(({ eb, or }) => or([eb('seq', '<', before.seq), eb('idx', '<', before.idx)]))
    .orderBy('seq', 'desc')
    .orderBy('idx', 'desc')
    .limit(limit)
    .compile()
}

export function fundsByTransferId(
  database: Database,
  account: AccountId,
  shard: ShardIndex,
  transferId: string,
  limit: number,
) {
  return database
    .selectFrom('funds')
    .selectAll()
    .modifyFront(using('funds', 'funds_by_transfer_id'))
    .where('account', '=', account)
    .where('transfer_id', '=', transferId)
    .where(FILTERED_SHARD, '=', shard)
    .orderBy('seq', 'desc')
    .limit(limit)
    .compile()
}

export function rejectsOfAccount(
  database: Database,
  account: AccountId,
  shard: ShardIndex,
  before: EventKey,
  limit: number,
) {
  return database
    .selectFrom('rejects')
    .selectAll()
    .modifyFront(using('rejects', 'PRIMARY'))
    .where('account', '=', account)
    .where('shard', '=', shard)
    .where('seq', '<=', before.seq)
    .where(({ eb, or }) => or([eb('seq', '<', before.seq), eb('idx', '<', before.idx)]))
    .orderBy('seq', 'desc')
    .orderBy('idx', 'desc')
    .limit(limit)
    .compile()
}

/** The newest `limit` candles with `from ≤ open_time < to`, newest first. */
export function candlesOf(
  database: Database,
  instrument: InstrumentId,
  interval_seconds: number,
  from: number,
  to: number,
  limit: number,
) {
  return database
    .selectFrom('candles')
    .selectAll()
    .modifyFront(using('candles', 'PRIMARY'))
    .where('instrument', '=', instrument)
    .where('interval_seconds', '=', interval_seconds)
    .where('open_time', '>=', from)
    .where('open_time', '<', to)
    .orderBy('open_time', 'desc')
    .limit(limit)
    .compile()
}

/** Oldest first. */
export function tradesOf(database: Database, instrument: InstrumentId, first: number, last: number, limit: number) {
  return database
    .selectFrom('trades')
    .selectAll()
    .modifyFront(using('trades', 'PRIMARY'))
    .where('instrument', '=', instrument)
    .where('trade_number', '>=', first)
    .where('trade_number', '<=', last)
    .orderBy('trade_number')
    .limit(limit)
    .compile()
}

/** Newest first. */
export function lastTradesOf(database: Database, instrument: InstrumentId, limit: number) {
  return database
    .selectFrom('trades')
    .selectAll()
    .modifyFront(using('trades', 'PRIMARY'))
    .where('instrument', '=', instrument)
    .orderBy('trade_number', 'desc')
    .limit(limit)
    .compile()
}

export function progressOf(database: Database, shard: ShardIndex) {
  return database.selectFrom('progress').selectAll().where('shard', '=', shard).compile()
}
