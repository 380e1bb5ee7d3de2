// The audit log: who did what, when, with which outcome, in chains that show every change (`chain.ts`). Promises that what changes an account is
// recorded in the very transaction that changes it; that no two writers share a chain, so that nobody waits for another's; and that
// failures cannot fill the disk. Reading and verifying are `audit-reader.ts`.

import { type KeyObject, randomBytes } from 'node:crypto'
import { assert } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import { type AccountsDatabase, allOf, changedBy, firstOf, type Transaction, type Work } from '../auth/database.ts'
import { ApiFault } from '../errors.ts'
import { type AuditEntry, chained, type Head, NO_HEAD } from './chain.ts'
import { FailureBudget } from './failure-budget.ts'

export type AuditLogParts = {
  readonly database: AccountsDatabase
  readonly key: KeyObject
  readonly now_ms: () => number
  readonly logger: Logger
}

/** Chains of one process, so that as many transactions may be under way. */
const LANES_MAX = 8
const WAITING_MAX = 1_000
/** Records that wait to be written by themselves. */
const QUEUE_MAX = 10_000
const BATCH_MAX = 100
const SWEEP_MS = 60_000
const RETRY_MS = 1_000
const CLOSE_TIMEOUT_MS = 2_000
/** Heads of other streams that a new stream vouches for. */
const ANCHORS_MAX = 50

type Lane = { readonly stream: string; head: Head | null }
type Queued = { readonly entry: AuditEntry; readonly at_ms: number; readonly written: () => void }

export class AuditLog {
  readonly #database: AccountsDatabase
  readonly #key: KeyObject
  readonly #now_ms: () => number
  readonly #logger: Logger
  readonly #failures: FailureBudget
  /** Starts the name of each stream of this process; never used again by another. */
  readonly #writer = randomBytes(12).toString('base64url')
  readonly #free: Lane[] = []
  readonly #waiting: ((lane: Lane) => void)[] = []
  readonly #queue: Queued[] = []
  readonly #sweeper: NodeJS.Timeout
  #lanes = 0
  #writing: Promise<void> | null = null
  #closed = false
  #lost = 0

  constructor(parts: AuditLogParts) {
    this.#database = parts.database
    this.#key = parts.key
    this.#now_ms = parts.now_ms
    this.#logger = parts.logger
    this.#failures = new FailureBudget(parts.now_ms)
    this.#sweeper = setInterval(() => this.sweep(), SWEEP_MS)
    this.#sweeper.unref()
  }

