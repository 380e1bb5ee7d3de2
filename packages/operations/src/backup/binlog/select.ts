// Chooses from the archive what has to be applied to a full backup to bring it to a time: whole transactions, each once, in the order of their
// commits, without those that were never acknowledged. Promises to notice whatever is missing from the middle or the end, and to say what and since when.

import {
  contains,
  EMPTY,
  formatGtidSet,
  type GtidSet,
  gtid,
  isEmpty,
  parseGtidSet,
  subtract,
  union,
} from '../../operator/promotion/gtid-set.ts'
import type { ArchiveState, Catalogue, FullBackup, Segment } from '../store/catalogue.ts'
import { BackupDamage, BackupMissing, BackupRefused } from '../store/faults.ts'
import { readSegment, type SegmentReading } from './segment.ts'

export type Selection = {
  readonly backup: FullBackup
  /** null: everything there is. */
  readonly to: Date | null
}

export type SelectedEvents = {
  /** Of the log that the bytes come from; a new one begins another file. */
  readonly formatDescription: Buffer
  readonly bytes: Buffer
  /** Set with the last bytes of a transaction. */
  readonly committed: { readonly origin: string; readonly number: number; readonly at_us: number } | null
}

type Piece = { readonly id: string; readonly path: string; readonly segment: Segment | null }

/** A backup taken within so long of the wanted time may hold what was committed after it. */
const CLOCK_MS_MAX = 5_000
/** An archiver closes a piece now and then; it does not do so each time that one is looked at. */
const LOOKS_MAX = 8

/** The newest backup that a time can be reached from. */
export function chooseBackup(backups: readonly FullBackup[], to: Date | null): FullBackup {
  const latest_ms = to === null ? Number.POSITIVE_INFINITY : to.getTime() - CLOCK_MS_MAX
  const chosen = backups.filter((one) => Date.parse(one.consistentAt) <= latest_ms).at(-1)
  if (chosen !== undefined) return chosen
  const first = backups[0]
  if (first === undefined) throw new BackupMissing('there is no backup yet: wintrades backup create makes one')
  const earliest = new Date(Date.parse(first.consistentAt) + CLOCK_MS_MAX).toISOString()
  throw new BackupRefused(`the oldest backup can be restored to ${earliest} and later, not to ${to?.toISOString()}`)
}

export class ArchiveSelection {
  readonly #catalogue: Catalogue
  readonly #selection: Selection
  readonly #refuted: GtidSet
  readonly #state: ArchiveState | null
  #have: GtidSet
  #applied: GtidSet = EMPTY
  #lastAt_us = 0
  /** Something committed after the wanted time was seen: the archive reaches beyond it. */
  #isBeyond = false

  constructor(catalogue: Catalogue, selection: Selection, state: ArchiveState | null) {
    this.#catalogue = catalogue
    this.#selection = selection
    this.#state = state
    this.#refuted = parseGtidSet(state?.refuted ?? '')
    this.#have = parseGtidSet(selection.backup.gtids)
  }

  /** Everything that the restored copy has. */
  get have(): GtidSet {
    return this.#have
  }

  /** What was handed out, whole. */
  get applied(): GtidSet {
    return this.#applied
  }

  /** Last commit that was handed out, µs since 1970; 0: none. */
  get lastAt_us(): number {
    return this.#lastAt_us
  }

