// A shard's journal and lease in MySQL, with lossless semi-sync behind it. An append is one statement and one commit; several are under way at
// once on connections of their own and share the wait for the other region. Promises what `ports.ts` asks of a journal; the batch before the
// appended one may still be on its way, so what follows what is the leader's to know, and readers are never given what stands behind a gap.
//
// Written by hand, every statement a constant: this is the one place where orders become durable.

import { type Epoch, hashOf, type RegionName, readBatchHeader, type Seq, type ShardIndex } from '@wintrades/domain'
import { isDuplicate, type MysqlConnection, type MysqlRow, MysqlUnavailable } from '@wintrades/platform/mysql'
import { equalBytes, JournalDamage } from '../chain.ts'
import type { AppendResult, Claim, Journal, Lease, StoredBatch } from '../ports.ts'
import { type JournalDatabase, readSettled, type SettledQuery, settle, TERM_COLUMN } from './mysql-database.ts'

/** Hides a round trip of 80 ms at a batch each 5 ms. */
export const MYSQL_APPENDS_IN_FLIGHT_MAX = 16

const READ_ROWS_MAX = 2_048
/** More than any release has in flight: all that can stand behind a gap. */
const TAIL_ROWS_MAX = 256
const PRUNE_ROWS_MAX = 500
/** A lease that nobody was seen to renew for its time and this is over, whatever a clock says. */
const OBSERVED_MS = 500
/** Longer than between two looks at a lease. */
const OUTAGE_MS = 1_000

/** The server's clock, milliseconds. */
const NOW = 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)'
const APPEND = `
  INSERT INTO journal (shard, seq, epoch, hash, size, batch)
  SELECT ?, ?, ?, ?, ?, ? FROM lease WHERE shard = ? AND epoch = ? AND origin = ? AND holder IS NOT NULL FOR SHARE
`
const READ_AT_FROM = 'FROM journal WHERE shard = ? AND seq = ?'
const READ_AT: SettledQuery = {
  withTerm: `SELECT hash, batch, ${TERM_COLUMN} ${READ_AT_FROM}`,
  without: `SELECT hash, batch ${READ_AT_FROM}`,
}
const READ_FROM = `
  FROM journal AS j JOIN (
    SELECT seq, SUM(size) OVER (ORDER BY seq) - size AS size_before
    FROM (SELECT seq, size FROM journal WHERE shard = ? AND seq >= ? ORDER BY seq LIMIT ?) AS some
  ) AS part ON part.seq = j.seq
  WHERE j.shard = ? AND part.size_before < ? ORDER BY j.seq
`
const READ: SettledQuery = {
  withTerm: `SELECT j.seq, j.batch, ${TERM_COLUMN} ${READ_FROM}`,
  without: `SELECT j.seq, j.batch ${READ_FROM}`,
}
const ENDS = `(SELECT MIN(seq) FROM journal WHERE shard = ?) AS first, (SELECT MAX(seq) FROM journal WHERE shard = ?) AS last`
const EXTENT: SettledQuery = { withTerm: `SELECT ${ENDS}, ${TERM_COLUMN}`, without: `SELECT ${ENDS}` }
const LEASE_COLUMNS = `
  l.epoch, l.holder, l.origin, l.reserved_for, l.pinned, r.renewals, r.server, r.ttl_ms,
  LEAST(r.expires_ms - ${NOW}, r.ttl_ms) AS left_ms, @@server_uuid AS here
`
const LEASE_FROM = 'FROM lease AS l JOIN lease_renewal AS r ON r.shard = l.shard WHERE l.shard = ?'
const READ_LEASE: SettledQuery = {
  withTerm: `SELECT ${LEASE_COLUMNS}, ${TERM_COLUMN} ${LEASE_FROM}`,
  without: `SELECT ${LEASE_COLUMNS} ${LEASE_FROM}`,
}
const CLAIM = `
  UPDATE lease AS l JOIN lease_renewal AS r ON r.shard = l.shard
  SET l.epoch = ?, l.holder = ?, l.origin = ?, l.reserved_for = NULL, l.pinned = ?,
    r.epoch = ?, r.renewals = r.renewals + 1, r.expires_ms = ${NOW} + ?, r.ttl_ms = ?, r.server = @@server_uuid
  WHERE l.shard = ? AND l.epoch = ? AND (
    ? OR l.holder IS NULL OR (r.server = @@server_uuid AND r.expires_ms <= ${NOW}) OR r.renewals = ?
  )
`
const TAIL = 'SELECT seq FROM journal WHERE shard = ? ORDER BY seq DESC LIMIT ?'
const REMOVE_AFTER = 'DELETE FROM journal WHERE shard = ? AND seq > ?'
const RENEW = `
  UPDATE lease_renewal SET renewals = renewals + 1, expires_ms = ${NOW} + ?, ttl_ms = ?, server = @@server_uuid
  WHERE shard = ? AND epoch = ?
`
const RELEASE = `
  UPDATE lease AS l JOIN lease_renewal AS r ON r.shard = l.shard
  SET l.holder = NULL, l.origin = 0, l.reserved_for = ?, l.pinned = ?, r.epoch = 0, r.renewals = r.renewals + 1, r.expires_ms = 0
  WHERE l.shard = ? AND l.epoch = ? AND l.origin = ? AND l.holder IS NOT NULL
`
const PRUNE = 'DELETE FROM journal WHERE shard = ? AND seq <= ? ORDER BY seq LIMIT ?'

