// Rate limits on an injected clock: what may pass at once, over time, per key and per address; and that waiting as told is enough.

import type { AccountId } from '@wintrades/domain'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoundedMap } from '../../src/limits/bounded-map.ts'
import { RateLimiter } from '../../src/limits/rate-limiter.ts'
import { addressGroup, RateLimits } from '../../src/limits/rate-limits.ts'

const VALUES = {
  rateLimitRequestsPerSecond: 10,
  rateLimitOrdersPerSecond: 1_000,
  rateLimitAddressPerSecond: 20,
  rateLimitLoginsPerMinute: 3,
  rateLimitConnectionsPerAddress: 2,
}
const ACCOUNT = 1_001 as AccountId
const OTHER = 1_002 as AccountId

function limitsAt(start_ms = 0) {
  const clock = { ms: start_ms }
  return { clock, limits: new RateLimits(VALUES, { now_ms: () => clock.ms }) }
}

describe('requests and orders', () => {
  test('a second’s worth passes at once, then one per interval', () => {
    const { clock, limits } = limitsAt()
    for (let i = 0; i < 10; i++) expect(limits.requests('account:1001')).toBe(0)
    expect(limits.requests('account:1001')).toBe(100)
    clock.ms = 99
    expect(limits.requests('account:1001')).toBe(1)
    clock.ms = 100
    expect(limits.requests('account:1001')).toBe(0)
    expect(limits.requests('account:1001')).toBe(100)
  })

  test('each key counts by itself', () => {
    const { limits } = limitsAt()
    expect(limits.requests('account:1001', 10)).toBe(0)
    expect(limits.requests('account:1001')).toBeGreaterThan(0)
    expect(limits.requests('key:wtk_one')).toBe(0)
  })

  test('a batch counts as many orders as it holds', () => {
    const { clock, limits } = limitsAt()
    expect(limits.orders(ACCOUNT, 500)).toBe(0)
    expect(limits.orders(ACCOUNT, 500)).toBe(0)
    expect(limits.orders(ACCOUNT, 500)).toBe(500)
    expect(limits.orders(OTHER, 500)).toBe(0)
    clock.ms = 500
    expect(limits.orders(ACCOUNT, 500)).toBe(0)
  })

  test('a batch larger than the bucket passes when that is full, and is paid off after', () => {
    const { clock, limits } = limitsAt()
    expect(limits.orders(ACCOUNT, 3_000)).toBe(0)
    expect(limits.orders(ACCOUNT)).toBe(2_001)
    clock.ms = 2_001
    expect(limits.orders(ACCOUNT)).toBe(0)
  })

  test('a part of a millisecond is a millisecond to wait', () => {
    const clock = { ms: 0 }
    const limiter = new RateLimiter<string>({ amount: 3, period_ms: 1_000, remembered: 10, now_ms: () => clock.ms })
    expect(limiter.take('key', 3)).toBe(0)
    clock.ms = 333
    expect(limiter.take('key', 1)).toBe(1)
    clock.ms = 334
    expect(limiter.take('key', 1)).toBe(0)
  })

  test('what was refused is not counted', () => {
    const { clock, limits } = limitsAt()
    limits.requests('k', 10)
    for (let i = 0; i < 1_000; i++) expect(limits.requests('k')).toBe(100)
    clock.ms = 100
    expect(limits.requests('k')).toBe(0)
  })
})

describe('addresses', () => {
  test('IPv4 written as IPv6 is the same client; of IPv6 the /64 is', () => {
    expect(addressGroup('::ffff:203.0.113.7')).toBe('203.0.113.7')
    expect(addressGroup('2001:db8::1')).toBe(addressGroup('2001:db8::ffff:1'))
    expect(addressGroup('2001:db8::1')).not.toBe(addressGroup('2001:db8:0:1::1'))
    const { limits } = limitsAt()
    expect(limits.address('2001:db8::1', 20)).toBe(0)
    expect(limits.address('2001:db8::2')).toBe(50)
    expect(limits.address('::ffff:203.0.113.7', 20)).toBe(0)
    expect(limits.address('203.0.113.7')).toBe(50)
  })

  test('log-ins are counted by the minute', () => {
    const { clock, limits } = limitsAt()
    for (let i = 0; i < 3; i++) expect(limits.logins('203.0.113.7')).toBe(0)
    expect(limits.logins('203.0.113.7')).toBe(20_000)
    expect(limits.logins('203.0.113.8')).toBe(0)
    clock.ms = 20_000
    expect(limits.logins('203.0.113.7')).toBe(0)
  })

  test('connections are counted while they are open', () => {
    const { limits } = limitsAt()
    expect(limits.acquireConnection('203.0.113.7')).toBe(true)
    expect(limits.acquireConnection('::ffff:203.0.113.7')).toBe(true)
    expect(limits.acquireConnection('203.0.113.7')).toBe(false)
    expect(limits.acquireConnection('203.0.113.8')).toBe(true)
    limits.releaseConnection('203.0.113.7')
    expect(limits.acquireConnection('203.0.113.7')).toBe(true)
    expect(limits.acquireConnection('203.0.113.7')).toBe(false)
  })
})

