// Who sent this request or opened this stream: the one place that turns credentials into a principal. Promises an ApiFault for anything
// that does not prove who it is, and never says which part of a signature was wrong.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { AccountId } from '@wintrades/domain'
import type { AuditLog } from '../audit/audit-log.ts'
import { ApiFault } from '../errors.ts'
import type { ApiKeys } from './api-keys.ts'
import type { AccountPrincipal, Principal, Scope } from './principal.ts'
import type { Sessions } from './sessions.ts'

/** What a request brings. Headers as received; absent ones undefined. */
export type RequestCredentials = {
  readonly authorization?: string | undefined
  readonly xWtKey?: string | undefined
  readonly xWtTimestamp?: string | undefined
  readonly xWtSignature?: string | undefined
  readonly xApiKey?: string | undefined
  readonly method: string
  /** As this region received it, query included. */
  readonly pathWithQuery: string
  /** The body's very bytes, before parsing; empty without a body. */
  readonly rawBody: string | Uint8Array
  /** The client's, behind trusted proxies. */
  readonly address: string
}

/** What a stream's `auth` operation brings. `timestamp`: milliseconds. */
export type StreamCredentials =
  | { readonly token: string }
  | { readonly key: string; readonly timestamp: number | string; readonly signature: string }

export type AuthenticatorParts = {
  readonly sessions: Sessions
  readonly apiKeys: ApiKeys
  readonly operatorApiKey: string
  readonly audit: AuditLog
}

const OPERATOR: Principal = { kind: 'operator' }
const BEARER = /^Bearer +([^\s]+)$/i

export class Authenticator {
  readonly #sessions: Sessions
  readonly #apiKeys: ApiKeys
  readonly #operatorDigest: Buffer
  readonly #audit: AuditLog

  constructor(parts: AuthenticatorParts) {
    this.#sessions = parts.sessions
    this.#apiKeys = parts.apiKeys
    this.#operatorDigest = digest(parts.operatorApiKey)
    this.#audit = parts.audit
  }

  /** Throws AUTHENTICATION_REQUIRED, TOKEN_INVALID, SIGNATURE_INVALID, TIMESTAMP_OUTSIDE_WINDOW, ADDRESS_NOT_ALLOWED, OPERATOR_ONLY. */
  async request(credentials: RequestCredentials): Promise<Principal> {
    const { authorization, xWtKey, xWtTimestamp, xWtSignature, xApiKey, method, pathWithQuery, rawBody, address } =
      credentials
    if (authorization !== undefined) {
      const token = BEARER.exec(authorization)?.[1]
      if (token === undefined)
        throw new ApiFault('TOKEN_INVALID', { message: 'Authorization is not "Bearer <token>".' })
      return await this.#sessions.verify(token)
    }
    if (xWtKey !== undefined) {
      if (xWtTimestamp === undefined || xWtSignature === undefined) throw new ApiFault('SIGNATURE_INVALID')
      return await this.#apiKeys.verify({
        keyId: xWtKey,
        timestamp: xWtTimestamp,
        signature: xWtSignature,
        method,
        pathWithQuery,
        rawBody,
        address,
      })
    }
    if (xApiKey !== undefined) return this.#operator(xApiKey, address)
    throw new ApiFault('AUTHENTICATION_REQUIRED')
  }

  async stream(credentials: StreamCredentials, address: string): Promise<Principal> {
    if ('token' in credentials) return await this.#sessions.verify(credentials.token)
    return await this.#apiKeys.verify({
      keyId: credentials.key,
      timestamp: String(credentials.timestamp),
      signature: credentials.signature,
      method: 'GET',
      pathWithQuery: '/ws',
      rawBody: '',
      address,
    })
  }

  /**
   * Whether what a stream was opened with still stands: its API key is not deleted, its session not logged out. A stream outlives its
   * access token, so it asks every now and then.
   */
  async isCurrent(principal: Principal): Promise<boolean> {
    if (principal.kind === 'operator') return true
    return principal.apiKey === 0 ? await this.#sessions.isCurrent(principal) : await this.#apiKeys.isCurrent(principal)
  }

  #operator(key: string, address: string): Principal {
    // Digests, because timingSafeEqual wants equal lengths and the key's length is nobody's business.
    if (timingSafeEqual(digest(key), this.#operatorDigest)) return OPERATOR
    const fault = new ApiFault('OPERATOR_ONLY')
    this.#audit.failure({
      principal: 'nobody',
      account: null,
      address,
      action: 'use operator key',
      target: 'platform',
      outcome: fault.code,
      details: {},
    })
    throw fault
  }
}

/** Throws SCOPE_MISSING, or AUTHENTICATION_REQUIRED for the operator, who has no account. */
export function requireScope(principal: Principal, scope: Scope): AccountPrincipal {
  const user = requireUser(principal)
  if (!user.scopes.has(scope)) throw new ApiFault('SCOPE_MISSING', { details: { scope } })
  return user
}

/** The account that this is about. */
export function requireAccount(principal: Principal): AccountId {
  return requireUser(principal).account
}

export function requireOperator(principal: Principal): void {
  if (principal.kind !== 'operator') throw new ApiFault('OPERATOR_ONLY')
}

function requireUser(principal: Principal): AccountPrincipal {
  if (principal.kind === 'user') return principal
  throw new ApiFault('AUTHENTICATION_REQUIRED', { message: 'This needs an account; the operator has none.' })
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
