// Migrations of a SQLite file, which holds one component. Promises that they happen as a whole or not at all, and once, however many
// processes open the file at the same time: they stand in one transaction under the write lock.

import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { CompiledQuery } from 'kysely'
import {
  type Catalogue,
  type Component,
  checkCompatible,
  checkMigrated,
  expectedCatalogue,
  isDone,
  latestVersion,
  type MigrationReport,
  pendingMigrations,
  type SchemaState,
  verifyCatalogue,
} from './component.ts'
import { compilingQueries } from './dialect.ts'
import { SchemaSteps } from './steps.ts'

type VersionTables = { schema_version: { id: number; version: number; compatible_from: number } }

const queries = compilingQueries<VersionTables>('sqlite')

/** Makes or migrates the tables. `where` names the file in messages. Throws {@link SchemaError}; a busy file throws SQLite's error. */
export function migrateSqlite(database: DatabaseSync, component: Component, where: string): MigrationReport {
  // Most of the time nothing is to be done, which needs no lock.
  const before = sqliteSchemaState(database)
  checkCompatible(component, where, before)
  const report = pendingMigrations(component, before).length === 0 ? null : migrateLocked(database, component, where)
  verify(database, component, where)
  const version = before?.version ?? 0
  return report ?? { component: component.name, from: version, to: version, steps: [], continued: false }
}

/**
 * For whoever only reads: whether the tables are there (false: nothing has been written yet) and fit. Throws {@link SchemaError}.
 */
export function checkSqlite(database: DatabaseSync, component: Component, where: string): boolean {
  const state = sqliteSchemaState(database)
  if (state === null) return false
  checkMigrated(component, where, state)
  return true
}

/** What the file says of itself; null: nothing yet. */
export function sqliteSchemaState(database: DatabaseSync): SchemaState | null {
  const table = database.prepare("select 1 from sqlite_master where type = 'table' and name = 'schema_version'").get()
  if (table === undefined) return null
  const query = queries.selectFrom('schema_version').select(['version', 'compatible_from']).compile()
  return (database.prepare(query.sql).get() as SchemaState | undefined) ?? null
}

function migrateLocked(database: DatabaseSync, component: Component, where: string): MigrationReport {
  database.exec('begin immediate')
  try {
    const state = sqliteSchemaState(database)
    checkCompatible(component, where, state)
    const steps = [...runPending(database, component, state)]
    database.exec('commit')
    const to = Math.max(state?.version ?? 0, latestVersion(component))
    return { component: component.name, from: state?.version ?? 0, to, steps, continued: false }
  } catch (error) {
    // SQLite itself may have rolled back already, as when the disk is full.
    if (database.isTransaction) database.exec('rollback')
    throw error
  }
}

function* runPending(database: DatabaseSync, component: Component, state: SchemaState | null): Generator<string> {
  run(database, versionTable())
  const schema = new SchemaSteps('sqlite')
  for (const migration of pendingMigrations(component, state)) {
    for (const { name, statement, effect } of migration.steps(schema)) {
      // A release may have made by hand what a later one makes by migration.
      if (isDone(effect, sqliteCatalogue(database)) === true) continue
      run(database, statement)
      yield name
    }
    const row = { id: 1, version: migration.version, compatible_from: migration.compatibleFrom }
    run(database, queries.replaceInto('schema_version').values(row).compile())
  }
}

function verify(database: DatabaseSync, component: Component, where: string): void {
  const state = sqliteSchemaState(database)
  // What a newer release has is its own business, as long as it says that this one can work with it.
  if (state?.version !== latestVersion(component)) return
  verifyCatalogue(component, where, expectedCatalogue(component, 'sqlite'), sqliteCatalogue(database))
}

function sqliteCatalogue(database: DatabaseSync): Catalogue {
  const columns = new Map<string, Set<string>>()
  const rows = database
    .prepare(
      "select t.name as table_name, c.name as column_name from sqlite_master t join pragma_table_info(t.name) c where t.type = 'table'",
    )
    .all() as { table_name: string; column_name: string }[]
  for (const { table_name, column_name } of rows) {
    const known = columns.get(table_name)
    if (known === undefined) columns.set(table_name, new Set([column_name]))
    else known.add(column_name)
  }
  const indexes = database.prepare("select tbl_name, name from sqlite_master where type = 'index'").all() as {
    tbl_name: string
    name: string
  }[]
  return { columns, indexes: new Set(indexes.map(({ tbl_name, name }) => `${tbl_name}.${name}`)) }
}

function versionTable(): CompiledQuery {
  return queries.schema
    .createTable('schema_version')
    .ifNotExists()
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('compatible_from', 'integer', (column) => column.notNull())
    .compile()
}

function run(database: DatabaseSync, { sql: text, parameters }: CompiledQuery<unknown>): void {
  database.prepare(text).run(...(parameters as SQLInputValue[]))
}
