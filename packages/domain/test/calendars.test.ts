// Session calendars in `markets.yml`: read whole, every fault with its path.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { Phase, readMarkets } from '../src/index.ts'

const PHASES = [
  { at: '09:00', phase: 'pre_open' },
  { at: '09:30', phase: 'continuous' },
  { at: '16:00', phase: 'closed' },
]
const NEW_YORK = {
  name: 'new-york',
  time_zone: 'America/New_York',
  days: ['fri', 'mon'],
  phases: PHASES,
  holidays: ['2026-11-26'],
  short_days: [{ date: '2026-11-27', phases: [PHASES[1], { at: '13:00', phase: 'closed' }] }],
}

function read(calendar: object, name: unknown = 'new-york') {
  const raw = parse(readFileSync(new URL('../../../markets.yml', import.meta.url), 'utf8'))
  raw.calendars = [{ ...NEW_YORK, ...calendar }]
  raw.instruments[2].calendar = name
  return readMarkets(raw)
}

function faultsOf(calendar: object, name?: unknown): string[] {
  const result = read(calendar, name)
  return result.ok ? [] : result.faults.map(({ path, message }) => `${path}: ${message}`)
}

test('an instrument with a calendar begins closed, one without trades always', () => {
  const result = read({})
  if (!result.ok) throw new Error(JSON.stringify(result.faults))
  const [first, , third] = result.markets.instruments
  expect(first).toMatchObject({ calendar: null, definition: { phase: Phase.continuous } })
  expect(third).toMatchObject({ calendar: { name: 'new-york', weekdays: [1, 5] }, definition: { phase: Phase.closed } })
  expect(third?.calendar?.phases[1]).toEqual({ at_minutes: 570, phase: Phase.continuous })
  expect(third?.calendar?.exceptions.get('2026-11-26')).toEqual([])
  expect(third?.calendar?.exceptions.get('2026-11-27')).toHaveLength(2)
})

test.each([
  [{ days: ['mon', 'monday'] }, 'calendars[0].days[1]: must be one of mon, tue'],
  [{ days: [] }, 'calendars[0].days: must be a list of 1 to 7'],
  [{ time_zone: 'New York' }, 'calendars[0].time_zone: must be a time zone such as America/New_York'],
  [{ phases: [{ at: '9:30', phase: 'continuous' }] }, 'calendars[0].phases[0].at: must be a time of the day in quotes'],
  [{ phases: [{ at: '09:30', phase: 'halted' }] }, 'calendars[0].phases[0].phase: must be one of pre_open'],
  [{ phases: [{ at: '09:30', phase: 'continuous' }] }, 'calendars[0].phases[0].phase: must be closed'],
  [{ phases: [PHASES[2], PHASES[1], PHASES[2]] }, 'calendars[0].phases[1].at: must be later than the one before'],
  [{ holidays: ['2026-02-29'] }, '2026-02-29 is no day of the calendar'],
  [{ holidays: ['2026-11-27'] }, '2026-11-27 is there twice'],
  [{ holiday: ['2026-11-27'] }, 'calendars[0].holiday: is not a known key'],
])('%j is a fault', (change, fault) => {
  expect(faultsOf(change).join('\n')).toContain(fault)
})

test('a calendar that is not listed is a fault of the instrument', () => {
  expect(faultsOf({}, 'london')).toEqual(['instruments[2].calendar: must be one of new-york'])
})
