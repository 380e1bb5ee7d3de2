// Archives the data tier's binary log without pause. Promises that every transaction that the primary's history has is archived once it can be read
// anywhere, in an order in which it can be applied; that a promotion neither ends nor doubles it; and that what was lost with a former primary, and so
// was never acknowledged, is known as such and is not restored. What it has is GTIDs; where they were read from does not matter.

import { randomUUID } from 'node:crypto'
import type { Logger } from '@wintrades/platform'
import {
  contains,
  EMPTY,
  formatGtidSet,
  type GtidSet,
  isEmpty,
  parseGtidSet,
  subtract,
  union,
} from '../../operator/promotion/gtid-set.ts'
import { pause } from '../../operator/reconciler.ts'
import { count, rankSources, type ServerView, viewServer, viewTier } from '../servers.ts'
import { type BackupSettings, readAuthority, readPasswordOf } from '../settings.ts'
import type { ArchiveState, Catalogue, Segment } from '../store/catalogue.ts'
import { BackupRefused } from '../store/faults.ts'
import { dumpBinlog } from './dump.ts'
import { EVENT, eventType, isSameFormat, serverVersionOf, TransactionReader } from './events.ts'
import { gtidsOf, nextNumber, recoverOpen, SegmentWriter } from './segment.ts'

export type ArchiverOptions = {
  readonly catalogue: Catalogue
  readonly settings: BackupSettings
  readonly logger: Logger
  /** Told of every piece that is whole. */
  readonly onSegment?: (segment: Segment) => void
}

export type ArchiverFigures = {
  /** Whose binlog is read; null: none's. */
  readonly source: string | null
  readonly transactions: number
  readonly bytes: number
  /** Every commit up to then is archived, ms since 1970; 0: not known yet. */
  readonly completeUntil_ms: number
  readonly refuted: number
  readonly fault: string | null
}

const FLUSH_MS = 1_000
const LOOK_MS = 1_000
const STATE_MS = 5_000
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 15_000
/** A lost primary leaves what was in flight, some dozens; more is another history. */
const REFUTED_MAX = 1_000
/** A source that does not bring what the primary has for this long is left for another. */
const STALE_MS_MAX = 20_000

export class BinlogArchiver {
  readonly #options: ArchiverOptions
  /** This archiver's own, under which servers know it. */
  readonly #uuid = randomUUID()
  #archived: GtidSet = EMPTY
  #refuted: GtidSet = EMPTY
  #removed: GtidSet = EMPTY
  #number = 1
  #completeUntil: Date | null = null
  /** The primary's history when it was last looked at, while it is not archived whole. */
  #awaited: { readonly executed: GtidSet; readonly at: Date; readonly since_ms: number } | null = null
  #writer: SegmentWriter | null = null
  #source: ServerView | null = null
  #avoid: string | null = null
  #transactions = 0
  #bytes = 0
  #fault: string | null = null
  #flushedAt_ms = 0
  #stateAt_ms = 0

  constructor(options: ArchiverOptions) {
    this.#options = options
  }

