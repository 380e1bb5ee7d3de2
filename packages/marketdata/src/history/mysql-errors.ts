// What stops the history from being written, in words that say what to do. The journal keeps everything meanwhile.

import { errorNumber } from '@wintrades/platform/mysql'

/** The database has no room. It is tried again: nothing is lost, history is late. */
export class HistoryDiskFull extends Error {
  override readonly name = 'HistoryDiskFull'
}

const DISK_FULL = new Set([
  1021, // disk full
  1114, // the table is full
  3170, // capacity exceeded
])
/** A general error that names the system's own number: 28, no space left. */
const GENERAL = new Set([1026, 1030, 3])
const NO_SPACE = /\b(errno:? ?28|No space left|error 28)\b/i
const GRANT = new Set([1044, 1045, 1142, 1143])

export function explainWriteError(error: unknown): unknown {
  const errno = errorNumber(error)
  const message = error instanceof Error ? error.message : String(error)
  if (DISK_FULL.has(errno) || (GENERAL.has(errno) && NO_SPACE.test(message))) {
    return new HistoryDiskFull(
      `the disk of the MySQL primary is full (${message}): make room, or drop old partitions of the history ` +
        '(docs/runbooks/history-behind.md); the journal keeps what history is missing',
      { cause: error },
    )
  }
  if (GRANT.has(errno)) {
    return new Error(
      `MySQL does not let this user write the history (${message}): check DB_USER, DB_PASSWORD_FILE and its rights on the schema`,
      { cause: error },
    )
  }
  return error
}
