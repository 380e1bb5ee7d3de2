// Access tokens: short-lived JWTs (HS256) that say whose session this is. Promises that only tokens of this platform's keys pass, and
// that a token seen before costs one map look-up.

import { createSecretKey, type KeyObject } from 'node:crypto'
import { type AccountId, assert } from '@wintrades/domain'
import type { SigningKey } from '@wintrades/platform'
import { errors, type JWTVerifyOptions, jwtVerify, SignJWT } from 'jose'
import { ApiFault } from '../errors.ts'
import { BoundedMap } from '../limits/bounded-map.ts'
import type { Account } from './accounts.ts'
import { type AccountPrincipal, SCOPES } from './principal.ts'

const ISSUER = 'wintrades'
const AUDIENCE = 'wintrades-api'
const ALGORITHM = 'HS256'
export const ACCESS_TOKEN_SECONDS = 600
const TOKEN_CHARS_MAX = 2_048
const VERIFIED_REMEMBERED = 10_000
const ALL_SCOPES = new Set(SCOPES)

export type VerifiedToken = {
  readonly principal: AccountPrincipal
  readonly familyId: string
  readonly expires_ms: number
}

export class AccessTokens {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #signingKid: string
  readonly #now_ms: () => number
  readonly #verified = new BoundedMap<string, VerifiedToken>(VERIFIED_REMEMBERED)

  /** The first key signs, all verify. */
  constructor(keys: readonly SigningKey[], now_ms: () => number) {
    const first = keys[0]
    assert(first !== undefined, 'access tokens need a signing key')
    this.#keys = new Map(keys.map(({ kid, key }) => [kid, createSecretKey(key)]))
    this.#signingKid = first.kid
    this.#now_ms = now_ms
  }

  async sign(account: Account, familyId: string): Promise<string> {
    const key = this.#keys.get(this.#signingKid)
    assert(key !== undefined, 'the signing key is one of the keys')
    const now_seconds = Math.floor(this.#now_ms() / 1_000)
    return await new SignJWT({ account: account.accountId, sid: familyId })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: this.#signingKid })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(account.userId)
      .setIssuedAt(now_seconds)
      .setExpirationTime(now_seconds + ACCESS_TOKEN_SECONDS)
      .sign(key)
  }

  /** Throws TOKEN_INVALID. */
  async verify(token: string): Promise<VerifiedToken> {
    const known = this.#verified.get(token)
    if (known !== undefined && known.expires_ms > this.#now_ms()) return known
    if (known !== undefined) this.#verified.delete(token)
    const verified = await this.#check(token)
    this.#verified.set(token, verified)
    return verified
  }

  async #check(token: string): Promise<VerifiedToken> {
    if (token.length > TOKEN_CHARS_MAX) throw new ApiFault('TOKEN_INVALID')
    const options: JWTVerifyOptions = {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ['sub', 'exp', 'iat', 'account', 'sid'],
      currentDate: new Date(this.#now_ms()),
    }
    try {
      const { payload } = await jwtVerify(token, (header) => this.#keyOf(header.kid), options)
      const { sub, exp, account, sid } = payload
      // Signed by this platform, so anything else is a broken invariant and not the client's fault.
      assert(typeof sub === 'string' && typeof exp === 'number', 'a signed token has its subject and its end')
      assert(typeof account === 'number' && typeof sid === 'string', 'a signed token names account and session')
      return { principal: principalOf(sub, account as AccountId), familyId: sid, expires_ms: exp * 1_000 }
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        throw new ApiFault('TOKEN_INVALID', { message: 'The token has expired; refresh the session.' })
      }
      if (error instanceof errors.JOSEError) throw new ApiFault('TOKEN_INVALID')
      throw error
    }
  }

  #keyOf(kid: string | undefined): KeyObject {
    const key = kid === undefined ? undefined : this.#keys.get(kid)
    if (key === undefined) throw new ApiFault('TOKEN_INVALID')
    return key
  }
}

function principalOf(userId: string, account: AccountId): AccountPrincipal {
  return { kind: 'user', userId, account, scopes: ALL_SCOPES, apiKey: 0, limitKey: `account:${account}` }
}
