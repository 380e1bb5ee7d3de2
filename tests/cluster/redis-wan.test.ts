// A gateway in us-east whose Redis masters lie 0, 80 and 200 ms away: what it asks of them ends by its deadline, and no client waits for it. Then the
// farthest one is frozen, and the nearest killed.

import { call, User } from '@wintrades/gateway/test/client'
import { startRegion, type TestRegion } from '@wintrades/gateway/test/region'
import type { RedisCluster } from '@wintrades/platform/redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Lab, type LabRedis, startLab, until, WAN_DELAYS } from './lab/index.ts'
import {
  connectApp,
  fill,
  HOUR_MS,
  ordersDuring,
  type RunningOperator,
  startNodes,
  startOperator,
  untilSteady,
} from './redis-parts.ts'

/** This process stands in us-east. */
const FROM_HERE = { 'host/eu-west': 40, 'host/asia-pacific': 100 }
const FAR_ROUND_TRIP_MS = 200
const DEADLINES_MS = { sessions: 500, queries: 25 }
/** What a timer of a busy machine may be late by. */
const LATE_MS = 400

let lab: Lab
let nodes: LabRedis[]
let operator: RunningOperator
let cluster: RedisCluster
let here: TestRegion

beforeAll(async () => {
  lab = await startLab({ delays: { ...WAN_DELAYS, ...FROM_HERE } })
  nodes = await startNodes(lab, 1, 3)
  operator = startOperator('us-east', () => nodes)
  await untilSteady(operator, 3)
  cluster = connectApp(nodes, 'silent')
  await until('the gateway can connect', () => cluster.ready)
  here = await startRegion({}, { redis: cluster })
})

afterAll(async () => {
  await here?.stop()
  cluster?.close()
  await operator?.stop()
  await lab?.close()
})

type Asked = { readonly took_ms: number; readonly isAnswered: boolean }

async function ask(work: () => Promise<unknown>): Promise<Asked> {
  const begun_ms = performance.now()
  const isAnswered = await work().then(
    () => true,
    () => false,
  )
  return { took_ms: performance.now() - begun_ms, isAnswered }
}

/** Keys of every node: their slots are spread evenly. */
const KEYS = Array.from({ length: 60 }, (_, i) => `key-${i}`)

test('a patient use hears from the farthest master, an impatient one gives up at its deadline', async () => {
  const sessions = cluster.use({ name: 'sessions', deadline_ms: DEADLINES_MS.sessions })
  await fill(sessions, KEYS)
  const patient = await Promise.all(KEYS.map((key) => ask(() => sessions.get(key))))
  const far = patient.filter(({ took_ms }) => took_ms >= FAR_ROUND_TRIP_MS)
  // A third of the slots are in asia-pacific.
  expect(far.length).toBeGreaterThan(KEYS.length / 6)
  expect(far.every(({ isAnswered, took_ms }) => isAnswered || took_ms >= DEADLINES_MS.sessions)).toBe(true)
  const queries = cluster.use({ name: 'queries', deadline_ms: DEADLINES_MS.queries })
  const impatient: Asked[] = []
  for (const key of KEYS) impatient.push(await ask(() => queries.set(key, 'page', HOUR_MS)))
  const given = impatient.filter(({ isAnswered }) => !isAnswered)
  expect(given.length).toBeGreaterThan(KEYS.length / 3)
  for (const { took_ms } of [...patient, ...impatient]) expect(took_ms).toBeLessThan(DEADLINES_MS.sessions + LATE_MS)
  for (const { took_ms } of impatient) expect(took_ms).toBeLessThan(DEADLINES_MS.queries + LATE_MS)
  // Those that have given up again and again are not even asked: what is left is as quick as no cache.
  expect(given.filter(({ took_ms }) => took_ms < DEADLINES_MS.queries / 2).length).toBeGreaterThan(0)
})

test('orders, log-ins, sessions and pages of history are answered as quickly as beside Redis', async () => {
  const { count, refused, median_ms } = await ordersDuring(here, async () => {
    const user = await User.register(here)
    const placed = await user.order({ clientOrderId: 'far' })
    const cancelled = await user.call('DELETE', `/orders/${placed.body.orderId}`)
    const page = `/orders?status=closed&minSeq=${cancelled.body.shard}:${cancelled.body.seq}`
    for (let i = 0; i < 20; i++) {
      const { status, body } = await user.get(page)
      expect(status).toBe(200)
      expect(body.items).toHaveLength(1)
    }
    let { refreshToken } = user
    for (let i = 0; i < 5; i++) {
      const renewed = await call(here, 'POST', '/api/v1/auth/refresh', { body: { refreshToken } })
      expect(renewed.status).toBe(200)
      refreshToken = renewed.body.refreshToken
    }
  })
  process.stderr.write(`redis: ${count} orders, Redis 0, 80 and 200 ms away: median ${median_ms.toFixed(1)} ms\n`)
  expect(refused).toEqual([])
  // No order waits for a round trip to Redis.
  expect(median_ms).toBeLessThan(FAR_ROUND_TRIP_MS / 2)
  expect([...here.errors]).toEqual([])
})

test('no order fails while the farthest master is frozen and the nearest one killed', async () => {
  const [near, , far] = nodes as [LabRedis, LabRedis, LabRedis]
  const { count, refused } = await ordersDuring(here, async () => {
    await far.pause()
    const user = await User.register(here)
    expect((await user.get('/balances')).status).toBe(200)
    await near.kill()
    expect((await user.get('/balances')).status).toBe(200)
    await far.unpause()
    await near.start()
    await untilSteady(operator, 3)
  })
  process.stderr.write(`redis: ${count} orders while a far master was frozen and a near one killed\n`)
  expect(refused).toEqual([])
  expect([...here.errors]).toEqual([])
})
