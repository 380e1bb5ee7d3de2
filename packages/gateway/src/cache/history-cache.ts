// Pages of an account's history, kept for whoever asks the same again. Each is kept with the batch of every shard up to which it was read, and
// is good as long as no later batch has touched the account: promises that an answer is never older than one from the database at that batch,
// and never older than `minSeq`.

import { createHash } from 'node:crypto'
import type { ShardIndex } from '@wintrades/domain'
import type { PageQuery, Place } from '@wintrades/marketdata'
import type { AccountVersions } from './account-versions.ts'
import type { QueryStore } from './query-store.ts'

export type CacheablePage<Item> = {
  readonly items: readonly Item[]
  readonly nextCursor: string | null
  readonly places: readonly Place[]
}

type Query = PageQuery & { readonly atLeast?: readonly Place[] }

export class HistoryCache {
  readonly #store: QueryStore
  readonly #versions: AccountVersions
  #hits = 0
  #misses = 0

  constructor(store: QueryStore, versions: AccountVersions) {
    this.#store = store
    this.#versions = versions
  }

  /** What `read` answers, or has answered. `name`: the kind of page. */
  async page<Item>(name: string, query: Query, read: () => Promise<CacheablePage<Item>>): Promise<CacheablePage<Item>> {
    // What the client has seen, this process may have applied and not looked at yet.
    if (!this.#hasSeen(query.atLeast ?? [])) return await read()
    const key = keyOf(name, query)
    const kept = parse<Item>(await this.#store.get(key))
    const raised = kept === null ? null : this.#raised(kept, query)
    if (raised !== null) {
      this.#hits += 1
      return raised
    }
    this.#misses += 1
    const page = await read()
    this.#store.set(key, JSON.stringify(page))
    return page
  }

  figures(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses }
  }

  #hasSeen(atLeast: readonly Place[]): boolean {
    return atLeast.every(({ shard, seq }) => (this.#versions.seen(shard) ?? -1) >= seq)
  }

  /** The same page as of what this process has seen; null: something has changed since, or may have. */
  #raised<Item>(page: CacheablePage<Item>, { account }: Query): CacheablePage<Item> | null {
    const places: Place[] = []
    for (const { shard, seq } of page.places) {
      const touched = this.#versions.touched(shard, account)
      const seen = this.#versions.seen(shard)
      if (touched === null || seen === null || touched > seq) return null
      places.push({ shard, seq: Math.max(seq, seen) as Place['seq'] })
    }
    return { ...page, places }
  }
}

/** All of an account's pages lie together. */
function keyOf(name: string, { account, limit, instrument, cursor, shard }: Query): string {
  const question = JSON.stringify([limit, instrument ?? null, cursor ?? null, shard ?? null])
  const digest = createHash('sha256').update(question).digest('base64url').slice(0, 22)
  return `query:{a${account}}:${name}:${digest}`
}

/** What somebody else wrote is looked at before it is believed to be a page. */
function parse<Item>(text: string | null): CacheablePage<Item> | null {
  if (text === null) return null
  try {
    const page = JSON.parse(text) as Partial<CacheablePage<Item>> | null
    const isPage = Array.isArray(page?.items) && Array.isArray(page.places) && page.places.every(isPlace)
    return isPage ? (page as CacheablePage<Item>) : null
  } catch {
    return null // Not JSON: not an answer.
  }
}

function isPlace(place: unknown): place is { shard: ShardIndex; seq: number } {
  const { shard, seq } = (place ?? {}) as { shard?: unknown; seq?: unknown }
  return Number.isSafeInteger(shard) && Number.isSafeInteger(seq)
}
