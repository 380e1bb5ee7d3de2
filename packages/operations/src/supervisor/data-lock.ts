// One supervisor per data directory. The lock is SQLite's on a file: the operating system gives it back when its holder dies,
// however it dies, so there is no stale lock to clean up.

import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isBusy } from '@wintrades/platform'
import { readRunningStatus } from './status-file.ts'

/** Another supervisor works on this data directory: says which, and what to do. */
export class DataInUse extends Error {
  override readonly name = 'DataInUse'
}

/** Takes the lock; what it returns gives it back. */
export function lockDataDirectory(dataDirectory: string): () => void {
  const directory = join(dataDirectory, 'run')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const database = new DatabaseSync(join(directory, 'lock.sqlite'), { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isBusy(error)) throw new DataInUse(describeHolder(dataDirectory))
    throw error
  }
  return () => database.close()
}

function describeHolder(dataDirectory: string): string {
  const where = resolve(dataDirectory)
  const status = readRunningStatus(dataDirectory)
  if (status === null)
    return `another WinTrades is just starting on ${where}; use it, or choose another directory with --data`
  return (
    `WinTrades already runs on ${where} (pid ${status.pid}, http://localhost:${status.frontDoor.port}). ` +
    `Use it, stop it (kill ${status.pid}, or Ctrl-C where it runs), or choose another directory with --data`
  )
}
