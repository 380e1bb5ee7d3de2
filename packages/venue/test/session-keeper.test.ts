// Instruments follow their calendars: over daylight saving, holidays and short days; and an operator's word holds until the calendar's next.

import {
  type AccountId,
  CommandType,
  type Markets,
  Phase,
  readMarkets,
  type SessionCalendar,
  type Timestamp,
} from '@wintrades/domain'
import { createLogger } from '@wintrades/platform'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type Clock,
  calendarFault,
  MemoryJournal,
  MemoryJournalStore,
  MemorySnapshots,
  newOrigin,
  SessionSchedule,
  startVenueInProcess,
  systemClock,
  type Transport,
} from '../src/index.ts'
import { send, type Venue } from './support/cluster.ts'

const CALENDAR = {
  name: 'new-york',
  time_zone: 'America/New_York',
  days: ['mon', 'tue', 'wed', 'thu', 'fri'],
  phases: [
    { at: '09:00', phase: 'pre_open' },
    { at: '09:30', phase: 'continuous' },
    { at: '15:55', phase: 'closing_auction' },
    { at: '16:00', phase: 'closed' },
  ],
  holidays: ['2026-11-26'],
  short_days: [
    {
      date: '2026-11-27',
      phases: [
        { at: '09:30', phase: 'continuous' },
        { at: '13:00', phase: 'closed' },
      ],
    },
  ],
}

function marketsWith(calendar: object): Markets {
  const read = readMarkets({
    shards: [{ name: 'us-east', regions: ['us-east'] }],
    assets: [
      { id: 1, code: 'USD', kind: 'currency', scale: 6 },
      { id: 2, code: 'AAPL', kind: 'equity', scale: 0 },
    ],
    calendars: [calendar],
    instruments: [
      {
        id: 1,
        symbol: 'AAPL-USD',
        shard: 'us-east',
        calendar: 'new-york',
        tick_size: '0.01',
        lot_size: '1',
        price_max: '1000',
        quantity_max: '1000',
        maker_fee: '0',
        taker_fee: '0',
      },
    ],
  })
  if (!read.ok) throw new Error(JSON.stringify(read.faults))
  return read.markets
}

const markets = marketsWith(CALENDAR)
const calendar = markets.instruments[0]?.calendar as SessionCalendar

function at(utc: string): Timestamp {
  return (Date.parse(utc) * 1_000) as Timestamp
}

describe('a schedule', () => {
  const schedule = new SessionSchedule(calendar)
  test.each([
    ['in winter', '2026-01-05T14:30:00Z', Phase.continuous, '2026-01-05T14:30:00Z', '2026-01-05T20:55:00Z'],
    ['in summer', '2026-07-06T13:29:59Z', Phase.pre_open, '2026-07-06T13:00:00Z', '2026-07-06T13:30:00Z'],
    [
      'on the Monday after the clocks go forward',
      '2026-03-09T13:30:00Z',
      Phase.continuous,
      '2026-03-09T13:30:00Z',
      null,
    ],
    ['on the Friday before', '2026-03-06T13:30:00Z', Phase.closed, '2026-03-05T21:00:00Z', '2026-03-06T14:00:00Z'],
    ['over a weekend', '2026-01-04T12:00:00Z', Phase.closed, '2026-01-02T21:00:00Z', '2026-01-05T14:00:00Z'],
    ['on a holiday', '2026-11-26T15:00:00Z', Phase.closed, '2026-11-25T21:00:00Z', '2026-11-27T14:30:00Z'],
    ['on a short day', '2026-11-27T18:00:00Z', Phase.closed, '2026-11-27T18:00:00Z', '2026-11-30T14:00:00Z'],
  ])('%s', (_name, now, phase, since, until) => {
    const due = schedule.dueAt(at(now))
    expect(due).toMatchObject({ phase, since_us: at(since) })
    if (until !== null) expect(due.until_us).toBe(at(until))
    // Asked again, and asked first, it says the same.
    expect(schedule.dueAt(at(now))).toEqual(due)
    expect(new SessionSchedule(calendar).dueAt(at(now))).toEqual(due)
  })

  test('of a zone that is none is refused', () => {
    expect(calendarFault(calendar)).toBeNull()
    expect(calendarFault({ ...calendar, timeZone: 'America/Nowhere' })).toContain(
      'calendar new-york: America/Nowhere is no time zone',
    )
  })
})

