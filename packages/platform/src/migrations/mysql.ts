// Migrations of a MySQL database, where several components share one schema. MySQL commits at every change of a table, so a migration can
// stop half-way. Promises that each step is done once and recorded, that a half-done migration is continued where it stopped, that one
// process at a time migrates a component, and that the result is verified against the database's own catalogue.

import type { CompiledQuery } from 'kysely'
import {
  type Catalogue,
  type Component,
  checkCompatible,
  checkMigrated,
  expectedCatalogue,
  isDone,
  latestVersion,
  type Migration,
  type MigrationReport,
  pendingMigrations,
  SchemaError,
  type SchemaState,
  verifyCatalogue,
} from './component.ts'
import { compilingQueries, tableEnd } from './dialect.ts'
import { SchemaSteps, type Step } from './steps.ts'

/** One connection, and always the same one: locks and transactions are its own. `mysql2/promise` has it. */
export type MysqlConnection = {
  query(sql: string, values?: unknown[]): Promise<readonly [unknown, unknown]>
}

export type MysqlMigrationOptions = {
  /** For messages: `mysql_master:3306/wintrades`. */
  readonly where: string
  /** How long another process that is migrating the same component is waited for. */
  readonly lockTimeout_seconds?: number
}

type VersionTables = {
  schema_version: { component: string; version: number; compatible_from: number }
  schema_step: { component: string; version: number; step: number; name: string; done_ms: number }
}

const LOCK_TIMEOUT_SECONDS = 120
/** How long a change waits for transactions that use its table. */
const TABLE_WAIT_SECONDS = 60
/** Duplicate table, unknown table. */
const ER_NO_SUCH_TABLE = 1146

const queries = compilingQueries<VersionTables>('mysql')
const { types } = new SchemaSteps('mysql')

/** Makes or migrates the tables, on the primary. Throws {@link SchemaError}; a lost connection throws the driver's error: call again. */
export async function migrateMysql(
  connection: MysqlConnection,
  component: Component,
  options: MysqlMigrationOptions,
): Promise<MigrationReport> {
  const { where } = options
  await requireWritable(connection, component, where)
  // Most of the time nothing is to be done, which needs no lock.
  const before = await mysqlSchemaState(connection, component)
  checkCompatible(component, where, before)
  const report =
    pendingMigrations(component, before).length === 0 ? null : await migrateLocked(connection, component, options)
  await verify(connection, component, where)
  const version = before?.version ?? 0
  return report ?? { component: component.name, from: version, to: version, steps: [], continued: false }
}

/** For whoever only reads: whether the tables are there (false: not made yet) and fit. Throws {@link SchemaError}. */
export async function checkMysql(connection: MysqlConnection, component: Component, where: string): Promise<boolean> {
  const state = await mysqlSchemaState(connection, component)
  if (state === null) return false
  checkMigrated(component, where, state)
  return true
}

/** What the database says of a component; null: nothing yet. */
export async function mysqlSchemaState(connection: MysqlConnection, component: Component): Promise<SchemaState | null> {
  const query = queries
    .selectFrom('schema_version')
    .select(['version', 'compatible_from'])
    .where('component', '=', component.name)
  try {
    const [state] = await rows<SchemaState>(connection, query.compile())
    // A row with version 0 announces the first migration.
    return state === undefined || Number(state.version) === 0
      ? null
      : { version: Number(state.version), compatible_from: Number(state.compatible_from) }
  } catch (error) {
    if (errorNumber(error) === ER_NO_SUCH_TABLE) return null
    throw error
  }
}

async function migrateLocked(
  connection: MysqlConnection,
  component: Component,
  options: MysqlMigrationOptions,
): Promise<MigrationReport> {
  const seconds = options.lockTimeout_seconds ?? LOCK_TIMEOUT_SECONDS
  const lock = await lockName(connection, component)
  const [locked] = await constant<{ locked: number | null }>(connection, 'select get_lock(?, ?) as locked', [
    lock,
    seconds,
  ])
  if (locked?.locked !== 1) {
    throw new SchemaError(
      `${options.where}: another process has been migrating ${component.name} for more than ${seconds} s; ` +
        'see its log, and what holds the table in SHOW PROCESSLIST; what is done is kept, so start this process again afterwards',
    )
  }
  const [before] = await constant<{ seconds: number }>(connection, 'select @@session.lock_wait_timeout as seconds')
  try {
    await constant(connection, 'set session lock_wait_timeout = ?', [TABLE_WAIT_SECONDS])
    return await new Migrator(connection, component, options.where).run()
  } finally {
    await Promise.allSettled([
      constant(connection, 'set session lock_wait_timeout = ?', [before?.seconds ?? TABLE_WAIT_SECONDS]),
      // If the connection is gone, so is the lock.
      constant(connection, 'select release_lock(?) as released', [lock]),
    ])
  }
}

