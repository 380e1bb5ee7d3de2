// Gateways that share Redis, and what clients notice of its faults: no order fails, no session ends, and limits are never wider than a process's
// own, while Redis is frozen, killed or comes back empty.

import { call, User } from '@wintrades/gateway/test/client'
import { startRegion, type TestRegion } from '@wintrades/gateway/test/region'
import { cacheFault } from '@wintrades/operations/drill'
import type { RedisCluster } from '@wintrades/platform/redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Lab, type LabRedis, startLab, until } from './lab/index.ts'
import {
  connectApp,
  ordersDuring,
  type RunningOperator,
  startNodes,
  startOperator,
  untilSteady,
} from './redis-parts.ts'

const REQUESTS_PER_SECOND = 40

let lab: Lab
let nodes: LabRedis[]
let operator: RunningOperator
let clusters: RedisCluster[]
let here: TestRegion
let there: TestRegion

beforeAll(async () => {
  lab = await startLab()
  nodes = await startNodes(lab, 1, 3)
  operator = startOperator('us-east', () => nodes)
  await untilSteady(operator, 3)
  clusters = [connectApp(nodes, 'silent'), connectApp(nodes, 'silent')]
  await until('the gateways can connect', () => clusters.every(({ ready }) => ready))
  const limits = { RATE_LIMIT_REQUESTS_PER_SECOND: String(REQUESTS_PER_SECOND) }
  const [one, other] = clusters as [RedisCluster, RedisCluster]
  here = await startRegion(limits, { redis: one })
  there = await startRegion(limits, { redis: other })
})

afterAll(async () => {
  await here?.stop()
  await there?.stop()
  for (const cluster of clusters ?? []) cluster.close()
  await operator?.stop()
  await lab?.close()
})

const freeze = () => Promise.all(nodes.map((node) => node.pause()))
const thaw = () => Promise.all(nodes.map((node) => node.unpause()))
const killAll = () => Promise.all(nodes.map((node) => node.kill()))
const startAll = () => Promise.all(nodes.map((node) => node.start()))