/** Of the venue: the keeper's turn comes with it. */
const TICK_MS = 200

const ALONE: Transport = {
  regions: [],
  start: async () => {},
  isGone: () => true,
  isDeserted: () => false,
  send: () => false,
  close: async () => {},
}

/** A clock that a test sets; what waits runs in real time. */
class SetClock implements Clock {
  #now_us: number
  constructor(utc: string) {
    this.#now_us = at(utc)
  }
  set(utc: string): void {
    this.#now_us = at(utc)
  }
  now_us(): Timestamp {
    this.#now_us += 1
    return this.#now_us as Timestamp
  }
  /** How often the keeper had its turn. */
  turns = 0
  after: Clock['after'] = (delay_ms, action) =>
    systemClock.after(delay_ms, () => {
      action()
      if (delay_ms === TICK_MS) this.turns += 1
    })
  soon = systemClock.soon
}

const venues: Venue[] = []

afterEach(async () => {
  for (const venue of venues.splice(0)) await venue.close()
})

async function start(clock: SetClock, store: MemoryJournalStore): Promise<Venue> {
  const venue = await startVenueInProcess({
    region: 'us-east' as never,
    origin: newOrigin(),
    markets,
    clock,
    journals: [new MemoryJournal(store)],
    transport: ALONE,
    snapshots: new MemorySnapshots(),
    logger: createLogger('test', { level: 'silent' }),
    timing: { startGrace_ms: 10 },
  })
  venues.push(venue)
  return venue
}

function phaseOf(venue: Venue): Phase | null {
  return venue.core.node(0 as never).replica.engine.phaseOf(1 as never)
}

async function reaches(venue: Venue, phase: Phase): Promise<void> {
  await expect.poll(() => phaseOf(venue), { timeout: 5_000 }).toBe(phase)
}

async function setPhase(venue: Venue, phase: Phase): Promise<void> {
  const command = { type: CommandType.set_phase, account: 0 as AccountId, instrument: 1, phase } as never
  await expect.poll(() => venue.status().shards[0]?.leading, { timeout: 5_000 }).toBe(true)
  expect(await send(venue, 0, command)).toMatchObject({ batch: expect.anything() })
}

/** What the keeper had to do it has asked for, and what it asked for is journaled. */
async function someTurns(clock: SetClock): Promise<void> {
  const wanted = clock.turns + 3
  await expect.poll(() => clock.turns, { timeout: 5_000 }).toBeGreaterThanOrEqual(wanted)
}

test('an instrument goes through its day', async () => {
  const clock = new SetClock('2026-01-05T13:59:00Z')
  const venue = await start(clock, new MemoryJournalStore(() => clock.now_us()))
  await reaches(venue, Phase.closed)
  for (const [time, phase] of [
    ['2026-01-05T14:00:00Z', Phase.pre_open],
    ['2026-01-05T14:30:00Z', Phase.continuous],
    ['2026-01-05T20:55:00Z', Phase.closing_auction],
    ['2026-01-05T21:00:00Z', Phase.closed],
    ['2026-01-06T14:00:00Z', Phase.pre_open],
  ] as const) {
    clock.set(time)
    await reaches(venue, phase)
  }
})

test('a halt holds until the calendar asks for the next phase, over a restart too', async () => {
  const clock = new SetClock('2026-01-05T15:00:00Z')
  const store = new MemoryJournalStore(() => clock.now_us())
  const first = await start(clock, store)
  await reaches(first, Phase.continuous)
  await setPhase(first, Phase.halted)
  await someTurns(clock)
  expect(phaseOf(first)).toBe(Phase.halted)
  await first.close()
  venues.length = 0
  clock.set('2026-01-05T16:00:00Z')
  const second = await start(clock, store)
  await expect.poll(() => second.status().shards[0]?.leading, { timeout: 5_000 }).toBe(true)
  await someTurns(clock)
  expect(phaseOf(second)).toBe(Phase.halted)
  clock.set('2026-01-05T20:55:00Z')
  await reaches(second, Phase.closing_auction)
})
