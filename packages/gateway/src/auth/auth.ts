// Accounts, sessions, API keys and the authenticator over one database, opened and closed together.

import type { Secrets } from '@wintrades/platform'
import type { RedisUse } from '@wintrades/platform/redis'
import { Accounts } from './accounts.ts'
import { ApiKeys } from './api-keys.ts'
import { Authenticator } from './authenticator.ts'
import { CachedSessionStore } from './cached-session-store.ts'
import { AccountsDatabase } from './database.ts'
import { PasswordHasher, type PasswordHasherOptions } from './passwords.ts'
import { DatabaseSessionStore } from './session-store.ts'
import { Sessions } from './sessions.ts'
import { AccessTokens } from './tokens.ts'

export type AuthOptions = {
  readonly dataDirectory: string
  readonly secrets: Pick<Secrets, 'jwtKeys' | 'encryptionKey' | 'operatorApiKey'>
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
  close(): void
}

/** Throws AccountsSchemaError when the file is of a newer release. */
export async function openAuth(options: AuthOptions): Promise<Auth> {
  const { secrets } = options
  const now_ms = options.now_ms ?? Date.now
  const database = new AccountsDatabase(options.dataDirectory)
  const passwords = new PasswordHasher(options.passwords)
  const tokens = new AccessTokens(secrets.jwtKeys, now_ms)
  const durable = new DatabaseSessionStore(database)
  const store = options.redis === undefined ? durable : new CachedSessionStore(durable, options.redis)
  const sessions = new Sessions({ store, tokens, now_ms })
  const window = options.signatureWindow_ms === undefined ? {} : { window_ms: options.signatureWindow_ms }
  const apiKeys = new ApiKeys({ database, encryptionKey: secrets.encryptionKey, now_ms, ...window })
  const authenticator = new Authenticator({ sessions, apiKeys, operatorApiKey: secrets.operatorApiKey })
  const accounts = await Accounts.create({ database, passwords, now_ms })
  return { accounts, sessions, apiKeys, authenticator, close: () => database.close() }
}
