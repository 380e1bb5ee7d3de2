// What a process remembers of API keys, so that a key in use is looked up in memory. Promises that what it answers was true at the database less
// than five seconds ago, as long as the database answers. While it does not, nobody can delete a key there either, and keys that are known go on
// for a minute; keys that are not known are refused with ACCOUNTS_UNAVAILABLE.

import { ApiFault } from '../errors.ts'
import { BoundedMap } from '../limits/bounded-map.ts'

export type KeyCacheParts<Row, Key> = {
  readonly now_ms: () => number
  /** The rows of these keys that exist now. */
  readonly read: (keyIds: readonly string[]) => Promise<ReadonlyMap<string, Row>>
  readonly open: (row: Row) => Key
}

type Entry<Key> = {
  readonly key: Key
  checked_ms: number
  checking: Promise<Key | null> | null
}

type Asked<Key> = { readonly resolve: (key: Key | null) => void; readonly reject: (error: unknown) => void }

const KEYS_REMEMBERED = 10_000
/** From this age on a key in use is looked up beside the requests, so that none of them waits. */
const REFRESH_MS = 2_000
/** How old an answer may be: less than the five seconds promised. */
const FRESH_MS = 4_000
/** How old it may be while the database does not answer, and how long a request waits for it then. */
const GRACE_MS = 60_000
const GRACE_WAIT_MS = 500
/** Keys of one query. */
const BATCH_MAX = 500

export class KeyCache<Row, Key> {
  readonly #parts: KeyCacheParts<Row, Key>
  readonly #entries = new BoundedMap<string, Entry<Key>>(KEYS_REMEMBERED)
  /** Deleted here: what a question that was under way brings back does not count. */
  readonly #deleted = new BoundedMap<string, true>(KEYS_REMEMBERED)
  #asked = new Map<string, Asked<Key>[]>()

  constructor(parts: KeyCacheParts<Row, Key>) {
    this.#parts = parts
  }

  /** Without waiting; null: it has to be looked for. */
  known(keyId: string): Key | null {
    const entry = this.#entries.get(keyId)
    if (entry === undefined) return null
    const age_ms = this.#parts.now_ms() - entry.checked_ms
    if (age_ms >= FRESH_MS) return null
    // Its fault, if any, is told to whoever has to wait for it.
    if (age_ms >= REFRESH_MS) this.#check(keyId, entry).catch(() => null)
    return entry.key
  }

  /** Null: there is no such key; that is not remembered: it may be made at another process the next moment. */
  async find(keyId: string): Promise<Key | null> {
    const entry = this.#entries.get(keyId)
    if (entry === undefined) return await this.#ask(keyId)
    const checked = this.#check(keyId, entry)
    if (this.#parts.now_ms() - entry.checked_ms >= GRACE_MS) return await checked
    return await this.#graceful(entry, checked)
  }

  /** A key that was deleted; its id is never given again. */
  forget(keyId: string): void {
    this.#deleted.set(keyId, true)
    this.#entries.delete(keyId)
  }

  async #graceful(entry: Entry<Key>, checked: Promise<Key | null>): Promise<Key | null> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<Key>((resolve) => {
      timer = setTimeout(() => resolve(entry.key), GRACE_WAIT_MS)
    })
    try {
      return await Promise.race([checked, late])
    } catch (error) {
      if (error instanceof ApiFault && error.code === 'ACCOUNTS_UNAVAILABLE') return entry.key
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** One look-up of a key at a time; whoever needs it meanwhile shares it. */
  #check(keyId: string, entry: Entry<Key>): Promise<Key | null> {
    entry.checking ??= this.#ask(keyId).finally(() => {
      entry.checking = null
    })
    return entry.checking
  }

  /** Keys that are asked for at the same time share a query. */
  #ask(keyId: string): Promise<Key | null> {
    return new Promise((resolve, reject) => {
      const others = this.#asked.get(keyId)
      if (others !== undefined) {
        others.push({ resolve, reject })
        return
      }
      if (this.#asked.size === 0) setImmediate(() => this.#readAsked())
      this.#asked.set(keyId, [{ resolve, reject }])
    })
  }

  #readAsked(): void {
    const asked = [...this.#asked]
    this.#asked = new Map()
    for (let begin = 0; begin < asked.length; begin += BATCH_MAX) {
      const batch = asked.slice(begin, begin + BATCH_MAX)
      // As old as the question: what is deleted while it is under way may still be in the answer.
      const checked_ms = this.#parts.now_ms()
      this.#parts.read(batch.map(([keyId]) => keyId)).then(
        (rows) => {
          for (const [keyId, waiting] of batch) this.#answer(keyId, rows.get(keyId), checked_ms, waiting)
        },
        (error: unknown) => {
          for (const [, waiting] of batch) for (const { reject } of waiting) reject(error)
        },
      )
    }
  }

  #answer(keyId: string, row: Row | undefined, checked_ms: number, waiting: readonly Asked<Key>[]): void {
    try {
      const key = this.#keep(keyId, row, checked_ms)
      for (const { resolve } of waiting) resolve(key)
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  #keep(keyId: string, row: Row | undefined, checked_ms: number): Key | null {
    if (row === undefined || this.#deleted.get(keyId) !== undefined) {
      this.#entries.delete(keyId)
      return null
    }
    const known = this.#entries.get(keyId)
    if (known !== undefined) {
      // A key never changes: it is made, and deleted.
      known.checked_ms = checked_ms
      return known.key
    }
    const key = this.#parts.open(row)
    this.#entries.set(keyId, { key, checked_ms, checking: null })
    return key
  }
}
