// API keys: made, listed, deleted, and the signatures of requests checked with them. Promises that secrets are stored encrypted and
// shown once; that a deleted key is refused here at once and at every other process within five seconds, as long as the accounts'
// primary answers; and that a key in use costs one look-up in memory (`key-cache.ts`).

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
import type { AuditLog } from '../audit/audit-log.ts'
import { ApiFault } from '../errors.ts'
import { type AccountsDatabase, changedBy, firstOf, type Work } from './database.ts'
import { IpAllowList } from './ip-allow-list.ts'
import { KeyCache } from './key-cache.ts'
import { type AccountPrincipal, NO_ADDRESS, SCOPES, type Scope } from './principal.ts'
import type { AccountsTables } from './schema.ts'

export const API_KEYS_MAX = 50
const LABEL_CHARS_MAX = 64
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
  readonly audit: AuditLog
  /** 32 bytes. */
  readonly encryptionKey: Uint8Array
  readonly now_ms: () => number
  /** How far a timestamp may be off; up to a minute. */
  readonly window_ms?: number
}

type KeyRow = AccountsTables['api_keys'] & { readonly user_id: string }

type OpenedKey = {
  readonly secret: KeyObject
  readonly allowList: IpAllowList
  readonly principal: AccountPrincipal
}

export class ApiKeys {
  readonly #database: AccountsDatabase
  readonly #audit: AuditLog
  readonly #encryptionKey: KeyObject
  readonly #now_ms: () => number
  readonly #window_ms: number
  readonly #keys: KeyCache<KeyRow, OpenedKey>
  readonly #keyIds = new WeakMap<AccountPrincipal, string>()

  constructor(parts: ApiKeysParts) {
    assert(parts.encryptionKey.length === 32, 'the encryption key has 32 bytes')
    this.#database = parts.database
    this.#audit = parts.audit
    this.#encryptionKey = createSecretKey(parts.encryptionKey)
    this.#now_ms = parts.now_ms
    this.#window_ms = parts.window_ms ?? WINDOW_MS
    assert(this.#window_ms > 0 && this.#window_ms <= WINDOW_MAX_MS, 'signatures are valid for at most a minute')
    this.#keys = new KeyCache({
      now_ms: parts.now_ms,
      read: (keyIds) => this.#read(keyIds),
      open: (row) => this.#open(row),
    })
  }

  /** The only time that the secret is shown. `address`: the client's. Throws REQUEST_MALFORMED, KEYS_TOO_MANY. */
  async create(
    account: AccountId,
    request: ApiKeyRequest,
    address: string = NO_ADDRESS,
  ): Promise<ApiKeyView & { readonly secret: string }> {
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
    const apiKey = await this.#audit.transaction(
      () => this.#add(row),
      (number) => ({
        principal: 'user',
        account,
        address,
        action: 'make API key',
        target: keyId,
        outcome: 'done',
        details: { apiKey: number, label: request.label, scopes, ipAllowList },
      }),
    )
    const createdAt = new Date(created_ms).toISOString()
    return { keyId, secret, apiKey, label: request.label, scopes, ipAllowList, createdAt }
  }

  /** All of the account's, the oldest first. */
  async list(account: AccountId): Promise<readonly ApiKeyView[]> {
    const rows = await this.#database.all(
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

  /** `address`: the client's. Throws NOT_FOUND when the account has no such key. */
  async delete(account: AccountId, keyId: string, address: string = NO_ADDRESS): Promise<void> {
    const deleted = await this.#audit.transaction(
      (attempt) => this.#remove(account, keyId, attempt),
      (was) =>
        was === 'unknown'
          ? null
          : {
              principal: 'user',
              account,
              address,
              action: 'delete API key',
              target: keyId,
              outcome: 'done',
              details: {},
            },
    )
    if (deleted === 'unknown') throw new ApiFault('NOT_FOUND')
    this.#keys.forget(keyId)
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
    // Not awaited when it need not be: this is on the way of every order.
    const key = this.#keys.known(keyId) ?? (await this.#keys.find(keyId))
    if (key === null || !isSignature(key.secret, request)) throw new ApiFault('SIGNATURE_INVALID')
    if (!key.allowList.allows(address)) throw new ApiFault('ADDRESS_NOT_ALLOWED', { details: { address } })
    return key.principal
  }

  /** Whether the key of a principal that `verify` gave out has not been deleted. */
  async isCurrent(principal: AccountPrincipal): Promise<boolean> {
    const keyId = this.#keyIds.get(principal)
    return keyId !== undefined && (this.#keys.known(keyId) ?? (await this.#keys.find(keyId))) !== null
  }

  async #read(keyIds: readonly string[]): Promise<ReadonlyMap<string, KeyRow>> {
    // At the primary: a copy that is behind would let a deleted key pass.
    const rows = await this.#database.all(
      this.#database.queries
        .selectFrom('api_keys')
        .innerJoin('users', 'users.account_id', 'api_keys.account_id')
        .selectAll('api_keys')
        .select('users.user_id')
        .where('key_id', 'in', keyIds),
    )
    return new Map(rows.map((row) => [row.key_id, row]))
  }

  #open(row: KeyRow): OpenedKey {
    const keyId = row.key_id
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
    this.#keyIds.set(principal, keyId)
    return { secret, allowList, principal }
  }

  /** The key's number within its account. Throws KEYS_TOO_MANY. */
  *#add(row: Omit<AccountsTables['api_keys'], 'number'>): Work<number> {
    const { queries } = this.#database
    const account = row.account_id
    // Locks the account, so that of two keys made at once each gets its own number and place.
    const known = yield* changedBy(
      queries
        .updateTable('users')
        .set(({ eb }) => ({ api_keys_numbered: eb('api_keys_numbered', '+', 1) }))
        .where('account_id', '=', account),
    )
    assert(known === 1, `account ${account} is not registered`)
    // Made already, by an earlier attempt whose answer was lost.
    const made = yield* firstOf(queries.selectFrom('api_keys').select('number').where('key_id', '=', row.key_id))
    if (made !== undefined) return made.number
    const counted = yield* firstOf(
      queries
        .selectFrom('api_keys')
        .select(({ fn }) => fn.countAll<number>().as('keys'))
        .where('account_id', '=', account),
    )
    assert(counted !== undefined, 'a count has one row')
    if (counted.keys >= API_KEYS_MAX) throw new ApiFault('KEYS_TOO_MANY', { details: { limit: API_KEYS_MAX } })
    const numbered = yield* firstOf(
      queries.selectFrom('users').select('api_keys_numbered').where('account_id', '=', account),
    )
    assert(numbered !== undefined, 'a row that was changed is there')
    yield* changedBy(queries.insertInto('api_keys').values({ ...row, number: numbered.api_keys_numbered }))
    return numbered.api_keys_numbered
  }

  *#remove(account: AccountId, keyId: string, attempt: number): Work<'deleted' | 'unknown'> {
    const deleted = yield* changedBy(
      this.#database.queries.deleteFrom('api_keys').where('key_id', '=', keyId).where('account_id', '=', account),
    )
    // Above the first attempt an earlier one may have deleted it: gone is what was asked for.
    return deleted > 0 || attempt > 1 ? 'deleted' : 'unknown'
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
