// The files of the history: one SQLite database per shard, so that the archivers of different shards never wait for each other.
// Promises that a database that is opened has this release's tables, or one that this release can read.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Shard } from '@wintrades/domain'
import { openSqlite } from '@wintrades/platform'
import { checkSqlite, migrateSqlite } from '@wintrades/platform/migrations'
import { HISTORY } from './schema.ts'

/** Bigger than SQLite's own choices, because rows are written in bulk; pages of 4 KB, and KB. */
const WAL_AUTOCHECKPOINT_PAGES = 32_768
const WRITER_CACHE_KB = 65_536

/** Where a process that keeps its data in files has its history. */
export function historyDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'history')
}

/** `<directory>/us-east.sqlite`. */
export function historyPath(directory: string, shard: Shard): string {
  return join(directory, `${shard.name}.sqlite`)
}

/** Opens a shard's history to write, making or migrating its tables. Throws `SchemaError`. */
export function openHistoryToWrite(path: string): DatabaseSync {
  const database = openSqlite(path)
  try {
    // What is derived need not wait for the disk at each commit: before the journal is pruned of it, the writer sees to that.
    const pragmas = `PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${WAL_AUTOCHECKPOINT_PAGES}; PRAGMA cache_size = -${WRITER_CACHE_KB}`
    database.exec(pragmas)
    migrateSqlite(database, HISTORY, path)
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

/** Opens a shard's history to read; null: nothing has been written yet. Throws `SchemaError`. */
export function openHistoryToRead(path: string): DatabaseSync | null {
  if (!existsSync(path)) return null
  const database = openSqlite(path, { readOnly: true })
  try {
    if (checkSqlite(database, HISTORY, path)) return database
  } catch (error) {
    database.close()
    throw error
  }
  database.close()
  return null
}
