// The files of the history: one SQLite database per shard, so that the archivers of different shards never wait for each other.
// Promises that a database that is opened has this release's tables, or one that this release can read.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Shard } from '@wintrades/domain'
import { openSqlite } from '@wintrades/platform'
import {
  checkCompatible,
  HISTORY_SCHEMA_VERSION,
  HistorySchemaError,
  historyQueries,
  pendingMigrations,
  type SchemaState,
} from './schema.ts'

const queries = historyQueries('sqlite')
/** Bigger than SQLite's own choices, because rows are written in bulk; pages of 4 KB, and KB. */
const WAL_AUTOCHECKPOINT_PAGES = 8_192
const WRITER_CACHE_KB = 32_768

/** `<directory>/us-east.sqlite`. */
export function historyPath(directory: string, shard: Shard): string {
  return join(directory, `${shard.name}.sqlite`)
}

/** Opens a shard's history to write, making or migrating its tables. Throws {@link HistorySchemaError}. */
export function openHistoryToWrite(path: string): DatabaseSync {
  const database = openSqlite(path)
  try {
    // What is derived need not wait for the disk at each commit: before the journal is pruned of it, the writer sees to that.
    const pragmas = `PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}; PRAGMA cache_size = -${WRITER_CACHE_KB}`
    database.exec(pragmas)
    migrate(database)
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

/** Opens a shard's history to read; null: nothing has been written yet. Throws {@link HistorySchemaError}. */
export function openHistoryToRead(path: string): DatabaseSync | null {
  if (!existsSync(path)) return null
  const database = openSqlite(path, { readOnly: true })
  try {
    const state = schemaState(database)
    if (state === null) {
      database.close()
      return null
    }
    checkCompatible(state)
    if (state.version < HISTORY_SCHEMA_VERSION) {
      throw new HistorySchemaError(
        `the history ${path} has schema ${state.version}, this release needs ${HISTORY_SCHEMA_VERSION}: ` +
          'it is migrated when an archiver of this release opens it',
      )
    }
  } catch (error) {
    if (database.isOpen) database.close()
    throw error
  }
  return database
}

function migrate(database: DatabaseSync): void {
  // The write lock first: several processes may open a new file at once.
  database.exec('BEGIN IMMEDIATE')
  try {
    for (const migration of pendingMigrations(schemaState(database))) {
      for (const statement of migration.statements(queries, 'sqlite')) database.exec(statement.sql)
      const state = { id: 1, version: migration.version, compatible_from: migration.compatibleFrom }
      const record = queries.replaceInto('schema_version').values(state).compile()
      database.prepare(record.sql).run(...(record.parameters as number[]))
    }
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

function schemaState(database: DatabaseSync): SchemaState | null {
  const table = database.prepare("select 1 from sqlite_master where type = 'table' and name = 'schema_version'").get()
  if (table === undefined) return null
  const query = queries.selectFrom('schema_version').select(['version', 'compatible_from']).compile()
  return (database.prepare(query.sql).get() as SchemaState | undefined) ?? null
}
