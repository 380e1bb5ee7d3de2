// Accounts, sessions, API keys and the authenticator over one database, opened and closed together.

import type { Logger, Secrets } from '@wintrades/platform'
import type { MysqlOptions } from '@wintrades/platform/mysql'
import type { RedisUse } from '@wintrades/platform/redis'
import { AuditLog } from '../audit/audit-log.ts'
import { auditKey } from '../audit/chain.ts'
import { Accounts } from './accounts.ts'
import { ApiKeys } from './api-keys.ts'
import { Authenticator } from './authenticator.ts'
import { CachedSessionStore } from './cached-session-store.ts'
import type { AccountsDatabase } from './database.ts'
import { openAccounts } from './open-accounts.ts'
import { PasswordHasher, type PasswordHasherOptions } from './passwords.ts'
import { DatabaseSessionStore } from './session-store.ts'
import { Sessions } from './sessions.ts'
import { AccessTokens } from './tokens.ts'

export type AuthOptions = {
  /** Of the embedded database. */
  readonly dataDirectory: string
  /** Null or not given: the embedded database. */
  readonly mysql?: MysqlOptions | null
  readonly secrets: Pick<Secrets, 'jwtKeys' | 'encryptionKey' | 'operatorApiKey'>
  readonly logger: Logger
  /** Milliseconds since 1970; `Date.now` by default. */
  readonly now_ms?: () => number
  /** How far the timestamp of a signed request may be off; 5 seconds by default, up to a minute. */
  readonly signatureWindow_ms?: number
  readonly passwords?: PasswordHasherOptions
  /** Where all processes look first whether a session stands; the database if not given. */
  readonly redis?: Pick<RedisUse, 'get' | 'set'>
}

export type Auth = {
  readonly accounts: Accounts
  readonly sessions: Sessions
  readonly apiKeys: ApiKeys
  readonly authenticator: Authenticator
  readonly audit: AuditLog
  readonly database: AccountsDatabase
  close(): Promise<void>
}

/** Throws what {@link openAccounts} throws. */
export async function openAuth(options: AuthOptions): Promise<Auth> {
  const { secrets, logger } = options
  const now_ms = options.now_ms ?? Date.now
  const database = await openAccounts({ ...options, now_ms })
  const audit = new AuditLog({ database, key: auditKey(secrets.encryptionKey), now_ms, logger })
  const passwords = new PasswordHasher(options.passwords)
  const tokens = new AccessTokens(secrets.jwtKeys, now_ms)
  const durable = new DatabaseSessionStore(database, audit)
  const store = options.redis === undefined ? durable : new CachedSessionStore(durable, options.redis)
  const sessions = new Sessions({ store, tokens, now_ms })
  const window = options.signatureWindow_ms === undefined ? {} : { window_ms: options.signatureWindow_ms }
  const apiKeys = new ApiKeys({ database, audit, encryptionKey: secrets.encryptionKey, now_ms, ...window })
  const authenticator = new Authenticator({ sessions, apiKeys, operatorApiKey: secrets.operatorApiKey, audit })
  const accounts = await Accounts.create({ database, audit, passwords, now_ms })
  const close = async () => {
    await audit.close()
    await database.close()
  }
  return { accounts, sessions, apiKeys, authenticator, audit, database, close }
}
