// What is in a store of backups: one folder for each full backup, one pair of files for each piece of the binlog archive, a state of the archive and
// an index. Promises that a backup or piece is in the catalogue only when it is whole and on the disk. The files stand alone: the index tells what
// should be there, so that a missing file is noticed.
//
//   full/<id>/backup.json  data.sealed        full/<id>.unfinished/ …   binlogs/<number>-<server>.json  .sealed   …-<server>.open
//   index-full.json   index-binlogs.json   archive.json   verified.json

import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readDocument, writeDocument } from './documents.ts'
import { BackupDamage, BackupMissing, explainFileError } from './faults.ts'
import type { BackupKeys } from './keys.ts'

/** A shard's journal as a copy has it. */
export type JournalHead = { readonly shard: string; readonly seq: number; readonly epoch: number }

/** A full backup. Times are ISO 8601, UTC. */
export type FullBackup = {
  readonly id: string
  /** When the copying began, and by when everything in it had been committed. */
  readonly startedAt: string
  readonly consistentAt: string
  readonly took_seconds: number
  /** Everything that is in it. */
  readonly gtids: string
  readonly source: {
    readonly name: string
    readonly uuid: string
    readonly version: string
    readonly wasPrimary: boolean
  }
  readonly release: string
  /** Newest migration of each schema, as far as the servers say. */
  readonly schema: string | null
  readonly journal: readonly JournalHead[]
  readonly files: number
  readonly plainBytes: number
  readonly storedBytes: number
  readonly sha256: string
}

/** One piece of the archived binlog: whole transactions, in the order in which they were committed. */
export type Segment = {
  /** Also the name of its files. */
  readonly id: string
  readonly number: number
  /** Whose log it was read from. */
  readonly server: { readonly uuid: string; readonly address: string; readonly version: string }
  /** What the archive had when this piece began. */
  readonly after: string
  readonly gtids: string
  readonly transactions: number
  /** First and last commit, µs since 1970. */
  readonly firstAt_us: number
  readonly lastAt_us: number
  readonly plainBytes: number
  readonly storedBytes: number
  readonly sha256: string
}

/** The state of the archive as a whole. */
export type ArchiveState = {
  /** Everything that was ever archived and may be needed. */
  readonly archived: string
  /** Of that, what the primary's history does not have: transactions that were never acknowledged and were lost with a former primary. */
  readonly refuted: string
  /** Every commit up to then is archived. */
  readonly completeUntil: string
  /** Every transaction that the pieces removed by retention held: no hole, but no more to be had. */
  readonly removed: string
  readonly key: string
}

export type Verification = {
  readonly backup: string
  readonly at: string
  readonly passed: boolean
  readonly took_seconds: number
  readonly restoredTo: string
  readonly fault: string | null
}

/** One of each kind, because each has one writer at a time. */
type Kind = 'full' | 'binlogs'
type IndexEntry = { readonly id: string; readonly storedBytes: number; readonly sha256: string }

export type Listing = {
  /** Oldest first. */
  readonly full: readonly FullBackup[]
  readonly segments: readonly Segment[]
  readonly unfinished: readonly string[]
  /** In the index, and not there; or there, and not readable. */
  readonly faults: readonly string[]
}

const ID = /^\d{8}T\d{6}Z-[0-9a-f]{4}$/
const SEGMENT_FILE = /^(\d{10}-[0-9a-f]{8}-[0-9a-f]{4})\.(json|sealed|open)$/
const UNFINISHED = '.unfinished'

export class Catalogue {
  readonly directory: string
  readonly keys: BackupKeys

  private constructor(directory: string, keys: BackupKeys) {
    this.directory = directory
    this.keys = keys
  }

  /** Makes the folders of a new store. */
  static async open(directory: string, keys: BackupKeys): Promise<Catalogue> {
    for (const folder of ['full', 'binlogs']) {
      try {
        await mkdir(join(directory, folder), { recursive: true, mode: 0o700 })
      } catch (error) {
        throw explainFileError(error, directory)
      }
    }
    const catalogue = new Catalogue(directory, keys)
    // A wrong key is told before anything is done with it.
    await catalogue.#readIndex('full')
    await catalogue.#readIndex('binlogs')
    return catalogue
  }

