// A shard's journal and lease in one SQLite file that several processes open: WAL, synchronous=FULL. Promises that an append commits
// only while its epoch is the lease's, once per seq, after the batch it follows: all in one statement, so no crash can come between.

import { join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import {
  type Epoch,
  hashOf,
  previousHashOf,
  type RegionName,
  readBatchHeader,
  type Seq,
  type Shard,
} from '@wintrades/domain'
import { openSqlite } from '@wintrades/platform'
import { equalBytes, JournalDamage, NO_HASH } from '../chain.ts'
import type { AppendResult, Claim, Journal, Lease, StoredBatch } from '../ports.ts'

const SCHEMA_VERSION = 1
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS journal (
    seq   INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    hash  BLOB NOT NULL CHECK (length(hash) = 32),
    batch BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS lease (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    epoch        INTEGER NOT NULL,
    holder       TEXT,
    origin       INTEGER NOT NULL,
    expires_ms   REAL NOT NULL,
    reserved_for TEXT,
    pinned       INTEGER NOT NULL
  ) STRICT;
  INSERT OR IGNORE INTO lease VALUES (1, 0, NULL, 0, 0, NULL, 0);
  PRAGMA user_version = ${SCHEMA_VERSION};
`
/** The database's clock, milliseconds. */
const NOW = `(unixepoch('subsec') * 1000.0)`
const APPEND = `
  INSERT INTO journal (seq, epoch, hash, batch)
  SELECT :seq, :epoch, :hash, :batch
  WHERE EXISTS (SELECT 1 FROM lease WHERE id = 1 AND epoch = :epoch AND holder IS NOT NULL)
    AND CASE :seq WHEN 1 THEN NOT EXISTS (SELECT 1 FROM journal)
        ELSE (SELECT max(seq) FROM journal) = :seq - 1
         AND EXISTS (SELECT 1 FROM journal WHERE seq = :seq - 1 AND hash = :previous) END
`
const READ_LEASE = `SELECT epoch, holder, origin, expires_ms - ${NOW} AS remaining_ms, reserved_for, pinned FROM lease WHERE id = 1`
const CLAIM = `
  UPDATE lease SET epoch = epoch + 1, holder = :region, origin = :origin, expires_ms = ${NOW} + :ttl_ms,
    reserved_for = NULL, pinned = :pinned
  WHERE id = 1 AND epoch = :seen AND (:early = 1 OR holder IS NULL OR expires_ms <= ${NOW})
`
const RENEW = `UPDATE lease SET expires_ms = ${NOW} + :ttl_ms WHERE id = 1 AND epoch = :epoch AND holder IS NOT NULL`
const RELEASE = `
  UPDATE lease SET holder = NULL, origin = 0, reserved_for = :reserved_for, pinned = :pinned
  WHERE id = 1 AND epoch = :epoch AND holder IS NOT NULL
`
const PRUNE_ROWS_MAX = 2_000

export function journalPath(dataDirectory: string, shard: Shard): string {
  return join(dataDirectory, 'journal', `${shard.name}.sqlite`)
}

export class SqliteJournal implements Journal {
  readonly appendsInFlight_max = 1
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #append: StatementSync
  readonly #at: StatementSync
  readonly #from: StatementSync
  readonly #extent: StatementSync
  readonly #prune: StatementSync
  readonly #readLease: StatementSync
  readonly #claim: StatementSync
  readonly #renew: StatementSync
  readonly #release: StatementSync

  constructor(path: string) {
    this.#path = path
    this.#database = openSqlite(path)
    const { user_version } = this.#database.prepare('PRAGMA user_version').get() as { user_version: number }
    if (user_version > SCHEMA_VERSION) {
      this.#database.close()
      throw new JournalDamage(
        `${path} has schema ${user_version}, this release knows ${SCHEMA_VERSION}; use a newer one`,
      )
    }
    if (user_version < SCHEMA_VERSION) this.#migrate()
    const prepare = (sql: string) => this.#database.prepare(sql)
    this.#append = prepare(APPEND)
    this.#at = prepare('SELECT batch FROM journal WHERE seq = ?')
    this.#from = prepare('SELECT seq, batch FROM journal WHERE seq >= ? ORDER BY seq')
    this.#extent = prepare('SELECT min(seq) AS first, max(seq) AS last FROM journal')
    this.#prune = prepare(
      'DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE seq <= ? AND seq < (SELECT max(seq) FROM journal) ORDER BY seq LIMIT ?)',
    )
    this.#readLease = prepare(READ_LEASE)
    this.#claim = prepare(CLAIM)
    this.#renew = prepare(RENEW)
    this.#release = prepare(RELEASE)
  }

  async readLease(): Promise<Lease> {
    const row = this.#readLease.get() as LeaseRow | undefined
    if (row === undefined) throw new JournalDamage(`${this.#path} has no lease row`)
    return {
      epoch: row.epoch as Epoch,
      holder: row.holder as RegionName | null,
      origin: row.origin,
      remaining_ms: row.holder === null ? 0 : row.remaining_ms,
      reservedFor: row.reserved_for as RegionName | null,
      pinned: row.pinned === 1,
    }
  }

  async claim({ region, origin, seen, early, ttl_ms, pinned }: Claim): Promise<Epoch | null> {
    const parameters = { region, origin, seen, early: early ? 1 : 0, ttl_ms, pinned: pinned ? 1 : 0 }
    return this.#claim.run(parameters).changes === 1 ? ((seen + 1) as Epoch) : null
  }

  /** Need not survive a power cut: an older end of the lease is safe. So it does not wait for the disk. */
  async renew(epoch: Epoch, ttl_ms: number): Promise<boolean> {
    this.#database.exec('PRAGMA synchronous = NORMAL')
    try {
      return this.#renew.run({ epoch, ttl_ms }).changes === 1
    } finally {
      this.#database.exec('PRAGMA synchronous = FULL')
    }
  }

  async release(epoch: Epoch, reservedFor: RegionName | null, pinned: boolean): Promise<boolean> {
    return this.#release.run({ epoch, reserved_for: reservedFor, pinned: pinned ? 1 : 0 }).changes === 1
  }

  async append(epoch: Epoch, batch: Uint8Array): Promise<AppendResult> {
    const { seq } = readBatchHeader(batch)
    const previous = previousHashOf(batch)
    if (seq === 1 && !equalBytes(previous, NO_HASH)) return 'conflict'
    const added = this.#insert({ seq, epoch, hash: hashOf(batch), batch, previous })
    if (added) return 'committed'
    const there = this.#at.get(seq) as { batch: Uint8Array } | undefined
    if (there !== undefined && equalBytes(there.batch, batch)) return 'committed'
    const lease = await this.readLease()
    return lease.epoch !== epoch || lease.holder === null ? 'fenced' : 'conflict'
  }

  async read(from: Seq, bytesMax: number): Promise<readonly StoredBatch[]> {
    const found: StoredBatch[] = []
    let bytes = 0
    for (const row of this.#from.iterate(from) as Iterable<{ seq: number; batch: Uint8Array }>) {
      found.push({ seq: row.seq as Seq, bytes: row.batch })
      bytes += row.batch.length
      if (bytes >= bytesMax) break
    }
    return found
  }

  async extent(): Promise<{ first: Seq; last: Seq } | null> {
    const { first, last } = this.#extent.get() as { first: number | null; last: number | null }
    return first === null || last === null ? null : { first: first as Seq, last: last as Seq }
  }

  /** In small steps, so that appends get their turn. */
  async prune(through: Seq): Promise<void> {
    for (;;) {
      if (Number(this.#prune.run(through, PRUNE_ROWS_MAX).changes) < PRUNE_ROWS_MAX) return
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  close(): void {
    this.#database.close()
  }

  /** Another process may do the same at this moment: all of it in one transaction, and every part of it repeatable. */
  #migrate(): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      this.#database.exec(SCHEMA)
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #insert(row: Record<'seq' | 'epoch', number> & Record<'hash' | 'batch' | 'previous', Uint8Array>): boolean {
    try {
      return this.#append.run(row).changes === 1
    } catch (error) {
      // Only these bytes, or another batch, can stand there already: the caller looks.
      if ((error as { errcode?: number }).errcode === SQLITE_CONSTRAINT_PRIMARYKEY) return false
      throw error
    }
  }
}

const SQLITE_CONSTRAINT_PRIMARYKEY = 1555

type LeaseRow = {
  readonly epoch: number
  readonly holder: string | null
  readonly origin: number
  readonly remaining_ms: number
  readonly reserved_for: string | null
  readonly pinned: number
}
