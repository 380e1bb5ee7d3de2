// A Redis node as it is deployed: who may do what, encrypted.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Lab, type LabRedis, startLab } from './lab/index.ts'

let lab: Lab
let node: LabRedis

beforeAll(async () => {
  lab = await startLab()
  node = await lab.redis({ name: 'redis-1', region: 'us-east' })
})

afterAll(() => lab?.close())

async function as(
  user: 'app' | 'operator' | 'replication' | 'exporter',
  ...command: [string, ...string[]]
): Promise<unknown> {
  const redis = node.connect(user)
  try {
    await redis.connect()
    return await redis.call(...command)
  } catch (error) {
    return (error as Error).message.split(' ')[0]
  } finally {
    redis.disconnect()
  }
}

test('nobody gets in without a password, nor unencrypted', async () => {
  const plain = new Redis({
    host: node.host,
    port: node.port,
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 2_000,
  })
  plain.on('error', () => {})
  await expect(plain.connect()).rejects.toThrow()
  plain.disconnect()
  expect(await as('app', 'AUTH', 'default', '')).toBe('WRONGPASS')
})

test('the app may read and write its own keys, and nothing else', async () => {
  expect(await as('app', 'ACL', 'WHOAMI')).toBe('NOPERM')
  expect(await as('app', 'GET', 'other')).toBe('NOPERM')
  // Allowed, although there is no cluster yet.
  expect(await as('app', 'GET', 'wintrades:x')).toBe('CLUSTERDOWN')
  for (const command of ['FLUSHALL', 'KEYS', 'CONFIG', 'SHUTDOWN', 'MONITOR', 'CLUSTER'] as const) {
    const more = { KEYS: ['*'], CONFIG: ['GET', '*'], CLUSTER: ['RESET'] } as Record<string, string[]>
    expect([command, await as('app', command, ...(more[command] ?? []))]).toEqual([command, 'NOPERM'])
  }
})

test('the operator may tend the cluster, and not read keys', async () => {
  expect(await as('operator', 'CLUSTER', 'MYID')).toMatch(/^[0-9a-f]{40}$/)
  expect(await as('operator', 'GET', 'wintrades:x')).toBe('NOPERM')
  expect(await as('operator', 'CONFIG', 'SET', 'maxmemory', '1')).toBe('NOPERM')
  expect(await as('operator', 'SHUTDOWN')).toBe('NOPERM')
})

test('the exporter may look, the replication user may follow', async () => {
  expect(await as('exporter', 'INFO')).toContain('redis_version:8.')
  expect(await as('exporter', 'SET', 'wintrades:x', 'y')).toBe('NOPERM')
  expect(await as('replication', 'PING')).toBe('PONG')
  expect(await as('replication', 'INFO')).toBe('NOPERM')
})

test('a user’s second password is as good as the first', async () => {
  const redis = node.connect('operator')
  await redis.connect()
  expect(await redis.call('AUTH', 'wintrades_operator', node.passwordOf('operator', 'b'))).toBe('OK')
  redis.disconnect()
})