type Step = { readonly after_ms: number; readonly count: number }
const steps = fc.array(
  fc.record({ after_ms: fc.integer({ min: 0, max: 3_000 }), count: fc.integer({ min: 1, max: 600 }) }),
  { minLength: 1, maxLength: 200 },
)
const amounts = fc.integer({ min: 1, max: 1_000 })

function replay(amount: number, all: readonly Step[], start_ms: number) {
  const clock = { ms: start_ms }
  const limiter = new RateLimiter<string>({ amount, period_ms: 1_000, remembered: 10, now_ms: () => clock.ms })
  return all.map(({ after_ms, count }) => {
    clock.ms += after_ms
    const wait_ms = limiter.take('key', count)
    return { at_ms: clock.ms, count, wait_ms }
  })
}

describe('for any sequence of requests', () => {
  test('in no stretch of time does more pass than the bucket, its refill and one batch', () => {
    fc.assert(
      fc.property(amounts, steps, fc.double({ min: 0, max: 1e9, noNaN: true }), (amount, all, start_ms) => {
        const passed = replay(amount, all, start_ms).filter((step) => step.wait_ms === 0)
        for (const [first, from] of passed.entries()) {
          let total = 0
          for (const step of passed.slice(first)) {
            // The last batch may be larger than the bucket: what it takes in excess is paid off after it.
            const before = total
            total += step.count
            const refilled = (amount * (step.at_ms - from.at_ms)) / 1_000
            expect(before + Math.min(step.count, amount)).toBeLessThanOrEqual(amount + refilled + 0.01)
          }
        }
      }),
    )
  })

  test('who waits as told is let through, and who waits a millisecond less is not', () => {
    fc.assert(
      fc.property(amounts, steps, (amount, all) => {
        const clock = { ms: 0 }
        const limiter = new RateLimiter<string>({ amount, period_ms: 1_000, remembered: 10, now_ms: () => clock.ms })
        for (const { after_ms, count } of all) {
          clock.ms += after_ms
          const wait_ms = limiter.take('key', count)
          if (wait_ms === 0) continue
          expect(Number.isInteger(wait_ms)).toBe(true)
          if (wait_ms > 1) {
            clock.ms += wait_ms - 1
            expect(limiter.take('key', count)).toBe(1)
            clock.ms += 1
          } else clock.ms += wait_ms
          expect(limiter.take('key', count)).toBe(0)
        }
      }),
      // A wait that rounding makes a hair longer than seven whole milliseconds.
      { examples: [[7, [98, 361, 2, 1].map((count) => ({ after_ms: 0, count }))]] },
    )
  })

  test('others’ requests change nothing', () => {
    fc.assert(
      fc.property(amounts, steps, steps, (amount, mine, theirs) => {
        const clock = { ms: 0 }
        const limiter = new RateLimiter<string>({ amount, period_ms: 1_000, remembered: 10, now_ms: () => clock.ms })
        const waits = mine.map(({ after_ms, count }, i) => {
          clock.ms += after_ms
          limiter.take('theirs', theirs[i]?.count ?? 1)
          return limiter.take('mine', count)
        })
        expect(waits).toEqual(replay(amount, mine, 0).map((step) => step.wait_ms))
      }),
    )
  })
})

describe('a bounded map', () => {
  test('keeps the keys used last, never more than twice its capacity', () => {
    const keys = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 300 })
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 8 }), (used, capacity) => {
        const map = new BoundedMap<number, string>(capacity)
        for (const key of used) {
          if (map.get(key) === undefined) map.set(key, `value ${key}`)
          expect(map.size).toBeLessThanOrEqual(2 * capacity)
        }
        const lastUsed = [...new Set([...used].reverse())].slice(0, capacity)
        expect(lastUsed.filter((key) => map.get(key) === undefined)).toEqual([])
      }),
    )
  })

  test('a deleted key is gone, from either generation', () => {
    const map = new BoundedMap<string, number>(1)
    map.set('a', 1)
    map.set('b', 2)
    map.delete('a')
    map.delete('b')
    expect([map.get('a'), map.get('b'), map.size]).toEqual([undefined, undefined, 0])
  })

  test('a crowd of passing addresses does not make the limiter forget one that keeps asking', () => {
    const limiter = new RateLimiter<string>({ amount: 1, period_ms: 1_000, remembered: 100, now_ms: () => 0 })
    expect(limiter.take('loud', 1)).toBe(0)
    for (let i = 0; i < 10_000; i++) {
      limiter.take(`passing ${i}`, 1)
      if (i % 50 === 0) expect(limiter.take('loud', 1)).toBe(1_000)
    }
  })
})
