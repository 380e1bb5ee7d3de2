// API keys: made, listed, deleted, and the signatures of requests checked with them. Promises that secrets are stored encrypted and
// shown once, and that a deleted key is refused here at once and at every other process within five seconds.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { type AccountId, assert } from '@wintrades/domain'
import { ApiFault } from '../errors.ts'
import { BoundedMap } from '../limits/bounded-map.ts'
import type { AccountsDatabase } from './database.ts'
import { IpAllowList } from './ip-allow-list.ts'
import { type AccountPrincipal, SCOPES, type Scope } from './principal.ts'

export const API_KEYS_MAX = 50
const LABEL_CHARS_MAX = 64
const KEYS_REMEMBERED = 10_000
/** How old what is remembered of a key may be: less than the five seconds promised. */
const RECHECK_MS = 4_000
const WINDOW_MS = 5_000
const WINDOW_MAX_MS = 60_000

const KEY_ID = /^wtk_[\w-]{24}$/
const TIMESTAMP = /^\d{1,16}$/
const SIGNATURE = /^[0-9a-fA-F]{64}$/

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export type ApiKeyRequest = {
  readonly label: string
  readonly scopes: readonly Scope[]
  readonly ipAllowList?: readonly string[] | undefined
}

/** `apiKey`: its number within the account, which risk rules may refer to. `createdAt`: ISO 8601. */
export type ApiKeyView = {
  readonly keyId: string
  readonly apiKey: number
  readonly label: string
  readonly scopes: readonly Scope[]
  readonly ipAllowList: readonly string[]
  readonly createdAt: string
}

export type SignedRequest = {
  readonly keyId: string
  /** Milliseconds, as text: just as it was signed. */
  readonly timestamp: string
  readonly signature: string
  readonly method: string
  readonly pathWithQuery: string
  readonly rawBody: string | Uint8Array
  readonly address: string
}

export type ApiKeysParts = {
  readonly database: AccountsDatabase
  /** 32 bytes. */
  readonly encryptionKey: Uint8Array
  readonly now_ms: () => number
  /** How far a timestamp may be off; up to a minute. */
  readonly window_ms?: number
}

type Remembered = {
  readonly secret: KeyObject
  readonly allowList: IpAllowList
  readonly principal: AccountPrincipal
  checked_ms: number
}

export class ApiKeys {
  readonly #database: AccountsDatabase
  readonly #encryptionKey: KeyObject
  readonly #now_ms: () => number
  readonly #window_ms: number
  readonly #remembered = new BoundedMap<string, Remembered>(KEYS_REMEMBERED)
  readonly #keyIds = new WeakMap<AccountPrincipal, string>()

