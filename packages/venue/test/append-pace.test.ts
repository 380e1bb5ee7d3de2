// The pace of a leader against models of what it appends to: a region far away, a server that does one commit after the other, a file.

import { expect, test } from 'vitest'
import { AppendPace } from '../src/append-pace.ts'

type Model = { readonly roundTrip_ms: number; readonly service_ms: number }

/** A leader that always has something to append, for a while; what its last appends took on average, and how many were sealed a second. */
function lead(pace: AppendPace, most: number, { roundTrip_ms, service_ms }: Model, span_ms: number, from_ms = 0) {
  const underWay: { readonly began_ms: number; readonly ends_ms: number }[] = []
  const took: number[] = []
  let serverFree_ms = 0
  let sealed = 0
  let next_ms = from_ms
  for (let now_ms = from_ms; now_ms < from_ms + span_ms; now_ms += 0.25) {
    for (let first = underWay[0]; first !== undefined && first.ends_ms <= now_ms; first = underWay[0]) {
      underWay.shift()
      took.push(now_ms - first.began_ms)
      pace.answered(now_ms - first.began_ms, now_ms * 1_000)
    }
    if (now_ms < next_ms || underWay.length >= most) continue
    serverFree_ms = Math.max(serverFree_ms, now_ms) + service_ms
    underWay.push({ began_ms: now_ms, ends_ms: serverFree_ms + roundTrip_ms })
    sealed += 1
    next_ms = now_ms + (underWay.length === 1 && pace.target >= 1 ? 0 : pace.interval_ms)
  }
  const late = took.slice(-20)
  return { took_ms: late.reduce((sum, one) => sum + one, 0) / late.length, perSecond: (sealed / span_ms) * 1_000 }
}

test('over a long way as many are under way as the journal takes, spread over the time of one', () => {
  const pace = new AppendPace(16)
  const { took_ms } = lead(pace, 16, { roundTrip_ms: 80, service_ms: 0.2 }, 5_000)
  expect(pace.target).toBe(16)
  expect(pace.interval_ms).toBeGreaterThan(4)
  expect(pace.interval_ms).toBeLessThan(6)
  expect(took_ms).toBeLessThan(90)
})

test('at a server that is slow itself they do not queue: each takes a little longer than one alone', () => {
  const pace = new AppendPace(16)
  const { took_ms, perSecond } = lead(pace, 16, { roundTrip_ms: 0.5, service_ms: 10 }, 10_000)
  // A full window would be 16 × 10 ms deep.
  expect(took_ms).toBeLessThan(35)
  expect(pace.target).toBeLessThan(4)
  expect(perSecond).toBeGreaterThan(40)
})

test('where others crowd the server it leaves it alone for a part of the time, and takes that back when they are gone', () => {
  const pace = new AppendPace(16)
  lead(pace, 16, { roundTrip_ms: 0.5, service_ms: 2 }, 1_000)
  lead(pace, 16, { roundTrip_ms: 0.5, service_ms: 12 }, 5_000, 1_000)
  expect(pace.target).toBe(0.25)
  expect(pace.interval_ms).toBe(20)
  lead(pace, 16, { roundTrip_ms: 0.5, service_ms: 2 }, 2_000, 6_000)
  expect(pace.target).toBeGreaterThan(1)
})

test('a file needs no rest: one after the other, however long each takes', () => {
  const pace = new AppendPace(1)
  lead(pace, 1, { roundTrip_ms: 0, service_ms: 1 }, 1_000)
  lead(pace, 1, { roundTrip_ms: 0, service_ms: 30 }, 5_000, 1_000)
  expect(pace.target).toBe(1)
})

test('after a failure another distance is learnt: nothing is held up by being farther away', () => {
  const pace = new AppendPace(16)
  lead(pace, 16, { roundTrip_ms: 2, service_ms: 0.1 }, 1_000)
  pace.forget()
  lead(pace, 16, { roundTrip_ms: 200, service_ms: 0.1 }, 10_000, 1_000)
  expect(pace.target).toBe(16)
})

test('what was short long ago is forgotten', () => {
  const pace = new AppendPace(16)
  lead(pace, 16, { roundTrip_ms: 2, service_ms: 0.1 }, 1_000)
  lead(pace, 16, { roundTrip_ms: 200, service_ms: 0.1 }, 10_000, 1_000)
  expect(pace.target).toBe(0.25)
  lead(pace, 16, { roundTrip_ms: 200, service_ms: 0.1 }, 300_000, 11_000)
  expect(pace.target).toBe(16)
})
