// The section `backup` of operator.yml, and the key. Which servers there are stands in the section `database`.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, neverLog, secretsDirectory } from '@wintrades/platform'
import type { Fields } from '@wintrades/topology'
import type { DatabaseConfiguration } from '../operator/database/configuration.ts'
import { BACKUP_DEFAULTS, type BackupSettings } from './settings.ts'
import { BackupRefused } from './store/faults.ts'
import { BackupKeys } from './store/keys.ts'

const GIGABYTE = 1024 ** 3
const MEGABYTE = 1024 ** 2

export function readBackupSection(fields: Fields, database: DatabaseConfiguration | null): BackupSettings {
  const defaults = BACKUP_DEFAULTS
  const directory = fields.path('directory')
  const account = fields.inner('account')
  const at = fields.text('at', /^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day in UTC such as "03:15", in quotes', '03:15')
  const settings: BackupSettings = {
    directory,
    workDirectory: fields.path('work_directory', join(directory, 'work')),
    servers: (database?.servers ?? []).map(({ name, host, port, role }) => ({ name, host, port, role })),
    account: {
      user: account.text('user', /^[A-Za-z0-9_]{1,32}$/, 'the name of an account such as wintrades_backup_a'),
      passwordFile: account.path('password_file'),
    },
    caFile: database?.access.authorityFile ?? null,
    scratch: { command: fields.text('scratch_command', /\S/, 'a command that runs mysqld', 'mysqld').split(/\s+/) },
    retention: {
      daily: fields.integer('keep_daily', 1, 3_650, defaults.retention.daily),
      weekly: fields.integer('keep_weekly', 0, 520, defaults.retention.weekly),
    },
    nightlyAt: { hour: Number(at.slice(0, 2)), minute: Number(at.slice(3)) },
    verifyEvery_hours: fields.integer('verify_every_hours', 1, 8_760, defaults.verifyEvery_hours),
    segmentBytes_max: MEGABYTE * fields.integer('archive_file_mb', 1, 4_096, defaults.segmentBytes_max / MEGABYTE),
    segmentAge_seconds_max: fields.integer('archive_file_seconds', 1, 86_400, defaults.segmentAge_seconds_max),
    serverBinlogs_bytes_max:
      GIGABYTE * fields.integer('server_binlogs_gb', 1, 100_000, defaults.serverBinlogs_bytes_max / GIGABYTE),
  }
  account.end()
  fields.end()
  if (database === null) fields.fault('directory', 'needs a section `database`: it says which servers there are', null)
  return settings
}

/**
 * The keys of ENCRYPTION_KEY: of the file that is given, of the environment, or of the data directory. Never makes a new one: what was encrypted with
 * another could not be read with it.
 */
export function readBackupKeys(config: Config, keyFile: string | null = null): BackupKeys {
  if (keyFile !== null) return new BackupKeys(parseKey(readKeyFile(keyFile), keyFile))
  if (config.encryptionKey !== null) return new BackupKeys(config.encryptionKey)
  const stored = join(secretsDirectory(config.dataDirectory), 'encryption.key')
  try {
    return new BackupKeys(parseKey(readKeyFile(stored), stored))
  } catch (error) {
    throw new BackupRefused(
      `backups are encrypted with ENCRYPTION_KEY, which is not given: set ENCRYPTION_KEY_FILE, or name its file (--key-file); ${stored} cannot be used`,
      { cause: error },
    )
  }
}

function readKeyFile(path: string): string {
  try {
    const text = readFileSync(path, 'utf8').trimEnd()
    neverLog(text)
    return text
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new BackupRefused(`the key cannot be read from ${path} (${code})`, { cause: error })
  }
}

function parseKey(text: string, path: string): Uint8Array {
  const bytes = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
  if (bytes.length !== 32) throw new BackupRefused(`${path} must hold 32 bytes as 64 hex digits or as base64`)
  return new Uint8Array(bytes)
}
