// The clock of a real process.

import type { Timestamp } from '@wintrades/domain'
import type { Clock } from './ports.ts'

export const systemClock: Clock = {
  now_us: () => Math.round((performance.timeOrigin + performance.now()) * 1_000) as Timestamp,
  after: (delay_ms, action) => {
    const timer = setTimeout(action, delay_ms)
    return () => clearTimeout(timer)
  },
  soon: (action) => {
    setImmediate(action)
  },
}
