// Runs the programs that the lab is made of (docker, ip, iptables, nsenter). Promises a clear error: the command, its code and what it said.

import { execFile, spawnSync } from 'node:child_process'

export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

/** What it wrote on standard output, without the end of the last line. */
export function run(
  file: string,
  args: readonly string[],
  options: { readonly timeout_ms?: number; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const { timeout_ms = 60_000, signal } = options
  return new Promise((resolve, reject) => {
    const settings = { maxBuffer: OUTPUT_BYTES_MAX, timeout: timeout_ms, ...(signal === undefined ? {} : { signal }) }
    execFile(file, args, settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trimEnd())
      else reject(new CommandFailed(`${file} ${args.join(' ')}: ${error.code ?? error.signal}: ${lastLines(stderr)}`))
    })
  })
}

/** For clearing up when the process ends: whatever fails is left. */
export function runNow(file: string, args: readonly string[]): void {
  spawnSync(file, args, { stdio: 'ignore', timeout: 30_000 })
}

/** Whoever is gone already is let be. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as { code?: string }).code !== 'ESRCH') throw error
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-8).join('\n')
}
