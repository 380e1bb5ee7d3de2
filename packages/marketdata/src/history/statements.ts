// The writer's statements, compiled by Kysely from the row types and prepared once. Columns are bound in the order they are named
// here; a column that a type does not have, or that is forgotten, does not type-check.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { OrderType } from '@wintrades/domain'
import type { Compilable } from 'kysely'
import { sql } from 'kysely'
import { OrderStatus } from '../order-status.ts'
import type { OrderChangeRow } from './rows.ts'
import type {
  CandlesTable,
  ExecutionsTable,
  FundsTable,
  HistoryDatabase,
  OrdersTable,
  PostingsTable,
  RejectsTable,
  TradesTable,
} from './schema.ts'
import { historyQueries } from './schema.ts'

const queries = historyQueries('sqlite')

/** Writes rows of one type with one prepared statement. */
export class RowStatement<Row extends object> {
  readonly #statement: StatementSync
  readonly #columns: readonly (keyof Row)[]

  constructor(database: DatabaseSync, query: Compilable, columns: readonly (keyof Row)[]) {
    this.#statement = database.prepare(query.compile().sql)
    this.#columns = columns
  }

  /** Rows that were written or changed: 0 or 1. */
  run(row: Row): number {
    const values: SQLInputValue[] = []
    for (const column of this.#columns) values.push(row[column] as SQLInputValue)
    return Number(this.#statement.run(...values).changes)
  }
}

export class HistoryStatements {
  readonly insertOrder: RowStatement<OrdersTable>
  readonly changeOrder: RowStatement<OrderChangeRow>
  readonly insertExecution: RowStatement<ExecutionsTable>
  readonly insertTrade: RowStatement<TradesTable>
  readonly insertPosting: RowStatement<PostingsTable>
  readonly insertFunds: RowStatement<FundsTable>
  readonly insertReject: RowStatement<RejectsTable>
  readonly replaceCandle: RowStatement<CandlesTable>
  readonly selectCandle: StatementSync
  readonly selectProgress: StatementSync
  readonly replaceProgress: RowStatement<HistoryDatabase['progress']>

  constructor(database: DatabaseSync) {
    this.insertOrder = insert(database, 'orders', ORDER_COLUMNS)
    this.changeOrder = new RowStatement(database, orderChange(), ORDER_CHANGE_COLUMNS)
    this.insertExecution = insert(database, 'executions', EXECUTION_COLUMNS)
    this.insertTrade = insert(database, 'trades', TRADE_COLUMNS)
    this.insertPosting = insert(database, 'postings', POSTING_COLUMNS)
    this.insertFunds = insert(database, 'funds', FUNDS_COLUMNS)
    this.insertReject = insert(database, 'rejects', REJECT_COLUMNS)
    this.replaceCandle = replace(database, 'candles', CANDLE_COLUMNS)
    this.selectCandle = database.prepare(
      queries
        .selectFrom('candles')
        .selectAll()
        .where('instrument', '=', 0)
        .where('interval_seconds', '=', 0)
        .where('open_time', '=', 0)
        .compile().sql,
    )
    this.selectProgress = database.prepare(
      queries.selectFrom('progress').selectAll().where('shard', '=', 0).compile().sql,
    )
    this.replaceProgress = replace(database, 'progress', ['shard', 'first_seq', 'seq', 'timestamp'])
  }
}

function insert<Table extends keyof HistoryDatabase>(
  database: DatabaseSync,
  table: Table,
  columns: readonly (keyof HistoryDatabase[Table])[],
): RowStatement<HistoryDatabase[Table]> {
  return new RowStatement(database, queries.insertInto(table).values(placeholders(columns)), columns)
}

function replace<Table extends keyof HistoryDatabase>(
  database: DatabaseSync,
  table: Table,
  columns: readonly (keyof HistoryDatabase[Table])[],
): RowStatement<HistoryDatabase[Table]> {
  return new RowStatement(database, queries.replaceInto(table).values(placeholders(columns)), columns)
}

/** A row whose values only mark places: the compiled statement has one parameter for each, in this order. */
function placeholders(columns: readonly PropertyKey[]): never {
  return Object.fromEntries(columns.map((column) => [column, 0])) as never
}

function orderChange(): Compilable {
  const kept = (column: 'done_reason' | 'price' | 'quantity' | 'cum_qty' | 'cum_quote' | 'leaves_qty') =>
    sql<number>`coalesce(${0}, ${sql.ref(column)})`
  const [limit, live] = [sql.lit(OrderType.limit), sql.lit(OrderStatus.new)]
  return queries
    .updateTable('orders')
    .set({
      status: sql<number>`coalesce(${0}, case when ${0} = 1 and ${sql.ref('order_type')} = ${limit} then ${live} else ${sql.ref('status')} end)`,
      done_reason: kept('done_reason'),
      price: kept('price'),
      quantity: kept('quantity'),
      cum_qty: kept('cum_qty'),
      cum_quote: kept('cum_quote'),
      leaves_qty: kept('leaves_qty'),
      updated_at: 0,
      updated_seq: 0,
    })
    .where('order_id', '=', 0)
}

const ORDER_CHANGE_COLUMNS = [
  'status',
  'activated',
  'done_reason',
  'price',
  'quantity',
  'cum_qty',
  'cum_quote',
  'leaves_qty',
  'updated_at',
  'updated_seq',
  'order_id',
] as const satisfies readonly (keyof OrderChangeRow)[]

/** Every column of a table, once each. */
function columnsOf<Row>() {
  return <const Columns extends readonly (keyof Row)[]>(
    ...columns: Exclude<keyof Row, Columns[number]> extends never ? Columns : never
  ): Columns => columns
}

const ORDER_COLUMNS = columnsOf<OrdersTable>()(
  'order_id',
  'account',
  'instrument',
  'client_order_id',
  'side',
  'order_type',
  'time_in_force',
  'self_trade_prevention',
  'flags',
  'api_key',
  'price',
  'quantity',
  'quote_amount',
  'stop_price',
  'trailing_offset',
  'display_quantity',
  'minimum_quantity',
  'expire_time',
  'status',
  'done_reason',
  'reject_code',
  'reject_limit',
  'reject_value',
  'cum_qty',
  'cum_quote',
  'leaves_qty',
  'accepted_at',
  'updated_at',
  'seq',
  'updated_seq',
)

const EXECUTION_COLUMNS = columnsOf<ExecutionsTable>()(
  'account',
  'shard',
  'seq',
  'idx',
  'taker',
  'order_id',
  'instrument',
  'trade_number',
  'side',
  'price',
  'quantity',
  'notional',
  'fee',
  'timestamp',
)

const TRADE_COLUMNS = columnsOf<TradesTable>()(
  'instrument',
  'trade_number',
  'seq',
  'idx',
  'price',
  'quantity',
  'taker_side',
  'notional',
  'timestamp',
)

const POSTING_COLUMNS = columnsOf<PostingsTable>()(
  'account',
  'shard',
  'seq',
  'idx',
  'leg',
  'asset',
  'amount',
  'kind',
  'timestamp',
)

const FUNDS_COLUMNS = columnsOf<FundsTable>()(
  'shard',
  'seq',
  'idx',
  'account',
  'kind',
  'asset',
  'amount',
  'other_shard',
  'transfer_number',
  'movement',
  'transfer_id',
  'timestamp',
)

const CANDLE_COLUMNS = columnsOf<CandlesTable>()(
  'instrument',
  'interval_seconds',
  'open_time',
  'open',
  'high',
  'low',
  'close',
  'volume',
  'quote_volume',
  'trade_count',
  'first_trade_number',
  'last_trade_number',
)

const REJECT_COLUMNS = columnsOf<RejectsTable>()(
  'shard',
  'seq',
  'idx',
  'account',
  'command_type',
  'order_id',
  'client_id',
  'reject_code',
  'reject_limit',
  'reject_value',
  'timestamp',
)
