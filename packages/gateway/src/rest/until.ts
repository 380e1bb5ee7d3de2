// Waiting for something that only a look can tell, such as how far another process has written.

import { setTimeout as pause } from 'node:timers/promises'

const PAUSE_MS_FIRST = 2
const PAUSE_MS_MAX = 50

/** Looks until `reached` says true; false: it did not in `timeout_ms`. */
export async function until(timeout_ms: number, reached: () => boolean): Promise<boolean> {
  const deadline_ms = performance.now() + timeout_ms
  for (let pause_ms = PAUSE_MS_FIRST; !reached(); pause_ms = Math.min(pause_ms * 2, PAUSE_MS_MAX)) {
    if (performance.now() >= deadline_ms) return false
    await pause(pause_ms)
  }
  return true
}
