// Where things lie in the repository, for the commands that need them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))

export function inRepository(...parts: string[]): string {
  return join(REPOSITORY, ...parts)
}

export function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(inRepository('package.json'), 'utf8'))
  return (manifest as { version: string }).version
}
