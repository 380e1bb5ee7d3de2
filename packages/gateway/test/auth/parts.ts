// What the tests of authentication share: everything opened on a real database in a temporary directory, with a clock of the test's.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger, type SigningKey } from '@wintrades/platform'
import { onTestFinished } from 'vitest'
import { type Auth, type AuthOptions, openAuth } from '../../src/auth/auth.ts'
import { ApiFault } from '../../src/errors.ts'

export const PASSWORD = 'correct horse battery staple'
export const OPERATOR_API_KEY = 'operator-key-of-the-test-000'
export const START_MS = 1_800_000_000_000
export const MINUTE_MS = 60_000
export const DAY_MS = 24 * 60 * MINUTE_MS

export const NEW_KEY = signingKey('new', 'n')
export const OLD_KEY = signingKey('old', 'o')

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
    secrets,
    logger: createLogger('test', { level: 'error' }),
    now_ms: clock.now_ms,
    ...(signatureWindow_ms === undefined ? {} : { signatureWindow_ms }),
    ...(passwords === undefined ? {} : { passwords }),
  })
  onTestFinished(() => auth.close())
  return { ...auth, clock, directory }
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
