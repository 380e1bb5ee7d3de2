// The buckets that all processes share: in Redis, or in memory for processes that are one. Promises only that what is missing from a
// bucket is never forgotten before it has refilled, unless Redis itself loses it: then each process's own count stands.

import { createHash } from 'node:crypto'
import type { RedisUse } from '@wintrades/platform/redis'

export type Taken = {
  /** Of the limit and of whom it counts: `orders`, `1001`. */
  readonly limit: string
  readonly key: string | number
  readonly period_ms: number
  /** What was taken, as the time that it takes to refill. */
  readonly taken_ms: number
}

export interface LimitStore {
  /** Takes it, and answers what is missing from each bucket in all, as time to refill; null: not known. */
  take(taken: readonly Taken[]): Promise<readonly (number | null)[]>
}

/** What is missing from a bucket is at most so many periods: who has overdrawn it at many processes at once is not shut out for long. */
const DEBT_PERIODS_MAX = 10

export class MemoryLimitStore implements LimitStore {
  readonly #full_ms = new Map<string, number>()
  readonly #now_ms: () => number

  constructor(now_ms: () => number) {
    this.#now_ms = now_ms
  }

  async take(taken: readonly Taken[]): Promise<readonly number[]> {
    const now_ms = this.#now_ms()
    return taken.map(({ limit, key, period_ms, taken_ms }) => {
      const name = `${limit}:${key}`
      const full_ms = Math.max(this.#full_ms.get(name) ?? now_ms, now_ms) + taken_ms
      const bounded_ms = Math.min(full_ms, now_ms + period_ms * DEBT_PERIODS_MAX)
      this.#full_ms.set(name, bounded_ms)
      return bounded_ms - now_ms
    })
  }
}

/** Buckets of one group lie in one slot, so that one call takes from many. As many groups as it needs to spread over all masters. */
const GROUPS = 64
/** Redis's own clock decides, so that no two processes' clocks need agree. Times are milliseconds, answers microseconds. */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local missing = {}
for i, key in ipairs(KEYS) do
  local full = math.max(tonumber(redis.call('GET', key)) or now, now) + ARGV[2 * i - 1]
  full = math.min(full, now + ARGV[2 * i])
  redis.call('SET', key, string.format('%.3f', full), 'PX', math.max(1, math.ceil(full - now)))
  missing[i] = math.ceil((full - now) * 1000)
end
return missing`

export class RedisLimitStore implements LimitStore {
  readonly #redis: Pick<RedisUse, 'run'>

  constructor(redis: Pick<RedisUse, 'run'>) {
    this.#redis = redis
  }

  async take(taken: readonly Taken[]): Promise<readonly (number | null)[]> {
    const groups = new Map<number, number[]>()
    for (const [index, { key }] of taken.entries()) {
      const group = groupOf(key)
      const members = groups.get(group)
      if (members === undefined) groups.set(group, [index])
      else members.push(index)
    }
    const missing: (number | null)[] = taken.map(() => null)
    await Promise.all(
      [...groups].map(async ([group, members]) => {
        const answers = await this.#takeGroup(
          group,
          members.map((index) => taken[index] as Taken),
        )
        for (const [place, index] of members.entries()) missing[index] = answers[place] ?? null
      }),
    )
    return missing
  }

  async #takeGroup(group: number, taken: readonly Taken[]): Promise<readonly number[]> {
    const keys = taken.map(({ limit, key }) => `limit:{l${group}}:${limit}:${key}`)
    const values = taken.flatMap(({ taken_ms, period_ms }) => [taken_ms.toFixed(3), period_ms * DEBT_PERIODS_MAX])
    try {
      return ((await this.#redis.run(TAKE, keys, values)) as number[]).map((missing_us) => missing_us / 1_000)
    } catch {
      // Counted and logged by the client. These buckets are each process's own until Redis is back.
      return []
    }
  }
}

function groupOf(key: string | number): number {
  return (createHash('sha1').update(String(key)).digest()[0] as number) % GROUPS
}