/** Requests of one account at each gateway as fast as they are answered; how many passed, by gateway. */
async function flood(users: readonly User[], seconds: number): Promise<number[]> {
  const end_ms = performance.now() + seconds * 1_000
  return await Promise.all(
    users.map(async (user) => {
      let passed = 0
      while (performance.now() < end_ms) {
        const { status } = await user.get('/balances')
        if (status === 200) passed += 1
        else if (status !== 429) throw new Error(`a request was answered ${status}`)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      return passed
    }),
  )
}

/** Users of the two gateways that have the same number of account, which is what limits are counted by. */
async function sameAccount(): Promise<[User, User]> {
  let [one, other] = [await User.register(here), await User.register(there)]
  while (one.accountId < other.accountId) one = await User.register(here)
  while (other.accountId < one.accountId) other = await User.register(there)
  return [one, other]
}

test('two gateways have one limit together; each has its own while Redis is frozen, and never more', async () => {
  const users = await sameAccount()
  const seconds = 6
  const begun_ms = performance.now()
  const together = await flood(users, seconds)
  const own = REQUESTS_PER_SECOND * ((performance.now() - begun_ms) / 1_000 + 1)
  const sum = together.reduce((all, one) => all + one)
  process.stderr.write(
    `redis: of two gateways ${together} requests passed in ${seconds} s, ${REQUESTS_PER_SECOND}/s allowed\n`,
  )
  // Each may let a burst through before it hears of the other's; apart they would let twice the limit through.
  expect(sum).toBeLessThanOrEqual(own + 3 * REQUESTS_PER_SECOND)
  await freeze()
  try {
    const frozen_ms = performance.now()
    const apart = await flood(users, seconds)
    const ownFrozen = REQUESTS_PER_SECOND * ((performance.now() - frozen_ms) / 1_000 + 1)
    process.stderr.write(`redis: with Redis frozen, ${apart}\n`)
    for (const passed of apart) expect(passed).toBeLessThanOrEqual(ownFrozen)
    expect(Math.max(...apart)).toBeGreaterThan(0)
  } finally {
    await thaw()
  }
})

test('orders while Redis is frozen, thawed, killed and started again: none fails', async () => {
  const calm = await ordersDuring(here, async () => {})
  const { count, refused, median_ms } = await ordersDuring(here, async () => {
    await freeze()
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    await thaw()
    await killAll()
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    await startAll()
    await untilSteady(operator, 3, 120_000)
  })
  const medians = `median ${median_ms.toFixed(1)} ms, ${calm.median_ms.toFixed(1)} ms without faults`
  process.stderr.write(
    `redis: ${count} orders while Redis was frozen, killed and started: ${refused.length} failed, ${medians}\n`,
  )
  expect([...calm.refused, ...refused]).toEqual([])
  expect([...here.errors, ...there.errors]).toEqual([])
})

test('the fault of the drill cache-loss: every node emptied, cut off and frozen, and no order fails', async () => {
  const [one] = nodes as [LabRedis]
  const fault = cacheFault({
    nodes: nodes.map(({ name, region, host, port }) => ({ name, region, host, port })),
    replicasPerMaster: 1,
    account: { user: 'wintrades_operator', passwordFile: one.passwordFileOf('operator') },
    authorityFile: one.authorityFile,
    certificateName: null,
  })
  await until('the gateways are connected', () => clusters.every(({ ready }) => ready), { timeout_ms: 60_000 })
  const notes: string[] = []
  const { refused } = await ordersDuring(here, async () => {
    const timeline = { note: (text: string) => notes.push(text), entries: [] }
    const { markets } = here
    const shard = markets.shards[0] as (typeof markets.shards)[number]
    const signal = new AbortController().signal
    // The gateways are in this process: no target is asked for anything.
    const target = {} as Parameters<typeof fault.make>[0]['target']
    expect(await fault.make({ target, markets, shard, timeline, signal })).toEqual(markets.shards)
  })
  expect(refused).toEqual([])
  expect(notes[0]).toMatch(/^3 Redis nodes: \d+ keys lost, \d+ connections cut, none answers for 5 s$/)
  expect(notes[1]).toBe('every Redis node answers again')
})

test('sessions are opened, renewed, used and ended with Redis gone, and stand when it is back empty', async () => {
  const before = await User.register(here)
  await killAll()
  const during = await User.register(here)
  for (const user of [before, during]) expect((await user.get('/balances')).status).toBe(200)
  const renewed = await call(here, 'POST', '/api/v1/auth/refresh', { body: { refreshToken: before.refreshToken } })
  expect(renewed.status).toBe(200)
  await Promise.all(nodes.map((node) => node.wipe()))
  await untilSteady(operator, 3, 120_000)
  const again = await call(here, 'POST', '/api/v1/auth/refresh', { body: { refreshToken: renewed.body.refreshToken } })
  expect(again.status).toBe(200)
  expect((await during.get('/balances')).status).toBe(200)
  // A log-out is seen within seconds, with the copy in Redis as without it.
  await until('Redis is used again', () => clusters.every(({ ready }) => ready), { timeout_ms: 60_000 })
  expect(
    (await call(here, 'POST', '/api/v1/auth/logout', { body: { refreshToken: during.refreshToken } })).status,
  ).toBe(204)
  await until('the access token is refused', async () => (await during.get('/balances')).status === 401, {
    timeout_ms: 60_000,
    every_ms: 500,
  })
})

test('pages of history are kept in Redis, and are new when the account has traded', async () => {
  const user = await User.register(here)
  const placed = await user.order({ clientOrderId: 'kept' })
  const cancelled = await user.call('DELETE', `/orders/${placed.body.orderId}`)
  const closed = (minSeq: string) => user.get(`/orders?status=closed&minSeq=${minSeq}`)
  const first = await closed(`${cancelled.body.shard}:${cancelled.body.seq}`)
  expect(first.body.items.map((one: { clientOrderId: string }) => one.clientOrderId)).toEqual(['kept'])
  expect((await closed(`${cancelled.body.shard}:${cancelled.body.seq}`)).body).toEqual(first.body)
  const next = await user.order({ clientOrderId: 'second' })
  const done = await user.call('DELETE', `/orders/${next.body.orderId}`)
  const second = await closed(`${done.body.shard}:${done.body.seq}`)
  expect(second.body.items.map((one: { clientOrderId: string }) => one.clientOrderId)).toEqual(['second', 'kept'])
})
