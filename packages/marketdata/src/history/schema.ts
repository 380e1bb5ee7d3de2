// The history's tables: row types for Kysely, and migrations for SQLite and MySQL from one source.
//
// Every row can be named by (shard, seq, idx): the event of the journal it was derived from. Amounts are integers in an asset's
// smallest units, prices ticks, quantities lots, times microseconds, days those since 1970 (UTC). MySQL's tables are partitioned by day, so
// `day` is in each of their keys; it follows from the rest of the key, so what was unique without it stays so.

import type { Component, Migration, SchemaSteps, Step, TableBuilder } from '@wintrades/platform/migrations'
import { sql } from 'kysely'
import { columnsOf } from './columns.ts'

export type OrdersTable = {
  account: number
  shard: number
  order_id: number
  /** Of the batch that accepted or refused it. */
  day: number
  instrument: number
  client_order_id: string
  side: number
  order_type: number
  time_in_force: number
  self_trade_prevention: number
  flags: number
  api_key: number
  price: number
  quantity: number
  quote_amount: number
  stop_price: number
  trailing_offset: number
  display_quantity: number
  minimum_quantity: number
  expire_time: number
  /** `OrderStatus`. */
  status: number
  /** `DoneReason`; null: open or rejected. */
  done_reason: number | null
  /** `RejectCode`; 0: accepted. */
  reject_code: number
  reject_limit: number
  reject_value: number
  cum_qty: number
  cum_quote: number
  leaves_qty: number
  accepted_at: number
  updated_at: number
  /** Batches that accepted and that last changed it. */
  seq: number
  updated_seq: number
}

/** A trade as one of its two sides sees it, with what it posts to that account (`fee` goes to account 0). */
export type ExecutionsTable = {
  account: number
  shard: number
  seq: number
  idx: number
  /** 1: taker, 0: maker. */
  taker: number
  day: number
  order_id: number
  instrument: number
  trade_number: number
  side: number
  price: number
  quantity: number
  notional: number
  fee: number
  base_asset: number
  /** Signed, as all that is posted. */
  base_amount: number
  quote_asset: number
  /** Notional and fee. */
  quote_amount: number
  timestamp: number
}

/** A trade as everybody sees it. */
export type TradesTable = {
  instrument: number
  trade_number: number
  day: number
  seq: number
  idx: number
  price: number
  quantity: number
  taker_side: number
  notional: number
  timestamp: number
}

export type FundsTable = {
  account: number
  shard: number
  seq: number
  idx: number
  day: number
  /** `CommandType` of the movement. */
  kind: number
  asset: number
  amount: number
  other_shard: number
  transfer_number: number
  movement: number
  transfer_id: string
  timestamp: number
}

export type CandlesTable = {
  instrument: number
  interval_seconds: number
  open_time: number
  open: number
  high: number
  low: number
  close: number
  volume: number
  /** Decimal digits: it may pass 2^53. */
  quote_volume: string
  trade_count: number
  first_trade_number: number
  last_trade_number: number
}

/** Refused commands that are not orders (a refused order is a row of `orders`). */
export type RejectsTable = {
  account: number
  shard: number
  seq: number
  idx: number
  day: number
  command_type: number
  order_id: number
  client_id: string
  reject_code: number
  reject_limit: number
  reject_value: number
  timestamp: number
}

/** How far a shard's journal is in these tables; written in the transaction that writes the rows. */
export type ProgressTable = {
  shard: number
  /** The first batch: above 1, this history began later than its journal. */
  first_seq: number
  seq: number
  /** Of batch `seq`, in hexadecimal digits: the next one has to name it as its predecessor. */
  hash: string
  timestamp: number
}

/** Raised to learn that everything before is durable: the one thing here that the journal does not say. */
export type SyncsTable = { shard: number; number: number }

/** The days of a shard that these tables keep. An order's day follows from its id and a row's from its seq. */
export type DaysTable = {
  shard: number
  day: number
  first_seq: number
  first_command: number
}

export type HistoryDatabase = {
  orders: OrdersTable
  executions: ExecutionsTable
  trades: TradesTable
  funds: FundsTable
  candles: CandlesTable
  rejects: RejectsTable
  progress: ProgressTable
  days: DaysTable
  syncs: SyncsTable
}

/** What a posting is for. */
export const PostingKind = { trade: 1, fee: 2, deposit: 3, withdrawal: 4, transfer_out: 5, transfer_in: 6 } as const
export type PostingKind = (typeof PostingKind)[keyof typeof PostingKind]

/** Collects the fees. */
export const ACCOUNT_FEES = 0
/** The world outside: deposits come from it, withdrawals go to it. */
export const ACCOUNT_OUTSIDE = -1
/** Between shards. */
export const ACCOUNT_IN_FLIGHT = -2

