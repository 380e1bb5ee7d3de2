// Opens embedded databases with the settings every part relies on: WAL, synchronous=FULL, foreign keys, a busy time-out. Promises
// durability at commit; schemas and queries belong to the callers (`kysely.ts` has a dialect for them).

import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export type OpenSqliteOptions = {
  readonly readOnly?: boolean
  /** How long a statement waits for another process's write lock. */
  readonly busyTimeout_ms?: number
}

const BUSY_TIMEOUT_MS = 5_000

/** Opens (and unless `readOnly`, creates) the database file, and its folder. */
export function openSqlite(path: string, options: OpenSqliteOptions = {}): DatabaseSync {
  const readOnly = options.readOnly ?? false
  if (!readOnly && path !== ':memory:') {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // SQLite itself would let everybody read; the files beside it get the mode of this one.
    closeSync(openSync(path, 'a', 0o600))
  }
  const database = new DatabaseSync(path, { readOnly, timeout: options.busyTimeout_ms ?? BUSY_TIMEOUT_MS })
  if (!readOnly) enterWriteAheadLog(database)
  database.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY')
  return database
}

/** SQLite answers "busy" at once, without waiting, while another process switches the same new file to WAL: so wait here. */
function enterWriteAheadLog(database: DatabaseSync): void {
  const deadline_ms = Date.now() + BUSY_TIMEOUT_MS
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline_ms) throw error
      Atomics.wait(pause, 0, 0, 5)
    }
  }
}

/** Another connection holds the lock and did not let go within the busy time-out. */
export function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode
  // The low byte is SQLITE_BUSY in all its extended forms.
  return typeof code === 'number' && (code & 0xff) === 5
}
