// Brings a full backup back and forward: unpacks it into a directory, applies the archived binlogs up to a time, and leaves a data directory that a
// server can start on. Promises to write only where nothing is, and that the directory appears under its name only when it is whole.

import { chown, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { equals, formatGtidSet, parseGtidSet } from '../operator/promotion/gtid-set.ts'
import { applyArchive } from './binlog/apply.ts'
import { ArchiveSelection, chooseBackup } from './binlog/select.ts'
import { type Progress, readHeads, seconds } from './create.ts'
import type { ScratchOptions, ScratchServer } from './scratch/server.ts'
import { count } from './servers.ts'
import type { BackupSettings } from './settings.ts'
import type { Catalogue, FullBackup, JournalHead } from './store/catalogue.ts'
import { BackupRefused, explainFileError, VerificationFailed } from './store/faults.ts'
import { unpack } from './store/pack.ts'
import { readSealed } from './store/sealed-file.ts'
import { megabytes, requireRoom } from './work.ts'

export type RestoreOptions = {
  readonly catalogue: Catalogue
  readonly settings: Pick<BackupSettings, 'scratch'>
  /** null: the newest that reaches the time. */
  readonly backup: string | null
  /** null: everything that is archived. */
  readonly to: Date | null
  readonly progress: Progress
  readonly signal: AbortSignal
  /** Looks at the restored server, which runs, before it is left; what it throws ends the restore. */
  readonly inspect?: (server: ScratchServer, found: Found) => Promise<void>
}

/** What a restored server was found to have. */
export type Found = {
  readonly backup: FullBackup
  readonly gtids: string
  readonly journal: readonly JournalHead[]
  readonly transactions: number
  /** The last commit that was applied; null: none was, it is as the backup was. */
  readonly lastCommitAt: Date | null
}

export type RestoreResult = Found & {
  readonly took_seconds: { readonly unpack: number; readonly apply: number; readonly total: number }
}

const APPLY_BYTES = 3 * 1024 ** 3
const PROGRESS_MS = 500

/** Into a directory that does not exist, or is empty. It becomes a server's data directory, with the owner of the folder that it is in. */
export async function restoreToDirectory(directory: string, options: RestoreOptions): Promise<RestoreResult> {
  await requireEmpty(directory)
  const unfinished = `${directory}.unfinished`
  try {
    await mkdir(dirname(directory), { recursive: true })
    await rm(unfinished, { recursive: true, force: true })
    await mkdir(unfinished, { mode: 0o700 })
  } catch (error) {
    throw explainFileError(error, unfinished)
  }
  try {
    const result = await restoreInto(join(unfinished, 'data'), join(unfinished, 'scratch'), options)
    await giveToOwnerOf(dirname(directory), join(unfinished, 'data'))
    await removeIfEmpty(directory)
    await rename(join(unfinished, 'data'), directory)
    return result
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

/** Into a directory of the caller's, which is left to the caller whatever happens. */
export async function restoreInto(
  dataDirectory: string,
  scratchDirectory: string,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const { catalogue, settings, to, progress, signal } = options
  const began_ms = performance.now()
  const { full } = await catalogue.list()
  const backup = options.backup === null ? chooseBackup(full, to) : await catalogue.read(options.backup)
  if (options.backup !== null && to !== null) chooseBackup([backup], to)
  const selection = new ArchiveSelection(catalogue, { backup, to }, await catalogue.archive())
  await selection.check()
  await mkdir(dataDirectory, { recursive: true, mode: 0o750 })
  await requireRoom(dataDirectory, backup.plainBytes + APPLY_BYTES, 'the restored database')
  await unpackBackup(catalogue, backup, dataDirectory, options)
  const unpacked_ms = performance.now()
  signal.throwIfAborted()
  const scratch: ScratchOptions = {
    ...settings.scratch,
    work: scratchDirectory,
    dataDirectory,
    signal,
    settings: PLUGINS,
  }
  progress('applying archived binlogs', null)
  let found: Found | null = null
  await applyArchive({
    scratch,
    selection,
    signal,
    progress: (count, at) => progress(`applied ${count} transactions, up to ${at.toISOString()}`, null),
    finish: async (server) => {
      found = await examine(server, backup, selection)
      await options.inspect?.(server, found)
      await makeVoter(server)
    },
  })
  if (found === null) throw new Error('a restore ends with a look at what was restored')
  const ended_ms = performance.now()
  return {
    ...(found as Found),
    took_seconds: {
      unpack: seconds(unpacked_ms - began_ms),
      apply: seconds(ended_ms - unpacked_ms),
      total: seconds(ended_ms - began_ms),
    },
  }
}

/** What tables of a server's own need to be read. */
const PLUGINS: readonly string[] = ['plugin_load_add=mysql_clone.so']

async function unpackBackup(
  catalogue: Catalogue,
  backup: FullBackup,
  directory: string,
  { progress, signal }: RestoreOptions,
): Promise<void> {
  const path = catalogue.dataPath(backup.id)
  const chunks = readSealed(path, catalogue.keys)
  let told_ms = 0
  await unpack(interruptible(chunks, signal), directory, path, (bytes) => {
    if (performance.now() - told_ms < PROGRESS_MS) return
    told_ms = performance.now()
    progress(`unpacking (${megabytes(bytes)})`, Math.min(1, bytes / Math.max(1, backup.plainBytes)))
  })
}

async function* interruptible<Item>(items: AsyncIterable<Item>, signal: AbortSignal): AsyncGenerator<Item> {
  for await (const item of items) {
    signal.throwIfAborted()
    yield item
  }
}

/** Checks that it has what it must have, no more and no less. */
async function examine(server: ScratchServer, backup: FullBackup, selection: ArchiveSelection): Promise<Found> {
  const [row] = await server.query<{ gtids: string }>('SELECT @@GLOBAL.gtid_executed AS gtids')
  const executed = parseGtidSet(row?.gtids ?? '')
  if (!equals(executed, selection.have)) {
    throw new VerificationFailed(
      `the restored copy has ${formatGtidSet(executed)}, it should have ${formatGtidSet(selection.have)}: use another backup (--backup)`,
    )
  }
  return {
    backup,
    gtids: formatGtidSet(executed),
    journal: await readHeads(server),
    transactions: count(selection.applied),
    lastCommitAt: selection.lastAt_us === 0 ? null : new Date(selection.lastAt_us / 1_000),
  }
}

/** A server without a term of its own is no witness for the operator; a copy of a reader has none. */
async function makeVoter(server: ScratchServer): Promise<void> {
  const [table] = await server.query(
    "SELECT 1 AS one FROM information_schema.tables WHERE TABLE_SCHEMA = 'wintrades_operator' AND TABLE_NAME = 'local_term'",
  )
  if (table === undefined) return
  await server.query(
    `INSERT IGNORE INTO wintrades_operator.local_term (id, number, promoter)
     SELECT 1, COALESCE(MAX(number), 0), 'restore' FROM wintrades_operator.primary_term`,
  )
}

async function requireEmpty(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw explainFileError(error, directory)
  })
  if (names.length === 0) return
  throw new BackupRefused(
    `${directory} is not empty (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}): nothing was changed. Stop the server that uses it ` +
      'and move it away (mv), or restore to another directory; a restore never overwrites data',
  )
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    if (code !== 'EBUSY') throw explainFileError(error, directory)
    throw new BackupRefused(
      `${directory} is where a volume is mounted: name a folder in it that does not exist yet, such as ${join(directory, 'data')}`,
    )
  }
}

/** A volume belongs to the server's user; what is restored into it shall too. */
async function giveToOwnerOf(parent: string, directory: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(parent)
  await chown(directory, uid, gid)
  for (const entry of await readdir(directory, { recursive: true })) await chown(join(directory, entry), uid, gid)
}
