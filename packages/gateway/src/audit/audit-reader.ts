// Reading the audit log, by pages that have no holes, and verifying it. Verifying reads everything and promises to name the first record of each
// stream that is not what was written, and every stream whose tail is known to be missing.

import type { KeyObject } from 'node:crypto'
import type { AccountsDatabase } from '../auth/database.ts'
import { anchorsOf, OPENED } from './audit-log.ts'
import { type AuditRecord, type Head, hashOf, NO_HEAD } from './chain.ts'

/** A place between two records; records are ordered by time, and among equals by stream and number. */
export type AuditCursor = { readonly at_ms: number; readonly stream: string; readonly seq: number }

export type AuditQuery = {
  readonly limit: number
  /** Only what is older than this. */
  readonly before?: AuditCursor
  readonly account?: number
}

export type AuditPage = { readonly items: readonly AuditRecord[]; readonly next: AuditCursor | null }

export type AuditReport = {
  readonly streams: number
  readonly records: number
  /** What is wrong, a line each; the first of them if there are many. Empty: everything is as it was written. */
  readonly faults: readonly string[]
  /** Where each stream ends now, the latest first: worth keeping somewhere else. */
  readonly heads: readonly string[]
}

const PAGE_ROWS = 1_000
const FAULTS_MAX = 100
const HEADS_MAX = 50

/** The newest first. */
export async function readAudit(database: AccountsDatabase, query: AuditQuery): Promise<AuditPage> {
  const { limit, before, account } = query
  let rows = database.queries
    .selectFrom('audit')
    .selectAll()
    .orderBy('at_ms', 'desc')
    .orderBy('stream', 'desc')
    .orderBy('seq', 'desc')
    .limit(limit + 1)
  if (account !== undefined) rows = rows.where('account', '=', account)
  if (before !== undefined) {
    const { at_ms, stream, seq } = before
    // The first condition adds nothing but a place in the index to begin at.
    rows = rows
      .where('at_ms', '<=', at_ms)
      .where(({ and, eb, or }) =>
        or([
          eb('at_ms', '<', at_ms),
          and([
            eb('at_ms', '=', at_ms),
            or([eb('stream', '<', stream), and([eb('stream', '=', stream), eb('seq', '<', seq)])]),
          ]),
        ]),
      )
  }
  const found = await database.stale.all(rows)
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1) : undefined
  return { items, next: last === undefined ? null : { at_ms: last.at_ms, stream: last.stream, seq: last.seq } }
}

export async function verifyAudit(database: AccountsDatabase, key: KeyObject): Promise<AuditReport> {
  const verifier = new Verifier(database, key)
  for (let after = ''; ; ) {
    const { queries } = database
    const page = await database.all(
      queries.selectFrom('audit_streams').selectAll().where('stream', '>', after).orderBy('stream').limit(PAGE_ROWS),
    )
    for (const { stream, opened_ms } of page) await verifier.stream(stream, opened_ms)
    const last = page.at(-1)
    if (last === undefined) break
    after = last.stream
  }
  await verifier.unlisted()
  await verifier.anchors()
  return verifier.report()
}

class Verifier {
  readonly #database: AccountsDatabase
  readonly #key: KeyObject
  readonly #faults: string[] = []
  readonly #heads = new Map<string, Head & { readonly opened_ms: number }>()
  /** Of each stream the last record that a later stream vouches for, and what its hash begins with. */
  readonly #anchors = new Map<string, { readonly seq: number; readonly hash: string }>()
  #records = 0

  constructor(database: AccountsDatabase, key: KeyObject) {
    this.#database = database
    this.#key = key
  }

  async stream(stream: string, opened_ms: number): Promise<void> {
    let head: Head = NO_HEAD
    for (;;) {
      const page = await this.#page(stream, head.seq)
      for (const record of page) {
        const fault = this.#check(record, head)
        if (fault !== null) {
          this.#fault(`stream ${stream}, record ${head.seq + 1}: ${fault}`)
          this.#heads.set(stream, { ...head, opened_ms })
          return
        }
        head = { seq: record.seq, hash: record.hash }
        this.#records += 1
        this.#remember(record)
      }
      if (page.length < PAGE_ROWS) break
    }
    if (head.seq === 0) this.#fault(`stream ${stream}: every record is missing`)
    this.#heads.set(stream, { ...head, opened_ms })
  }

  /** Records of streams that are not listed. */
  async unlisted(): Promise<void> {
    const { queries } = this.#database
    const found = await this.#database.all(
      queries
        .selectFrom('audit')
        .leftJoin('audit_streams', 'audit_streams.stream', 'audit.stream')
        .select('audit.stream')
        .where('audit.seq', '=', 1)
        .where('audit_streams.stream', 'is', null)
        .limit(FAULTS_MAX),
    )
    for (const { stream } of found) this.#fault(`stream ${stream}: it is not in the list of streams`)
  }

  /** What later streams vouch for. */
  async anchors(): Promise<void> {
    for (const [stream, { seq, hash }] of this.#anchors) {
      const head = this.#heads.get(stream)
      if (head === undefined) {
        this.#fault(`stream ${stream}: all of it is missing; a later stream vouches for record ${seq}`)
      } else if (head.seq < seq) {
        this.#fault(`stream ${stream}: it ends at record ${head.seq}; a later stream vouches for record ${seq}`)
      } else if (!(await this.#hashAt(stream, seq)).startsWith(hash)) {
        this.#fault(`stream ${stream}, record ${seq}: a later stream vouches for another hash`)
      }
    }
  }

  report(): AuditReport {
    const heads = [...this.#heads].sort(([, one], [, other]) => other.opened_ms - one.opened_ms).slice(0, HEADS_MAX)
    return {
      streams: this.#heads.size,
      records: this.#records,
      faults: this.#faults,
      heads: heads.map(([stream, { seq, hash }]) => `${stream} ${seq} ${Buffer.from(hash).toString('hex')}`),
    }
  }

  #check(record: AuditRecord, head: Head): string | null {
    if (record.seq !== head.seq + 1) return `missing; the next there is is ${record.seq}`
    if (!Buffer.from(head.hash).equals(record.previous_hash)) return 'it does not follow from the record before it'
    if (!hashOf(this.#key, record).equals(record.hash)) {
      return 'it was changed since it was written, or ENCRYPTION_KEY is not the one it was written with'
    }
    return null
  }

  #remember(record: AuditRecord): void {
    if (record.action !== OPENED) return
    for (const { stream, seq, hash } of anchorsOf(record.details)) {
      if (seq > (this.#anchors.get(stream)?.seq ?? 0)) this.#anchors.set(stream, { seq, hash })
    }
  }

  async #hashAt(stream: string, seq: number): Promise<string> {
    const { queries } = this.#database
    const record = await this.#database.first(
      queries.selectFrom('audit').select('hash').where('stream', '=', stream).where('seq', '=', seq),
    )
    return Buffer.from(record?.hash ?? []).toString('hex')
  }

  #fault(line: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(line)
  }

  async #page(stream: string, after: number): Promise<AuditRecord[]> {
    return await this.#database.all(
      this.#database.queries
        .selectFrom('audit')
        .selectAll()
        .where('stream', '=', stream)
        .where('seq', '>', after)
        .orderBy('seq')
        .limit(PAGE_ROWS),
    )
  }
}
