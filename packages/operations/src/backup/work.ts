// The folders in which plain copies lie while they are made or checked: one a task, private, removed at its end; what a task left behind that died is
// removed by the next one.

import { mkdir, mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BackupRefused, explainFileError } from './store/faults.ts'

const PREFIX = 'wintrades-copy-'
const OWNER = 'owner.pid'

export type Work = { readonly path: string; remove(): Promise<void> }

export async function takeWork(directory: string): Promise<Work> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await removeAbandoned(directory)
    const path = await mkdtemp(join(directory, PREFIX))
    await writeFile(join(path, OWNER), String(process.pid))
    return { path, remove: () => rm(path, { recursive: true, force: true }) }
  } catch (error) {
    throw explainFileError(error, directory)
  }
}

/** Throws when there is less room than a task will need. */
export async function requireRoom(directory: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  if (free >= bytes) return
  throw new BackupRefused(
    `no space left at ${directory}: ${what} takes about ${megabytes(bytes)}, there are ${megabytes(free)}; make room, or name another directory. Nothing was changed`,
  )
}

export function megabytes(bytes: number): string {
  return bytes >= 1024 ** 3 ? `${(bytes / 1024 ** 3).toFixed(1)} GB` : `${Math.ceil(bytes / 1024 ** 2)} MB`
}

async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(PREFIX)) continue
    const path = join(directory, name)
    const owner = Number(await readFile(join(path, OWNER), 'utf8').catch(() => '0')) // just being made, or of no use
    if (owner > 0 && !isAlive(owner)) await rm(path, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