/** How a lease looked when it was first seen as it is, by this process's own clock. */
type Observation = {
  readonly epoch: number
  readonly renewals: number
  /** The primary that showed it. */
  readonly here: unknown
  readonly since_ms: number
  /** The database could not be read before, so nobody could renew: its clock says nothing about the holder. */
  readonly afterOutage: boolean
}

export class MysqlJournal implements Journal {
  readonly appendsInFlight_max = MYSQL_APPENDS_IN_FLIGHT_MAX
  readonly #database: JournalDatabase
  readonly #shard: ShardIndex
  readonly #name: string
  readonly #origin: number
  #observed: Observation | null = null
  #readAt_ms = 0

  /** `origin`: of the process that appends; the lease must be its own. */
  constructor(database: JournalDatabase, shard: { readonly index: ShardIndex; readonly name: string }, origin: number) {
    this.#database = database.share()
    this.#shard = shard.index
    this.#name = shard.name
    this.#origin = origin
  }

  async readLease(): Promise<Lease> {
    const [row] = await this.#database.read(READ_LEASE, [this.#shard])
    if (row === undefined) throw new JournalDamage(`the journal of shard ${this.#name} has no lease row`)
    const holder = row['holder'] as RegionName | null
    return {
      epoch: Number(row['epoch']) as Epoch,
      holder,
      origin: Number(row['origin']),
      remaining_ms: holder === null ? 0 : this.#remaining_ms(row),
      reservedFor: row['reserved_for'] as RegionName | null,
      pinned: Number(row['pinned']) === 1,
    }
  }

