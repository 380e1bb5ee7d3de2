// Where sessions are kept. The accounts' database is the durable truth: a refresh token works once because one row is compared and
// replaced there. What answers faster may stand before it (cached-session-store.ts), and may be lost.

import type { AccountId } from '@wintrades/domain'
import type { AuditLog } from '../audit/audit-log.ts'
import { type AccountsDatabase, allOf, changedBy, firstOf, type Work } from './database.ts'
import { NO_ADDRESS } from './principal.ts'

export type NewSession = {
  readonly familyId: string
  readonly accountId: AccountId
  /** SHA-256 of the one refresh token that is valid. */
  readonly tokenHash: Buffer
  readonly opened_ms: number
  readonly expires_ms: number
  /** The client's, for the audit log. */
  readonly address?: string
}

export type Renewal = {
  readonly familyId: string
  /** Of the token that was shown. */
  readonly shownHash: Buffer
  readonly nextHash: Buffer
  readonly now_ms: number
  readonly expires_ms: number
  /** The client's, for the audit log. */
  readonly address?: string
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
  /** An ended session is fine. `address`: the client's, for the audit log. */
  end(familyId: string, address?: string): Promise<void>
  /** Never says no of a session that stands: what reads a copy that may lag asks the truth before it says no. */
  isCurrent(familyId: string, now_ms: number): Promise<boolean>
}

/** Expired sessions that one log-in clears away. */
const CLEARED_MAX = 100

export class DatabaseSessionStore implements SessionStore {
  readonly #database: AccountsDatabase
  readonly #audit: AuditLog

  constructor(database: AccountsDatabase, audit: AuditLog) {
    this.#database = database
    this.#audit = audit
  }

  async open(session: NewSession, sessionsMax: number): Promise<void> {
    await this.#audit.transaction(
      () => this.#open(session, sessionsMax),
      () => entry('log in', session.familyId, session.accountId, session.address, 'done'),
    )
  }

  async renew(renewal: Renewal): Promise<RenewalOutcome> {
    return await this.#audit.transaction(
      () => this.#renew(renewal),
      // A renewal is no news; that a token was used twice is.
      (outcome) =>
        outcome.kind === 'reused'
          ? entry('refresh session', renewal.familyId, outcome.accountId, renewal.address, 'TOKEN_REUSED')
          : null,
    )
  }

  async end(familyId: string, address?: string): Promise<void> {
    await this.#audit.transaction(
      () => this.#end(familyId),
      (account) => (account === null ? null : entry('log out', familyId, account, address, 'done')),
    )
  }

  async isCurrent(familyId: string, now_ms: number): Promise<boolean> {
    const { queries } = this.#database
    const session = await this.#database.first(
      queries.selectFrom('sessions').select('expires_ms').where('family_id', '=', familyId),
    )
    return session !== undefined && session.expires_ms > now_ms
  }

  *#open(session: NewSession, sessionsMax: number): Work<void> {
    const { queries } = this.#database
    const { familyId, accountId, tokenHash, opened_ms, expires_ms } = session
    // Opened already, by an earlier attempt whose answer was lost.
    const known = queries.selectFrom('sessions').select('family_id').where('family_id', '=', familyId)
    if ((yield* firstOf(known)) !== undefined) return
    const expired = queries
      .selectFrom('sessions')
      .select('family_id')
      .where('expires_ms', '<=', opened_ms)
      .limit(CLEARED_MAX)
    const surplus = queries
      .selectFrom('sessions')
      .select('family_id')
      .where('account_id', '=', accountId)
      .orderBy('opened_ms', 'desc')
      .limit(sessionsMax)
      .offset(sessionsMax - 1)
    const over = [...(yield* allOf(expired)), ...(yield* allOf(surplus))].map(({ family_id }) => family_id)
    // In order, so that two that clear away the same do not wait for each other.
    if (over.length > 0) yield* changedBy(queries.deleteFrom('sessions').where('family_id', 'in', over.sort()))
    const row = { family_id: familyId, account_id: accountId, token_hash: tokenHash, opened_ms, expires_ms }
    yield* changedBy(queries.insertInto('sessions').values(row))
  }

  *#renew({ familyId, shownHash, nextHash, now_ms, expires_ms }: Renewal): Work<Renewed> {
    const { queries } = this.#database
    const session = yield* firstOf(
      queries
        .selectFrom('sessions')
        .innerJoin('users', 'users.account_id', 'sessions.account_id')
        .select(['users.account_id', 'users.user_id', 'sessions.token_hash', 'sessions.expires_ms'])
        .where('family_id', '=', familyId)
        // Of two who show the same token one waits here for the other. SQLite's transactions hold the write lock anyway.
        .$if(this.#database.dialect === 'mysql', (query) => query.forUpdate('sessions')),
    )
    if (session === undefined || session.expires_ms <= now_ms) return { kind: 'invalid' }
    const accountId = session.account_id as AccountId
    const renewed = { kind: 'renewed', userId: session.user_id, accountId } as const
    // Renewed already, by an earlier attempt whose answer was lost: nobody else knows the next token.
    if (nextHash.equals(session.token_hash)) return renewed
    if (!shownHash.equals(session.token_hash)) {
      yield* changedBy(queries.deleteFrom('sessions').where('family_id', '=', familyId))
      return { kind: 'reused', accountId }
    }
    const next = { token_hash: nextHash, expires_ms }
    yield* changedBy(queries.updateTable('sessions').set(next).where('family_id', '=', familyId))
    return renewed
  }

  /** Whose it was; null: it had ended. */
  *#end(familyId: string): Work<AccountId | null> {
    const { queries } = this.#database
    const session = yield* firstOf(
      queries.selectFrom('sessions').select('account_id').where('family_id', '=', familyId),
    )
    if (session === undefined) return null
    yield* changedBy(queries.deleteFrom('sessions').where('family_id', '=', familyId))
    return session.account_id as AccountId
  }
}

type Renewed = Exclude<RenewalOutcome, { kind: 'reused' }> | { readonly kind: 'reused'; readonly accountId: AccountId }

function entry(action: string, familyId: string, account: AccountId, address = NO_ADDRESS, outcome: string) {
  // The family's id says which session it was; without the secret behind it, it opens nothing.
  return { principal: 'user', account, address, action, target: `session ${familyId}`, outcome, details: {} }
}
