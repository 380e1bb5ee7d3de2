// Which backups stay, and which archived binlogs they need.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planRetention } from '../../src/backup/retention.ts'
import type { FullBackup, Segment } from '../../src/backup/store/catalogue.ts'

const SERVER = '8364adfe-e922-11f1-96b1-82400da30535'
const DAY_MS = 86_400_000

function backup(day: number, last: number, hour = 3): FullBackup {
  const consistentAt = new Date(Date.UTC(2026, 10, 2) + day * DAY_MS + hour * 3_600_000).toISOString()
  const id = `day-${String(day).padStart(3, '0')}-${String(hour).padStart(2, '0')}`
  return {
    id,
    startedAt: consistentAt,
    consistentAt,
    took_seconds: 1,
    gtids: `${SERVER}:1-${last}`,
    source: { name: 'a', uuid: SERVER, version: '9.7.4', wasPrimary: false },
    release: '0.1.0',
    schema: null,
    journal: [],
    files: 1,
    plainBytes: 1,
    storedBytes: 1,
    sha256: '',
  }
}

function segment(number: number, first: number, last: number): Segment {
  const server = { uuid: SERVER, address: 'a:3306', version: '9.7.4' }
  const times = { firstAt_us: first, lastAt_us: last }
  return {
    id: `s${number}`,
    number,
    server,
    after: '',
    gtids: `${SERVER}:${first}-${last}`,
    transactions: 1,
    ...times,
    plainBytes: 1,
    storedBytes: 1,
    sha256: '',
  }
}

test('the newest of each of the last days and weeks is kept', () => {
  // 2 November 2026 is a Monday.
  const backups = Array.from({ length: 21 }, (_, day) => backup(day, day + 1))
  const plan = planRetention(backups, [], { daily: 3, weekly: 3 })
  expect(plan.keep).toEqual(['day-020-03', 'day-019-03', 'day-018-03', 'day-013-03', 'day-006-03'])
  expect(plan.removeFull).toHaveLength(16)
})

test('of several a day the last is kept', () => {
  const plan = planRetention([backup(0, 1, 3), backup(0, 2, 9), backup(1, 3, 3)], [], { daily: 2, weekly: 1 })
  expect(plan.keep).toEqual(['day-001-03', 'day-000-09'])
})

test('days without a backup do not count', () => {
  const plan = planRetention([backup(0, 1), backup(30, 2), backup(60, 3)], [], { daily: 3, weekly: 0 })
  expect(plan.removeFull).toEqual([])
})

test('the newest backup is kept whatever the rules say', () => {
  expect(planRetention([backup(0, 1), backup(1, 2)], [], { daily: 0, weekly: 0 }).keep).toEqual(['day-001-03'])
})

test('archived binlogs go once the oldest kept backup has all that is in them, from the beginning only', () => {
  const segments = [segment(1, 1, 4), segment(2, 5, 9), segment(3, 10, 12), segment(4, 13, 20)]
  const removed = (last: number) => planRetention([backup(0, last)], segments, { daily: 1, weekly: 1 }).removeSegments
  expect(removed(3)).toEqual([])
  expect(removed(9)).toEqual(['s1', 's2'])
  expect(removed(10)).toEqual(['s1', 's2'])
  expect(removed(20)).toEqual(['s1', 's2', 's3', 's4'])
})

test('without a backup nothing is removed', () => {
  expect(planRetention([], [segment(1, 1, 4)], { daily: 1, weekly: 1 })).toEqual({
    keep: [],
    removeFull: [],
    removeSegments: [],
  })
})

test('from every kept backup every later time stays in reach', () => {
  const history = fc.array(fc.record({ day: fc.nat(60), last: fc.integer({ min: 1, max: 400 }) }), {
    minLength: 1,
    maxLength: 30,
  })
  fc.assert(
    fc.property(history, fc.nat(8), fc.nat(6), (points, daily, weekly) => {
      const backups = points.sort((a, b) => a.day - b.day).map(({ day }, i) => backup(day, 10 * (i + 1), i % 24))
      const segments = Array.from({ length: 40 }, (_, i) => segment(i + 1, 10 * i + 1, 10 * i + 10))
      const plan = planRetention(backups, segments, { daily, weekly })
      expect([...plan.keep, ...plan.removeFull].sort()).toEqual(backups.map((one) => one.id).sort())
      const kept = backups.filter((one) => plan.keep.includes(one.id))
      for (const { gtids } of kept) {
        const have = Number(gtids.split('-').at(-1))
        const gone = segments.filter((one) => plan.removeSegments.includes(one.id))
        expect(gone.every((one) => one.lastAt_us <= have)).toBe(true)
      }
    }),
  )
})
