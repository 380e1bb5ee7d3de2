// The share of the time that the history gets, from what appends went through.

import { expect, test } from 'vitest'
import { HistoryPace } from '../src/history-pace.ts'

test('history gives way while more than a third of the appends are held up, and has a small share always', () => {
  const pace = new HistoryPace()
  expect(pace.see({ batches: 10, heldUp: 3 }, true)).toBe(1)
  expect(pace.see({ batches: 20, heldUp: 7 }, true)).toBe(0.5)
  let appends = { batches: 20, heldUp: 7 }
  let share = 1
  for (let i = 0; i < 20; i++) {
    appends = { batches: appends.batches + 10, heldUp: appends.heldUp + 10 }
    share = pace.see(appends, true)
  }
  expect(share).toBe(1 / 64)
})

test('it takes back what it gave once appends are free again', () => {
  const pace = new HistoryPace()
  expect(pace.see({ batches: 10, heldUp: 10 }, true)).toBe(0.5)
  expect(pace.see({ batches: 20, heldUp: 10 }, true)).toBe(0.625)
  expect(pace.see({ batches: 30, heldUp: 10 }, true)).toBeCloseTo(0.78, 2)
  expect(pace.see({ batches: 40, heldUp: 10 }, true)).toBeCloseTo(0.98, 2)
  expect(pace.see({ batches: 50, heldUp: 10 }, true)).toBe(1)
})

test('where nothing is appended while others trade it stays small, since nothing here would show that it is in their way', () => {
  const pace = new HistoryPace()
  expect(pace.see({ batches: 0, heldUp: 0 }, true)).toBe(1 / 16)
  expect(pace.see({ batches: 0, heldUp: 0 }, true)).toBe(1 / 16)
  expect(pace.see({ batches: 0, heldUp: 0 }, false)).toBeGreaterThan(1 / 16)
})
