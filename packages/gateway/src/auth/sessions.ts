// Sessions of logged-in users: an access token for ten minutes, and a refresh token that works once and yields the next. Promises that a
// refresh token used twice ends its session, because one of the two users stole it. An ended session's access tokens are refused within
// seconds where they are used, as far as the store can be asked, and run out by themselves in any case.

import { createHash, randomBytes } from 'node:crypto'
import type { AccountId } from '@wintrades/domain'
import { ApiFault } from '../errors.ts'
import type { Account } from './accounts.ts'
import { type AccountPrincipal, NO_ADDRESS } from './principal.ts'
import type { SessionStore } from './session-store.ts'
import { ACCESS_TOKEN_SECONDS, type AccessTokens } from './tokens.ts'

/** `expiresIn`: seconds that the access token is valid. */
export type SessionTokens = {
  readonly accessToken: string
  readonly refreshToken: string
  readonly expiresIn: number
  readonly accountId: AccountId
}

/** From the last refresh on. */
const REFRESH_TOKEN_MS = 30 * 24 * 60 * 60 * 1_000
/** Of one account; a log-in beyond them ends the session opened first. */
const SESSIONS_MAX = 100
/** `<family>.<secret>`: 128 and 256 random bits. */
const REFRESH_TOKEN = /^([\w-]{22})\.[\w-]{43}$/

/** A session in use is asked after this often, beside the requests: none of them waits for it. */
const CHECK_INTERVAL_MS = 5_000
/** Questions to the store at once; what finds no room is asked with a later request. */
const CHECKS_MAX = 64

/** Of a session as this process knows it, by the principal of one of its access tokens. */
type Standing = { readonly familyId: string; ended: boolean; askedAt_ms: number }

export type SessionsParts = {
  readonly store: SessionStore
  readonly tokens: AccessTokens
  readonly now_ms: () => number
}

/**
 * A session is a family of refresh tokens of which only the newest is valid; its hash is all that is stored. Another token of the same
 * family is therefore one that was used before: nobody else knows the family's id.
 */
export class Sessions {
  readonly #store: SessionStore
  readonly #tokens: AccessTokens
  readonly #now_ms: () => number
  readonly #standings = new WeakMap<AccountPrincipal, Standing>()
  #checks = 0

  constructor(parts: SessionsParts) {
    this.#store = parts.store
    this.#tokens = parts.tokens
    this.#now_ms = parts.now_ms
  }

  /** A new session, after the log-in was verified. `address`: the client's. */
  async open(account: Account, address: string = NO_ADDRESS): Promise<SessionTokens> {
    const familyId = randomBytes(16).toString('base64url')
    const refreshToken = newRefreshToken(familyId)
    const opened_ms = this.#now_ms()
    const { accountId } = account
    const tokenHash = hashOf(refreshToken)
    const session = { familyId, accountId, tokenHash, opened_ms, expires_ms: opened_ms + REFRESH_TOKEN_MS, address }
    await this.#store.open(session, SESSIONS_MAX)
    return await this.#answer(account, familyId, refreshToken)
  }

  /** The next tokens. Throws TOKEN_INVALID; TOKEN_REUSED when the token was used before, which ends the session. */
  async refresh(refreshToken: string, address: string = NO_ADDRESS): Promise<SessionTokens> {
    const familyId = familyOf(refreshToken)
    const next = newRefreshToken(familyId)
    const now_ms = this.#now_ms()
    const outcome = await this.#store.renew({
      familyId,
      shownHash: hashOf(refreshToken),
      nextHash: hashOf(next),
      now_ms,
      expires_ms: now_ms + REFRESH_TOKEN_MS,
      address,
    })
    if (outcome.kind === 'invalid') throw new ApiFault('TOKEN_INVALID')
    if (outcome.kind === 'reused') throw new ApiFault('TOKEN_REUSED')
    return await this.#answer(outcome, familyId, next)
  }

  /** Log out: ends the session of this refresh token, be it the newest or not. An ended one is fine. Throws TOKEN_INVALID. */
  async close(refreshToken: string, address: string = NO_ADDRESS): Promise<void> {
    await this.#store.end(familyOf(refreshToken), address)
  }

  /** Who bears this access token. Throws TOKEN_INVALID. */
  async verify(accessToken: string): Promise<AccountPrincipal> {
    const { principal, familyId } = await this.#tokens.verify(accessToken)
    let standing = this.#standings.get(principal)
    if (standing === undefined) {
      standing = { familyId, ended: false, askedAt_ms: Number.NEGATIVE_INFINITY }
      this.#standings.set(principal, standing)
    }
    if (standing.ended) throw new ApiFault('TOKEN_INVALID', { message: 'The session has ended; log in again.' })
    const now_ms = this.#now_ms()
    if (now_ms - standing.askedAt_ms >= CHECK_INTERVAL_MS && this.#checks < CHECKS_MAX) {
      standing.askedAt_ms = now_ms
      void this.#check(standing, now_ms)
    }
    return principal
  }

  /** Whether the session of a principal that `verify` gave out has not ended. */
  async isCurrent(principal: AccountPrincipal): Promise<boolean> {
    const standing = this.#standings.get(principal)
    if (standing === undefined || standing.ended) return false
    return await this.#store.isCurrent(standing.familyId, this.#now_ms())
  }

  async #check(standing: Standing, now_ms: number): Promise<void> {
    this.#checks += 1
    try {
      standing.ended = !(await this.#store.isCurrent(standing.familyId, now_ms))
    } catch {
      // Nobody knows at the moment. The token is signed and not run out: it passes until the store says otherwise.
    } finally {
      this.#checks -= 1
    }
  }

  async #answer(account: Account, familyId: string, refreshToken: string): Promise<SessionTokens> {
    const accessToken = await this.#tokens.sign(account, familyId)
    return { accessToken, refreshToken, expiresIn: ACCESS_TOKEN_SECONDS, accountId: account.accountId }
  }
}

function newRefreshToken(familyId: string): string {
  return `${familyId}.${randomBytes(32).toString('base64url')}`
}

function familyOf(refreshToken: string): string {
  const familyId = REFRESH_TOKEN.exec(refreshToken)?.[1]
  if (familyId === undefined) throw new ApiFault('TOKEN_INVALID')
  return familyId
}

function hashOf(refreshToken: string): Buffer {
  return createHash('sha256').update(refreshToken).digest()
}
