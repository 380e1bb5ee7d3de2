// data/run/status.json: what the supervisor runs, for the other commands. Always whole; stale once the supervisor is gone, which
// its pid tells.

import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomically } from '@wintrades/platform'

export type ProcessState = 'starting' | 'ready' | 'waiting' | 'stopping' | 'stopped'

export type ProcessStatus = {
  /** `us-east`, `front-door`, `simulation`. */
  readonly name: string
  /** Region processes have one. */
  readonly region?: string
  /** Of the latest start; `state` tells whether it runs. Null before the first. */
  readonly pid: number | null
  /** Where it can be reached from this host. */
  readonly host: string
  readonly httpPort: number | null
  readonly linkPort: number | null
  readonly state: ProcessState
  readonly restarts: number
}

export type PlatformStatus = {
  readonly pid: number
  readonly startedAt: string
  readonly frontDoor: { readonly host: string; readonly port: number }
  readonly processes: readonly ProcessStatus[]
}

export function statusPath(dataDirectory: string): string {
  return join(dataDirectory, 'run', 'status.json')
}

export function writeStatus(dataDirectory: string, status: PlatformStatus): void {
  const path = statusPath(dataDirectory)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileAtomically(path, `${JSON.stringify(status, null, 2)}\n`)
}

/** The status of the platform that runs on this data directory; null: none does. */
export function readRunningStatus(dataDirectory: string): PlatformStatus | null {
  let text: string
  try {
    text = readFileSync(statusPath(dataDirectory), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const status = JSON.parse(text) as PlatformStatus
  return isAlive(status.pid) ? status : null
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
