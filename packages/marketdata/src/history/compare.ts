// Whether two histories of a shard are the same, row for row: that of a database and one rebuilt from the journal. For drills, backups and
// tests; reads in pages, so it may be as long as it likes. Promises that what it calls equal is.

import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { assert, type InstrumentId, type Markets, type ShardIndex } from '@wintrades/domain'
import { compilingQueries, type SchemaDialect } from '@wintrades/platform/migrations'
import type { MysqlConnection, MysqlValue } from '@wintrades/platform/mysql'
import { type CompiledQuery, sql } from 'kysely'
import { columnsOf } from './columns.ts'
import type { HistoryDatabase } from './schema.ts'
import { historyPath } from './sqlite-files.ts'
import { SqliteHistoryWriter } from './sqlite-writer.ts'

type Row = Readonly<Record<string, number | string | null>>

/** A history that answers queries, whichever database it is in. */
export type HistoryRowsSource = {
  readonly dialect: SchemaDialect
  rows(shard: ShardIndex, query: CompiledQuery<unknown>): Promise<readonly Row[]>
}

export type HistoryDifference = {
  readonly table: string
  /** null: it is not there. */
  readonly expected: Row | null
  readonly actual: Row | null
}

export type CompareOptions = {
  readonly markets: Markets
  readonly shard: ShardIndex
  /** Only rows of later batches: what is rebuilt from a snapshot on knows no earlier ones. Candles and days are left out then. */
  readonly afterSeq?: number
  /** So many are told. */
  readonly differences_max?: number
}

/** In the order of their keys, without the shard. */
const KEYS = {
  orders: ['account', 'order_id'],
  executions: ['account', 'seq', 'idx', 'taker'],
  trades: ['instrument', 'trade_number'],
  funds: ['account', 'seq', 'idx'],
  rejects: ['account', 'seq', 'idx'],
  candles: ['instrument', 'interval_seconds', 'open_time'],
  days: ['day'],
  progress: ['seq'],
} as const satisfies { readonly [Table in keyof HistoryDatabase]?: readonly (keyof HistoryDatabase[Table])[] }
type ComparedTable = keyof typeof KEYS

const PAGE_ROWS = 2_000
const DIFFERENCES_MAX = 20
const DEADLINE_MS = 60_000

/** What is different, at most so many; none: the histories are the same. */
export async function compareHistory(
  expected: HistoryRowsSource,
  actual: HistoryRowsSource,
  options: CompareOptions,
): Promise<HistoryDifference[]> {
  const { differences_max = DIFFERENCES_MAX, afterSeq = 0 } = options
  const differences: HistoryDifference[] = []
  for (const table of Object.keys(KEYS) as ComparedTable[]) {
    if (afterSeq > 0 && !('seq' in indexOf(table))) continue
    for await (const difference of differencesOf(table, expected, actual, options)) {
      differences.push(difference)
      if (differences.length >= differences_max) return differences
    }
  }
  return differences
}

/** The last batch that the shard's history has; 0: none, or there is no history. */
export async function historyEnd(source: HistoryRowsSource, shard: ShardIndex): Promise<number> {
  const query = sql`select ${sql.ref('seq')} from ${sql.table('progress')} where ${sql.ref('shard')} = ${shard}`
  const [row] = await source.rows(shard, query.compile(compilingQueries(source.dialect)))
  return Number(row?.['seq'] ?? 0)
}

/** Writes a shard's history anew, from its batches and their events, into an empty directory; returns where it can be compared. */
export async function rebuildHistory(
  directory: string,
  markets: Markets,
  shard: ShardIndex,
  batches: AsyncIterable<{ readonly bytes: Uint8Array; readonly events: Float64Array }>,
): Promise<HistoryRowsSource> {
  const writer = new SqliteHistoryWriter(directory, markets)
  try {
    assert((await writer.begin(shard)) === 0, 'a history is rebuilt in an empty directory')
    for await (const { bytes, events } of batches) await writer.write(bytes, events)
  } finally {
    await writer.close()
  }
  return sqliteRows(directory, markets)
}

/** The history in the files of a directory. */
export function sqliteRows(directory: string, markets: Markets): HistoryRowsSource {
  return {
    dialect: 'sqlite',
    rows: async (index, query) => {
      const shard = markets.shards[index]
      assert(shard !== undefined, `shard ${index} is not in markets.yml`)
      const database = new DatabaseSync(historyPath(directory, shard), { readOnly: true })
      try {
        return database.prepare(query.sql).all(...(query.parameters as SQLInputValue[])) as Row[]
      } finally {
        database.close()
      }
    },
  }
}

