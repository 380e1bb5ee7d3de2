// `wintrades …` as a person types it: the real program in a process of its own.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Answer = {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Both. */
  readonly text: string
}

const PROGRAM = join(fileURLToPath(new URL('../..', import.meta.url)), 'packages', 'operations', 'src', 'cli.ts')
const TIMEOUT_MS = 180_000
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

export function wintrades(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  timeout_ms = TIMEOUT_MS,
  /** What precedes the command, such as `nsenter …`. */
  before: readonly string[] = [],
): Promise<Answer> {
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM]
  const [file, ...args] = [...before, ...program, ...words]
  const options = { timeout: timeout_ms, maxBuffer: OUTPUT_BYTES_MAX, env: { ...process.env, ...environment } }
  return new Promise((resolve) => {
    execFile(file as string, args, options, (error, out, err) => {
      const code = error === null ? 0 : Number(error.code ?? -1)
      resolve({ code, out, err, text: `${out}${err}` })
    })
  })
}
