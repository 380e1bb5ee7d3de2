// Migrations: written once with Kysely's schema builder, run on SQLite and on MySQL. Apart from the package's entry because it loads Kysely.

export {
  type Component,
  checkCompatible,
  latestVersion,
  type Migration,
  type MigrationReport,
  SchemaError,
  type SchemaState,
} from './component.ts'
export {
  type ColumnTypes,
  columnTypes,
  compilingQueries,
  type RangePartition,
  type SchemaDialect,
  type TableOptions,
} from './dialect.ts'
export {
  checkMysql,
  type MysqlConnection,
  type MysqlMigrationOptions,
  migrateMysql,
  mysqlSchemaState,
} from './mysql.ts'
export { checkSqlite, migrateSqlite, sqliteSchemaState } from './sqlite.ts'
export { type AnyTables, SchemaSteps, type Step, type TableBuilder } from './steps.ts'
