// Which backups are kept, and which pieces of the binlog archive they need. Pure. Promises never to give up the newest backup, one that is the newest
// good one of a day or week that is kept, or a piece of the archive between the oldest kept backup and now.

import { contains, type GtidSet, parseGtidSet } from '../operator/promotion/gtid-set.ts'
import type { FullBackup, Segment } from './store/catalogue.ts'

export type RetentionRules = {
  /** Newest backup of each of this many days that have one, … */
  readonly daily: number
  /** … and of each of this many weeks (Monday to Sunday, UTC). */
  readonly weekly: number
}

export type RetentionPlan = {
  readonly keep: readonly string[]
  readonly removeFull: readonly string[]
  readonly removeSegments: readonly string[]
}

export function planRetention(
  backups: readonly FullBackup[],
  segments: readonly Segment[],
  rules: RetentionRules,
): RetentionPlan {
  const newestFirst = [...backups].sort((a, b) => (a.consistentAt < b.consistentAt ? 1 : -1))
  const keep = new Set<string>()
  const newest = newestFirst[0]
  if (newest !== undefined) keep.add(newest.id)
  for (const [count, periodOf] of [
    [rules.daily, dayOf],
    [rules.weekly, weekOf],
  ] as const) {
    const periods = new Set<number>()
    for (const backup of newestFirst) {
      const period = periodOf(Date.parse(backup.consistentAt))
      if (periods.has(period)) continue
      if (periods.size >= count) break
      periods.add(period)
      keep.add(backup.id)
    }
  }
  const oldest = newestFirst.findLast((one) => keep.has(one.id))
  return {
    keep: newestFirst.filter((one) => keep.has(one.id)).map((one) => one.id),
    removeFull: newestFirst.filter((one) => !keep.has(one.id)).map((one) => one.id),
    removeSegments: oldest === undefined ? [] : notNeededAfter(parseGtidSet(oldest.gtids), segments),
  }
}

/** Only a beginning of the archive may go: what follows a piece that is needed is needed too. */
function notNeededAfter(have: GtidSet, segments: readonly Segment[]): readonly string[] {
  const ordered = [...segments].sort((a, b) => a.number - b.number)
  const needed = ordered.findIndex((segment) => !contains(have, parseGtidSet(segment.gtids)))
  return (needed === -1 ? ordered : ordered.slice(0, needed)).map((one) => one.id)
}

const DAY_MS = 86_400_000

function dayOf(at_ms: number): number {
  return Math.floor(at_ms / DAY_MS)
}

/** 1970 began on a Thursday. */
function weekOf(at_ms: number): number {
  return Math.floor((dayOf(at_ms) + 3) / 7)
}