  /** The bytes are valid until the next are asked for. */
  async *events(): AsyncGenerator<SelectedEvents> {
    const done = new Set<string>()
    for (let look = 0; look < LOOKS_MAX && !this.#isBeyond; look++) {
      let isSure = true
      for (const piece of await this.#pieces()) {
        if (this.#isBeyond) break
        if (done.has(piece.id)) continue
        const { segment } = piece
        if (segment === null || !contains(union(this.#have, this.#refuted), parseGtidSet(segment.gtids))) {
          const reading = await this.#read(piece)
          if (reading === 'closed meanwhile') {
            isSure = false
            break
          }
          if (reading !== null) yield* this.#eventsOf(piece, reading)
        }
        done.add(piece.id)
      }
      if (isSure) break
    }
    this.#checkEnd()
  }

  async #read(piece: Piece): Promise<SegmentReading | null | 'closed meanwhile'> {
    try {
      return await readSegment(this.#catalogue, piece.path, { isOpenEnd: piece.segment === null })
    } catch (error) {
      if (piece.segment === null && error instanceof BackupMissing) return 'closed meanwhile'
      throw error
    }
  }

  /** By the catalogue alone, before anything long is begun: throws what `events` would throw for want of whole files. */
  async check(): Promise<void> {
    const to_us = (this.#selection.to?.getTime() ?? Number.POSITIVE_INFINITY) * 1_000
    const { segments } = await this.#catalogue.list()
    let have = this.#have
    let lastAt_us = 0
    for (const segment of segments) {
      const gtids = parseGtidSet(segment.gtids)
      if (contains(union(have, this.#refuted), gtids)) continue
      if (segment.firstAt_us > to_us && to_us <= lastAt_us) return
      const missing = subtract(subtract(parseGtidSet(segment.after), have), this.#refuted)
      if (!isEmpty(missing))
        throw this.#missing(missing, this.#catalogue.segmentPath(segment.id), segment.firstAt_us, lastAt_us)
      if (segment.firstAt_us > to_us) return
      have = union(have, gtids)
      lastAt_us = Math.max(lastAt_us, segment.lastAt_us)
    }
  }

  /** In order; what an archiver is writing, or was, comes last. */
  async #pieces(): Promise<Piece[]> {
    // Open ones first: one that is closed meanwhile is then in both lists, not in none.
    const open = await this.#catalogue.openSegments()
    const { segments } = await this.#catalogue.list()
    const closed = segments.map((segment) => ({
      id: segment.id,
      path: this.#catalogue.segmentPath(segment.id),
      segment,
    }))
    const ids = new Set(segments.map((one) => one.id))
    const still = open.filter((id) => !ids.has(id))
    return [...closed, ...still.map((id) => ({ id, path: this.#catalogue.segmentPath(id, 'open'), segment: null }))]
  }

  async *#eventsOf(piece: Piece, { header, formatDescription, parts }: SegmentReading): AsyncGenerator<SelectedEvents> {
    const to_us = (this.#selection.to?.getTime() ?? Number.POSITIVE_INFINITY) * 1_000
    let isWanted = false
    // Of an open piece the last transaction may be there in part: it is handed out when it is known to be whole.
    let held: SelectedEvents[] = []
    let isChecked = false
    for await (const part of parts) {
      const { origin, number, committedAt_us } = part.gtid
      if (part.isFirst) {
        const one = gtid(origin, number)
        isWanted = !contains(this.#have, one) && !contains(this.#refuted, one)
        const isBeyond = isWanted && committedAt_us > to_us
        // What is missing may have been committed before the time, unless that is when the last one was that is there.
        if (isWanted && !isChecked && !(isBeyond && to_us <= this.#lastAt_us)) {
          this.#checkNothingMissing(header.after, piece, committedAt_us)
        }
        if (isBeyond) {
          this.#isBeyond = true
          return
        }
        isChecked = isChecked || isWanted
        held = []
      }
      if (!isWanted) continue
      const committed = part.isLast ? { origin, number, at_us: committedAt_us } : null
      if (piece.segment === null && !part.isLast) {
        held.push({ formatDescription, bytes: Buffer.from(part.bytes), committed })
        continue
      }
      yield* held
      held = []
      yield { formatDescription, bytes: part.bytes, committed }
      if (committed !== null) this.#note(origin, number, committedAt_us)
    }
    if (piece.segment !== null) this.#checkWhole(piece.segment)
  }

  #note(origin: string, number: number, at_us: number): void {
    const one = gtid(origin, number)
    this.#have = union(this.#have, one)
    this.#applied = union(this.#applied, one)
    this.#lastAt_us = Math.max(this.#lastAt_us, at_us)
  }

  #checkWhole({ id, gtids }: Segment): void {
    const missing = subtract(subtract(parseGtidSet(gtids), this.#have), this.#refuted)
    if (!isEmpty(missing))
      throw new BackupDamage(
        `the archived binlog ${id} lacks what the catalogue says it has: ${formatGtidSet(missing)}`,
      )
  }

  /** A piece may be applied when everything that the archive had before it is there. */
  #checkNothingMissing(after: string, piece: Piece, at_us: number): void {
    const missing = subtract(subtract(parseGtidSet(after), this.#have), this.#refuted)
    if (!isEmpty(missing)) throw this.#missing(missing, piece.path, at_us, this.#lastAt_us)
  }

  #missing(missing: GtidSet, path: string, at_us: number, lastAt_us: number): BackupMissing {
    const until = lastAt_us === 0 ? this.#selection.backup.consistentAt : new Date(lastAt_us / 1_000).toISOString()
    return new BackupMissing(
      `archived binlogs are missing: the transactions ${formatGtidSet(missing)}, committed before ${new Date(at_us / 1_000).toISOString()}, ` +
        `which ${path} follows. Put the missing files back from another copy of the store (wintrades backup list names them), ` +
        `restore to ${until} at the latest (--to), or start from a newer backup (--backup)`,
    )
  }

  /** The archive must reach as far as was asked, and have all that it ever had. */
  #checkEnd(): void {
    const { to, backup } = this.#selection
    if (this.#isBeyond || this.#state === null) return
    const missing = subtract(subtract(parseGtidSet(this.#state.archived), this.#have), this.#refuted)
    const removed = parseGtidSet(this.#state.removed)
    if (!isEmpty(subtract(missing, removed))) {
      throw new BackupMissing(
        `archived binlogs are missing at the end: the transactions ${formatGtidSet(missing)}. Put the files back from another copy of the ` +
          'store (wintrades backup list names them), or restore to a time before (--to)',
      )
    }
    const end_ms = Math.max(
      Date.parse(this.#state.completeUntil),
      this.#lastAt_us / 1_000,
      Date.parse(backup.consistentAt),
    )
    if (to !== null && to.getTime() > end_ms) {
      throw new BackupRefused(
        `the archive reaches to ${new Date(end_ms).toISOString()}, not to ${to.toISOString()}: leave --to out to restore everything there is`,
      )
    }
  }
}