  /** Where the data of a backup is read. */
  dataPath(id: string): string {
    return join(this.directory, 'full', id, 'data.sealed')
  }

  segmentPath(id: string, kind: 'sealed' | 'open' = 'sealed'): string {
    return join(this.directory, 'binlogs', `${id}.${kind}`)
  }

  /** A folder to write a new backup to; what earlier ones left half-made is removed first. */
  async begin(id: string): Promise<string> {
    for (const name of await this.#unfinished())
      await rm(join(this.directory, 'full', name), { recursive: true, force: true })
    const folder = join(this.directory, 'full', `${id}${UNFINISHED}`)
    try {
      await mkdir(folder, { mode: 0o700 })
    } catch (error) {
      throw explainFileError(error, folder)
    }
    return folder
  }

  /** Enters what lies whole in the folder that `begin` gave. */
  async enter(backup: FullBackup): Promise<void> {
    const unfinished = join(this.directory, 'full', `${backup.id}${UNFINISHED}`)
    writeDocument(join(unfinished, 'backup.json'), backup, this.keys)
    await rename(unfinished, join(this.directory, 'full', backup.id))
    await this.#updateIndex('full', (entries) => [...without(entries, backup.id), entryOf(backup)])
  }

  async abandon(id: string): Promise<void> {
    await rm(join(this.directory, 'full', `${id}${UNFINISHED}`), { recursive: true, force: true })
  }

  /** Enters a piece of the archive whose file is whole. */
  async enterSegment(segment: Segment): Promise<void> {
    writeDocument(join(this.directory, 'binlogs', `${segment.id}.json`), segment, this.keys)
    await this.#updateIndex('binlogs', (entries) => [...without(entries, segment.id), entryOf(segment)])
  }

  /** Names of pieces that were not finished, oldest first. */
  async openSegments(): Promise<readonly string[]> {
    const names = await readdir(join(this.directory, 'binlogs'))
    return names.flatMap((name) => (name.endsWith('.open') ? (name.match(SEGMENT_FILE)?.[1] ?? []) : [])).sort()
  }

  async remove(ids: { readonly full?: readonly string[]; readonly segments?: readonly string[] }): Promise<void> {
    const full = new Set(ids.full ?? [])
    const segments = new Set(ids.segments ?? [])
    // First out of the index: what is not removed then is only not needed.
    if (full.size > 0) await this.#updateIndex('full', (entries) => entries.filter((one) => !full.has(one.id)))
    if (segments.size > 0)
      await this.#updateIndex('binlogs', (entries) => entries.filter((one) => !segments.has(one.id)))
    for (const id of full) await rm(join(this.directory, 'full', id), { recursive: true, force: true })
    for (const id of segments) {
      await rm(join(this.directory, 'binlogs', `${id}.json`), { force: true })
      await rm(this.segmentPath(id), { force: true })
    }
  }

  async list(): Promise<Listing> {
    const faults: string[] = []
    const full = await this.#listFull(faults)
    const segments = await this.#listSegments(faults)
    return { full, segments, unfinished: await this.#unfinished(), faults }
  }

  /** The backup of that name; throws what is wrong with it. */
  async read(id: string): Promise<FullBackup> {
    const backup = ID.test(id)
      ? await readDocument<FullBackup>(join(this.directory, 'full', id, 'backup.json'), this.keys)
      : null
    if (backup === null)
      throw new BackupMissing(`there is no backup ${id} in ${this.directory}: wintrades backup list names them`)
    return backup
  }

  async archive(): Promise<ArchiveState | null> {
    return await readDocument<ArchiveState>(join(this.directory, 'archive.json'), this.keys)
  }

  writeArchive(state: ArchiveState): void {
    writeDocument(join(this.directory, 'archive.json'), state, this.keys)
  }

  async verification(): Promise<Verification | null> {
    return await readDocument<Verification>(join(this.directory, 'verified.json'), this.keys)
  }

  writeVerification(verification: Verification): void {
    writeDocument(join(this.directory, 'verified.json'), verification, this.keys)
  }

  async #listFull(faults: string[]): Promise<FullBackup[]> {
    const found: FullBackup[] = []
    const names = (await readdir(join(this.directory, 'full'))).filter((name) => ID.test(name))
    for (const name of names) {
      try {
        const backup = await this.read(name)
        await checkSize(this.dataPath(name), backup.storedBytes)
        found.push(backup)
      } catch (error) {
        faults.push(messageOf(error))
      }
    }
    for (const id of await this.#missing('full', new Set(names), (name) => join('full', name, 'backup.json'))) {
      faults.push(`the backup ${id} is missing from ${this.directory}/full`)
    }
    return found.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  async #listSegments(faults: string[]): Promise<Segment[]> {
    const found: Segment[] = []
    const names = (await readdir(join(this.directory, 'binlogs'))).flatMap((name) =>
      name.endsWith('.json') ? (name.match(SEGMENT_FILE)?.[1] ?? []) : [],
    )
    for (const name of names) {
      try {
        const segment = await readDocument<Segment>(join(this.directory, 'binlogs', `${name}.json`), this.keys)
        if (segment === null) continue
        await checkSize(this.segmentPath(name), segment.storedBytes)
        found.push(segment)
      } catch (error) {
        faults.push(messageOf(error))
      }
    }
    for (const id of await this.#missing('binlogs', new Set(names), (name) => join('binlogs', `${name}.json`))) {
      faults.push(`the archived binlog ${id} is missing from ${this.directory}/binlogs`)
    }
    return found.sort((a, b) => a.number - b.number || (a.id < b.id ? -1 : 1))
  }

  /** What the index names and nobody finds. Others may add and remove meanwhile, so what seems to be missing is looked for once more. */
  async #missing(kind: Kind, there: ReadonlySet<string>, documentOf: (id: string) => string): Promise<string[]> {
    const suspects = (await this.#readIndex(kind)).filter(({ id }) => !there.has(id))
    const lost = suspects.filter(({ id }) => !existsSync(join(this.directory, documentOf(id))))
    if (lost.length === 0) return []
    const listed = new Set((await this.#readIndex(kind)).map(({ id }) => id))
    return lost.map(({ id }) => id).filter((id) => listed.has(id))
  }

  async #unfinished(): Promise<string[]> {
    return (await readdir(join(this.directory, 'full'))).filter((name) => name.endsWith(UNFINISHED)).sort()
  }

  async #readIndex(kind: Kind): Promise<readonly IndexEntry[]> {
    return (await readDocument<readonly IndexEntry[]>(this.#indexPath(kind), this.keys)) ?? []
  }

  async #updateIndex(kind: Kind, change: (entries: readonly IndexEntry[]) => readonly IndexEntry[]): Promise<void> {
    writeDocument(this.#indexPath(kind), change(await this.#readIndex(kind)), this.keys)
  }

  #indexPath(kind: Kind): string {
    return join(this.directory, `index-${kind}.json`)
  }
}

/** `20261125T031500Z-9f3a`: sorts by time, and two of one second differ. */
export function newBackupId(at: Date, random: string): string {
  return `${at.toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '')}-${random}`
}

function entryOf({ id, storedBytes, sha256 }: IndexEntry): IndexEntry {
  return { id, storedBytes, sha256 }
}

function without(entries: readonly IndexEntry[], id: string): readonly IndexEntry[] {
  return entries.filter((one) => one.id !== id)
}

async function checkSize(path: string, bytes: number): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw explainFileError(error, path)
  })
  if (found.size !== bytes) {
    throw new BackupDamage(
      `${path} has ${found.size} bytes, the catalogue says ${bytes}: restore it from another copy of the store`,
    )
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