  get figures(): ArchiverFigures {
    return {
      source: this.#source?.server.name ?? null,
      transactions: this.#transactions,
      bytes: this.#bytes,
      completeUntil_ms: this.#completeUntil?.getTime() ?? 0,
      refuted: count(this.#refuted),
      fault: this.#fault,
    }
  }

  /** Everything that is archived, or is in no need of it. Servers may remove it. */
  get archived(): GtidSet {
    const open = this.#writer
    // The rest is still on its way to the disk.
    return open === null ? this.#archived : subtract(this.#archived, subtract(open.gtids, open.flushed))
  }

  /** Until the signal aborts. Whatever fails is logged, shown in the figures and tried again: servers keep what is not archived. */
  async run(signal: AbortSignal): Promise<void> {
    let wait_ms = RETRY_MS_MIN
    while (!signal.aborted) {
      const before = this.#transactions
      try {
        // What the store has is the truth: after trouble, what was on its way to the disk may not have arrived.
        await this.#begin()
        await this.#follow(signal)
      } catch (error) {
        this.#fault = error instanceof Error ? error.message : String(error)
        this.#options.logger.warn('the binlog is not archived, trying again', {
          error,
          source: this.#source?.server.name,
        })
        this.#avoid = this.#source?.server.name ?? null
      }
      await this.#closeWriter()
      wait_ms = this.#transactions > before ? RETRY_MS_MIN : Math.min(wait_ms * 2, RETRY_MS_MAX)
      await pause(wait_ms, signal)
    }
  }

  /** Knows what the store has, whatever an earlier archiver left. */
  async #begin(): Promise<void> {
    const { catalogue, logger } = this.#options
    for (const segment of await recoverOpen(catalogue)) {
      logger.info('a piece of the archive was finished that was left open', {
        segment: segment.id,
        transactions: segment.transactions,
      })
    }
    const { segments, full } = await catalogue.list()
    const state = await catalogue.archive()
    this.#number = nextNumber(segments)
    this.#refuted = parseGtidSet(state?.refuted ?? '')
    this.#removed = parseGtidSet(state?.removed ?? '')
    this.#completeUntil = state === null ? null : new Date(state.completeUntil)
    // What lies before the oldest backup is of no use; what is missing from the middle cannot be put there later.
    const known = [state?.archived ?? '', state?.removed ?? '', full[0]?.gtids ?? ''].map(parseGtidSet)
    this.#archived = known.reduce(union, gtidsOf(segments))
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { settings, logger } = this.#options
    const tier = await viewTier(settings)
    const ranked = rankSources(tier)
    const source = ranked.find((view) => view.server.name !== this.#avoid) ?? ranked[0]
    this.#avoid = null
    if (source === undefined)
      throw new BackupRefused(`no server to read from: ${tier.faults.join('; ') || 'none has data yet'}`)
    this.#source = source
    if (tier.primary !== null) this.#judge(tier.primary)
    if (isEmpty(this.#archived)) await this.#beginAt(source)
    logger.info('archiving the binlog', { source: source.server.name, transactions: this.#transactions })
    this.#fault = null
    const ended = new AbortController()
    const looking = this.#look(AbortSignal.any([signal, ended.signal]), ended)
    try {
      await this.#read(source, AbortSignal.any([signal, ended.signal]))
    } finally {
      ended.abort()
      await looking
    }
  }

  /** Removes pieces that no kept backup needs; what was in them counts as archived from then on without being there. */
  async remove(segments: readonly Segment[]): Promise<void> {
    this.#removed = union(this.#removed, gtidsOf(segments))
    this.#writeState()
    await this.#options.catalogue.remove({ segments: segments.map((one) => one.id) })
  }

  /** Nothing is archived and there is no backup: what lies before the first backup is in that. */
  async #beginAt(source: ServerView): Promise<void> {
    this.#archived = source.executed
    this.#removed = source.executed
    this.#writeState()
  }

  async #read(source: ServerView, signal: AbortSignal): Promise<void> {
    const { settings } = this.#options
    const { host, port } = source.server
    const events = dumpBinlog({
      host,
      port,
      user: settings.account.user,
      password: readPasswordOf(settings.account),
      ca: readAuthority(settings.caFile),
      have: this.#archived,
      uuid: this.#uuid,
      signal,
    })
    let reader = new TransactionReader(`binlog of ${source.server.name}`)
    let format: Buffer | null = null
    for await (const item of events) {
      if (item === null) {
        await this.#flushIfDue()
        continue
      }
      if (eventType(item.event) === EVENT.formatDescription) {
        if (this.#writer !== null && !isSameFormat(this.#writer.formatDescription, item.event)) await this.#finish()
        format = item.event
        reader = new TransactionReader(`binlog of ${source.server.name}`)
        continue
      }
      const part = reader.take(item.event)
      if (part === null) continue
      if (format === null)
        throw new Error(`${source.server.name} sends transactions before it says how they are written`)
      this.#writer ??= await this.#beginSegment(source, format)
      await this.#writer.add(part)
      this.#bytes += part.bytes.length
      if (!part.isLast) continue
      this.#transactions++
      this.#archived = union(this.#archived, new Map([[part.gtid.origin, [part.gtid.number, part.gtid.number]]]))
      await this.#flushIfDue()
    }
  }

  async #beginSegment(source: ServerView, format: Buffer): Promise<SegmentWriter> {
    const { host, port } = source.server
    const server = { uuid: source.uuid, address: `${host}:${port}`, version: serverVersionOf(format) }
    const header = { number: this.#number++, server, after: formatGtidSet(this.#archived) }
    return await SegmentWriter.begin(this.#options.catalogue, header, format)
  }

  /** Between transactions. */
  async #flushIfDue(): Promise<void> {
    const now_ms = performance.now()
    const writer = this.#writer
    if (writer !== null && now_ms - this.#flushedAt_ms >= FLUSH_MS) {
      this.#flushedAt_ms = now_ms
      await writer.flush()
      const { segmentBytes_max, segmentAge_seconds_max } = this.#options.settings
      const isOld = now_ms - writer.startedAt_ms >= segmentAge_seconds_max * 1_000
      if (writer.plainBytes >= segmentBytes_max || isOld) await this.#finish()
    } else if (writer !== null && writer.plainBytes >= this.#options.settings.segmentBytes_max) {
      await this.#finish()
    }
    this.#settle()
    if (now_ms - this.#stateAt_ms >= STATE_MS) this.#writeState()
  }

  /** What is awaited of the primary's history may have arrived. */
  #settle(): void {
    const awaited = this.#awaited
    if (awaited === null || !contains(this.archived, awaited.executed)) return
    this.#completeUntil = awaited.at
    this.#awaited = null
  }

  /** Looks at the primary now and then; leaves a source that does not bring what the primary has. */
  async #look(signal: AbortSignal, leave: AbortController): Promise<void> {
    const { settings, logger } = this.#options
    let primary: ServerView | null = null
    while (!signal.aborted) {
      try {
        primary = primary === null ? (await viewTier(settings)).primary : await viewServer(primary.server, settings)
        if (primary?.isWritable === false) primary = (await viewTier(settings)).primary
        if (primary !== null) this.#judge(primary)
      } catch (error) {
        if (error instanceof BackupRefused) {
          this.#fault = error.message
          leave.abort()
        }
        logger.debug('the primary does not answer the archiver', { error })
        primary = null
      }
      const waited_ms = this.#awaited === null ? 0 : performance.now() - this.#awaited.since_ms
      if (waited_ms > STALE_MS_MAX && this.#source?.uuid !== primary?.uuid) {
        logger.warn('a server does not bring what the primary has, reading from another', {
          source: this.#source?.server.name,
        })
        this.#avoid = this.#source?.server.name ?? null
        leave.abort()
      }
      await pause(LOOK_MS, signal)
    }
  }

  /**
   * The primary's history is the truth. What is archived under another server's name and is not in it never will be: it was not acknowledged. What bears
   * the primary's own name may be waiting for its acknowledgement still.
   */
  #judge(primary: ServerView): void {
    const missing = new Map(subtract(this.#archived, primary.executed))
    missing.delete(primary.uuid)
    const refuted = union(subtract(this.#refuted, primary.executed), missing)
    if (count(refuted) > REFUTED_MAX) {
      throw new BackupRefused(
        `the primary ${primary.server.name} lacks ${count(refuted)} archived transactions: if it was restored to an earlier time, let backups go to a new directory and keep this one`,
      )
    }
    if (!contains(this.#refuted, refuted)) {
      const lost = formatGtidSet(subtract(refuted, this.#refuted))
      this.#options.logger.warn('archived transactions were never acknowledged and will not be restored', {
        transactions: lost,
      })
      this.#refuted = refuted
      this.#writeState()
    }
    this.#refuted = refuted
    this.#awaited ??= { executed: primary.executed, at: primary.at, since_ms: performance.now() }
    this.#settle()
  }

  #writeState(): void {
    this.#stateAt_ms = performance.now()
    const state: ArchiveState = {
      archived: formatGtidSet(this.archived),
      refuted: formatGtidSet(this.#refuted),
      removed: formatGtidSet(this.#removed),
      completeUntil: (this.#completeUntil ?? new Date(0)).toISOString(),
      key: this.#options.catalogue.keys.id,
    }
    this.#options.catalogue.writeArchive(state)
  }

  async #finish(): Promise<void> {
    const writer = this.#writer
    this.#writer = null
    const segment = (await writer?.finish()) ?? null
    if (segment !== null) this.#options.onSegment?.(segment)
    this.#settle()
    this.#writeState()
  }

  /** At the end, or after trouble: what can be finished is, and of the rest whatever is whole the next time. */
  async #closeWriter(): Promise<void> {
    const writer = this.#writer
    this.#writer = null
    if (writer === null) return
    try {
      const segment = await writer.finish()
      if (segment !== null) this.#options.onSegment?.(segment)
      this.#settle()
      this.#writeState()
    } catch (error) {
      this.#options.logger.debug('a piece of the archive is finished later', { error })
      await writer.close()
    }
  }
}
