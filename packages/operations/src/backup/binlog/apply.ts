// Brings a restored data directory to a time: writes what the archive has as relay logs beside it, and lets the server's own applier do the rest, in
// rounds, so that disk space stays bounded. Nothing is rewritten as SQL, so nothing can be lost in translation.

import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EMPTY, formatGtidSet, type GtidSet, gtid, union } from '../../operator/promotion/gtid-set.ts'
import { pause } from '../../operator/reconciler.ts'
import { type ScratchOptions, ScratchServer } from '../scratch/server.ts'
import { explainFileError, VerificationFailed } from '../store/faults.ts'
import { BINLOG_MAGIC, nothingBefore } from './events.ts'
import type { ArchiveSelection, SelectedEvents } from './select.ts'

export type ApplyOptions = {
  readonly scratch: ScratchOptions
  readonly selection: ArchiveSelection
  readonly signal: AbortSignal
  /** Told how many transactions were applied and when the last of them was committed. */
  readonly progress: (transactions: number, at: Date) => void
  /** Called once, on the running server, when everything is applied. */
  readonly finish: (server: ScratchServer) => Promise<void>
}

/** Of relay logs that lie on the disk at a time. */
const ROUND_BYTES = 2 * 1024 * 1024 * 1024
const FILE_BYTES = 512 * 1024 * 1024
const LOOK_MS = 100
const STALL_MS_MAX = 600_000
/** No worker has anything to do for so long: MySQL's coordinator has missed that what it waits for is done, and would wait for ever. */
const STUCK_MS = 10_000
const STARTS_MAX = 20
const RELAY = 'restore-relay'

/** How many transactions were applied. The server is not running afterwards, and its scratch account is gone. */
export async function applyArchive({ scratch, selection, signal, progress, finish }: ApplyOptions): Promise<number> {
  const events = selection.events()
  let total = 0
  for (;;) {
    signal.throwIfAborted()
    const round = await writeRound(events, scratch.dataDirectory)
    const server = await applyRound({ ...scratch, signal }, round)
    try {
      total += round.transactions
      if (round.transactions > 0) progress(total, new Date(round.lastAt_us / 1_000))
      if (round.isLast) await finish(server)
      await server.stop({ isLast: round.isLast })
    } catch (error) {
      await server.kill()
      throw error
    }
    await removeRelayLogs(scratch.dataDirectory)
    if (round.isLast) return total
  }
}

type Round = {
  readonly transactions: number
  readonly gtids: GtidSet
  readonly lastAt_us: number
  readonly isLast: boolean
}

async function writeRound(events: AsyncGenerator<SelectedEvents>, directory: string): Promise<Round> {
  await removeRelayLogs(directory)
  const files = new RelayFiles(directory)
  let gtids: GtidSet = EMPTY
  let transactions = 0
  let lastAt_us = 0
  try {
    for (;;) {
      const next = await events.next()
      if (next.done) return { transactions, gtids, lastAt_us, isLast: true }
      const { formatDescription, bytes, committed } = next.value
      await files.write(formatDescription, bytes, committed !== null)
      if (committed === null) continue
      gtids = union(gtids, gtid(committed.origin, committed.number))
      transactions++
      lastAt_us = Math.max(lastAt_us, committed.at_us)
      if (files.bytes >= ROUND_BYTES) return { transactions, gtids, lastAt_us, isLast: false }
    }
  } finally {
    await files.close()
  }
}

