// The MySQL writer's statements. A table's rows of a whole transaction are one parameter, an array of arrays in JSON: one statement that is
// prepared once however many rows there are, the least work for this process, and about what a statement with a place for each value costs the server.

import { OrderType } from '@wintrades/domain'
import { columnTypes, compilingQueries } from '@wintrades/platform/migrations'
import type { MysqlConnection, MysqlRow, MysqlValue } from '@wintrades/platform/mysql'
import { type CompiledQuery, type RawBuilder, sql } from 'kysely'
import { OrderStatus } from '../order-status.ts'
import { columnsOf } from './columns.ts'
import type { OrderChangeRow } from './rows.ts'
import { type CandlesTable, type DaysTable, type HistoryDatabase, type ProgressTable, TEXT_COLUMNS } from './schema.ts'

const queries = compilingQueries<HistoryDatabase>('mysql')
const TYPES = columnTypes('mysql')

/** Rows of one table, as the parameter of its statement. */
export type Bulk = { readonly statement: string; readonly json: string; readonly count: number }

type InsertedTable = 'orders' | 'executions' | 'trades' | 'funds' | 'rejects' | 'days' | 'candles'

const INSERTS = new Map<InsertedTable, string>()

/** null: no rows, nothing to do. */
export function bulkInsert<Table extends InsertedTable>(
  table: Table,
  rows: readonly HistoryDatabase[Table][],
): Bulk | null {
  if (rows.length === 0) return null
  let statement = INSERTS.get(table)
  if (statement === undefined) {
    statement = insertStatement(table)
    INSERTS.set(table, statement)
  }
  return { statement, json: jsonOf(rows, columnsOf(table)), count: rows.length }
}

export function bulkChange(rows: readonly OrderChangeRow[]): Bulk | null {
  if (rows.length === 0) return null
  return { statement: ORDER_CHANGE, json: jsonOf(rows, ORDER_CHANGE_COLUMNS), count: rows.length }
}

/** Rows that were written; of changes, rows that were found. */
export async function writeBulk(connection: MysqlConnection, bulk: Bulk, deadline_ms: number): Promise<number> {
  return await connection.write(bulk.statement, [bulk.json], deadline_ms)
}

/** What has to be as it was left, or nothing is written. True: it was. */
export async function moveProgress(
  connection: MysqlConnection,
  before: ProgressTable | null,
  after: ProgressTable,
  deadline_ms: number,
): Promise<boolean> {
  const { shard, first_seq, seq, hash, timestamp } = after
  if (before === null) {
    const insert = queries.insertInto('progress').values({ shard, first_seq, seq, hash, timestamp })
    return (await write(connection, insert.compile(), deadline_ms)) === 1
  }
  const update = queries
    .updateTable('progress')
    .set({ seq, hash, timestamp })
    .where('shard', '=', shard)
    .where('seq', '=', before.seq)
    .where('hash', '=', before.hash)
  return (await write(connection, update.compile(), deadline_ms)) === 1
}

export async function readProgress(
  connection: MysqlConnection,
  shard: number,
  deadline_ms: number,
): Promise<ProgressTable | null> {
  const query = queries.selectFrom('progress').selectAll().where('shard', '=', shard)
  const [row] = await read(connection, query.compile(), deadline_ms)
  return (row as ProgressTable | undefined) ?? null
}

export async function readDays(connection: MysqlConnection, shard: number, deadline_ms: number): Promise<DaysTable[]> {
  const query = queries.selectFrom('days').selectAll().where('shard', '=', shard)
  return (await read(connection, query.compile(), deadline_ms)) as unknown as DaysTable[]
}

/** The last candle of each interval of these instruments: the only ones that a later trade can be in. */
export async function readLastCandles(
  connection: MysqlConnection,
  instruments: readonly number[],
  deadline_ms: number,
): Promise<CandlesTable[]> {
  if (instruments.length === 0) return []
  const query = queries
    .selectFrom('candles')
    .innerJoin(
      (from) =>
        from
          .selectFrom('candles')
          .select(['instrument', 'interval_seconds', ({ fn }) => fn.max<number>('open_time').as('open_time')])
          .where('instrument', 'in', [...instruments])
          .groupBy(['instrument', 'interval_seconds'])
          .as('last'),
      (join) =>
        join
          .onRef('last.instrument', '=', 'candles.instrument')
          .onRef('last.interval_seconds', '=', 'candles.interval_seconds')
          .onRef('last.open_time', '=', 'candles.open_time'),
    )
    .selectAll('candles')
  return (await read(connection, query.compile(), deadline_ms)) as unknown as CandlesTable[]
}

