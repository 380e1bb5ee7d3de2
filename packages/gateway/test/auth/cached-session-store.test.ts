// Sessions with a copy before the database: what the copy says, loses or cannot say never opens or ends a session.

import type { AccountId } from '@wintrades/domain'
import { expect, test, vi } from 'vitest'
import { CachedSessionStore } from '../../src/auth/cached-session-store.ts'
import type { RenewalOutcome, SessionStore } from '../../src/auth/session-store.ts'

const FAMILY = 'family-of-the-session'
const SESSION = {
  familyId: FAMILY,
  accountId: 1_001 as AccountId,
  tokenHash: Buffer.alloc(32),
  opened_ms: 0,
  expires_ms: 1_000,
}
const RENEWAL = { familyId: FAMILY, shownHash: Buffer.alloc(32), nextHash: Buffer.alloc(32), now_ms: 0, expires_ms: 9 }

class Durable implements SessionStore {
  current = false
  asked = 0
  outcome: RenewalOutcome = { kind: 'renewed', accountId: 1_001 as AccountId, userId: 'ada' }
  async open(): Promise<void> {
    this.current = true
  }
  async renew(): Promise<RenewalOutcome> {
    if (this.outcome.kind === 'reused') this.current = false
    return this.outcome
  }
  async end(): Promise<void> {
    this.current = false
  }
  async isCurrent(): Promise<boolean> {
    this.asked += 1
    return this.current
  }
}

/** What Redis does with it, and Redis gone. */
class Copy {
  readonly entries = new Map<string, string>()
  gone = false
  async get(key: string): Promise<string | null> {
    if (this.gone) throw new Error('gone')
    return this.entries.get(key) ?? null
  }
  async set(key: string, value: string, _ttl_ms: number, { ifAbsent }: { ifAbsent?: true } = {}): Promise<boolean> {
    if (this.gone) throw new Error('gone')
    if (ifAbsent && this.entries.has(key)) return false
    this.entries.set(key, value)
    return true
  }
}

function parts() {
  const durable = new Durable()
  const copy = new Copy()
  return { durable, copy, here: new CachedSessionStore(durable, copy), there: new CachedSessionStore(durable, copy) }
}

test('a session that was opened is known everywhere without asking the database', async () => {
  const { durable, here, there } = parts()
  await here.open(SESSION, 100)
  await vi.waitFor(async () => {
    expect(await there.isCurrent(FAMILY, 0)).toBe(true)
    expect(durable.asked).toBe(0)
  })
})

test('its end is known everywhere', async () => {
  const { durable, here, there } = parts()
  await here.open(SESSION, 100)
  await here.end(FAMILY)
  await vi.waitFor(async () => expect(await there.isCurrent(FAMILY, 0)).toBe(false))
  expect(durable.asked).toBe(0)
})

test('a reused refresh token ends it everywhere', async () => {
  const { durable, here, there } = parts()
  await here.open(SESSION, 100)
  durable.outcome = { kind: 'reused' }
  expect(await here.renew(RENEWAL)).toEqual({ kind: 'reused' })
  await vi.waitFor(async () => expect(await there.isCurrent(FAMILY, 0)).toBe(false))
})

test('an answer of the database that is older than the end does not bring the session back', async () => {
  const { durable, copy, here, there } = parts()
  durable.current = true
  const slow = vi.spyOn(durable, 'isCurrent').mockImplementationOnce(async () => {
    await here.end(FAMILY)
    await vi.waitFor(() => expect(copy.entries.size).toBe(1))
    return true
  })
  await there.isCurrent(FAMILY, 0)
  expect(slow).toHaveBeenCalledTimes(1)
  expect(await there.isCurrent(FAMILY, 0)).toBe(false)
})

test('everything works with Redis gone, and sessions stand when it lost them all', async () => {
  const { copy, here, there } = parts()
  copy.gone = true
  await here.open(SESSION, 100)
  expect(await there.isCurrent(FAMILY, 0)).toBe(true)
  expect(await there.renew(RENEWAL)).toMatchObject({ kind: 'renewed' })
  copy.gone = false
  copy.entries.clear()
  expect(await there.isCurrent(FAMILY, 0)).toBe(true)
  await here.end(FAMILY)
  expect(await there.isCurrent(FAMILY, 0)).toBe(false)
})

test('nonsense in Redis is no answer', async () => {
  const { durable, copy, here } = parts()
  await here.open(SESSION, 100)
  for (const key of copy.entries.keys()) copy.entries.set(key, 'x'.repeat(1_000))
  expect(await here.isCurrent(FAMILY, 0)).toBe(true)
  expect(durable.asked).toBe(1)
})
