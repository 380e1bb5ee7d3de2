// The SQLite writer's statements, compiled by Kysely from the row types and prepared once.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { OrderType } from '@wintrades/domain'
import { compilingQueries } from '@wintrades/platform/migrations'
import type { Compilable } from 'kysely'
import { sql } from 'kysely'
import { OrderStatus } from '../order-status.ts'
import { columnsOf } from './columns.ts'
import type { OrderChangeRow } from './rows.ts'
import type { CandlesTable, DaysTable, HistoryDatabase } from './schema.ts'

const queries = compilingQueries<HistoryDatabase>('sqlite')

/** Writes rows of one type with one prepared statement. */
export class RowStatement<Row extends object> {
  readonly #statement: StatementSync
  readonly #columns: readonly (keyof Row)[]
  readonly #values: SQLInputValue[]

  constructor(database: DatabaseSync, query: Compilable, columns: readonly (keyof Row)[]) {
    this.#statement = database.prepare(query.compile().sql)
    this.#columns = columns
    this.#values = columns.map(() => null)
  }

  /** Rows that were written or changed: 0 or 1. */
  run(row: Row): number {
    const values = this.#values
    const columns = this.#columns
    for (let i = 0; i < columns.length; i++) values[i] = row[columns[i] as keyof Row] as SQLInputValue
    return Number(this.#statement.run(...values).changes)
  }
}

export class HistoryStatements {
  readonly insertOrder: RowStatement<HistoryDatabase['orders']>
  readonly changeOrder: RowStatement<OrderChangeRow>
  readonly insertExecution: RowStatement<HistoryDatabase['executions']>
  readonly insertTrade: RowStatement<HistoryDatabase['trades']>
  readonly insertFunds: RowStatement<HistoryDatabase['funds']>
  readonly insertReject: RowStatement<HistoryDatabase['rejects']>
  readonly insertDay: RowStatement<DaysTable>
  readonly replaceCandle: RowStatement<CandlesTable>
  readonly replaceProgress: RowStatement<HistoryDatabase['progress']>
  readonly selectCandle: StatementSync
  readonly selectProgress: StatementSync
  readonly selectDays: StatementSync

  constructor(database: DatabaseSync) {
    this.insertOrder = insert(database, 'orders')
    this.changeOrder = new RowStatement(database, orderChange(), ORDER_CHANGE_COLUMNS)
    this.insertExecution = insert(database, 'executions')
    this.insertTrade = insert(database, 'trades')
    this.insertFunds = insert(database, 'funds')
    this.insertReject = insert(database, 'rejects')
    this.insertDay = insert(database, 'days')
    this.replaceCandle = replace(database, 'candles')
    this.replaceProgress = replace(database, 'progress')
    this.selectCandle = select(
      database,
      queries
        .selectFrom('candles')
        .selectAll()
        .where('instrument', '=', 0)
        .where('interval_seconds', '=', 0)
        .where('open_time', '=', 0),
    )
    this.selectProgress = select(database, queries.selectFrom('progress').selectAll().where('shard', '=', 0))
    this.selectDays = select(database, queries.selectFrom('days').selectAll().where('shard', '=', 0).orderBy('day'))
  }
}

function insert<Table extends keyof HistoryDatabase>(
  database: DatabaseSync,
  table: Table,
): RowStatement<HistoryDatabase[Table]> {
  const columns = columnsOf(table)
  return new RowStatement(database, queries.insertInto(table).values(placeholders(columns)), columns)
}

function replace<Table extends keyof HistoryDatabase>(
  database: DatabaseSync,
  table: Table,
): RowStatement<HistoryDatabase[Table]> {
  const columns = columnsOf(table)
  return new RowStatement(database, queries.replaceInto(table).values(placeholders(columns)), columns)
}

function select(database: DatabaseSync, query: Compilable): StatementSync {
  return database.prepare(query.compile().sql)
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
    .where('account', '=', 0)
    .where('shard', '=', 0)
    .where('order_id', '=', 0)
    .where('day', '=', 0)
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
  'account',
  'shard',
  'order_id',
  'day',
] as const satisfies readonly (keyof OrderChangeRow)[]
