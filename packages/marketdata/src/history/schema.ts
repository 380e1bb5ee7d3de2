// The history's tables: row types for Kysely, and migrations for SQLite and MySQL from one source. Promises that a release says
// clearly whether it can work with a database, and that older releases go on working through an expanding migration.
//
// Every row can be named by (shard, seq, idx): the event of the journal it was derived from. Amounts are integers in an asset's
// smallest units, prices ticks, quantities lots, times microseconds.

import { assert } from '@wintrades/domain'
import {
  type CompiledQuery,
  type CreateTableBuilder,
  DummyDriver,
  Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'

export type OrdersTable = {
  order_id: number
  account: number
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

/** A trade as one of its two sides sees it. */
export type ExecutionsTable = {
  account: number
  shard: number
  seq: number
  idx: number
  /** 1: taker, 0: maker. */
  taker: number
  order_id: number
  instrument: number
  trade_number: number
  side: number
  price: number
  quantity: number
  notional: number
  fee: number
  timestamp: number
}

/** A trade as everybody sees it. */
export type TradesTable = {
  instrument: number
  trade_number: number
  seq: number
  idx: number
  price: number
  quantity: number
  taker_side: number
  notional: number
  timestamp: number
}

/** Double entry: the postings of one event sum to zero in each asset. */
export type PostingsTable = {
  /** 0 collects fees; −1 is the world outside, −2 what is in flight between shards. */
  account: number
  shard: number
  seq: number
  idx: number
  leg: number
  asset: number
  amount: number
  /** `PostingKind`. */
  kind: number
  timestamp: number
}

export type FundsTable = {
  shard: number
  seq: number
  idx: number
  account: number
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
  shard: number
  seq: number
  idx: number
  account: number
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
  timestamp: number
}

export type SchemaVersionTable = {
  id: number
  version: number
  /** The oldest release (by its own schema version) that can still use this database. */
  compatible_from: number
}

export type HistoryDatabase = {
  orders: OrdersTable
  executions: ExecutionsTable
  trades: TradesTable
  postings: PostingsTable
  funds: FundsTable
  candles: CandlesTable
  rejects: RejectsTable
  progress: ProgressTable
  schema_version: SchemaVersionTable
}

export const PostingKind = { trade: 1, fee: 2, deposit: 3, withdrawal: 4, transfer_out: 5, transfer_in: 6 } as const
export type PostingKind = (typeof PostingKind)[keyof typeof PostingKind]

/** The world outside: deposits come from it, withdrawals go to it. */
export const ACCOUNT_OUTSIDE = -1
/** Between shards. */
export const ACCOUNT_IN_FLIGHT = -2

export type HistoryDialect = 'sqlite' | 'mysql'

/** Builds and compiles queries of the history, and never runs them: drivers do. */
export function historyQueries(dialect: HistoryDialect): Kysely<HistoryDatabase> {
  if (dialect === 'sqlite') {
    return new Kysely({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (kysely) => new SqliteIntrospector(kysely),
        createQueryCompiler: () => new SqliteQueryCompiler(),
      },
    })
  }
  return new Kysely({
    dialect: {
      createAdapter: () => new MysqlAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (kysely) => new MysqlIntrospector(kysely),
      createQueryCompiler: () => new MysqlQueryCompiler(),
    },
  })
}

/**
 * One step of the schema. An expanding step adds what older releases do not mind; a contracting one takes away what releases
 * below `compatibleFrom` need, so it comes at least one release after the code stopped using it.
 */
export type HistoryMigration = {
  readonly version: number
  readonly compatibleFrom: number
  readonly statements: (database: Kysely<HistoryDatabase>, dialect: HistoryDialect) => readonly CompiledQuery[]
}

export const HISTORY_MIGRATIONS: readonly HistoryMigration[] = [
  { version: 1, compatibleFrom: 1, statements: createEverything },
  { version: 2, compatibleFrom: 1, statements: addOrderFields },
]

export const HISTORY_SCHEMA_VERSION = HISTORY_MIGRATIONS.at(-1)?.version ?? 0

/** A database that this release cannot use, and what to do about it. */
export class HistorySchemaError extends Error {
  override readonly name = 'HistorySchemaError'
}

export type SchemaState = Pick<SchemaVersionTable, 'version' | 'compatible_from'>

/** Migrations still to run, from what the database says of itself (null: it is empty). Throws {@link HistorySchemaError}. */
export function pendingMigrations(state: SchemaState | null): readonly HistoryMigration[] {
  checkCompatible(state)
  return HISTORY_MIGRATIONS.filter((migration) => migration.version > (state?.version ?? 0))
}

/** Throws {@link HistorySchemaError} when a newer release has taken away what this one needs. */
export function checkCompatible(state: SchemaState | null): void {
  if (state === null || state.compatible_from <= HISTORY_SCHEMA_VERSION) return
  throw new HistorySchemaError(
    `the history has schema ${state.version}, made by a newer release; this one knows schema ${HISTORY_SCHEMA_VERSION}: ` +
      'run a release that is at least as new, or move the file away to have it rebuilt from the journal',
  )
}

type Columns<Table extends string> = CreateTableBuilder<Table, never>

function createEverything(database: Kysely<HistoryDatabase>, dialect: HistoryDialect): CompiledQuery[] {
  const schema = database.schema
  // SQLite makes the row id of a column declared exactly so; MySQL's INTEGER would be too small.
  const rowId = dialect === 'sqlite' ? 'integer' : 'bigint'
  const table = <Table extends string>(name: Table, key: readonly string[], integers: readonly string[]) => {
    let builder: Columns<Table> = schema.createTable(name) as Columns<Table>
    for (const column of integers) {
      builder = builder.addColumn(column as never, 'bigint', (it) => it.notNull()) as Columns<Table>
    }
    return key.length === 0 ? builder : clustered(builder, key as never[], dialect)
  }
  const index = (name: string, on: string, columns: readonly string[]) =>
    schema
      .createIndex(name)
      .on(on)
      .columns(columns as never[])
      .compile()
  return [
    schema
      .createTable('schema_version')
      .addColumn('id', rowId, (it) => it.primaryKey())
      .addColumn('version', 'bigint', (it) => it.notNull())
      .addColumn('compatible_from', 'bigint', (it) => it.notNull())
      .compile(),
    table('progress', ['shard'], ['shard', 'first_seq', 'seq', 'timestamp']).compile(),
    table('orders', [], [])
      .addColumn('order_id' as never, rowId, (it) => it.primaryKey())
      .addColumn('account' as never, 'bigint', (it) => it.notNull())
      .addColumn('instrument' as never, 'bigint', (it) => it.notNull())
      .addColumn('client_order_id' as never, 'varchar(36)', (it) => it.notNull())
      .$call((builder) => notNull(builder, ORDER_INTEGERS))
      .addColumn('done_reason' as never, 'bigint')
      .compile(),
    index('orders_by_account', 'orders', ['account', 'order_id']),
    index('orders_by_account_instrument', 'orders', ['account', 'instrument', 'order_id']),
    index('orders_by_client_order_id', 'orders', ['account', 'client_order_id', 'order_id']),
    table('executions', ['account', 'shard', 'seq', 'idx', 'taker'], EXECUTION_INTEGERS).compile(),
    index('executions_by_order', 'executions', ['order_id', 'seq', 'idx']),
    index('executions_by_instrument', 'executions', ['account', 'instrument', 'seq', 'idx', 'taker']),
    table('trades', ['instrument', 'trade_number'], TRADE_INTEGERS).compile(),
    table('postings', ['account', 'shard', 'seq', 'idx', 'leg'], POSTING_INTEGERS).compile(),
    table('funds', ['account', 'shard', 'seq', 'idx'], FUNDS_INTEGERS)
      .addColumn('transfer_id' as never, 'varchar(36)', (it) => it.notNull())
      .compile(),
    index('funds_by_transfer_id', 'funds', ['account', 'transfer_id', 'seq']),
    table('candles', ['instrument', 'interval_seconds', 'open_time'], CANDLE_INTEGERS)
      .addColumn('quote_volume' as never, 'varchar(40)', (it) => it.notNull())
      .compile(),
    table('rejects', ['account', 'shard', 'seq', 'idx'], REJECT_INTEGERS)
      .addColumn('client_id' as never, 'varchar(36)', (it) => it.notNull())
      .compile(),
  ]
}

/** What trailing stops and minimum quantities brought. The release before writes orders without them. */
function addOrderFields(database: Kysely<HistoryDatabase>): CompiledQuery[] {
  return ['trailing_offset', 'minimum_quantity'].map((column) =>
    database.schema
      .alterTable('orders')
      .addColumn(column, 'bigint', (it) => it.notNull().defaultTo(0))
      .compile(),
  )
}

function notNull<Table extends string>(builder: Columns<Table>, integers: readonly string[]): Columns<Table> {
  let all = builder
  for (const column of integers) {
    all = all.addColumn(column as never, 'bigint', (it) => it.notNull()) as Columns<Table>
  }
  return all
}

/** Rows stand in the order of the primary key: MySQL's way, which SQLite has to be asked for. */
function clustered<Table extends string>(
  builder: Columns<Table>,
  key: never[],
  dialect: HistoryDialect,
): Columns<Table> {
  assert(key.length > 0, 'a clustered table has a key')
  const keyed = builder.addPrimaryKeyConstraint('key', key) as Columns<Table>
  return dialect === 'sqlite' ? (keyed.modifyEnd(sql`without rowid`) as Columns<Table>) : keyed
}

const ORDER_INTEGERS = [
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
  'display_quantity',
  'expire_time',
  'status',
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
] as const satisfies readonly (keyof OrdersTable)[]

const EXECUTION_INTEGERS = [
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
] as const satisfies readonly (keyof ExecutionsTable)[]

const TRADE_INTEGERS = [
  'instrument',
  'trade_number',
  'seq',
  'idx',
  'price',
  'quantity',
  'taker_side',
  'notional',
  'timestamp',
] as const satisfies readonly (keyof TradesTable)[]

const POSTING_INTEGERS = [
  'account',
  'shard',
  'seq',
  'idx',
  'leg',
  'asset',
  'amount',
  'kind',
  'timestamp',
] as const satisfies readonly (keyof PostingsTable)[]

const FUNDS_INTEGERS = [
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
  'timestamp',
] as const satisfies readonly (keyof FundsTable)[]

const CANDLE_INTEGERS = [
  'instrument',
  'interval_seconds',
  'open_time',
  'open',
  'high',
  'low',
  'close',
  'volume',
  'trade_count',
  'first_trade_number',
  'last_trade_number',
] as const satisfies readonly (keyof CandlesTable)[]

const REJECT_INTEGERS = [
  'shard',
  'seq',
  'idx',
  'account',
  'command_type',
  'order_id',
  'reject_code',
  'reject_limit',
  'reject_value',
  'timestamp',
] as const satisfies readonly (keyof RejectsTable)[]
