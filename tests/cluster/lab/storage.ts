// Where a lab's servers keep their data. Four servers share one disk here, and each commit is synced several times on each of them: on a slow disk
// tests would measure that and little else. What a killed process has written is as safe in memory as in a file cache.

import { existsSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unmountBelow } from './disk.ts'

export type Storage = 'memory' | 'disk'

const MEMORY_FOLDER = '/dev/shm'
/** Of four servers, their binary logs and a clone. */
const MEMORY_BYTES_MIN = 6 * 2 ** 30

/** The folder for the lab of this number, rid of what a killed lab of the same number has left. */
export function storageFolder(storage: Storage, labNumber: number): string {
  const isMemory = storage === 'memory' && existsSync(MEMORY_FOLDER)
  if (existsSync(MEMORY_FOLDER)) removeOld(MEMORY_FOLDER, labNumber)
  removeOld(tmpdir(), labNumber)
  return isMemory && freeBytes(MEMORY_FOLDER) >= MEMORY_BYTES_MIN ? MEMORY_FOLDER : tmpdir()
}

function removeOld(folder: string, labNumber: number): void {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`wintrades-lab${labNumber}-`)) continue
    unmountBelow(join(folder, name))
    rmSync(join(folder, name), { recursive: true, force: true })
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
