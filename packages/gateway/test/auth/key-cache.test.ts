// What is remembered of API keys: never older than promised while the database answers, good for a minute while it does not, asked for once.

import { beforeEach, describe, expect, test } from 'vitest'
import { KeyCache } from '../../src/auth/key-cache.ts'
import { ApiFault } from '../../src/errors.ts'

let now_ms: number
let keys: Set<string>
let questions: string[][]
let answers: 'at once' | 'never' | 'unavailable'
let cache: KeyCache<string, { id: string }>

beforeEach(() => {
  now_ms = 1_000_000
  keys = new Set(['a', 'b'])
  questions = []
  answers = 'at once'
  cache = new KeyCache({
    now_ms: () => now_ms,
    read: async (keyIds) => {
      questions.push([...keyIds])
      if (answers === 'never') await new Promise(() => {})
      if (answers === 'unavailable') throw new ApiFault('ACCOUNTS_UNAVAILABLE')
      return new Map(keyIds.filter((keyId) => keys.has(keyId)).map((keyId) => [keyId, keyId]))
    },
    open: (row) => ({ id: row }),
  })
})

test('keys that are asked for at the same time share one question, and are then known', async () => {
  const found = await Promise.all(['a', 'b', 'a', 'c'].map((keyId) => cache.find(keyId)))
  expect(found.map((key) => key?.id ?? null)).toEqual(['a', 'b', 'a', null])
  expect(questions).toEqual([['a', 'b', 'c']])
  expect(cache.known('a')).toBe(found[0])
  expect(cache.known('c')).toBeNull()
})

test('a key in use is asked about beside the requests, so that none of them waits', async () => {
  const key = await cache.find('a')
  for (let second = 0; second < 20; second++) {
    now_ms += 1_000
    expect(cache.known('a')).toBe(key)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(questions.length).toBeGreaterThan(5)
  expect(questions.length).toBeLessThanOrEqual(11)
})

test('a key that was deleted elsewhere is gone within five seconds, in use or not', async () => {
  await cache.find('a')
  keys.delete('a')
  now_ms += 3_000
  expect(cache.known('a')).not.toBeNull()
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  expect(cache.known('a')).toBeNull()
  await cache.find('b')
  keys.delete('b')
  now_ms += 4_000
  expect(cache.known('b')).toBeNull()
  expect(await cache.find('b')).toBeNull()
})

test('a key that was deleted here stays deleted, whatever an earlier question brings back', async () => {
  const asked = cache.find('a')
  cache.forget('a')
  expect(await asked).toBeNull()
  expect(await cache.find('a')).toBeNull()
  expect(cache.known('a')).toBeNull()
})

describe('while the database is away', () => {
  test.each(['never', 'unavailable'] as const)('known keys go on for a minute (%s)', async (away) => {
    const key = await cache.find('a')
    answers = away
    now_ms += 30_000
    expect(cache.known('a')).toBeNull()
    expect(await cache.find('a')).toBe(key)
  })

  test('after that, and for keys that are not known, the answer is that it is away', async () => {
    await cache.find('a')
    answers = 'unavailable'
    now_ms += 60_000
    await expect(cache.find('a')).rejects.toMatchObject({ code: 'ACCOUNTS_UNAVAILABLE', status: 503 })
    await expect(cache.find('b')).rejects.toMatchObject({ code: 'ACCOUNTS_UNAVAILABLE' })
    answers = 'at once'
    expect(await cache.find('b')).toEqual({ id: 'b' })
  })
})
