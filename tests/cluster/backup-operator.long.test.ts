// The operators' part that keeps backups, as real programs on real servers of a venue that trades: one of them makes the first backup, archives and
// proves it by a restore; when it dies another goes on; when a day has passed there is a new backup, and what is no longer kept is gone.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackupKeeper, type BackupStatus, Catalogue, openBackups } from '@wintrades/operations/backup'
import { createLogger } from '@wintrades/platform'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LabDatabase, type Region } from './database.ts'
import { Depositing, LIMITS, markets } from './depositing.ts'
import { type Lab, type LabMysql, startLab, until } from './lab/index.ts'
import { mysqlOptionsOf } from './trio.ts'

const KEEPERS = ['us-east', 'eu-west'] as const
const DAY_MS = 86_400_000
/** A backup or a check, on a machine that has much else to do. */
const PATIENCE = { timeout_ms: 280_000, every_ms: 500 }

let lab: Lab
let directory: string
let database: LabDatabase
let load: Depositing

beforeAll(async () => {
  lab = await startLab()
  directory = mkdtempSync(join(tmpdir(), 'wt-backup-'))
  const keyFile = join(directory, 'encryption.key')
  writeFileSync(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 })
  database = await LabDatabase.startFormed(lab, KEEPERS, {
    sections: ({ servers: [server] }, region) => backupSection(server as LabMysql, region),
    environment: { ENCRYPTION_KEY_FILE: keyFile, DATA_DIRECTORY: directory },
  })
  load = await Depositing.start({ directory, mysql: mysqlOptionsOf(database.servers), pause_ms: 30 })
})

afterAll(async () => {
  await load?.stop()
  await database?.stopOperators()
  await lab?.close()
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
})

/** A scratch server of an operator's is where the operator is: in the network of its region. */
function backupSection({ credentials, image }: LabMysql, region: Region | null): string {
  const network = region === null ? 'host' : lab.dockerNetworkOf(region)
  return `backup:
  directory: ${join(directory, 'store')}
  work_directory: ${join(directory, 'work')}
  account: { user: wintrades_backup_a, password_file: ${credentials.passwordFileOf('backup')} }
  scratch_command: docker run --rm --network ${network} --volume ${directory}:${directory} ${image} mysqld
  at: "00:00"
  keep_daily: 1
  keep_weekly: 0
  archive_file_seconds: 3
`
}

async function statusOf(region: Region): Promise<BackupStatus> {
  const response = await fetch(`${database.addressOf(region)}/status`, { signal: AbortSignal.timeout(5_000) })
  return ((await response.json()) as { parts: { backup: BackupStatus } }).parts.backup
}

async function activeRegion(): Promise<Region | null> {
  const found = await Promise.all(KEEPERS.map((region) => statusOf(region).catch(() => null)))
  const active = KEEPERS.filter((_, index) => found[index]?.isActive === true)
  expect(active.length).toBeLessThanOrEqual(1)
  return active[0] ?? null
}

async function metricsOf(region: Region): Promise<ReadonlyMap<string, number>> {
  const text = await (
    await fetch(`${database.addressOf(region)}/metrics`, { signal: AbortSignal.timeout(5_000) })
  ).text()
  const lines = text.matchAll(/^wintrades_backup_(\w+)\{[^}]*\} (\S+)$/gm)
  return new Map([...lines].map(([, name, value]) => [name as string, Number(value)]))
}

let keeper: Region

test('where there is none, one operator makes a backup, archives, and proves it by a restore', async () => {
  keeper = await until('an operator keeps the backups', activeRegion, LIMITS)
  const proven = async () => {
    const status = await statusOf(keeper)
    if (status.verified?.passed !== true)
      throw new Error(JSON.stringify({ doing: status.doing, faults: status.faults }))
    return status
  }
  const status = await until('its first backup is restored and good', proven, PATIENCE)
  // Of which server, depends on who had followed by then: the first is made at once.
  expect(database.servers.map(({ name }) => name)).toContain(status.newest?.source.name)
  expect(status.verified?.backup).toBe(status.newest?.id)
  expect(status.archive?.transactions).toBeGreaterThan(0)
  expect(status.faults).toEqual({})
  const metrics = await metricsOf(keeper)
  expect(Object.fromEntries(metrics)).toMatchObject({ active: 1, faults: 0, verified: 1, refuted_transactions: 0 })
  expect(metrics.get('age_seconds')).toBeLessThan(600)
  expect(metrics.get('verified_age_seconds')).toBeLessThan(600)
  expect(metrics.get('archive_lag_seconds')).toBeLessThan(60)
  for (const name of ['duration_seconds', 'stored_bytes', 'verification_duration_seconds', 'archived_bytes'])
    expect(metrics.get(name), name).toBeGreaterThan(0)
  const other = KEEPERS.find((one) => one !== keeper) as Region
  const waiting = await metricsOf(other)
  expect(waiting.get('active')).toBe(0)
  // What nobody archives here is not shown as archived.
  expect(waiting.has('archive_lag_seconds')).toBe(false)
  // It looks at the store all the same, and so tells the same age.
  const knows = async () => ((await metricsOf(other)).get('age_seconds') ?? Number.POSITIVE_INFINITY) < 600
  await until('the other operator knows of the backup', knows, LIMITS)
})

test('when that operator dies another one goes on with the archive, and makes nothing twice', async () => {
  const before = await statusOf(keeper)
  const seqAtDeath = load.seq
  await database.killOperator(keeper)
  const next = KEEPERS.find((one) => one !== keeper) as Region
  const takenOver = async () => (await activeRegion()) === next
  await until('the other operator keeps the backups', takenOver, LIMITS)
  const now_ms = Date.now()
  const isArchived = async () => ((await statusOf(next)).archive?.completeUntil_ms ?? 0) > now_ms
  await until('everything until now is archived', isArchived, LIMITS)
  const after = await statusOf(next)
  expect(after.newest).toEqual(before.newest)
  expect(after.faults).toEqual({})
  expect(load.seq).toBeGreaterThan(seqAtDeath)
  keeper = next
})

test('a day later there is a new backup, and the old one goes with the part of the archive that only it needed', async () => {
  await database.stopOperators()
  const { catalogue, settings } = await openBackups(database.operatorFile, join(directory, 'encryption.key'))
  const { full, segments } = await catalogue.list()
  expect(full).toHaveLength(1)
  const logger = createLogger('keeper', { level: 'error', write: (line) => process.stderr.write(line) })
  const now = () => new Date(Date.now() + DAY_MS)
  const own = new BackupKeeper({ settings, keys: catalogue.keys, markets, logger, now })
  const stop = new AbortController()
  const running = own.run(stop.signal)
  try {
    const isDone = () => {
      const { newest, verified, faults, doing } = own.status
      if (newest !== null && newest.id !== full[0]?.id && verified?.backup === newest.id && verified.passed) return true
      throw new Error(JSON.stringify({ doing, faults }))
    }
    await until('the next backup is made and restored', isDone, PATIENCE)
    expect(own.status.faults).toEqual({})
  } finally {
    stop.abort()
    await running
  }
  const fresh = await Catalogue.open(settings.directory, catalogue.keys)
  const left = await fresh.list()
  expect(left.full.map((one) => one.id)).toEqual([own.status.newest?.id])
  expect(left.faults).toEqual([])
  const gone = segments.filter((one) => !left.segments.some((other) => other.id === one.id))
  expect(gone.length).toBeGreaterThan(0)
  expect(gone.map((one) => one.number)).toEqual(segments.slice(0, gone.length).map((one) => one.number))
})
