// Takes binlogs off the servers before they fill the disk: at full load they grow by gigabytes a minute. Promises to remove only what is archived on the
// disk of the store, and only what every server has, unless the size leaves no choice: a server that was away for so long is cloned anyway.

import type { Connection } from 'mysql2/promise'
import { contains, type GtidSet, parseGtidSet } from '../../operator/promotion/gtid-set.ts'
import { query, type TierView, viewTier, withServer } from '../servers.ts'
import type { BackupSettings } from '../settings.ts'

/** One file of a server's binary log, oldest first. */
export type ServerLog = {
  readonly name: string
  readonly bytes: number
  /** Everything that stands in older files, those removed already included. */
  readonly before: GtidSet
}

export type PurgeLimits = {
  /** Of all files together: beyond it the oldest go that are archived and received everywhere. */
  readonly bytes_max: number
}

/** Beyond so many times the limit, servers that cannot be reached are not waited for. */
const PATIENCE = 2

/**
 * The file that shall be the oldest afterwards; null: nothing is removed. The newest file always stays. `everywhere` is what every server has;
 * null: one of them cannot be asked.
 */
export function planPurge(
  logs: readonly ServerLog[],
  archived: GtidSet,
  everywhere: GtidSet | null,
  { bytes_max }: PurgeLimits,
): string | null {
  let total = logs.reduce((sum, log) => sum + log.bytes, 0)
  let oldest: string | null = null
  for (let i = 0; i + 1 < logs.length && total > bytes_max; i++) {
    const next = logs[i + 1] as ServerLog
    const isReceived = everywhere !== null && contains(everywhere, next.before)
    if (!contains(archived, next.before) || !(isReceived || total > PATIENCE * bytes_max)) break
    total -= (logs[i] as ServerLog).bytes
    oldest = next.name
  }
  return oldest
}

export type Purged = { readonly server: string; readonly to: string }

/** Carries it out on every server that answers. */
export async function purgeServers(settings: BackupSettings, archived: GtidSet): Promise<readonly Purged[]> {
  const tier = await viewTier(settings)
  const everywhere = tier.faults.length > 0 ? null : intersection(tier)
  const limits = { bytes_max: settings.serverBinlogs_bytes_max }
  const purged: Purged[] = []
  for (const { server } of tier.views) {
    const to = await withServer(server, settings, async (connection) => {
      const plan = planPurge(await readLogs(connection), archived, everywhere, limits)
      if (plan !== null) await query(connection, 'PURGE BINARY LOGS TO ?', [plan])
      return plan
    })
    if (to !== null) purged.push({ server: server.name, to })
  }
  return purged
}

/** The least that all have; null when none contains another's, which is a matter for the operator. */
function intersection({ views }: TierView): GtidSet | null {
  const least = views.find((one) => views.every((other) => contains(other.executed, one.executed)))
  return least?.executed ?? null
}

async function readLogs(connection: Connection): Promise<readonly ServerLog[]> {
  const files = await query<{ Log_name: string; File_size: number | string }>(connection, 'SHOW BINARY LOGS')
  const logs: ServerLog[] = []
  for (const { Log_name: name, File_size } of files) {
    // The format description, then what stands in older files.
    const events = await query<{ Event_type: string; Info: string }>(connection, 'SHOW BINLOG EVENTS IN ? LIMIT 2', [
      name,
    ])
    const info = events.find((event) => event.Event_type === 'Previous_gtids')?.Info ?? ''
    logs.push({ name, bytes: Number(File_size), before: parseGtidSet(info) })
  }
  return logs
}