/** Relay logs and their index. A file has the events of one log format. */
class RelayFiles {
  readonly #directory: string
  readonly #names: string[] = []
  #file: WriteStream | null = null
  #format: Buffer | null = null
  #fileBytes = 0
  #isBetween = true
  bytes = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  async write(format: Buffer, bytes: Buffer, isEnd: boolean): Promise<void> {
    const isFull = this.#isBetween && this.#fileBytes >= FILE_BYTES
    if (this.#file === null || isFull || this.#format?.equals(format) !== true) await this.#begin(format)
    await this.#put(bytes)
    this.#isBetween = isEnd
  }

  async close(): Promise<void> {
    await this.#end()
    if (this.#names.length === 0) return
    await writeFile(join(this.#directory, `${RELAY}.index`), `${this.#names.map((name) => `./${name}`).join('\n')}\n`)
  }

  async #begin(format: Buffer): Promise<void> {
    await this.#end()
    const name = `${RELAY}.${String(this.#names.length + 1).padStart(6, '0')}`
    this.#names.push(name)
    this.#file = createWriteStream(join(this.#directory, name), { mode: 0o640, highWaterMark: 1024 * 1024 })
    this.#format = format
    this.#fileBytes = 0
    await this.#put(BINLOG_MAGIC)
    await this.#put(format)
    await this.#put(nothingBefore(format))
  }

  async #put(bytes: Buffer): Promise<void> {
    const file = this.#file as WriteStream
    this.#fileBytes += bytes.length
    this.bytes += bytes.length
    // The bytes are not ours to keep beyond this call.
    const error = await new Promise<Error | null | undefined>((resolve) => file.write(bytes, resolve))
    if (error) throw explainFileError(error, this.#directory)
  }

  async #end(): Promise<void> {
    if (this.#file === null) return
    this.#file.end()
    if (!this.#file.closed) await once(this.#file, 'close')
    this.#file = null
  }
}

/** Resolves with the running server that has all of the round. One whose applier is stuck cannot even stop it: it is killed, and the next goes on where it was. */
async function applyRound(
  scratch: ScratchOptions & { readonly signal: AbortSignal },
  round: Round,
): Promise<ScratchServer> {
  for (let starts = 1; ; starts += 1) {
    const server = await ScratchServer.start(scratch)
    try {
      if (round.transactions === 0) return server
      if (starts === 1) {
        await server.query(
          `CHANGE REPLICATION SOURCE TO RELAY_LOG_FILE = '${RELAY}.000001', RELAY_LOG_POS = 4, SOURCE_HOST = 'archive.invalid'`,
        )
      }
      await server.query('START REPLICA SQL_THREAD')
      await waitForRound(server, round, scratch.signal)
      await server.query('STOP REPLICA SQL_THREAD')
      await server.query('RESET REPLICA ALL')
      return server
    } catch (error) {
      await server.kill()
      if (!(error instanceof ApplierStuck) || starts === STARTS_MAX) throw error
    }
  }
}

class ApplierStuck extends VerificationFailed {}

async function waitForRound(server: ScratchServer, round: Round, signal: AbortSignal): Promise<void> {
  const wanted = formatGtidSet(round.gtids)
  let before = ''
  let movedAt_ms = performance.now()
  for (;;) {
    signal.throwIfAborted()
    const [row] = await server.query<{ isThere: number; executed: string }>(
      'SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed) AS isThere, @@GLOBAL.gtid_executed AS executed',
      [wanted],
    )
    if (Number(row?.isThere) === 1) return
    const faults = await server.query<{ message: string }>(
      `SELECT LAST_ERROR_MESSAGE AS message FROM performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER <> 0
       UNION ALL SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_coordinator WHERE LAST_ERROR_NUMBER <> 0`,
    )
    if (faults[0] !== undefined) {
      throw new VerificationFailed(
        `the archived binlogs cannot be applied to this backup: ${faults[0].message}; use another backup`,
      )
    }
    if (row?.executed !== before) {
      before = row?.executed ?? ''
      movedAt_ms = performance.now()
    } else if (performance.now() - movedAt_ms > STUCK_MS && (await isIdle(server))) {
      throw new ApplierStuck(`the applier of archived binlogs was stuck ${STARTS_MAX} times (${server.lastWords()})`)
    } else if (performance.now() - movedAt_ms > STALL_MS_MAX) {
      throw new VerificationFailed(
        `the archived binlogs are not applied: nothing happened for ${STALL_MS_MAX / 1_000} s (${server.lastWords()})`,
      )
    }
    await pause(LOOK_MS, signal)
  }
}

/** Nothing is being applied. */
async function isIdle(server: ScratchServer): Promise<boolean> {
  const [row] = await server.query<{ busy: number }>(
    `SELECT COUNT(*) AS busy FROM performance_schema.replication_applier_status_by_worker WHERE APPLYING_TRANSACTION <> ''`,
  )
  return Number(row?.busy) === 0
}

async function removeRelayLogs(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (name.startsWith(RELAY)) await rm(join(directory, name), { force: true })
}
