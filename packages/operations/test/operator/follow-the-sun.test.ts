// The schedule that moves the primary: within half an hour after a time, and not at others.

import { expect, it } from 'vitest'
import { readTime, regionOfTheSun } from '../../src/operator/database/follow-the-sun.ts'

const TIMES = [
  { minute: readTime('00:00'), region: 'asia-pacific' },
  { minute: readTime('08:00'), region: 'eu-west' },
  { minute: readTime('23:50'), region: 'us-east' },
]

it.each([
  ['07:59', null],
  ['08:00', 'eu-west'],
  ['08:29', 'eu-west'],
  ['08:30', null],
  ['23:55', 'us-east'],
  ['00:05', 'asia-pacific'],
])('at %s the primary moves to %s', (time, region) => {
  expect(regionOfTheSun(TIMES, new Date(`2026-01-02T${time}:00Z`))).toBe(region)
})

it('without times nothing moves', () => {
  expect(regionOfTheSun([], new Date())).toBeNull()
})
