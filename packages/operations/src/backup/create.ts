// Makes a full backup: a scratch server clones a secondary (a physical copy, consistent, with its GTIDs), opens the copy once to see that it is whole
// and what it holds, and packs it into the store, compressed, encrypted and authenticated. Promises that it is in the catalogue only when it is whole.

import { randomBytes } from 'node:crypto'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { breakOff } from '@wintrades/platform/mysql'
import type { Connection } from 'mysql2/promise'
import { contains, formatGtidSet, parseGtidSet } from '../operator/promotion/gtid-set.ts'
import { pause } from '../operator/reconciler.ts'
import { readVersion } from '../repository.ts'
import { type ScratchOptions, ScratchServer } from './scratch/server.ts'
import { query, rankSources, type ServerView, takeLock, viewTier, withServer } from './servers.ts'
import { type BackupSettings, readPasswordOf } from './settings.ts'
import { type Catalogue, type FullBackup, type JournalHead, newBackupId } from './store/catalogue.ts'
import { BackupDamage, BackupRefused } from './store/faults.ts'
import { listToPack, pack } from './store/pack.ts'
import { SealedWriter } from './store/sealed-file.ts'
import { megabytes, requireRoom, takeWork } from './work.ts'

export type Progress = (step: string, share: number | null) => void