/** The history in a MySQL database; `use` lends connections. */
export function mysqlRows(
  use: <Result>(work: (connection: MysqlConnection) => Promise<Result>) => Promise<Result>,
): HistoryRowsSource {
  return {
    dialect: 'mysql',
    rows: async (_, query) =>
      (await use((connection) =>
        connection.rows(query.sql, query.parameters as readonly MysqlValue[], DEADLINE_MS),
      )) as readonly Row[],
  }
}

async function* differencesOf(
  table: ComparedTable,
  expected: HistoryRowsSource,
  actual: HistoryRowsSource,
  options: CompareOptions,
): AsyncGenerator<HistoryDifference> {
  // One that is rebuilt from a snapshot on says that it begins there.
  const columns = columnsOf(table).filter((column) => column !== 'first_seq' || (options.afterSeq ?? 0) === 0)
  const [left, right] = [pagesOf(table, expected, options), pagesOf(table, actual, options)]
  let [one, other] = [await left.next(), await right.next()]
  for (;;) {
    if (one.done === true && other.done === true) return
    const order = one.done === true ? 1 : other.done === true ? -1 : compareKeys(KEYS[table], one.value, other.value)
    if (order !== 0 || !isSame(columns, one.value, other.value)) {
      yield {
        table,
        expected: order <= 0 ? (one.value as Row) : null,
        actual: order >= 0 ? (other.value as Row) : null,
      }
    }
    if (order <= 0) one = await left.next()
    if (order >= 0) other = await right.next()
  }
}

/** Every row of the shard, in the order of the key. */
async function* pagesOf(
  table: ComparedTable,
  source: HistoryRowsSource,
  options: CompareOptions,
): AsyncGenerator<Row, undefined> {
  let last: Row | null = null
  for (;;) {
    const page: readonly Row[] = await source.rows(options.shard, pageQuery(table, source.dialect, options, last))
    yield* page
    last = page.at(-1) ?? null
    if (page.length < PAGE_ROWS) return
  }
}

function pageQuery(
  table: ComparedTable,
  dialect: SchemaDialect,
  { shard, markets, afterSeq = 0 }: CompareOptions,
  after: Row | null,
): CompiledQuery<unknown> {
  const key: readonly string[] = KEYS[table]
  const columns = indexOf(table)
  const conditions = [
    'shard' in columns
      ? sql`${sql.ref('shard')} = ${shard}`
      : sql`${sql.ref('instrument')} in (${sql.join(instrumentsOf(markets, shard))})`,
    ...(afterSeq > 0 ? [sql`${sql.ref('seq')} > ${afterSeq}`] : []),
    ...(after === null ? [] : [isAfter(key, after)]),
  ]
  const query = sql`select * from ${sql.table(table)} where ${sql.join(conditions, sql` and `)}
    order by ${sql.join(key.map((column) => sql.ref(column)))} limit ${sql.lit(PAGE_ROWS)}`
  return query.compile(compilingQueries(dialect))
}

function isAfter(key: readonly string[], after: Row) {
  const parts = key.map((column, i) => {
    const before = key.slice(0, i).map((one) => sql`${sql.ref(one)} = ${after[one]}`)
    return sql`(${sql.join([...before, sql`${sql.ref(column)} > ${after[column]}`], sql` and `)})`
  })
  return sql`(${sql.join(parts, sql` or `)})`
}

function instrumentsOf(markets: Markets, shard: ShardIndex): InstrumentId[] {
  const ids = markets.instruments.filter((one) => one.shard === shard).map((one) => one.id)
  // None at all is no list in SQL.
  return ids.length === 0 ? [0 as InstrumentId] : ids
}

function compareKeys(key: readonly string[], one: Row, other: Row): number {
  for (const column of key) {
    const difference = Number(one[column]) - Number(other[column])
    if (difference !== 0) return difference
  }
  return 0
}

function isSame(columns: readonly string[], one: Row | undefined, other: Row | undefined): boolean {
  return columns.every((column) => one?.[column] === other?.[column])
}

function indexOf(table: ComparedTable): Readonly<Record<string, true>> {
  return Object.fromEntries(columnsOf(table).map((column) => [column, true]))
}
