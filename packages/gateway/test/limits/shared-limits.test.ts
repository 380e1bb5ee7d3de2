// Limits that several processes keep together, over a store that is well, slow or gone: never wider than each process's own, and one
// limit on average while the store answers.

import type { AccountId } from '@wintrades/domain'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { type LimitStore, MemoryLimitStore, type Taken } from '../../src/limits/limit-store.ts'
import { RateLimits } from '../../src/limits/rate-limits.ts'

const PER_SECOND = 100
const VALUES = {
  rateLimitRequestsPerSecond: PER_SECOND,
  rateLimitOrdersPerSecond: 1_000,
  rateLimitAddressPerSecond: 1_000,
  rateLimitLoginsPerMinute: 6,
  rateLimitConnectionsPerAddress: 10,
}
const KEY = 'account:1001'

class Gone implements LimitStore {
  async take(taken: readonly Taken[]): Promise<readonly null[]> {
    return taken.map(() => null)
  }
}

function processes(count: number, store?: (now_ms: () => number) => LimitStore) {
  const clock = { ms: 0 }
  const now_ms = () => clock.ms
  const shared = store?.(now_ms)
  const all = Array.from(
    { length: count },
    () => new RateLimits(VALUES, { now_ms, ...(shared === undefined ? {} : { store: shared }) }),
  )
  const [first, second] = all as [RateLimits, RateLimits]
  return { clock, all, first, second, tell: async () => void (await Promise.all(all.map((one) => one.tell()))) }
}

const memory = (now_ms: () => number) => new MemoryLimitStore(now_ms)

/** How many of endless requests pass at every process for so long. */
async function passed({ clock, all, tell }: ReturnType<typeof processes>, seconds: number): Promise<number> {
  let count = 0
  for (const end_ms = clock.ms + seconds * 1_000; clock.ms < end_ms; clock.ms += 100) {
    for (const limits of all) while (limits.requests(KEY) === 0) count += 1
    await tell()
  }
  return count
}

test('what one process let through is missing at the other, once told', async () => {
  const { first, second, tell } = processes(2, memory)
  expect(first.requests(KEY, 60)).toBe(0)
  await tell()
  expect(second.requests(KEY, 10)).toBe(0)
  await tell()
  expect(second.requests(KEY, 40)).toBeGreaterThan(0)
  expect(second.requests(KEY, 30)).toBe(0)
})

test('on average all processes together get one limit', async () => {
  const count = await passed(processes(3, memory), 60)
  // Each may let its burst through before it hears of the others'.
  expect(count).toBeLessThanOrEqual(60 * PER_SECOND + 3 * PER_SECOND)
  expect(count).toBeGreaterThanOrEqual(60 * PER_SECOND * 0.95)
})

test('without the store each process keeps its own limit', async () => {
  const count = await passed(
    processes(3, () => new Gone()),
    60,
  )
  expect(count).toBeLessThanOrEqual(3 * (61 * PER_SECOND))
  expect(count).toBeGreaterThanOrEqual(3 * 59 * PER_SECOND)
})

test('a store that loses everything never makes a limit wider than without it', async () => {
  const lost = (now_ms: () => number): LimitStore => ({
    take: (taken) => new MemoryLimitStore(now_ms).take(taken),
  })
  expect(await passed(processes(1, lost), 20)).toBeLessThanOrEqual(21 * PER_SECOND)
})

test('log-ins from one address are counted over all processes', async () => {
  const { first, second, tell } = processes(2, memory)
  let count = 0
  for (let i = 0; i < 20; i += 1) {
    for (const limits of [first, second]) count += Number(limits.logins('192.0.2.1') === 0)
    await tell()
  }
  // Each learns of the other's last one only when it tells of its own next.
  expect(count).toBeLessThanOrEqual(VALUES.rateLimitLoginsPerMinute + 1)
  expect(second.logins('192.0.2.2')).toBe(0)
})

test('who has overdrawn at many processes waits ten periods at most', async () => {
  const { all, tell } = processes(50, memory)
  for (const limits of all) limits.requests(KEY, PER_SECOND)
  await tell()
  expect(all[49]?.requests(KEY)).toBeGreaterThan(9_000)
  expect(all[49]?.requests(KEY)).toBeLessThanOrEqual(10_010)
})

test('a key that hardly asks is told to nobody', async () => {
  const take = vi.fn(async (taken: readonly Taken[]) => taken.map(() => null))
  const { first, tell } = processes(2, () => ({ take }))
  first.requests(KEY, 4)
  await tell()
  expect(take).not.toHaveBeenCalled()
  first.requests(KEY, 1)
  await tell()
  expect(take.mock.calls[0]?.[0]).toEqual([{ limit: 'requests', key: KEY, period_ms: 1_000, taken_ms: 50 }])
})

test('it tells by itself, and no request waits for the answer', async () => {
  let answer: () => void = () => {}
  const take = vi.fn(
    (taken: readonly Taken[]) =>
      new Promise<null[]>((resolve) => {
        answer = () => resolve(taken.map(() => null))
      }),
  )
  const { first } = processes(1, () => ({ take }))
  first.requests(KEY, 50)
  await vi.waitFor(() => expect(take).toHaveBeenCalledTimes(1))
  expect(first.requests(KEY, 40)).toBe(0)
  answer()
  await vi.waitFor(() => expect(take).toHaveBeenCalledTimes(2))
  first.close()
})

test('whatever is taken where and told when, no process passes more than its own limit, and the average holds', async () => {
  const step = fc.record({ process: fc.nat(2), count: fc.integer({ min: 1, max: 60 }), wait_ms: fc.nat(150) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), fc.boolean(), async (steps, answers) => {
      const { clock, all, tell } = processes(3, answers ? memory : () => new Gone())
      const own = [0, 0, 0]
      for (const { process, count, wait_ms } of steps) {
        if ((all[process] as RateLimits).requests(KEY, count) === 0) own[process] = (own[process] as number) + count
        clock.ms += wait_ms
        await tell()
      }
      const limit = PER_SECOND * (clock.ms / 1_000 + 1) + 1
      for (const count of own) expect(count).toBeLessThanOrEqual(limit)
      if (answers) expect(own.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(limit + 2 * PER_SECOND)
    }),
  )
})

test('orders are told by account', async () => {
  const take = vi.fn(async (taken: readonly Taken[]) => taken.map(() => null))
  const { first, tell } = processes(1, () => ({ take }))
  first.orders(1_001 as AccountId, 500)
  await tell()
  expect(take.mock.calls[0]?.[0]).toEqual([{ limit: 'orders', key: 1_001, period_ms: 1_000, taken_ms: 500 }])
})
