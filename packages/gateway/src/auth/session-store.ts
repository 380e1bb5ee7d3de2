// Where sessions are kept. The accounts' database is the durable truth: a refresh token works once because one row is compared and
// replaced there. What answers faster may stand before it (cached-session-store.ts), and may be lost.

import type { AccountId } from '@wintrades/domain'
import type { AccountsDatabase } from './database.ts'

export type NewSession = {
  readonly familyId: string
  readonly accountId: AccountId
  /** SHA-256 of the one refresh token that is valid. */
  readonly tokenHash: Buffer
  readonly opened_ms: number
  readonly expires_ms: number
}

export type Renewal = {
  readonly familyId: string
  /** Of the token that was shown. */
  readonly shownHash: Buffer
  readonly nextHash: Buffer
  readonly now_ms: number
  readonly expires_ms: number
}

/** `invalid`: there is no such session, or it has ended. `reused`: another token than the valid one was shown, which has ended it. */
export type RenewalOutcome =
  | { readonly kind: 'renewed'; readonly accountId: AccountId; readonly userId: string }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'reused' }

export interface SessionStore {
  /** Keeps a session; of its account those opened first end, so that at most `sessionsMax` stand. */
  open(session: NewSession, sessionsMax: number): Promise<void>
  /** Compares and replaces in one step: of two who show the same token one is told `reused`. */
  renew(renewal: Renewal): Promise<RenewalOutcome>
  /** An ended session is fine. */
  end(familyId: string): Promise<void>
  /** Never says no of a session that stands: what reads a copy that may lag asks the truth before it says no. */
  isCurrent(familyId: string, now_ms: number): Promise<boolean>
}

export class DatabaseSessionStore implements SessionStore {
  readonly #database: AccountsDatabase

  constructor(database: AccountsDatabase) {
    this.#database = database
  }

  async open(session: NewSession, sessionsMax: number): Promise<void> {
    const { queries } = this.#database
    const { familyId, accountId, tokenHash, opened_ms, expires_ms } = session
    const surplus = queries
      .selectFrom('sessions')
      .select('family_id')
      .where('account_id', '=', accountId)
      .orderBy('opened_ms', 'desc')
      .limit(sessionsMax)
      .offset(sessionsMax - 1)
    const row = { family_id: familyId, account_id: accountId, token_hash: tokenHash, opened_ms, expires_ms }
    this.#database.transaction(() => {
      this.#database.run(queries.deleteFrom('sessions').where('expires_ms', '<=', opened_ms))
      this.#database.run(queries.deleteFrom('sessions').where('family_id', 'in', surplus))
      this.#database.run(queries.insertInto('sessions').values(row))
    })
  }

  async renew({ familyId, shownHash, nextHash, now_ms, expires_ms }: Renewal): Promise<RenewalOutcome> {
    const { queries } = this.#database
    return this.#database.transaction((): RenewalOutcome => {
      const session = this.#database.first(
        queries
          .selectFrom('sessions')
          .innerJoin('users', 'users.account_id', 'sessions.account_id')
          .select(['users.account_id', 'users.user_id', 'sessions.token_hash', 'sessions.expires_ms'])
          .where('family_id', '=', familyId),
      )
      if (session === undefined || session.expires_ms <= now_ms) return { kind: 'invalid' }
      if (!shownHash.equals(session.token_hash)) {
        this.#database.run(queries.deleteFrom('sessions').where('family_id', '=', familyId))
        return { kind: 'reused' }
      }
      const renewed = { token_hash: nextHash, expires_ms }
      this.#database.run(queries.updateTable('sessions').set(renewed).where('family_id', '=', familyId))
      return { kind: 'renewed', userId: session.user_id, accountId: session.account_id as AccountId }
    })
  }

  async end(familyId: string): Promise<void> {
    this.#database.run(this.#database.queries.deleteFrom('sessions').where('family_id', '=', familyId))
  }

  async isCurrent(familyId: string, now_ms: number): Promise<boolean> {
    const { queries } = this.#database
    const session = this.#database.first(
      queries.selectFrom('sessions').select('expires_ms').where('family_id', '=', familyId),
    )
    return session !== undefined && session.expires_ms > now_ms
  }
}