  /** For metrics. */
  get figures(): { readonly waiting: number; readonly lost: number } {
    return { waiting: this.#queue.length, lost: this.#lost }
  }

  /** Does the work and records it, both or neither. `entryOf` says what to record of what came out; null: nothing. */
  async transaction<Value>(work: Transaction<Value>, entryOf: (value: Value) => AuditEntry | null): Promise<Value> {
    return await this.#inLane(async (lane) => {
      const append = this.#appender(lane)
      const at_ms = this.#now_ms()
      return await this.#database.transaction(function* (attempt) {
        if (attempt > 1) lane.head = null
        const value = yield* work(attempt)
        const entry = entryOf(value)
        if (entry !== null) yield* append(attempt, [{ entry, at_ms }])
        return value
      })
    })
  }

  /** Records what has happened elsewhere. Resolves when it is written; while the database is away, that is when it is back. */
  record(entry: AuditEntry): Promise<void> {
    if (this.#closed || this.#queue.length >= QUEUE_MAX) {
      this.#lost += 1
      this.#logger.error('the audit log has no room', { entry, waiting: this.#queue.length })
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      this.#queue.push({ entry, at_ms: this.#now_ms(), written: resolve })
      this.#write()
    })
  }

  /** Records what was refused, in bounds. Does not wait. */
  failure(entry: AuditEntry): void {
    if (this.#failures.admit(entry)) void this.record(entry)
  }

  /** Records what was only counted; by itself once a minute. */
  sweep(): void {
    for (const { action, outcome, address, count } of this.#failures.sweep()) {
      void this.record({
        principal: 'nobody',
        account: null,
        address: address ?? '-',
        action,
        target: '',
        outcome,
        details: { more: count, ...(address === null ? { addresses: 'several' } : {}) },
      })
    }
  }

  /** Writes what waits; what cannot be written in time goes to the log. */
  async close(): Promise<void> {
    if (this.#closed) return
    clearInterval(this.#sweeper)
    this.sweep()
    this.#closed = true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT_MS)
    })
    await Promise.race([this.#writing ?? Promise.resolve(), late])
    clearTimeout(timer)
    for (const { entry, at_ms } of this.#queue.splice(0)) {
      this.#lost += 1
      this.#logger.error('not in the audit log any more', { entry, at_ms })
    }
  }

  #write(): void {
    this.#writing ??= this.#writeQueue()
  }

  async #writeQueue(): Promise<void> {
    // What is queued from here on finds that nobody writes only after it was seen that nothing is left.
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, BATCH_MAX)
      try {
        await this.#inLane(async (lane) => {
          const append = this.#appender(lane)
          await this.#database.transaction((attempt) => append(attempt, batch))
        })
        this.#queue.splice(0, batch.length)
        for (const { written } of batch) written()
      } catch (error) {
        if (this.#closed) break
        this.#logger.warn('the audit log cannot be written, trying again', { error, waiting: this.#queue.length })
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref())
      }
    }
    this.#writing = null
  }

  async #inLane<Value>(use: (lane: Lane) => Promise<Value>): Promise<Value> {
    const lane = await this.#take()
    try {
      return await use(lane)
    } catch (error) {
      // Whether a record was added is not known, or not remembered: the database is asked before the next.
      lane.head = null
      throw error
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(lane)
      else next(lane)
    }
  }

  #take(): Lane | Promise<Lane> {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#lanes < LANES_MAX) {
      this.#lanes += 1
      return { stream: `${this.#writer}-${this.#lanes}`, head: null }
    }
    if (this.#waiting.length >= WAITING_MAX) throw new ApiFault('OVERLOADED')
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Appends to a lane's stream within a transaction, and knows when an earlier attempt of the same transaction has done so. */
  #appender(lane: Lane): (attempt: number, entries: readonly Omit<Queued, 'written'>[]) => Work<void> {
    let before: Head | null = null
    let after: Head | null = null
    const [database, key] = [this.#database, this.#key]
    return function* (attempt, entries) {
      let head = attempt > 1 || lane.head === null ? yield* storedHead(database, lane.stream) : lane.head
      if (after !== null && before !== null && head.seq > before.seq) {
        assert(head.seq === after.seq, `audit stream ${lane.stream} has another writer`)
        lane.head = head
        return
      }
      before = head
      const { queries } = database
      const rows: ReturnType<typeof chained>[] = []
      if (head.seq === 0) {
        const opened_ms = entries[0]?.at_ms ?? 0
        yield* changedBy(queries.insertInto('audit_streams').values({ stream: lane.stream, opened_ms }))
        rows.push(chained(key, lane.stream, head, opened_ms, yield* opening(database, lane.stream)))
        head = rows[0] as Head
      }
      for (const { entry, at_ms } of entries) {
        const record = chained(key, lane.stream, head, at_ms, entry)
        rows.push(record)
        head = record
      }
      yield* changedBy(queries.insertInto('audit').values(rows))
      after = { seq: head.seq, hash: head.hash }
      // Right if this commits; if it does not, the lane's head is asked for again.
      lane.head = after
    }
  }
}

function* storedHead(database: AccountsDatabase, stream: string): Work<Head> {
  const last = database.queries
    .selectFrom('audit')
    .select(['seq', 'hash'])
    .where('stream', '=', stream)
    .orderBy('seq', 'desc')
    .limit(1)
  return (yield* firstOf(last)) ?? NO_HEAD
}

/**
 * The first record of a stream: it says where the other streams of late were, so that a tail that is cut off one of them is missed by
 * those that began after it.
 */
function* opening(database: AccountsDatabase, stream: string): Work<AuditEntry> {
  const { queries } = database
  const heads = queries
    .selectFrom('audit_streams as one')
    .innerJoin('audit', (join) =>
      join.onRef('audit.stream', '=', 'one.stream').on('audit.seq', '=', ({ selectFrom }) =>
        selectFrom('audit as all')
          .select(({ fn }) => fn.max('all.seq').as('seq'))
          .whereRef('all.stream', '=', 'one.stream'),
      ),
    )
    .select(['audit.stream', 'audit.seq', 'audit.hash'])
    .orderBy('one.opened_ms', 'desc')
    .limit(ANCHORS_MAX)
  const anchors = (yield* allOf(heads)).map(({ stream: other, seq, hash }) => anchorText(other, seq, hash))
  return {
    principal: 'platform',
    account: null,
    address: '-',
    action: OPENED,
    target: stream,
    outcome: 'done',
    details: { heads: anchors },
  }
}

export const OPENED = 'open audit stream'

/** Stream, number, and the first 16 digits of the hash. */
function anchorText(stream: string, seq: number, hash: Uint8Array): string {
  return `${stream} ${seq} ${Buffer.from(hash).toString('hex', 0, 8)}`
}

export function anchorsOf(details: string): readonly { stream: string; seq: number; hash: string }[] {
  const { heads } = JSON.parse(details) as { heads?: unknown }
  if (!Array.isArray(heads)) return []
  return heads.flatMap((one) => {
    const [stream, seq, hash] = String(one).split(' ')
    return stream === undefined || hash === undefined ? [] : [{ stream, seq: Number(seq), hash }]
  })
}
