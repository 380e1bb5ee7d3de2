// The partitions of the history's tables: planned purely, then made ahead and dropped by age. Promises that no row is refused for want of a
// partition (`rest` takes what nobody foresaw, and is divided later), and that none is dropped before it is old by the clock and by the
// history's own time, so that a wrong clock takes nothing away.

import { compilingQueries } from '@wintrades/platform/migrations'
import type { MysqlConnection, MysqlValue } from '@wintrades/platform/mysql'
import { type CompiledQuery, sql } from 'kysely'
import { DAY_US } from './calendar.ts'
import { type HistoryDatabase, PARTITIONED_TABLES, type PartitionedTable, REST_PARTITION } from './schema.ts'

/** `below`: the first day that is not in it; null: the rest. */
export type Partition = { readonly name: string; readonly below: number | null }

export type PartitionPolicy = {
  /** Days of one partition. A read of an account looks into every one, so not too few. */
  readonly days: number
  /** Partitions are there for so many days to come. */
  readonly ahead_days: number
  /** What is older is dropped, a partition at a time; null: nothing is. */
  readonly retention_days: number | null
}

export const PARTITION_POLICY: PartitionPolicy = { days: 7, ahead_days: 28, retention_days: 400 }

export type PartitionStep =
  | { readonly kind: 'make'; readonly partitions: readonly { readonly name: string; readonly below: number }[] }
  | { readonly kind: 'drop'; readonly names: readonly string[] }

/** In one statement; the next run goes on. */
const MAKE_MAX = 100
const DROP_MAX = 20
const DAY_MS = 86_400_000

/**
 * What brings a table's partitions in order, the first step first. `today` by the clock; `newestDay` is the day of the newest batch in the
 * history (null: none), and the earlier of the two decides what is old.
 */
export function planPartitions(
  existing: readonly Partition[],
  policy: PartitionPolicy,
  today: number,
  newestDay: number | null,
): PartitionStep[] {
  const bounds = existing.flatMap(({ below }) => (below === null ? [] : [below]))
  const last = bounds.at(-1) ?? null
  const steps: PartitionStep[] = []
  const partitions: { name: string; below: number }[] = []
  // The first one takes everything before it, too.
  let below = last === null ? boundAfter(today, policy.days) : boundAfter(last, policy.days)
  const end = Math.max(today, newestDay ?? today) + policy.ahead_days
  for (; below <= boundAfter(end, policy.days) && partitions.length < MAKE_MAX; below += policy.days) {
    partitions.push({ name: partitionName(below), below })
  }
  if (partitions.length > 0) steps.push({ kind: 'make', partitions })
  if (policy.retention_days === null || newestDay === null) return steps
  const old = Math.min(today, newestDay) - policy.retention_days
  const names = existing.flatMap(({ name, below }) => (below !== null && below <= old ? [name] : []))
  // One stays, so that old rows that come late have a place that is dropped in its turn.
  const dropped = names.slice(0, Math.min(DROP_MAX, bounds.length - 1))
  if (dropped.length > 0) steps.push({ kind: 'drop', names: dropped })
  return steps
}

/** `p20261202`: everything before that day. */
function partitionName(below: number): string {
  return `p${new Date(below * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`
}

/** The next multiple of so many days, so that all tables have the same bounds. */
function boundAfter(day: number, days: number): number {
  return (Math.floor(day / days) + 1) * days
}

const LOCK = 'wintrades_history_partitions'
const queries = compilingQueries<HistoryDatabase>('mysql')

export type PartitionChange = { readonly table: PartitionedTable } & PartitionStep

export type KeepPartitionsOptions = {
  readonly policy: PartitionPolicy
  readonly now_ms: number
  /** Rows of `rest` are moved when partitions come late: as long as that takes. */
  readonly deadline_ms: number
}

/**
 * Brings all tables in order, on the primary; what was done. Another process that is at it is left to it. A database without a history has
 * nothing to keep.
 */
export async function keepPartitions(
  connection: MysqlConnection,
  { policy, now_ms, deadline_ms }: KeepPartitionsOptions,
): Promise<readonly PartitionChange[]> {
  const ask = (query: CompiledQuery<unknown>) =>
    connection.query(query.sql, query.parameters as readonly MysqlValue[], deadline_ms)
  const [locked] = await ask(sql`select get_lock(${LOCK}, 0) as locked`.compile(queries))
  if (Number(locked?.['locked']) !== 1) return []
  try {
    const newestDay = await readNewestDay(ask)
    const changes: PartitionChange[] = []
    for (const table of PARTITIONED_TABLES) {
      const existing = await readPartitions(ask, table)
      if (existing.length === 0) continue
      for (const step of planPartitions(existing, policy, Math.floor(now_ms / DAY_MS), newestDay)) {
        await ask(statementOf(table, step))
        changes.push({ table, ...step })
      }
    }
    return changes
  } finally {
    // A connection that is broken holds no lock any more.
    if (connection.broken === null) await ask(sql`select release_lock(${LOCK}) as released`.compile(queries))
  }
}

type Ask = (query: CompiledQuery<unknown>) => Promise<readonly Readonly<Record<string, unknown>>[]>

async function readPartitions(ask: Ask, table: string): Promise<Partition[]> {
  const rows = await ask(
    sql`select partition_name as name, partition_description as bound from information_schema.partitions
      where table_schema = database() and table_name = ${table} and partition_name is not null
      order by partition_ordinal_position`.compile(queries),
  )
  return rows.map((row) => ({
    name: String(row['name']),
    below: row['bound'] === 'MAXVALUE' ? null : Number(row['bound']),
  }))
}

async function readNewestDay(ask: Ask): Promise<number | null> {
  const [there] = await ask(
    sql`select 1 as there from information_schema.tables where table_schema = database() and table_name = 'progress'`.compile(
      queries,
    ),
  )
  if (there === undefined) return null
  const [newest] = await ask(sql`select max(${sql.ref('timestamp')}) as newest from progress`.compile(queries))
  return newest?.['newest'] === null || newest === undefined ? null : Math.floor(Number(newest['newest']) / DAY_US)
}

function statementOf(table: string, step: PartitionStep): CompiledQuery<unknown> {
  if (step.kind === 'drop') {
    const names = sql.join(step.names.map((name) => sql.ref(name)))
    return sql`alter table ${sql.table(table)} drop partition ${names}`.compile(queries)
  }
  const made = step.partitions.map(
    ({ name, below }) => sql`partition ${sql.ref(name)} values less than (${sql.lit(below)})`,
  )
  const rest = sql`partition ${sql.ref(REST_PARTITION)} values less than (maxvalue)`
  return sql`alter table ${sql.table(table)} reorganize partition ${sql.ref(REST_PARTITION)} into (${sql.join([...made, rest])})`.compile(
    queries,
  )
}