  constructor(parts: ApiKeysParts) {
    assert(parts.encryptionKey.length === 32, 'the encryption key has 32 bytes')
    this.#database = parts.database
    this.#encryptionKey = createSecretKey(parts.encryptionKey)
    this.#now_ms = parts.now_ms
    this.#window_ms = parts.window_ms ?? WINDOW_MS
    assert(this.#window_ms > 0 && this.#window_ms <= WINDOW_MAX_MS, 'signatures are valid for at most a minute')
  }

  /** The only time that the secret is shown. Throws REQUEST_MALFORMED, KEYS_TOO_MANY. */
  async create(account: AccountId, request: ApiKeyRequest): Promise<ApiKeyView & { readonly secret: string }> {
    const scopes = checkedScopes(request.scopes)
    const ipAllowList = request.ipAllowList ?? []
    checkLabel(request.label)
    IpAllowList.parse(ipAllowList)
    const keyId = `wtk_${randomBytes(18).toString('base64url')}`
    const secret = randomBytes(32).toString('hex')
    const created_ms = this.#now_ms()
    const row = {
      key_id: keyId,
      account_id: account,
      label: request.label,
      scopes: scopes.join(' '),
      ip_allow_list: ipAllowList.join(' '),
      secret_encrypted: this.#encrypt(keyId, secret),
      created_ms,
    }
    const apiKey = this.#database.transaction(() => {
      const number = this.#nextNumber(account)
      this.#database.run(this.#database.queries.insertInto('api_keys').values({ ...row, number }))
      return number
    })
    const createdAt = new Date(created_ms).toISOString()
    return { keyId, secret, apiKey, label: request.label, scopes, ipAllowList, createdAt }
  }

  /** All of the account's, the oldest first. */
  async list(account: AccountId): Promise<readonly ApiKeyView[]> {
    const rows = this.#database.all(
      this.#database.queries
        .selectFrom('api_keys')
        .select(['key_id', 'number', 'label', 'scopes', 'ip_allow_list', 'created_ms'])
        .where('account_id', '=', account)
        .orderBy('number')
        .limit(API_KEYS_MAX),
    )
    return rows.map((row) => ({
      keyId: row.key_id,
      apiKey: row.number,
      label: row.label,
      scopes: words(row.scopes) as Scope[],
      ipAllowList: words(row.ip_allow_list),
      createdAt: new Date(row.created_ms).toISOString(),
    }))
  }

  /** Throws NOT_FOUND when the account has no such key. */
  async delete(account: AccountId, keyId: string): Promise<void> {
    const { queries } = this.#database
    const deleted = this.#database.run(
      queries.deleteFrom('api_keys').where('key_id', '=', keyId).where('account_id', '=', account),
    )
    if (deleted === 0) throw new ApiFault('NOT_FOUND')
    this.#remembered.delete(keyId)
  }

  /**
   * Who signed this request. The same request can be sent again within the window: what would do harm twice (orders, transfers) carries
   * a client id and is done once, and no signature has to be remembered.
   * Throws SIGNATURE_INVALID, TIMESTAMP_OUTSIDE_WINDOW, ADDRESS_NOT_ALLOWED.
   */
  async verify(request: SignedRequest): Promise<AccountPrincipal> {
    const { keyId, timestamp, signature, address } = request
    if (!KEY_ID.test(keyId) || !TIMESTAMP.test(timestamp) || !SIGNATURE.test(signature)) {
      throw new ApiFault('SIGNATURE_INVALID')
    }
    if (Math.abs(this.#now_ms() - Number(timestamp)) > this.#window_ms) {
      throw new ApiFault('TIMESTAMP_OUTSIDE_WINDOW', {
        details: { window_ms: this.#window_ms, serverTime_ms: this.#now_ms() },
      })
    }
    const key = this.#find(keyId)
    if (key === null || !isSignature(key.secret, request)) throw new ApiFault('SIGNATURE_INVALID')
    if (!key.allowList.allows(address)) throw new ApiFault('ADDRESS_NOT_ALLOWED', { details: { address } })
    return key.principal
  }

  /** Whether the key of a principal that `verify` gave out has not been deleted. */
  async isCurrent(principal: AccountPrincipal): Promise<boolean> {
    const keyId = this.#keyIds.get(principal)
    return keyId !== undefined && this.#find(keyId) !== null
  }

  /** Unknown ids are not remembered: the key may be made at another process the next moment. */
  #find(keyId: string): Remembered | null {
    const now_ms = this.#now_ms()
    const known = this.#remembered.get(keyId)
    if (known !== undefined && now_ms - known.checked_ms < RECHECK_MS) return known
    const row = this.#database.first(
      this.#database.queries
        .selectFrom('api_keys')
        .innerJoin('users', 'users.account_id', 'api_keys.account_id')
        .selectAll('api_keys')
        .select('users.user_id')
        .where('key_id', '=', keyId),
    )
    if (row === undefined) {
      this.#remembered.delete(keyId)
      return null
    }
    if (known !== undefined) {
      known.checked_ms = now_ms
      return known
    }
    const principal: AccountPrincipal = {
      kind: 'user',
      userId: row.user_id,
      account: row.account_id as AccountId,
      scopes: new Set(words(row.scopes) as Scope[]),
      apiKey: row.number,
      limitKey: `key:${keyId}`,
    }
    const secret = createSecretKey(this.#decrypt(keyId, row.secret_encrypted))
    const allowList = IpAllowList.parse(words(row.ip_allow_list))
    const found: Remembered = { secret, allowList, principal, checked_ms: now_ms }
    this.#remembered.set(keyId, found)
    this.#keyIds.set(principal, keyId)
    return found
  }

  /** Within a transaction. Throws KEYS_TOO_MANY. */
  #nextNumber(account: AccountId): number {
    const { queries } = this.#database
    const counted = this.#database.first(
      queries
        .selectFrom('api_keys')
        .select(({ fn }) => fn.countAll<number>().as('keys'))
        .where('account_id', '=', account),
    )
    assert(counted !== undefined, 'a count has one row')
    if (counted.keys >= API_KEYS_MAX) throw new ApiFault('KEYS_TOO_MANY', { details: { limit: API_KEYS_MAX } })
    const numbered = this.#database.first(
      queries
        .updateTable('users')
        .set(({ eb }) => ({ api_keys_numbered: eb('api_keys_numbered', '+', 1) }))
        .where('account_id', '=', account)
        .returning('api_keys_numbered as number'),
    )
    assert(numbered !== undefined, `account ${account} is not registered`)
    return numbered.number
  }

  /** Nonce, tag, ciphertext. Bound to the key's id, so that rows cannot be exchanged. */
  #encrypt(keyId: string, secret: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#encryptionKey, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.from(keyId))
    const encrypted = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), encrypted])
  }

  #decrypt(keyId: string, stored: Uint8Array): Buffer {
    const nonce = stored.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv(CIPHER, this.#encryptionKey, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(keyId))
    decipher.setAuthTag(stored.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    try {
      return Buffer.concat([decipher.update(stored.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
    } catch (error) {
      throw new Error(
        `API key ${keyId} cannot be decrypted: ENCRYPTION_KEY is not the one it was made with, or its row was changed`,
        { cause: error },
      )
    }
  }
}

function isSignature(secret: KeyObject, request: SignedRequest): boolean {
  return timingSafeEqual(signatureOf(secret, request), Buffer.from(request.signature, 'hex'))
}

/** HMAC-SHA256 over timestamp, method, path with query and body, a line each; what clients send in hexadecimal. */
export function signatureOf(
  secret: KeyObject | string,
  request: Pick<SignedRequest, 'timestamp' | 'method' | 'pathWithQuery' | 'rawBody'>,
): Buffer {
  const { timestamp, method, pathWithQuery, rawBody } = request
  return createHmac('sha256', secret).update(`${timestamp}\n${method}\n${pathWithQuery}\n`).update(rawBody).digest()
}

function checkedScopes(scopes: readonly string[]): readonly Scope[] {
  const wanted = new Set(scopes)
  const known = SCOPES.filter((scope) => wanted.has(scope))
  if (known.length > 0 && known.length === wanted.size) return known
  throw new ApiFault('REQUEST_MALFORMED', {
    message: `An API key has one or more of the scopes ${SCOPES.join(', ')}.`,
    details: [{ path: 'scopes', message: `must be one or more of ${SCOPES.join(', ')}` }],
  })
}

function checkLabel(label: string): void {
  if (/\S/.test(label) && label.length <= LABEL_CHARS_MAX && !/\p{Cc}/u.test(label)) return
  throw new ApiFault('REQUEST_MALFORMED', {
    message: `A label has 1 to ${LABEL_CHARS_MAX} printable characters.`,
    details: [{ path: 'label', message: `must be 1 to ${LABEL_CHARS_MAX} printable characters` }],
  })
}

function words(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}
