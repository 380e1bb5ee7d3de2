// When the next backup and the next check by a restore are due. Pure: times in, answers out.

import type { FullBackup, Verification } from './store/catalogue.ts'

export type TimeOfDay = { readonly hour: number; readonly minute: number }

/** What failed is tried again after this long, not at once and not only tomorrow. */
export const RETRY_MS = 15 * 60_000

const DAY_MS = 86_400_000

/** The last time of day that has passed, UTC. */
export function lastTime(now: Date, { hour, minute }: TimeOfDay): Date {
  const today_ms = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), hour, minute)
  return new Date(today_ms <= now.getTime() ? today_ms : today_ms - DAY_MS)
}

/** Without any backup, at once; else when none was begun since the last time of day. */
export function isBackupDue(now: Date, newest: FullBackup | null, at: TimeOfDay, failedAt: Date | null): boolean {
  if (failedAt !== null && now.getTime() - failedAt.getTime() < RETRY_MS) return false
  return newest === null || Date.parse(newest.startedAt) < lastTime(now, at).getTime()
}

/** When there is a backup, and none was checked for so long; after a failure sooner. */
export function isVerificationDue(
  now: Date,
  newest: FullBackup | null,
  last: Verification | null,
  every_hours: number,
): boolean {
  if (newest === null) return false
  if (last === null) return true
  const age_ms = now.getTime() - Date.parse(last.at)
  return age_ms >= (last.passed ? every_hours * 3_600_000 : RETRY_MS)
}