  /**
   * The change of the row waits for appends under way and shuts out every later one of the epoch before; so what is then behind a gap was not
   * acknowledged and never will be, and goes in the same transaction.
   */
  async claim({ region, origin, seen, early, ttl_ms, pinned }: Claim): Promise<Epoch | null> {
    const epoch = (seen + 1) as Epoch
    const shard = this.#shard
    const unrenewed = this.#unrenewedSince(seen, ttl_ms)
    return await this.#database.use((connection) =>
      connection.transaction(async () => {
        const values = [epoch, region, origin, pinned, epoch, ttl_ms, ttl_ms, shard, seen, early, unrenewed]
        if ((await connection.write(CLAIM, values, this.#database.timeout_ms)) === 0) return null
        const whole = wholeThrough(await connection.rows(TAIL, [shard, TAIL_ROWS_MAX], this.#database.timeout_ms))
        if (whole !== null) await connection.write(REMOVE_AFTER, [shard, whole], this.#database.timeout_ms)
        return epoch
      }, this.#database.timeout_ms),
    )
  }

  async renew(epoch: Epoch, ttl_ms: number): Promise<boolean> {
    if (epoch === 0) return false
    return (await this.#database.write(RENEW, [ttl_ms, ttl_ms, this.#shard, epoch])) > 0
  }

  async release(epoch: Epoch, reservedFor: RegionName | null, pinned: boolean): Promise<boolean> {
    return (await this.#database.write(RELEASE, [reservedFor, pinned, this.#shard, epoch, this.#origin])) > 0
  }

  async append(epoch: Epoch, batch: Uint8Array): Promise<AppendResult> {
    const { seq } = readBatchHeader(batch)
    const bytes = bufferOver(batch)
    const hash = bufferOver(hashOf(batch))
    const guard = [this.#shard, epoch, this.#origin] as const
    return await this.#database.use(async (connection) => {
      let added = 0
      try {
        const row = [this.#shard, seq, epoch, hash, batch.length, bytes] as const
        added = await connection.write(APPEND, [...row, ...guard], this.#database.timeout_ms)
      } catch (error) {
        // These bytes, or others: an earlier attempt may have been carried out though it seemed to fail.
        if (!isDuplicate(error)) throw error
      }
      return added === 1 ? 'committed' : await this.#whatHappened(connection, epoch, seq, batch)
    })
  }

  /** The statement changed nothing: because the row is there, or because the lease is somebody else's. */
  async #whatHappened(connection: MysqlConnection, epoch: Epoch, seq: Seq, batch: Uint8Array): Promise<AppendResult> {
    const [there] = await readSettled(connection, READ_AT, [this.#shard, seq], this.#database.timeout_ms)
    if (there !== undefined && equalBytes(there['batch'] as Uint8Array, batch)) return 'committed'
    // Acknowledged now, so what is read then is the primary's and not a former one's.
    await settle(connection, this.#database.timeout_ms)
    const [lease] = await readSettled(connection, READ_LEASE, [this.#shard], this.#database.timeout_ms)
    const isOwn =
      Number(lease?.['epoch']) === epoch && Number(lease?.['origin']) === this.#origin && lease?.['holder'] !== null
    if (!isOwn) return 'fenced'
    if (there !== undefined) return 'conflict'
    // The lease has become this process's between the two statements, or a row went: nothing can be said yet.
    throw new MysqlUnavailable(`${connection.server}: the lease changed while batch ${seq} was appended`)
  }

  /** Only what has no gap before it: behind one, rows may still be taken away. */
  async read(from: Seq, bytesMax: number): Promise<readonly StoredBatch[]> {
    const values = [this.#shard, from, READ_ROWS_MAX, this.#shard, Math.max(1, bytesMax)]
    const found: StoredBatch[] = []
    for (const row of await this.#database.read(READ, values)) {
      const seq = Number(row['seq']) as Seq
      if (seq !== from + found.length) break
      // A copy: the rows of one answer share their memory, and batches are handed to other threads.
      found.push({ seq, bytes: new Uint8Array(row['batch'] as Uint8Array) })
    }
    return found
  }

  async extent(): Promise<{ first: Seq; last: Seq } | null> {
    const [row] = await this.#database.read(EXTENT, [this.#shard, this.#shard])
    const first = row?.['first'] ?? null
    const last = row?.['last'] ?? null
    return first === null || last === null ? null : { first: Number(first) as Seq, last: Number(last) as Seq }
  }

  /** In small transactions: other regions take them in one by one, between appends. */
  async prune(through: Seq): Promise<void> {
    const last = (await this.extent())?.last ?? 0
    const end = Math.min(through, last - 1)
    for (;;) {
      if ((await this.#database.write(PRUNE, [this.#shard, end, PRUNE_ROWS_MAX])) < PRUNE_ROWS_MAX) return
    }
  }

  close(): void {
    this.#database.close()
  }

  /**
   * By the clock of the server that wrote the end of the lease, never more than the lease's whole time. After another server has become the
   * primary, or nobody could renew for a while, or a clock was set back, it is judged by how long nobody was seen to renew.
   */
  #remaining_ms(row: MysqlRow): number {
    const epoch = Number(row['epoch'])
    const renewals = Number(row['renewals'])
    const ttl_ms = Number(row['ttl_ms'])
    const now_ms = performance.now()
    const isFirst = this.#observed === null
    const afterOutage = !isFirst && (row['here'] !== this.#observed?.here || now_ms - this.#readAt_ms > OUTAGE_MS)
    this.#readAt_ms = now_ms
    if (afterOutage || this.#observed?.epoch !== epoch || this.#observed.renewals !== renewals) {
      this.#observed = { epoch, renewals, here: row['here'], since_ms: now_ms, afterOutage }
    }
    const unseen_ms = ttl_ms + OBSERVED_MS - (now_ms - this.#observed.since_ms)
    const isByClock = row['server'] === row['here'] && !this.#observed.afterOutage
    return isByClock ? Math.min(Number(row['left_ms']), unseen_ms) : unseen_ms
  }

  /** The number of renewals at which the lease has stood for longer than it lasts; -1: none. */
  #unrenewedSince(epoch: Epoch, ttl_ms: number): number {
    const observed = this.#observed
    if (observed === null || observed.epoch !== epoch) return -1
    return performance.now() - observed.since_ms >= ttl_ms + OBSERVED_MS ? observed.renewals : -1
  }
}

/** The last seq that has no gap before it; null: there is no gap. `rows` are the last ones, newest first. */
function wholeThrough(rows: readonly MysqlRow[]): number | null {
  const seqs = rows.map((row) => Number(row['seq'])).reverse()
  const gap = seqs.findIndex((seq, i) => i > 0 && seq !== (seqs[i - 1] as number) + 1)
  return gap < 0 ? null : (seqs[gap - 1] as number)
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
