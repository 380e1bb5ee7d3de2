// What the tests of authentication share: everything opened on a real database, with a clock of the test's. The database is an embedded one in a
// temporary directory, unless a tier that has servers puts it there: the tests are the same.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger, openSqlite, type SigningKey } from '@wintrades/platform'
import type { MysqlOptions } from '@wintrades/platform/mysql'
import { onTestFinished } from 'vitest'
import { type Auth, type AuthOptions, openAuth } from '../../src/auth/auth.ts'
import { accountsPath } from '../../src/auth/sqlite-accounts.ts'
import { ApiFault } from '../../src/errors.ts'

/** For tests of other tiers. */
export { MysqlAccounts } from '../../src/auth/mysql-accounts.ts'
export { type Auth, openAuth }

export const PASSWORD = 'correct horse battery staple'
export const OPERATOR_API_KEY = 'operator-key-of-the-test-000'
export const START_MS = 1_800_000_000_000
export const MINUTE_MS = 60_000
export const DAY_MS = 24 * 60 * MINUTE_MS

export const NEW_KEY = signingKey('new', 'n')
export const OLD_KEY = signingKey('old', 'o')

/** A MySQL server: every directory of a test has a schema of its own there, empty at first. */
export type AccountsServer = {
  optionsOf(directory: string): Promise<MysqlOptions>
  /** Statements that change it behind the platform's back. */
  run(directory: string, statements: readonly string[]): Promise<void>
}

let server: AccountsServer | null = null

/** To be called before the tests are imported. */
export function keepAccountsAt(one: AccountsServer): void {
  server = one
}

/** Some tests are about the embedded database itself. */
export function isEmbedded(): boolean {
  return server === null
}

export function signingKey(kid: string, letter: string): SigningKey {
  return { kid, key: new TextEncoder().encode(letter.repeat(48)) }
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-auth-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export class Clock {
  ms = START_MS
  readonly now_ms = () => this.ms
}

export type Opened = Auth & { readonly clock: Clock; readonly directory: string }

/** As one process has it; opened again over the same directory it is another process's. */
export async function opened(
  more: { directory?: string; clock?: Clock; jwtKeys?: readonly SigningKey[]; encryptionKey?: Uint8Array } & Pick<
    AuthOptions,
    'signatureWindow_ms' | 'passwords'
  > = {},
): Promise<Opened> {
  const { signatureWindow_ms, passwords } = more
  const directory = more.directory ?? temporaryDirectory()
  const clock = more.clock ?? new Clock()
  const secrets = {
    jwtKeys: more.jwtKeys ?? [NEW_KEY],
    encryptionKey: more.encryptionKey ?? new Uint8Array(32).fill(7),
    operatorApiKey: OPERATOR_API_KEY,
  }
  const auth = await openAuth({
    dataDirectory: directory,
    mysql: server === null ? null : await server.optionsOf(directory),
    secrets,
    logger: createLogger('test', { level: 'error' }),
    now_ms: clock.now_ms,
    ...(signatureWindow_ms === undefined ? {} : { signatureWindow_ms }),
    ...(passwords === undefined ? {} : { passwords }),
  })
  onTestFinished(() => auth.close())
  return { ...auth, clock, directory }
}

/** Changes the database behind the platform's back. */
export async function tamper(directory: string, ...statements: readonly string[]): Promise<void> {
  if (server !== null) return await server.run(directory, statements)
  const file = openSqlite(accountsPath(directory))
  for (const statement of statements) file.exec(statement)
  file.close()
}

/** The code that this is refused with; `none` when it is not. Anything but a refusal fails the test. */
export async function codeOf(work: () => unknown): Promise<string> {
  return (await faultOf(work))?.code ?? 'none'
}

export async function faultOf(work: () => unknown): Promise<ApiFault | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (error instanceof ApiFault) return error
    throw error
  }
}
