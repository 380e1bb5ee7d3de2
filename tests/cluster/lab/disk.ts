// A disk of its own for a server, so that it can be full without anything else being so: a file system in memory of a bounded size.

import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, runNow } from './shell.ts'

const BALLAST = 'ballast'
const MEGABYTE = 1024 ** 2

export class LabDisk {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** At a folder that exists. It is gone with {@link unmountBelow}. */
  static async mount(path: string, size_mb: number): Promise<LabDisk> {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size_mb}m`, 'tmpfs', path])
    return new LabDisk(path)
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  /** Leaves only so much room. */
  fill(free_mb: number): void {
    writeFileSync(join(this.path, BALLAST), Buffer.alloc(Math.max(0, this.freeBytes - free_mb * MEGABYTE)))
  }

  /** Takes away what it was filled with. */
  makeRoom(): void {
    rmSync(join(this.path, BALLAST), { force: true })
  }
}

/** Whatever a lab, or one that was killed, has mounted there. */
export function unmountBelow(folder: string): void {
  for (const line of readFileSync('/proc/mounts', 'utf8').split('\n')) {
    const path = line.split(' ')[1] ?? ''
    if (path.startsWith(`${folder}/`)) runNow('umount', ['--lazy', path])
  }
}
