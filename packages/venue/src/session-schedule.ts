// When a session calendar asks for which phase: local times of a place, made UTC with its daylight saving.

import { Phase, type PhaseTime, type SessionCalendar, type Timestamp } from '@wintrades/domain'
import { DateTime, IANAZone } from 'luxon'

/** What holds at a moment. */
export type DuePhase = {
  readonly phase: Phase
  /** µs since 1970. */
  readonly since_us: Timestamp
  readonly until_us: Timestamp
}

/** Longer than any holidays: a calendar that trades on no day of so many is closed. */
const DAYS_LOOKED_AT = 400
const NEVER_US = Number.MAX_SAFE_INTEGER as Timestamp

/** Why a calendar cannot be followed; null: it can. */
export function calendarFault({ name, timeZone }: SessionCalendar): string | null {
  return IANAZone.isValidZone(timeZone)
    ? null
    : `calendar ${name}: ${timeZone} is no time zone; write one of the IANA database, such as Europe/Berlin`
}

export class SessionSchedule {
  readonly #calendar: SessionCalendar
  #last: DuePhase | null = null

  constructor(calendar: SessionCalendar) {
    this.#calendar = calendar
  }

  dueAt(now_us: Timestamp): DuePhase {
    const last = this.#last
    if (last !== null && now_us >= last.since_us && now_us < last.until_us) return last
    const due = this.#find(now_us)
    this.#last = due
    return due
  }

  #find(now_us: Timestamp): DuePhase {
    const today = DateTime.fromMillis(now_us / 1_000, { zone: this.#calendar.timeZone }).startOf('day')
    let until_us = this.#firstAfter(today, now_us)
    for (let back = 0; back < DAYS_LOOKED_AT; back += 1) {
      const day = today.minus({ days: back })
      for (const { at_minutes, phase } of this.#phasesOf(day).toReversed()) {
        const since_us = timeOf(day, at_minutes)
        if (since_us <= now_us) return { phase, since_us, until_us }
        until_us = since_us
      }
    }
    return { phase: Phase.closed, since_us: 0 as Timestamp, until_us }
  }

  #firstAfter(today: DateTime, now_us: Timestamp): Timestamp {
    for (let ahead = 0; ahead < DAYS_LOOKED_AT; ahead += 1) {
      const day = today.plus({ days: ahead })
      const next = this.#phasesOf(day).find(({ at_minutes }) => timeOf(day, at_minutes) > now_us)
      if (next !== undefined) return timeOf(day, next.at_minutes)
    }
    return NEVER_US
  }

  #phasesOf(day: DateTime): readonly PhaseTime[] {
    const { exceptions, weekdays, phases } = this.#calendar
    const exception = exceptions.get(day.toFormat('yyyy-MM-dd'))
    if (exception !== undefined) return exception
    return weekdays.includes(day.weekday) ? phases : []
  }
}

/** A time that the clocks skip is the moment at which they do; one that comes twice is the first. */
function timeOf(day: DateTime, at_minutes: number): Timestamp {
  const at = day.set({ hour: Math.floor(at_minutes / 60), minute: at_minutes % 60 })
  return (at.toMillis() * 1_000) as Timestamp
}