/** A commit of its own: when it is acknowledged, so is everything before it. */
export async function raiseSyncs(connection: MysqlConnection, shard: number, deadline_ms: number): Promise<void> {
  const raise = sql`insert into ${sql.table('syncs')} (${sql.ref('shard')}, ${sql.ref('number')}) values (${shard}, 1)
    on duplicate key update ${sql.ref('number')} = ${sql.ref('number')} + 1`
  await write(connection, raise.compile(queries), deadline_ms)
}

/** The upper bounds of a table's partitions in order; null: the rest. */
export async function readPartitionBounds(
  connection: MysqlConnection,
  table: string,
  deadline_ms: number,
): Promise<(number | null)[]> {
  const query = sql<{ bound: string }>`select partition_description as bound from information_schema.partitions
    where table_schema = database() and table_name = ${table} and partition_name is not null
    order by partition_ordinal_position`
  const rows = await read(connection, query.compile(queries), deadline_ms)
  return rows.map((row) => (row['bound'] === 'MAXVALUE' ? null : Number(row['bound'])))
}

const ORDER_CHANGE_COLUMNS = [
  'account',
  'shard',
  'order_id',
  'day',
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
] as const satisfies readonly (keyof OrderChangeRow)[]

const ORDER_CHANGE = orderChangeStatement()

function insertStatement(table: InsertedTable): string {
  const columns = columnsOf(table)
  const names = sql.join(columns.map((column) => sql.ref(column)))
  // The last candle of an interval is there already as often as not; every other row is new.
  const verb = table === 'candles' ? sql`replace into` : sql`insert into`
  const statement = sql`${verb} ${sql.table(table)} (${names}) select ${names} from ${rowsOfJson(columns)} as ${sql.ref('given')}`
  return statement.compile(queries).sql
}

/** From the rows that are given to the orders, each by its whole key, and only where the change is newer. */
function orderChangeStatement(): string {
  const given = (column: keyof OrderChangeRow) => sql.ref(`given.${column}`)
  const stored = (column: string) => sql.ref(`orders.${column}`)
  const keys = (['account', 'shard', 'order_id', 'day'] as const).map((key) => sql`${stored(key)} = ${given(key)}`)
  const kept = (['done_reason', 'price', 'quantity', 'cum_qty', 'cum_quote', 'leaves_qty'] as const).map(
    (column) => sql`${stored(column)} = coalesce(${given(column)}, ${stored(column)})`,
  )
  const [limit, live] = [sql.lit(OrderType.limit), sql.lit(OrderStatus.new)]
  const status = sql`${stored('status')} = coalesce(${given('status')}, case when ${given('activated')} = 1 and ${stored('order_type')} = ${limit} then ${live} else ${stored('status')} end)`
  const stamps = (['updated_at', 'updated_seq'] as const).map((column) => sql`${stored(column)} = ${given(column)}`)
  const statement = sql`update ${rowsOfJson(ORDER_CHANGE_COLUMNS)} as ${sql.ref('given')}
    straight_join ${sql.table('orders')} on ${sql.join(keys, sql` and `)}
    set ${sql.join([status, ...kept, ...stamps])}
    where ${stored('updated_seq')} < ${given('updated_seq')}`
  return statement.compile(queries).sql
}

function rowsOfJson(columns: readonly string[]): RawBuilder<unknown> {
  const typed = columns.map((column, i) => {
    const chars = TEXT_COLUMNS[column]
    const type = chars === undefined ? TYPES.int64 : TYPES.text(chars)
    return sql`${sql.ref(column)} ${type} path ${sql.lit(`$[${i}]`)}`
  })
  return sql`json_table(${''}, '$[*]' columns (${sql.join(typed)}))`
}

function jsonOf<Row extends object>(rows: readonly Row[], columns: readonly (keyof Row)[]): string {
  return JSON.stringify(rows.map((row) => columns.map((column) => row[column])))
}

async function read(
  connection: MysqlConnection,
  query: CompiledQuery<unknown>,
  deadline_ms: number,
): Promise<readonly MysqlRow[]> {
  return await connection.rows(query.sql, query.parameters as readonly MysqlValue[], deadline_ms)
}

async function write(connection: MysqlConnection, query: CompiledQuery<unknown>, deadline_ms: number): Promise<number> {
  return await connection.write(query.sql, query.parameters as readonly MysqlValue[], deadline_ms)
}