/** Partitioned by day in MySQL; partitions are made ahead and dropped by the operator. */
export const PARTITIONED_TABLES = ['orders', 'executions', 'trades', 'funds', 'rejects'] as const
export type PartitionedTable = (typeof PARTITIONED_TABLES)[number]

/** Rows of days for which no partition was made (in time, or yet) go here. */
export const REST_PARTITION = 'rest'

/** Longest values of the columns that hold text; all others hold integers. */
export const TEXT_COLUMNS: Readonly<Record<string, number>> = {
  client_order_id: 36,
  transfer_id: 36,
  client_id: 36,
  quote_volume: 40,
  hash: 64,
}
/** Integers that the journal's codec keeps this short; half the size of a row is half of what has to be written and replicated. */
const SHORT_COLUMNS: Readonly<Record<string, 'i8' | 'u8' | 'u16' | 'u32'>> = {
  shard: 'u8',
  side: 'u8',
  order_type: 'u8',
  time_in_force: 'u8',
  self_trade_prevention: 'u8',
  flags: 'u8',
  status: 'i8',
  done_reason: 'u8',
  taker: 'u8',
  taker_side: 'u8',
  kind: 'u8',
  command_type: 'u8',
  day: 'u16',
  instrument: 'u16',
  asset: 'u16',
  base_asset: 'u16',
  quote_asset: 'u16',
  other_shard: 'u16',
  reject_code: 'u16',
  account: 'u32',
  api_key: 'u32',
  idx: 'u32',
  interval_seconds: 'u32',
}
const NULLABLE_COLUMNS: ReadonlySet<string> = new Set(['done_reason'])

export const HISTORY: Component = {
  name: 'history',
  migrations: [{ version: 1, compatibleFrom: 1, steps: createEverything }] satisfies Migration[],
  remedy: 'or have it rebuilt from the journal in an empty place',
}

function createEverything(schema: SchemaSteps): readonly Step[] {
  const table = <Name extends keyof HistoryDatabase>(
    name: Name,
    key: readonly (keyof HistoryDatabase[Name] & string)[],
  ) =>
    schema.createTable(name, (builder) => addKey(addColumns(builder, schema, columnsOf(name)), name, key), {
      clustered: true,
      ...(isPartitioned(name)
        ? { partitions: { column: 'day', ranges: [{ name: REST_PARTITION, below: 'max' }] } }
        : {}),
    })
  return [
    table('progress', ['shard']),
    table('days', ['shard', 'day']),
    table('syncs', ['shard']),
    table('orders', ['account', 'shard', 'order_id', 'day']),
    schema.createIndex('orders_by_instrument', 'orders', ['account', 'instrument', 'order_id']),
    schema.createIndex('orders_by_client_order_id', 'orders', ['account', 'client_order_id', 'order_id']),
    table('executions', ['account', 'shard', 'seq', 'idx', 'taker', 'day']),
    schema.createIndex('executions_by_order', 'executions', ['order_id', 'seq', 'idx']),
    schema.createIndex('executions_by_instrument', 'executions', ['account', 'instrument', 'seq', 'idx', 'taker']),
    table('trades', ['instrument', 'trade_number', 'day']),
    table('funds', ['account', 'shard', 'seq', 'idx', 'day']),
    schema.createIndex('funds_by_transfer_id', 'funds', ['account', 'transfer_id', 'seq']),
    table('rejects', ['account', 'shard', 'seq', 'idx', 'day']),
    table('candles', ['instrument', 'interval_seconds', 'open_time']),
  ]
}

function addColumns(builder: TableBuilder, schema: SchemaSteps, columns: readonly string[]): TableBuilder {
  let all = builder
  for (const column of columns) {
    const chars = TEXT_COLUMNS[column]
    const short = SHORT_COLUMNS[column]
    const type =
      chars !== undefined
        ? schema.types.ascii(chars)
        : short !== undefined && schema.dialect === 'mysql'
          ? SHORT_TYPES[short]
          : schema.types.int64
    all = all.addColumn(column, type, (it) => (NULLABLE_COLUMNS.has(column) ? it : it.notNull()))
  }
  return all
}

const SHORT_TYPES = {
  i8: sql`tinyint`,
  u8: sql`tinyint unsigned`,
  u16: sql`smallint unsigned`,
  u32: sql`int unsigned`,
} as const

function addKey(builder: TableBuilder, table: string, key: readonly string[]): TableBuilder {
  return builder.addPrimaryKeyConstraint(`${table}_key`, [...key])
}

export function isPartitioned(table: string): table is PartitionedTable {
  return (PARTITIONED_TABLES as readonly string[]).includes(table)
}
