// Where the processor time of a measurement went: the platform's threads, the load, and whatever else the machine was doing.

import { setTimeout as pause } from 'node:timers/promises'
import type { Target } from '@wintrades/operations/drill'
import { machineBusy_seconds, type ProcessCost, readCost } from './processor.ts'

export class CostWatch {
  readonly #target: Target
  readonly #pids: readonly number[]
  readonly #before: ReadonlyMap<number, ProcessCost>
  readonly #busyBefore = machineBusy_seconds()
  readonly #start_ms = performance.now()

  /** `others`: processes of the bench itself. */
  constructor(target: Target, others: readonly number[] = []) {
    this.#target = target
    this.#pids = [...target.regions().map((one) => one.pid), ...others]
    this.#before = new Map(this.#pids.map((pid) => [pid, readCost(pid)]))
  }

  /** Shares of one core since the start, the regions' threads by name over all regions; the largest first. */
  describe(): string {
    const seconds = (performance.now() - this.#start_ms) / 1_000
    const regions = new Set(this.#target.regions().map((one) => one.pid))
    const shares = new Map<string, number>()
    let ours = 0
    for (const pid of this.#pids) {
      const [before, after] = [this.#before.get(pid), readCost(pid)]
      ours += after.cpu_seconds - (before?.cpu_seconds ?? 0)
      for (const [thread, cpu_seconds] of after.threads) {
        const name = regions.has(pid) ? thread : 'load and bench'
        const used = cpu_seconds - (before?.threads.get(thread) ?? 0)
        shares.set(name, (shares.get(name) ?? 0) + used)
      }
    }
    const busy = machineBusy_seconds()
    if (busy !== null && this.#busyBefore !== null) shares.set('everything else', busy - this.#busyBefore - ours)
    return [...shares]
      .filter(([, used]) => used / seconds >= 0.01)
      .sort((left, right) => right[1] - left[1])
      .map(([name, used]) => `${name} ${((used / seconds) * 100).toFixed(0)} %`)
      .join(', ')
  }
}

const QUIET_CORES = 0.25
const QUIET_WINDOW_MS = 1_000
const QUIET_PATIENCE_MS = 120_000

/** Waits until the regions have done what a measurement left them to do (the history follows with what time is left); in seconds. */
export async function untilQuiet(target: Target): Promise<number> {
  const start_ms = performance.now()
  for (;;) {
    const pids = target.regions().map((one) => one.pid)
    const used = () => pids.reduce((sum, pid) => sum + readCost(pid).cpu_seconds, 0)
    const [before, window_ms] = [used(), performance.now()]
    await pause(QUIET_WINDOW_MS)
    const cores = ((used() - before) * 1_000) / (performance.now() - window_ms)
    const waited_ms = performance.now() - start_ms
    if (cores < QUIET_CORES || waited_ms > QUIET_PATIENCE_MS) return (waited_ms - QUIET_WINDOW_MS) / 1_000
  }
}
