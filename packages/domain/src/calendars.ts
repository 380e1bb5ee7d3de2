// Session calendars as `markets.yml` states them: on which days an instrument trades, and at what time of the place it moves to which phase. Pure: what
// that is in UTC, and when it is due, is the venue's.

import { LIMITS } from './limits.ts'
import type { Reader } from './markets-reader.ts'
import { Phase } from './orders.ts'

/** From this time of the day on, in the calendar's time zone. */
export type PhaseTime = { readonly at_minutes: number; readonly phase: Phase }

export type SessionCalendar = {
  readonly name: string
  /** Of the IANA database, such as `America/New_York`. */
  readonly timeZone: string
  /** 1 is Monday, 7 Sunday; ascending. */
  readonly weekdays: readonly number[]
  /** Ascending by time; the last is `closed`. */
  readonly phases: readonly PhaseTime[]
  /** Days (`2026-12-25`) on which it does not open, and days with other phases. */
  readonly exceptions: ReadonlyMap<string, readonly PhaseTime[]>
}

const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const NAME = /^[a-z][a-z0-9-]{0,31}$/
const TIME_ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/
const TIME = /^([01]\d|2[0-3]):([0-5]\d)$/
const DATE = /^(20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/

/** What a calendar may ask for; halts and volatility auctions are nobody's plan. */
const PHASES: Readonly<Record<string, Phase>> = {
  pre_open: Phase.pre_open,
  opening_auction: Phase.opening_auction,
  continuous: Phase.continuous,
  closing_auction: Phase.closing_auction,
  closed: Phase.closed,
}

export function readCalendar(reader: Reader, raw: unknown, index: number): SessionCalendar {
  const path = `calendars[${index}]`
  const item = reader.object(raw, path, ['name', 'time_zone', 'days', 'phases', 'holidays', 'short_days'])
  const days = reader.list(item['days'], `${path}.days`, WEEKDAYS.length)
  const weekdays = days.map((day, i) => {
    const at = WEEKDAYS.indexOf(String(day))
    if (at < 0) reader.fault(`${path}.days[${i}]`, `must be one of ${WEEKDAYS.join(', ')}`)
    return at + 1
  })
  reader.unique(days, `${path}.days`, '')
  const exceptions = new Map<string, readonly PhaseTime[]>()
  const except = (day: unknown, where: string, phases: readonly PhaseTime[]) => {
    const date = readDate(reader, day, where)
    if (exceptions.has(date)) reader.fault(where, `${date} is there twice`)
    exceptions.set(date, phases)
  }
  if (item['holidays'] !== undefined) {
    const holidays = reader.list(item['holidays'], `${path}.holidays`, LIMITS.calendar_exceptions_max)
    for (const [i, day] of holidays.entries()) except(day, `${path}.holidays[${i}]`, [])
  }
  if (item['short_days'] !== undefined) {
    const shortDays = reader.list(item['short_days'], `${path}.short_days`, LIMITS.calendar_exceptions_max)
    for (const [i, entry] of shortDays.entries()) {
      const where = `${path}.short_days[${i}]`
      const { date, phases } = reader.object(entry, where, ['date', 'phases'])
      except(date, `${where}.date`, readPhases(reader, phases, `${where}.phases`))
    }
  }
  return {
    name: reader.text(item['name'], `${path}.name`, NAME, 'a name of a-z, 0-9 and -, such as new-york'),
    timeZone: reader.text(item['time_zone'], `${path}.time_zone`, TIME_ZONE, 'a time zone such as America/New_York'),
    weekdays: weekdays.sort((a, b) => a - b),
    phases: readPhases(reader, item['phases'], `${path}.phases`),
    exceptions,
  }
}

function readPhases(reader: Reader, raw: unknown, path: string): readonly PhaseTime[] {
  const phases = reader.list(raw, path, LIMITS.calendar_phases_max).map((entry, i) => {
    const item = reader.object(entry, `${path}[${i}]`, ['at', 'phase'])
    const time = reader.text(item['at'], `${path}[${i}].at`, TIME, 'a time of the day in quotes, such as "09:30"')
    const phase = PHASES[String(item['phase'])]
    if (phase === undefined) reader.fault(`${path}[${i}].phase`, `must be one of ${Object.keys(PHASES).join(', ')}`)
    const [hours = 0, minutes = 0] = time.split(':').map(Number)
    return { at_minutes: hours * 60 + minutes, phase: phase ?? Phase.closed }
  })
  for (const [i, { at_minutes }] of phases.entries()) {
    if (i > 0 && at_minutes <= (phases[i - 1] as PhaseTime).at_minutes)
      reader.fault(`${path}[${i}].at`, 'must be later than the one before it')
  }
  if (phases.length > 0 && phases.at(-1)?.phase !== Phase.closed)
    reader.fault(`${path}[${phases.length - 1}].phase`, 'must be closed: a session ends on the day on which it begins')
  return phases
}

function readDate(reader: Reader, raw: unknown, path: string): string {
  const date = reader.text(raw, path, DATE, 'a day in quotes, such as "2026-12-25"')
  // 31 February would be a day in March.
  const isReal = date !== '' && daysOf(Number(date.slice(0, 4)), Number(date.slice(5, 7))) >= Number(date.slice(8))
  if (date !== '' && !isReal) reader.fault(path, `${date} is no day of the calendar`)
  return date
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}
