// When a cache that was made larger or smaller counts as in order.

import { expect, test } from 'vitest'
import { lackOfCache } from '../../src/deployment/cache-readiness.ts'
import type { RedisStatus } from '../../src/operator/redis/operator.ts'

const status = (verdict: string, nodes: number): RedisStatus => ({
  verdict,
  line: 'slots move',
  acting: 'eu-west',
  // And one that has ended, which is known for a while.
  nodes: [...Array.from({ length: nodes }, () => 'up' as const), 'silent' as const].map((state, index) => ({
    name: `redis-${index}`,
    region: 'us-east',
    address: '192.0.2.1:6379',
    listed: state === 'up',
    state,
  })),
})

test('a cache is in order when nothing is to be done to it and all its nodes are in it', () => {
  expect(lackOfCache(status('steady', 9), 9)).toBe(null)
  expect(lackOfCache(status('steady', 6), 9)).toBe('6 of 9 nodes belong to it')
  expect(lackOfCache(status('act', 9), 9)).toBe('slots move')
  expect(lackOfCache(null, 9)).toBe('no operator answers')
})
