// Checks a backup the only way that counts: restores it to a scratch server, applies the archive, and proves that the result is the venue's state:
// nothing acknowledged is missing, there is more than the backup alone held, the journal replays to the leaders' state hashes, the money adds
// up, and the history is the one that the journal gives. The result is kept and published.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Markets } from '@wintrades/domain'
import type { Logger } from '@wintrades/platform'
import { pause } from '../../operator/reconciler.ts'
import { chooseBackup } from '../binlog/select.ts'
import { type Progress, seconds } from '../create.ts'
import { type Found, type RestoreResult, restoreInto } from '../restore.ts'
import type { ScratchServer } from '../scratch/server.ts'
import { query, type TierView, takeLock, viewTier, withServer } from '../servers.ts'
import type { BackupSettings } from '../settings.ts'
import type { Catalogue, Verification } from '../store/catalogue.ts'
import { BackupRefused, VerificationFailed } from '../store/faults.ts'
import { takeWork } from '../work.ts'
import { type CopyProof, proveCopy } from './prove.ts'

export type VerifyOptions = {
  readonly catalogue: Catalogue
  readonly settings: BackupSettings
  readonly markets: Markets
  readonly logger: Logger
  /** null: the newest. */
  readonly backup: string | null
  /** null: everything that is archived, which then has to be everything that was acknowledged before this began. */
  readonly to: Date | null
  readonly progress: Progress
  readonly signal: AbortSignal
}

export type VerifyResult = {
  readonly verification: Verification
  readonly restored: RestoreResult
  readonly proof: CopyProof
}

/** The last batch of a shard that was acknowledged when the check began. */
export type LiveHead = { readonly shard: number; readonly seq: number; readonly hash: string }

const ARCHIVE_WAIT_MS = 60_000
const LOOK_MS = 500
const MISSING_TABLE = new Set([1049, 1146])

/** Throws what is wrong, which is kept in the store as the last check's result all the same. */
export async function verifyBackup(options: VerifyOptions): Promise<VerifyResult> {
  const { settings } = options
  const tier = await viewTier(settings)
  const lock = tier.views.length === 0 ? null : await takeLock('full', settings, tier)
  if (tier.views.length > 0 && lock === null) {
    throw new BackupRefused('another backup, restore check or clean-up is under way: try again when it is done')
  }
  try {
    return await verifyWithLock(options, tier)
  } finally {
    lock?.release()
  }
}

async function verifyWithLock(options: VerifyOptions, tier: TierView): Promise<VerifyResult> {
  const { catalogue, settings, to, progress, signal } = options
  const began_ms = performance.now()
  const at = new Date()
  const { full } = await catalogue.list()
  // What there is not is said at once: nothing is waited for in vain.
  const backup = options.backup ?? chooseBackup(full, to).id
  const work = await takeWork(settings.workDirectory)
  const keep = (passed: boolean, restoredTo: string, fault: string | null): Verification => {
    const took_seconds = seconds(performance.now() - began_ms)
    const verification = { backup, at: at.toISOString(), passed, took_seconds, restoredTo, fault }
    catalogue.writeVerification(verification)
    return verification
  }
  try {
    await catalogue.read(backup)
    const heads = to === null && tier.primary !== null ? await readLiveHeads(settings, tier) : []
    if (to === null && tier.primary !== null) await waitForArchive(catalogue, tier.primary.at, progress, signal)
    let proof: CopyProof | null = null
    await mkdir(join(work.path, 'scratch'), { mode: 0o700 })
    const restored = await restoreInto(join(work.path, 'data'), join(work.path, 'scratch'), {
      ...options,
      backup,
      inspect: async (server, found) => {
        requireNewer(found)
        await requireHeads(server, heads)
        proof = await proveCopy(server, { ...options, directory: join(work.path, 'history') })
      },
    })
    if (proof === null) throw new Error('a restored copy is looked at')
    const restoredTo = (restored.lastCommitAt ?? new Date(restored.backup.consistentAt)).toISOString()
    return { verification: keep(true, restoredTo, null), restored, proof }
  } catch (error) {
    if (!signal.aborted) keep(false, '', error instanceof Error ? error.message : String(error))
    throw error
  } finally {
    await work.remove()
  }
}

/** A copy that only has what the full backup had proves nothing of the archive. */
function requireNewer({ transactions, backup, lastCommitAt }: Found): void {
  if (transactions > 0 && lastCommitAt !== null) return
  throw new VerificationFailed(
    `nothing newer than the backup ${backup.id} itself could be restored: the archive has no transaction after ${backup.consistentAt}; ` +
      'see whether an operator archives binlogs (its metrics say), and whether the primary commits',
  )
}

/** Everything that was acknowledged when the check began is in the copy, byte for byte. */
async function requireHeads(server: ScratchServer, heads: readonly LiveHead[]): Promise<void> {
  for (const { shard, seq, hash } of heads) {
    const [row] = await server.query<{ last: number | null; hash: string | null }>(
      `SELECT (SELECT MAX(seq) FROM wintrades.journal WHERE shard = ?) AS last,
         (SELECT HEX(hash) FROM wintrades.journal WHERE shard = ? AND seq = ?) AS hash`,
      [shard, shard, seq],
    )
    const last = Number(row?.last ?? 0)
    if (last < seq)
      throw new VerificationFailed(`shard ${shard} ends at batch ${last} in the copy; ${seq} was acknowledged`)
    // The copy may have been pruned of it since.
    if (row?.hash !== null && row?.hash !== undefined && row.hash !== hash) {
      throw new VerificationFailed(`batch ${seq} of shard ${shard} is another in the copy than in the database`)
    }
  }
}

async function readLiveHeads(settings: BackupSettings, { primary }: TierView): Promise<readonly LiveHead[]> {
  if (primary === null) return []
  try {
    return await withServer(primary.server, settings, async (connection) => {
      const rows = await query<{ shard: number; seq: number; hash: string }>(
        connection,
        `SELECT j.shard, j.seq, HEX(j.hash) AS hash FROM wintrades.journal AS j
         JOIN (SELECT shard, MAX(seq) AS seq FROM wintrades.journal GROUP BY shard) AS heads USING (shard, seq) ORDER BY j.shard`,
      )
      return rows.map(({ shard, seq, hash }) => ({ shard: Number(shard), seq: Number(seq), hash }))
    })
  } catch (error) {
    if (MISSING_TABLE.has((error as { errno?: number }).errno ?? 0)) return []
    throw error
  }
}

async function waitForArchive(catalogue: Catalogue, at: Date, progress: Progress, signal: AbortSignal): Promise<void> {
  progress('waiting until everything acknowledged so far is archived', null)
  const deadline_ms = performance.now() + ARCHIVE_WAIT_MS
  for (;;) {
    signal.throwIfAborted()
    const state = await catalogue.archive()
    if (state !== null && Date.parse(state.completeUntil) >= at.getTime()) return
    if (performance.now() > deadline_ms) {
      const until = state === null ? 'never' : `until ${state.completeUntil}`
      throw new VerificationFailed(
        `the archive is behind: complete ${until}, the check began at ${at.toISOString()}; see whether an operator archives binlogs (its log says what keeps it)`,
      )
    }
    await pause(LOOK_MS, signal)
  }
}
