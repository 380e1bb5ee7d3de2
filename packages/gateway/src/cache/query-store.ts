// Where answers to queries are kept for a while: in Redis for all processes, or in this one's memory. Promises bounds on size and age, and that
// what is slow or gone is an answer that is not there.

import type { RedisUse } from '@wintrades/platform/redis'
import { BoundedMap } from '../limits/bounded-map.ts'

export interface QueryStore {
  /** null: not there. */
  get(key: string): Promise<string | null>
  /** Not waited for. */
  set(key: string, text: string): void
}

/** Invalidation is by sequence; this only bounds how long what nobody asks for takes up room. */
export const QUERY_KEPT_MS = 60_000
const TEXT_CHARS_MAX = 64 * 1_024

export class MemoryQueryStore implements QueryStore {
  readonly #entries: BoundedMap<string, { readonly text: string; readonly until_ms: number }>
  readonly #now_ms: () => number

  constructor(capacity: number, now_ms: () => number = () => performance.now()) {
    this.#entries = new BoundedMap(capacity)
    this.#now_ms = now_ms
  }

  async get(key: string): Promise<string | null> {
    const entry = this.#entries.get(key)
    return entry === undefined || entry.until_ms <= this.#now_ms() ? null : entry.text
  }

  set(key: string, text: string): void {
    if (text.length > TEXT_CHARS_MAX) return
    this.#entries.set(key, { text, until_ms: this.#now_ms() + QUERY_KEPT_MS })
  }
}

export class RedisQueryStore implements QueryStore {
  readonly #redis: Pick<RedisUse, 'get' | 'set'>

  constructor(redis: Pick<RedisUse, 'get' | 'set'>) {
    this.#redis = redis
  }

  async get(key: string): Promise<string | null> {
    try {
      return await this.#redis.get(key)
    } catch {
      return null // Counted and logged by the client; the database has it.
    }
  }

  set(key: string, text: string): void {
    if (text.length <= TEXT_CHARS_MAX) void this.#set(key, text)
  }

  async #set(key: string, text: string): Promise<void> {
    try {
      await this.#redis.set(key, text, QUERY_KEPT_MS)
    } catch {
      // Counted and logged by the client; the next one to ask asks the database.
    }
  }
}
