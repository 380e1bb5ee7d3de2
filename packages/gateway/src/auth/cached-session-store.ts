// Redis before the accounts' database: answers whether a session stands without asking the database, which may be in another region, and
// tells every process of its end. Promises that what Redis says or loses never opens or ends a session: it is a copy, good for a minute.

import type { RedisUse } from '@wintrades/platform/redis'
import type { NewSession, Renewal, RenewalOutcome, SessionStore } from './session-store.ts'
import { ACCESS_TOKEN_SECONDS } from './tokens.ts'

/** How long a session that ended while Redis could not be told may still pass for a standing one. */
const CURRENT_MS = 60_000
/** Longer than any access token of the session is good for. */
const ENDED_MS = (ACCESS_TOKEN_SECONDS + 60) * 1_000

const CURRENT = 'current'
const ENDED = 'ended'

export class CachedSessionStore implements SessionStore {
  readonly #durable: SessionStore
  readonly #redis: Pick<RedisUse, 'get' | 'set'>

  constructor(durable: SessionStore, redis: Pick<RedisUse, 'get' | 'set'>) {
    this.#durable = durable
    this.#redis = redis
  }

  async open(session: NewSession, sessionsMax: number): Promise<void> {
    await this.#durable.open(session, sessionsMax)
    void this.#noteCurrent(session.familyId)
  }

  async renew(renewal: Renewal): Promise<RenewalOutcome> {
    const outcome = await this.#durable.renew(renewal)
    if (outcome.kind === 'renewed') void this.#noteCurrent(renewal.familyId)
    else if (outcome.kind === 'reused') void this.#noteEnded(renewal.familyId)
    return outcome
  }

  async end(familyId: string, address?: string): Promise<void> {
    await this.#durable.end(familyId, address)
    void this.#noteEnded(familyId)
  }

  async isCurrent(familyId: string, now_ms: number): Promise<boolean> {
    const noted = await this.#noted(familyId)
    if (noted !== null) return noted === CURRENT
    const current = await this.#durable.isCurrent(familyId, now_ms)
    if (current) void this.#noteCurrent(familyId)
    return current
  }

  async #noted(familyId: string): Promise<string | null> {
    try {
      const noted = await this.#redis.get(keyOf(familyId))
      return noted === CURRENT || noted === ENDED ? noted : null
    } catch {
      return null // Counted and logged by the client; the database knows.
    }
  }

  /** Never over an end: it may have come between the database's answer and this. */
  async #noteCurrent(familyId: string): Promise<void> {
    await this.#set(familyId, CURRENT, CURRENT_MS, { ifAbsent: true })
  }

  async #noteEnded(familyId: string): Promise<void> {
    await this.#set(familyId, ENDED, ENDED_MS)
  }

  async #set(familyId: string, value: string, ttl_ms: number, more: { readonly ifAbsent?: true } = {}): Promise<void> {
    try {
      await this.#redis.set(keyOf(familyId), value, ttl_ms, more)
    } catch {
      // Counted and logged by the client; the copy that stands runs out by itself.
    }
  }
}

function keyOf(familyId: string): string {
  return `session:${familyId}`
}
