// What backups need to know, as plain data: where the store is, the servers, the account, what is kept. Read from the operator's file by whoever
// starts this; passwords and keys stand in files and are read when they are used, so that they can be replaced.

import { readFileSync } from 'node:fs'
import { neverLog } from '@wintrades/platform'
import type { RetentionRules } from './retention.ts'
import type { ScratchCommand } from './scratch/server.ts'
import { BackupRefused } from './store/faults.ts'

export type BackupServer = {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly role: 'voter' | 'reader'
}

export type BackupAccount = { readonly user: string; readonly passwordFile: string }

export type BackupSettings = {
  /** The store: a volume that is not the databases'. */
  readonly directory: string
  /** Plain copies lie here while they are made or checked; as large as the database, and some. */
  readonly workDirectory: string
  readonly servers: readonly BackupServer[]
  readonly account: BackupAccount
  /** PEM of the authority of the servers' certificates; null: no TLS. */
  readonly caFile: string | null
  readonly scratch: ScratchCommand
  readonly retention: RetentionRules
  /** When the nightly backup is made, UTC, and how often it is checked by a restore. */
  readonly nightlyAt: { readonly hour: number; readonly minute: number }
  readonly verifyEvery_hours: number
  /** A piece of the archive is closed when it is this large or this old. */
  readonly segmentBytes_max: number
  readonly segmentAge_seconds_max: number
  /** Of one server's own binlogs: beyond it the oldest are removed that are archived and received everywhere. By age they go by the server's setting. */
  readonly serverBinlogs_bytes_max: number
}

export const BACKUP_DEFAULTS = {
  scratch: { command: ['mysqld'] },
  retention: { daily: 7, weekly: 5 },
  nightlyAt: { hour: 3, minute: 15 },
  verifyEvery_hours: 24,
  segmentBytes_max: 64 * 1024 * 1024,
  segmentAge_seconds_max: 300,
  serverBinlogs_bytes_max: 20 * 1024 ** 3,
} as const

export function readPasswordOf({ user, passwordFile }: BackupAccount): string {
  try {
    const password = readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '')
    neverLog(password)
    return password
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new BackupRefused(`the password of ${user} cannot be read from ${passwordFile} (${code})`, { cause: error })
  }
}

export function readAuthority(caFile: string | null): string | null {
  if (caFile === null) return null
  try {
    return readFileSync(caFile, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new BackupRefused(`the authority's certificate cannot be read from ${caFile} (${code})`, { cause: error })
  }
}
