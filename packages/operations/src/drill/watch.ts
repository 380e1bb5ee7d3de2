// Watches who leads what while a drill runs, and writes the timeline of a fail-over: what each surviving region saw, and when.

import { setTimeout as pause } from 'node:timers/promises'
import type { RegionProcess, ShardHealth, Target } from './target.ts'

export type TimelineEntry = { readonly at_ms: number; readonly text: string }

export type Timeline = { readonly entries: TimelineEntry[]; note(text: string): void }

export function newTimeline(now_ms: () => number, say: (line: string) => void): Timeline {
  const entries: TimelineEntry[] = []
  const note = (text: string) => {
    const entry = { at_ms: now_ms(), text }
    entries.push(entry)
    say(renderEntry(entry))
  }
  return { entries, note }
}

function renderEntry(entry: TimelineEntry): string {
  return `  ${(entry.at_ms / 1_000).toFixed(3).padStart(8)} s  ${entry.text}`
}

const POLL_MS = 25

/** Notes every change of leader that any region reports, until `stop` aborts. */
export async function watchLeaders(
  target: Target,
  timeline: Timeline,
  names: readonly string[],
  stop: AbortSignal,
): Promise<void> {
  const epochs = new Map<number, number>()
  const heard = (shards: readonly ShardHealth[]) => {
    for (const { shard, leader, epoch } of shards) {
      const last = epochs.get(shard)
      if (leader === null || (last !== undefined && last >= epoch)) continue
      epochs.set(shard, epoch)
      if (last !== undefined) timeline.note(`${leader} leads ${names[shard] ?? shard} in epoch ${epoch}`)
    }
  }
  // Each for itself: a region that does not answer must not hide what the others know.
  const asked = new Map<string, Promise<void>>()
  while (!stop.aborted) {
    for (const one of target.regions()) {
      if (asked.has(one.region)) continue
      const answer = healthOrNull(target, one).then((shards) => {
        asked.delete(one.region)
        if (shards !== null) heard(shards)
      })
      asked.set(one.region, answer)
    }
    await pause(POLL_MS)
  }
  await Promise.all(asked.values())
}

/** The leader of a shard in the view of the process that knows the highest epoch. */
export async function findLeader(
  target: Target,
  shard: number,
): Promise<{ process: RegionProcess; health: ShardHealth } | null> {
  const processes = target.regions()
  let newest: ShardHealth | null = null
  for (const one of processes) {
    const health = (await healthOrNull(target, one))?.find((candidate) => candidate.shard === shard)
    if (health !== undefined && health.leader !== null && (newest === null || health.epoch > newest.epoch))
      newest = health
  }
  const leader = processes.find((one) => one.region === newest?.leader)
  return leader === undefined || newest === null ? null : { process: leader, health: newest }
}

/** What the process knows, or null when it does not answer: during a drill that is an observation. */
export async function healthOrNull(
  target: Target,
  process: RegionProcess,
  hash = false,
): Promise<readonly ShardHealth[] | null> {
  try {
    return await target.health(process, hash)
  } catch {
    return null
  }
}

/** Waits until `condition` gives a value, at most `timeout_ms`; null: it never did. */
export async function until<Value>(
  condition: () => Promise<Value | null>,
  timeout_ms: number,
  interval_ms = 100,
): Promise<Value | null> {
  const deadline = performance.now() + timeout_ms
  for (;;) {
    const value = await condition()
    if (value !== null || performance.now() >= deadline) return value
    await pause(interval_ms)
  }
}
