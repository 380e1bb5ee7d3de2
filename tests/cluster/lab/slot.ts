// A number for each lab that exists on this machine, so that several can stand beside each other: it names their containers, namespaces and
// networks. What a lab left behind whose process is gone is cleared away by the next one that gets its number.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabUnavailable } from './docker.ts'
import { isAlive } from './images.ts'

const DIRECTORY = '/run/wintrades-lab'
const SLOTS = 32

export type Slot = {
  readonly number: number
  /** It is another process's from now on: taken for as long as that lives. */
  leaveTo(pid: number): void
  release(): void
}

export function takeSlot(): Slot {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 })
  for (let number = 0; number < SLOTS; number++) {
    const path = join(DIRECTORY, String(number))
    if (!take(path)) continue
    const leaveTo = (pid: number) => writeFileSync(path, String(pid))
    return { number, leaveTo, release: () => rmSync(path, { force: true }) }
  }
  throw new LabUnavailable(`${SLOTS} labs exist on this machine already (${DIRECTORY})`)
}

function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    const owner = ownerOf(path)
    if (owner === null || isAlive(owner)) return false
    rmSync(path, { force: true })
    return take(path)
  }
}

/** Null: just being written, or just given back. */
function ownerOf(path: string): number | null {
  try {
    const pid = Number(readFileSync(path, 'utf8'))
    return pid > 0 ? pid : null
  } catch {
    return null
  }
}
