// What differs between SQLite and MySQL where tables are made: column types, and how a table ends. Promises that a migration written
// with it means the same in both: texts compare by their very characters, integers have 64 bits, nothing is cut short silently.

import {
  DummyDriver,
  type Expression,
  Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'

export type SchemaDialect = 'sqlite' | 'mysql'

/** Builds and compiles queries, and never runs them: drivers do. */
export function compilingQueries<Tables>(dialect: SchemaDialect): Kysely<Tables> {
  if (dialect === 'sqlite') {
    return new Kysely<Tables>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: (kysely) => new SqliteIntrospector(kysely),
        createQueryCompiler: () => new SqliteQueryCompiler(),
      },
    })
  }
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new MysqlAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (kysely) => new MysqlIntrospector(kysely),
      createQueryCompiler: () => new MysqlQueryCompiler(),
    },
  })
}

type ColumnType = Expression<unknown>

/** SQLite's types are few and say nothing of lengths; what writes keeps to the same bounds in both. */
export type ColumnTypes = {
  /** Signed, 64 bits. SQLite makes its row id of one that is the whole primary key. */
  readonly int64: ColumnType
  /** Unsigned in MySQL; SQLite has 63 bits of it. */
  readonly uint64: ColumnType
  readonly double: ColumnType
  /** Any characters, told apart by their code points, trailing spaces included. */
  text(chars_max: number): ColumnType
  /** Ids and names of ASCII: a byte a character, which keeps keys short. */
  ascii(chars_max: number): ColumnType
  /** Text that is no key; up to 16 MB. */
  readonly longText: ColumnType
  /** In the row. */
  bytes(bytes_max: number): ColumnType
  /** Outside the row if long; up to 16 MB. */
  readonly blob: ColumnType
}

const SQLITE_TYPES: ColumnTypes = {
  int64: sql`integer`,
  uint64: sql`integer`,
  double: sql`real`,
  text: () => sql`text`,
  ascii: () => sql`text`,
  longText: sql`text`,
  bytes: () => sql`blob`,
  blob: sql`blob`,
}

const MYSQL_TYPES: ColumnTypes = {
  int64: sql`bigint`,
  uint64: sql`bigint unsigned`,
  double: sql`double`,
  text: (chars_max) => sql`varchar(${sql.lit(chars_max)})`,
  ascii: (chars_max) => sql`varchar(${sql.lit(chars_max)}) character set ascii collate ascii_bin`,
  longText: sql`mediumtext`,
  bytes: (bytes_max) => sql`varbinary(${sql.lit(bytes_max)})`,
  blob: sql`mediumblob`,
}

export function columnTypes(dialect: SchemaDialect): ColumnTypes {
  return dialect === 'sqlite' ? SQLITE_TYPES : MYSQL_TYPES
}

/** Rows whose column is below `below` (and not below the partition before); `max`: all the rest. */
export type RangePartition = { readonly name: string; readonly below: number | 'max' }

export type TableOptions = {
  /** Rows lie in the order of the primary key: MySQL's way, which SQLite has to be asked for. */
  readonly clustered?: boolean
  /** MySQL only. Every unique key of a partitioned table contains the column, and it has no foreign keys. */
  readonly partitions?: { readonly column: string; readonly ranges: readonly RangePartition[] }
  /** MySQL only: where a column made with `numbered` begins. SQLite's numbers begin where its first row says. */
  readonly firstNumber?: number
}

/** What stands after the closing parenthesis of CREATE TABLE. */
export function tableEnd(dialect: SchemaDialect, options: TableOptions): Expression<unknown> {
  if (dialect === 'sqlite') return options.clustered === true ? sql`strict, without rowid` : sql`strict`
  // utf8mb4_0900_bin: by code point and without padding, so that "a" and "a " are two keys, as they are in SQLite.
  const table = sql`engine = InnoDB default character set = utf8mb4 collate = utf8mb4_0900_bin row_format = dynamic`
  const numbered =
    options.firstNumber === undefined ? table : sql`${table} auto_increment = ${sql.lit(options.firstNumber)}`
  if (options.partitions === undefined) return numbered
  const { column, ranges } = options.partitions
  const parts = ranges.map(({ name, below }) =>
    below === 'max'
      ? sql`partition ${sql.ref(name)} values less than (maxvalue)`
      : sql`partition ${sql.ref(name)} values less than (${sql.lit(below)})`,
  )
  return sql`${numbered} partition by range (${sql.ref(column)}) (${sql.join(parts)})`
}
