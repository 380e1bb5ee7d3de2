// What stops the history from being written is told with what to do, and everything else is passed on as it is.

import { expect, test } from 'vitest'
import { explainWriteError, HistoryDiskFull } from '../src/history/mysql-errors.ts'

function serverError(errno: number, message: string): Error {
  return Object.assign(new Error(message), { errno })
}

test.each([
  [1114, "The table 'orders' is full"],
  [1021, 'Disk full (/tmp); waiting for someone to free some space'],
  [1030, "Got error 28 - 'No space left on device' from storage engine"],
  [3, "Error writing file '/var/lib/mysql/binlog.000007' (OS errno 28 - No space left on device)"],
  [1026, "Error writing file './binlog.000007' (Errno: 28 - No space left on device)"],
])('error %i is a full disk', (errno, message) => {
  const explained = explainWriteError(serverError(errno, message))
  expect(explained).toBeInstanceOf(HistoryDiskFull)
  // The archiver tries it again: it is no damage.
  expect(explained).not.toHaveProperty('isDamage')
  expect(String(explained)).toContain('make room')
})

test('a missing right says which settings to look at', () => {
  const explained = explainWriteError(serverError(1142, "INSERT command denied to user 'x'@'y' for table 'orders'"))
  expect(String(explained)).toContain('DB_USER, DB_PASSWORD_FILE')
})

test.each([
  [1030, "Got error 168 - 'Unknown (generic) error from engine' from storage engine"],
  [1205, 'Lock wait timeout exceeded; try restarting transaction'],
])('error %i is passed on', (errno, message) => {
  const error = serverError(errno, message)
  expect(explainWriteError(error)).toBe(error)
})