class Migrator {
  readonly #connection: MysqlConnection
  readonly #component: Component
  readonly #where: string
  readonly #steps: string[] = []
  #continued = false

  constructor(connection: MysqlConnection, component: Component, where: string) {
    this.#connection = connection
    this.#component = component
    this.#where = where
  }

  async run(): Promise<MigrationReport> {
    for (const table of versionTables()) await this.#do('make the tables that migrations are recorded in', table)
    const state = await mysqlSchemaState(this.#connection, this.#component)
    checkCompatible(this.#component, this.#where, state)
    let compatible_from = state?.compatible_from ?? 0
    for (const migration of pendingMigrations(this.#component, state)) {
      const contracts = migration.compatibleFrom > compatible_from
      const former = Math.max(state?.version ?? 0, this.#versionBefore(migration))
      compatible_from = Math.max(compatible_from, migration.compatibleFrom)
      // Said before anything is taken away: an older release that starts meanwhile is told so, instead of failing at a missing column.
      if (contracts) await this.#record(former, compatible_from)
      await this.#migrate(migration)
      await this.#record(migration.version, compatible_from)
    }
    return {
      component: this.#component.name,
      from: state?.version ?? 0,
      to: Math.max(state?.version ?? 0, latestVersion(this.#component)),
      steps: this.#steps,
      continued: this.#continued,
    }
  }

  async #migrate(migration: Migration): Promise<void> {
    const recorded = await this.#recordedSteps(migration.version)
    if (recorded.size > 0) this.#continued = true
    const steps = migration.steps(new SchemaSteps('mysql'))
    for (const [index, step] of steps.entries()) {
      if (recorded.has(index)) continue
      if (step.effect.kind === 'rows') {
        await this.#write(migration, index, step)
        continue
      }
      // The change may have been made and its record lost: MySQL commits them one after the other.
      if (isDone(step.effect, await mysqlCatalogue(this.#connection)) === true) {
        this.#continued = true
      } else {
        await this.#do(step.name, step.statement)
        this.#steps.push(step.name)
      }
      await this.#do(step.name, progress(this.#component, migration, index, step))
    }
  }

  async #write(migration: Migration, index: number, step: Step): Promise<void> {
    await constant(this.#connection, 'start transaction')
    try {
      await this.#do(step.name, step.statement)
      await this.#do(step.name, progress(this.#component, migration, index, step))
      await constant(this.#connection, 'commit')
    } catch (error) {
      // A connection that is gone has rolled back by itself.
      await Promise.allSettled([constant(this.#connection, 'rollback')])
      throw error
    }
    this.#steps.push(step.name)
  }

  async #recordedSteps(version: number): Promise<ReadonlySet<number>> {
    const query = queries
      .selectFrom('schema_step')
      .select('step')
      .where('component', '=', this.#component.name)
      .where('version', '=', version)
    const done = await rows<{ step: number }>(this.#connection, query.compile())
    return new Set(done.map(({ step }) => Number(step)))
  }

  #versionBefore(migration: Migration): number {
    return this.#component.migrations.filter((one) => one.version < migration.version).at(-1)?.version ?? 0
  }

  async #record(version: number, compatible_from: number): Promise<void> {
    const row = { component: this.#component.name, version, compatible_from }
    await this.#do('record the version', queries.replaceInto('schema_version').values(row).compile())
  }

  async #do(what: string, query: CompiledQuery<unknown>): Promise<void> {
    try {
      await rows(this.#connection, query)
    } catch (error) {
      throw explained(error, `${this.#where}: ${this.#component.name}: could not ${what}`)
    }
  }
}

/** A server that is read-only would refuse halfway; better said at once. */
async function requireWritable(connection: MysqlConnection, component: Component, where: string): Promise<void> {
  const [server] = await constant<{ read_only: number }>(connection, 'select @@global.read_only as read_only')
  if (server?.read_only === 0) return
  throw new SchemaError(
    `${where} is read-only, so ${component.name} cannot be migrated there: migrations run on the primary; ` +
      '`wintrades db status` says which that is',
  )
}

/** Errors that a person can do something about say what; others stay as they are. */
function explained(error: unknown, what: string): unknown {
  const advice = ADVICE[errorNumber(error) ?? 0]
  if (advice === undefined) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new SchemaError(`${what} (${reason}): ${advice}`, { cause: error })
}

const GRANT = 'grant the application’s user CREATE, ALTER, INDEX, DROP and REFERENCES on this schema, then start again'
const AGAIN = 'the steps that are done are kept; start again to continue with this one'
const ADVICE: Readonly<Record<number, string>> = {
  1044: GRANT,
  1142: GRANT,
  1227: GRANT,
  1205: `a transaction has held the table for ${TABLE_WAIT_SECONDS} s, see SHOW PROCESSLIST; ${AGAIN}`,
  1114: `the disk is full; make room, ${AGAIN}`,
  1021: `the disk is full; make room, ${AGAIN}`,
  1290: 'the server became read-only, as when another primary was promoted; start again, which finds the new one',
  1836: 'the server became read-only, as when another primary was promoted; start again, which finds the new one',
}

async function verify(connection: MysqlConnection, component: Component, where: string): Promise<void> {
  const state = await mysqlSchemaState(connection, component)
  // What a newer release has is its own business, as long as it says that this one can work with it.
  if (state?.version !== latestVersion(component)) return
  verifyCatalogue(component, where, expectedCatalogue(component, 'mysql'), await mysqlCatalogue(connection))
}

async function mysqlCatalogue(connection: MysqlConnection): Promise<Catalogue> {
  const columns = new Map<string, Set<string>>()
  const found = await constant<{ name: string; part: string }>(
    connection,
    'select table_name as name, column_name as part from information_schema.columns where table_schema = database()',
  )
  for (const { name, part } of found) {
    const known = columns.get(name)
    if (known === undefined) columns.set(name, new Set([part]))
    else known.add(part)
  }
  const indexes = await constant<{ name: string; part: string }>(
    connection,
    'select distinct table_name as name, index_name as part from information_schema.statistics where table_schema = database()',
  )
  return { columns, indexes: new Set(indexes.map(({ name, part }) => `${name}.${part}`)) }
}

/** Of at most 64 characters, as MySQL asks. */
async function lockName(connection: MysqlConnection, component: Component): Promise<string> {
  const [lock] = await constant<{ lock_name: string }>(
    connection,
    "select concat('migrate:', left(sha2(concat(database(), '/', ?), 256), 32)) as lock_name",
    [component.name],
  )
  if (lock === undefined) throw new SchemaError('the connection has no default schema; set DB_NAME')
  return lock.lock_name
}

function progress(component: Component, migration: Migration, index: number, step: Step): CompiledQuery<unknown> {
  const { name } = step
  const row = { component: component.name, version: migration.version, step: index, name, done_ms: Date.now() }
  return queries.replaceInto('schema_step').values(row).compile()
}

function versionTables(): readonly CompiledQuery[] {
  const key = types.ascii(64)
  return [
    queries.schema
      .createTable('schema_version')
      .ifNotExists()
      .addColumn('component', key, (column) => column.primaryKey())
      .addColumn('version', types.int64, (column) => column.notNull())
      .addColumn('compatible_from', types.int64, (column) => column.notNull())
      .modifyEnd(tableEnd('mysql', {}))
      .compile(),
    queries.schema
      .createTable('schema_step')
      .ifNotExists()
      .addColumn('component', key, (column) => column.notNull())
      .addColumn('version', types.int64, (column) => column.notNull())
      .addColumn('step', types.int64, (column) => column.notNull())
      .addColumn('name', types.text(128), (column) => column.notNull())
      .addColumn('done_ms', types.int64, (column) => column.notNull())
      .addPrimaryKeyConstraint('schema_step_key', ['component', 'version', 'step'])
      .modifyEnd(tableEnd('mysql', {}))
      .compile(),
  ]
}

async function rows<Row>(connection: MysqlConnection, query: CompiledQuery<unknown>): Promise<Row[]> {
  const [result] = await connection.query(query.sql, [...query.parameters])
  return Array.isArray(result) ? (result as Row[]) : []
}

async function constant<Row>(
  connection: MysqlConnection,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const [result] = await connection.query(text, [...values])
  return Array.isArray(result) ? (result as Row[]) : []
}

function errorNumber(error: unknown): number | undefined {
  const number = (error as { errno?: unknown } | null)?.errno
  return typeof number === 'number' ? number : undefined
}
