// One piece of the archive: a header that says what it is, then a binlog of whole transactions, sealed. While it is written its file is named `.open`
// and every flush of it can be read back, so that even what an operator was just writing when everything ended is not lost.

import { randomBytes } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { EMPTY, formatGtidSet, type GtidSet, gtid, parseGtidSet, union } from '../../operator/promotion/gtid-set.ts'
import type { Catalogue, Segment } from '../store/catalogue.ts'
import { BackupDamage } from '../store/faults.ts'
import { readSealed, SealedWriter } from '../store/sealed-file.ts'
import {
  BINLOG_MAGIC,
  EVENT,
  eventsOf,
  eventType,
  serverVersionOf,
  type TransactionPart,
  TransactionReader,
} from './events.ts'

export type SegmentHeader = {
  readonly number: number
  readonly server: Segment['server']
  readonly after: string
}

export class SegmentWriter {
  readonly id: string
  readonly header: SegmentHeader
  readonly formatDescription: Buffer
  readonly startedAt_ms = performance.now()
  readonly #catalogue: Catalogue
  readonly #file: SealedWriter
  #gtids: GtidSet = EMPTY
  #transactions = 0
  #firstAt_us = 0
  #lastAt_us = 0
  #isBetween = true
  #isFlushed = true
  #flushed: GtidSet = EMPTY

  private constructor(
    catalogue: Catalogue,
    id: string,
    header: SegmentHeader,
    formatDescription: Buffer,
    file: SealedWriter,
  ) {
    this.#catalogue = catalogue
    this.id = id
    this.header = header
    this.formatDescription = formatDescription
    this.#file = file
  }

  static async begin(catalogue: Catalogue, header: SegmentHeader, formatDescription: Buffer): Promise<SegmentWriter> {
    const number = String(header.number).padStart(10, '0')
    const id = `${number}-${header.server.uuid.slice(0, 8)}-${randomBytes(2).toString('hex')}`
    const file = await SealedWriter.create(catalogue.segmentPath(id, 'open'), catalogue.keys)
    // A chunk of its own: whoever reads the file gets it first, and whole.
    await file.write(Buffer.from(`${JSON.stringify(header)}\n`))
    await file.flush()
    await file.write(BINLOG_MAGIC)
    await file.write(formatDescription)
    return new SegmentWriter(catalogue, id, header, formatDescription, file)
  }

  get gtids(): GtidSet {
    return this.#gtids
  }

  get plainBytes(): number {
    return this.#file.plainBytes
  }

  /** Of these, what is on the disk. */
  get flushed(): GtidSet {
    return this.#flushed
  }

  async add({ gtid: { origin, number, committedAt_us }, bytes, isLast }: TransactionPart): Promise<void> {
    await this.#file.write(bytes)
    this.#isBetween = isLast
    this.#isFlushed = false
    if (!isLast) return
    this.#gtids = union(this.#gtids, gtid(origin, number))
    this.#transactions++
    if (this.#firstAt_us === 0) this.#firstAt_us = committedAt_us
    this.#lastAt_us = Math.max(this.#lastAt_us, committedAt_us)
  }

  async flush(): Promise<void> {
    if (this.#isFlushed) return
    const gtids = this.#gtids
    await this.#file.flush()
    this.#isFlushed = true
    this.#flushed = gtids
  }

  /** Enters it in the catalogue; null: nothing was in it. Only between two transactions. */
  async finish(): Promise<Segment | null> {
    if (!this.#isBetween) throw new Error('a piece of the archive ends between transactions')
    const open = this.#catalogue.segmentPath(this.id, 'open')
    if (this.#transactions === 0) {
      await this.#file.close()
      await rm(open, { force: true })
      return null
    }
    const facts = await this.#file.finish()
    await rename(open, this.#catalogue.segmentPath(this.id))
    const segment: Segment = {
      id: this.id,
      ...this.header,
      server: { ...this.header.server, version: serverVersionOf(this.formatDescription) },
      gtids: formatGtidSet(this.#gtids),
      transactions: this.#transactions,
      firstAt_us: this.#firstAt_us,
      lastAt_us: this.#lastAt_us,
      ...facts,
    }
    await this.#catalogue.enterSegment(segment)
    return segment
  }

  /** Leaves its file as it is; it is finished later from what is whole of it (`recoverOpen`). */
  async close(): Promise<void> {
    try {
      await this.flush()
    } catch {
      // The disk may be full: what was flushed before is there.
    }
    await this.#file.close()
  }
}

/** A piece as it is read back: its header, its log's format description, and the parts of its transactions in order. */
export type SegmentReading = {
  readonly header: SegmentHeader
  readonly formatDescription: Buffer
  readonly parts: AsyncGenerator<TransactionPart>
}

/** null: it ends before its first transaction could begin. With `isOpenEnd`, an incomplete transaction at the end is left out by the reader. */
export async function readSegment(
  catalogue: Catalogue,
  path: string,
  { isOpenEnd }: { readonly isOpenEnd: boolean },
): Promise<SegmentReading | null> {
  const chunks = readSealed(path, catalogue.keys, { isOpenEnd })
  const first = await chunks.next()
  if (first.done) return null
  const header = JSON.parse(first.value.toString('utf8')) as SegmentHeader
  const events = eventsOf(chunks, path)
  const format = await events.next()
  if (format.done) return null
  if (eventType(format.value) !== EVENT.formatDescription) throw new BackupDamage(`${path} does not begin as a binlog`)
  return { header, formatDescription: Buffer.from(format.value), parts: partsOf(events, path, isOpenEnd) }
}

async function* partsOf(
  events: AsyncGenerator<Buffer>,
  path: string,
  isOpenEnd: boolean,
): AsyncGenerator<TransactionPart> {
  const reader = new TransactionReader(path)
  for await (const event of events) {
    const part = reader.take(event)
    if (part === null) throw new BackupDamage(`${path} holds an event that belongs to no transaction`)
    yield part
  }
  if (!reader.isBetween && !isOpenEnd) throw new BackupDamage(`${path} ends within a transaction`)
}

/** Finishes what an earlier archiver left open, from what is whole of it. Returns the pieces that were entered. */
export async function recoverOpen(catalogue: Catalogue): Promise<readonly Segment[]> {
  const recovered: Segment[] = []
  for (const id of await catalogue.openSegments()) {
    const path = catalogue.segmentPath(id, 'open')
    const segment = await copyWhole(catalogue, path)
    if (segment !== null) recovered.push(segment)
    await rm(path, { force: true })
  }
  return recovered
}

async function copyWhole(catalogue: Catalogue, path: string): Promise<Segment | null> {
  const reading = await readSegment(catalogue, path, { isOpenEnd: true })
  if (reading === null) return null
  const writer = await SegmentWriter.begin(catalogue, reading.header, reading.formatDescription)
  let transaction: TransactionPart[] = []
  for await (const part of reading.parts) {
    transaction.push({ ...part, bytes: Buffer.from(part.bytes) })
    if (!part.isLast) continue
    for (const one of transaction) await writer.add(one)
    transaction = []
  }
  return await writer.finish()
}

/** The number that the next piece gets. */
export function nextNumber(segments: readonly Segment[]): number {
  return segments.reduce((highest, one) => Math.max(highest, one.number), 0) + 1
}

export function gtidsOf(segments: readonly Segment[]): GtidSet {
  return segments.reduce<GtidSet>((all, one) => union(all, parseGtidSet(one.gtids)), EMPTY)
}