export type CreateOptions = {
  readonly catalogue: Catalogue
  readonly settings: BackupSettings
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** Of compressed to plain bytes, at worst; and what a server needs beside its tables. */
const STORE_SHARE_MAX = 1
const OVERHEAD_BYTES = 512 * 1024 * 1024
const PROGRESS_MS = 500

export async function createBackup(options: CreateOptions): Promise<FullBackup> {
  const { settings } = options
  const tier = await viewTier(settings)
  const source = rankSources(tier)[0]
  if (source === undefined) {
    const reasons = tier.faults.join('; ') || 'none of them has any data'
    throw new BackupRefused(`no server can be backed up: ${reasons}`)
  }
  const lock = await takeLock('full', settings, tier)
  if (lock === null)
    throw new BackupRefused('another backup, restore check or clean-up is under way: try again when it is done')
  try {
    return await createFrom(source, source === tier.primary, options)
  } finally {
    lock.release()
  }
}

/** The caller has the lock. */
export async function createFrom(source: ServerView, wasPrimary: boolean, options: CreateOptions): Promise<FullBackup> {
  const { catalogue, settings, signal } = options
  const startedAt = new Date()
  const began_ms = performance.now()
  const facts = await withServer(source.server, settings, readSourceFacts)
  await requireRoom(catalogue.directory, facts.bytes * STORE_SHARE_MAX, 'the backup')
  const work = await takeWork(settings.workDirectory)
  const id = newBackupId(startedAt, randomBytes(2).toString('hex'))
  try {
    await requireRoom(work.path, facts.bytes + OVERHEAD_BYTES, 'a copy of the database')
    const copy = await cloneAndOpen(source, facts, work.path, options)
    const archive = await catalogue.archive()
    if (archive !== null && !contains(parseGtidSet(copy.gtids), parseGtidSet(archive.removed))) {
      throw new BackupRefused(
        `${source.server.name} lacks transactions that the archive begins after: wait until it has caught up, then try again`,
      )
    }
    signal.throwIfAborted()
    const packed = await packInto(id, join(work.path, 'data'), options)
    const backup: FullBackup = {
      id,
      startedAt: startedAt.toISOString(),
      consistentAt: copy.consistentAt.toISOString(),
      took_seconds: seconds(performance.now() - began_ms),
      gtids: copy.gtids,
      source: { name: source.server.name, uuid: source.uuid, version: source.version, wasPrimary },
      release: readVersion(),
      schema: copy.schema,
      journal: copy.journal,
      ...packed,
    }
    await catalogue.enter(backup)
    return backup
  } catch (error) {
    await catalogue.abandon(id)
    throw error
  } finally {
    await work.remove()
  }
}

type SourceFacts = {
  readonly libraries: readonly string[]
  readonly pageBytes: number
  readonly lowerCase: number
  readonly collation: string
  readonly charset: string
  /** Of all its tables, about. */
  readonly bytes: number
}

/** What the receiver of a clone must have alike. */
async function readSourceFacts(connection: Connection): Promise<SourceFacts> {
  const plugins = await query<{ file: string }>(
    connection,
    `SELECT DISTINCT PLUGIN_LIBRARY AS file FROM information_schema.plugins
     WHERE PLUGIN_LIBRARY IS NOT NULL AND PLUGIN_STATUS = 'ACTIVE'`,
  )
  const libraries = plugins.map((one) => one.file)
  if (!libraries.includes('mysql_clone.so')) {
    throw new BackupRefused(
      "the server to back up has no clone plugin: start it with plugin_load_add = 'mysql_clone.so'",
    )
  }
  const [row] = await query<Record<'page' | 'lower' | 'collation' | 'charset' | 'bytes', string | number>>(
    connection,
    `SELECT @@innodb_page_size AS page, @@lower_case_table_names AS lower, @@collation_server AS collation, @@character_set_server AS charset,
       (SELECT COALESCE(SUM(FILE_SIZE), 0) FROM information_schema.innodb_tablespaces) AS bytes`,
  )
  return {
    libraries,
    pageBytes: Number(row?.page),
    lowerCase: Number(row?.lower),
    collation: String(row?.collation),
    charset: String(row?.charset),
    bytes: Number(row?.bytes),
  }
}

export type CopyFacts = {
  readonly gtids: string
  readonly consistentAt: Date
  readonly journal: readonly JournalHead[]
  readonly schema: string | null
}

async function cloneAndOpen(
  source: ServerView,
  facts: SourceFacts,
  work: string,
  options: CreateOptions,
): Promise<CopyFacts> {
  const { settings, progress, signal } = options
  const alike = [
    ...facts.libraries.map((library) => `plugin_load_add=${library}`),
    `character_set_server=${facts.charset}`,
    `collation_server=${facts.collation}`,
    `innodb_page_size=${facts.pageBytes}`,
    `lower_case_table_names=${facts.lowerCase}`,
  ]
  const receiver: ScratchOptions = {
    ...settings.scratch,
    work: join(work, 'receiver'),
    dataDirectory: join(work, 'receiver', 'data'),
    signal,
  }
  progress('starting a scratch server', null)
  await ScratchServer.initialise(receiver, [
    `--innodb-page-size=${facts.pageBytes}`,
    `--lower-case-table-names=${facts.lowerCase}`,
  ])
  const server = await ScratchServer.start({
    ...receiver,
    settings: [...alike, ...(await authorityFor(settings, receiver.work))],
  })
  let consistentAt: Date
  try {
    consistentAt = await clone(server, source, join(work, 'data'), options)
    await server.stop()
  } catch (error) {
    await server.kill()
    throw error
  }
  progress('opening the copy', null)
  const opened: ScratchOptions = {
    ...settings.scratch,
    work: join(work, 'opened'),
    dataDirectory: join(work, 'data'),
    signal,
    settings: alike,
  }
  const facts2 = await openCopy(opened)
  return { ...facts2, consistentAt }
}

/** The certificate where the scratch server can read it, which may be in a container. */
async function authorityFor({ caFile }: BackupSettings, work: string): Promise<string[]> {
  if (caFile === null) return []
  const path = join(work, 'authority.pem')
  await mkdir(work, { recursive: true, mode: 0o700 })
  await copyFile(caFile, path)
  return [`loose_clone_ssl_ca=${path}`]
}

const CLONE = 'CLONE INSTANCE FROM ?@?:? IDENTIFIED BY ? DATA DIRECTORY = ?'
const CLONE_OVER_TLS = 'CLONE INSTANCE FROM ?@?:? IDENTIFIED BY ? DATA DIRECTORY = ? REQUIRE SSL'

async function clone(
  server: ScratchServer,
  source: ServerView,
  dataDirectory: string,
  options: CreateOptions,
): Promise<Date> {
  const { settings, progress, signal } = options
  const { host, port } = source.server
  const connection = await server.connect()
  const watching = new AbortController()
  const watch = watchClone(server, progress, AbortSignal.any([watching.signal, signal]))
  try {
    await connection.query('SET GLOBAL clone_valid_donor_list = ?', [`${host}:${port}`])
    const statement = settings.caFile === null ? CLONE : CLONE_OVER_TLS
    await Promise.race([
      connection.query(statement, [settings.account.user, host, port, readPasswordOf(settings.account), dataDirectory]),
      aborted(signal),
    ])
    return new Date()
  } catch (error) {
    if (signal.aborted) throw error
    const { message } = error as Error
    throw new BackupRefused(
      `${source.server.name} could not be cloned: ${message}; the scratch server must be of the same MySQL version, and ${settings.account.user} needs BACKUP_ADMIN`,
      { cause: error },
    )
  } finally {
    watching.abort()
    await watch
    breakOff(connection)
  }
}

async function aborted(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted()
  return await new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

async function watchClone(server: ScratchServer, progress: Progress, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const [row] = await server
      .query<{ estimate: number | null; data: number | null }>(
        'SELECT SUM(ESTIMATE) AS estimate, SUM(DATA) AS data FROM performance_schema.clone_progress',
      )
      .catch(() => []) // it may be ending
    const estimate = Number(row?.estimate ?? 0)
    const data = Number(row?.data ?? 0)
    if (estimate > 0) progress(`copying (${megabytes(data)})`, Math.min(1, data / estimate))
    await pause(PROGRESS_MS, signal)
  }
}

/** Starts a server on a copy, takes out what belongs to the server it came from, and reads what it holds. */
async function openCopy(scratch: ScratchOptions): Promise<Omit<CopyFacts, 'consistentAt'>> {
  const server = await ScratchServer.start(scratch)
  try {
    // The address and password of a source.
    await server.query('RESET REPLICA ALL')
    const [row] = await server.query<{ gtids: string }>('SELECT @@GLOBAL.gtid_executed AS gtids')
    const facts = {
      gtids: formatGtidSet(parseGtidSet(row?.gtids ?? '')),
      journal: await readHeads(server),
      schema: await readSchema(server),
    }
    await server.stop({ isLast: true })
    return facts
  } catch (error) {
    await server.kill()
    throw error
  }
}

const MISSING_TABLE = new Set([1049, 1146])

/** The newest batch of each shard; none before there is a journal. */
export async function readHeads(server: ScratchServer): Promise<readonly JournalHead[]> {
  return await readIfAny(async () => {
    const rows = await server.query<{ shard: number; seq: number; epoch: number }>(
      `SELECT heads.shard, heads.seq, journal.epoch FROM (SELECT shard, MAX(seq) AS seq FROM wintrades.journal GROUP BY shard) AS heads
       JOIN wintrades.journal USING (shard, seq) ORDER BY heads.shard`,
    )
    return rows.map(({ shard, seq, epoch }) => ({ shard: String(shard), seq: Number(seq), epoch: Number(epoch) }))
  }, [])
}

async function readSchema(server: ScratchServer): Promise<string | null> {
  return await readIfAny(async () => {
    const rows = await server.query<{ component: string; version: number }>(
      'SELECT component, version FROM wintrades.schema_version ORDER BY component',
    )
    return rows.map(({ component, version }) => `${component} ${version}`).join(', ')
  }, null)
}

async function readIfAny<Value>(read: () => Promise<Value>, otherwise: Value): Promise<Value> {
  try {
    return await read()
  } catch (error) {
    if (MISSING_TABLE.has((error as { errno?: number }).errno ?? 0)) return otherwise
    throw error
  }
}

async function packInto(id: string, dataDirectory: string, { catalogue, progress, signal }: CreateOptions) {
  const folder = await catalogue.begin(id)
  const entries = await listToPack(dataDirectory)
  if (!entries.some((entry) => entry.path === 'mysql.ibd'))
    throw new BackupDamage('the copy is no MySQL data directory')
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
  const writer = await SealedWriter.create(join(folder, 'data.sealed'), catalogue.keys)
  try {
    let told_ms = 0
    for await (const part of pack(dataDirectory, entries)) {
      signal.throwIfAborted()
      await writer.write(part)
      if (performance.now() - told_ms < PROGRESS_MS) continue
      told_ms = performance.now()
      progress(
        `encrypting (${megabytes(writer.plainBytes)} of ${megabytes(bytes)})`,
        writer.plainBytes / Math.max(1, bytes),
      )
    }
    const facts = await writer.finish()
    return { files: entries.filter((entry) => !entry.isDirectory).length, ...facts }
  } catch (error) {
    await writer.close()
    throw error
  }
}

export function seconds(time_ms: number): number {
  return Math.round(time_ms) / 1_000
}
