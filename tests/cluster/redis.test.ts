// The Redis Cluster under its operator, on real nodes in three regions: formed from nothing, healed after every fault, grown and shrunk under
// load without losing a key.

import type { RedisCluster, RedisUse } from '@wintrades/platform/redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, type LabRedis, REGIONS, startLab, until } from './lab/index.ts'
import {
  connectApp,
  fill,
  HOUR_MS,
  missing,
  type RunningOperator,
  startNodes,
  startOperator,
  statusOf,
  untilSteady,
} from './redis-parts.ts'

const KEYS = Array.from({ length: 2_000 }, (_, index) => `test:${index}`)

let lab: Lab
let nodes: LabRedis[]
let listed: LabRedis[]
let operator: RunningOperator
let cluster: RedisCluster
let redis: RedisUse

beforeAll(async () => {
  lab = await startLab()
  nodes = await startNodes(lab, 1, 6)
  listed = nodes
  operator = startOperator('us-east', () => listed)
  cluster = connectApp(nodes)
  redis = cluster.use({ name: 'test', deadline_ms: 1_000 })
})

afterAll(async () => {
  cluster?.close()
  await operator?.stop()
  await lab?.close()
})

const report = (what: string, seconds: number) => process.stderr.write(`redis: ${what}: ${seconds.toFixed(1)} s\n`)

function up() {
  return (statusOf(operator).nodes ?? []).filter(({ state }) => state === 'up')
}

function masters(): LabRedis[] {
  const names = up()
    .filter(({ role }) => role === 'master')
    .map(({ name }) => name)
  return nodes.filter(({ name }) => names.includes(name))
}

function expectLayout(masterCount: number): void {
  const all = up()
  const served = all.filter(({ slots = 0 }) => slots > 0)
  expect(served.length).toBe(masterCount)
  expect(new Set(served.map(({ region }) => region)).size).toBe(REGIONS.length)
  const regionOf = new Map(all.map(({ id, region }) => [id, region]))
  const beside = all.filter(({ master, region }) => master && regionOf.get(master) === region)
  expect(beside.map(({ name }) => name)).toEqual([])
}

/** Reads every third key over and over, and writes and reads others: what fails for good or is wrong ends up in `wrong`. */
function startLoad() {
  const load = { calls: 0, failed: 0, late_ms_max: 0, wrong: [] as string[], stop: async () => {} }
  let stopped = false
  const work = async (worker: number) => {
    for (let i = 0; !stopped; i += 1) {
      const key = KEYS[(i * 3 + worker) % KEYS.length] as string
      const own = `load:${worker}:${i % 500}`
      const begun_ms = performance.now()
      try {
        load.calls += 3
        const value = await redis.get(key)
        if (value !== `value of ${key}`) load.wrong.push(key)
        await redis.set(own, String(i), HOUR_MS)
        if ((await redis.get(own)) !== String(i)) load.wrong.push(own)
      } catch {
        load.failed += 1
      }
      load.late_ms_max = Math.max(load.late_ms_max, performance.now() - begun_ms)
      await new Promise((resolve) => setTimeout(resolve, 4))
    }
  }
  const workers = [0, 1, 2, 3].map(work)
  load.stop = async () => {
    stopped = true
    await Promise.all(workers)
  }
  return load
}

test('six empty nodes become a cluster: a master in each region, its replica in another', async () => {
  report('formed from six empty nodes', await untilSteady(operator, 6))
  expectLayout(3)
  await until('the app is connected', () => cluster.ready)
  await fill(redis, KEYS)
  expect(await missing(redis, KEYS)).toEqual([])
})

test('a killed master is replaced; back again, its region has the master again; no key is lost', async () => {
  const [master] = masters() as [LabRedis]
  const { region } = master
  await master.kill()
  const begun_ms = performance.now()
  expect(await missing(redis, KEYS)).toEqual([])
  report('every slot served again after a killed master', (performance.now() - begun_ms) / 1_000)
  await master.start()
  report('as before after it came back', await untilSteady(operator, 6))
  expectLayout(3)
  expect(masters().some((one) => one.region === region)).toBe(true)
  expect(await missing(redis, KEYS)).toEqual([])
})

test('a frozen node holds up nothing but its own slots, and those no longer than the deadline', async () => {
  const [master] = masters() as [LabRedis]
  await master.pause()
  let slowest_ms = 0
  let served = 0
  await Promise.all(
    KEYS.slice(0, 300).map(async (key) => {
      const begun_ms = performance.now()
      const isServed = await redis.get(key).then(
        (value) => value !== null,
        () => false,
      )
      served += Number(isServed)
      slowest_ms = Math.max(slowest_ms, performance.now() - begun_ms)
    }),
  )
  expect(slowest_ms).toBeLessThan(5_000)
  expect(served).toBeGreaterThan(60)
  expect(await missing(redis, KEYS)).toEqual([])
  await master.unpause()
  await untilSteady(operator, 6)
  expectLayout(3)
})

test('all killed at once and started elsewhere: they find each other, with every key', async () => {
  await Promise.all(nodes.map((node) => node.kill()))
  const regions = nodes.map(({ region }) => region)
  const begun_ms = performance.now()
  await Promise.all(nodes.map((node, index) => node.move(regions[(index + 1) % regions.length] as string, node.port)))
  report('all nodes answer at other addresses', (performance.now() - begun_ms) / 1_000)
  report('in order again after that', await untilSteady(operator, 6))
  expectLayout(3)
  expect(await missing(redis, KEYS)).toEqual([])
})

test('two of three masters lost: the operator promotes, because nobody else can', async () => {
  const lost = masters().slice(0, 2)
  await Promise.all(lost.map((node) => node.kill()))
  const begun_ms = performance.now()
  expect(await missing(redis, KEYS)).toEqual([])
  report('every slot served again after two of three masters', (performance.now() - begun_ms) / 1_000)
  expect(operator.lines.some((line) => line.includes('(takeover)'))).toBe(true)
  await Promise.all(lost.map((node) => node.start()))
  await untilSteady(operator, 6)
  expectLayout(3)
  expect(await missing(redis, KEYS)).toEqual([])
})

describe('scaled under load', () => {
  test('from six to nine: a fourth master gets its share, every key is kept', async () => {
    const more = await startNodes(lab, 7, 9)
    const load = startLoad()
    nodes = [...nodes, ...more]
    listed = nodes
    report('six to nine', await untilSteady(operator, 9, 240_000))
    await load.stop()
    expectLayout(4)
    process.stderr.write(
      `redis: ${load.calls} calls meanwhile, ${load.failed} failed, slowest ${load.late_ms_max.toFixed(0)} ms\n`,
    )
    expect(load.wrong).toEqual([])
    expect(load.failed).toBeLessThan(load.calls / 10)
    expect(await missing(redis, KEYS)).toEqual([])
  })

  test('from nine to six: the three are emptied and leave, every key is kept', async () => {
    const load = startLoad()
    listed = nodes.slice(0, 6)
    report('nine to six', await untilSteady(operator, 6, 240_000))
    await load.stop()
    expectLayout(3)
    process.stderr.write(
      `redis: ${load.calls} calls meanwhile, ${load.failed} failed, slowest ${load.late_ms_max.toFixed(0)} ms\n`,
    )
    expect(load.wrong).toEqual([])
    expect(load.failed).toBeLessThan(load.calls / 10)
    expect(await missing(redis, KEYS)).toEqual([])
    for (const node of nodes.slice(6)) expect(await node.call('DBSIZE')).toBe(0)
    nodes = listed
  })
})

describe('told to end, as a service that shrinks or is updated tells its tasks', () => {
  async function endAndReturn(what: string, ending: readonly LabRedis[]): Promise<void> {
    const load = startLoad()
    const began_ms = performance.now()
    await Promise.all(ending.map((node) => node.stop()))
    report(what, (performance.now() - began_ms) / 1_000)
    await load.stop()
    expect([load.wrong, await missing(redis, KEYS)]).toEqual([[], []])
    await Promise.all(ending.map((node) => node.start()))
    await untilSteady(operator, 6)
    expectLayout(3)
    expect(await missing(redis, KEYS)).toEqual([])
  }

  test('a master ends when its replica has taken over', async () => {
    const [master] = masters() as [LabRedis]
    await endAndReturn('a master told to end has ended', [master])
    expect(operator.lines.join('\n')).toContain(`becomes a master (planned): ${master.name} ends`)
  })

  test('a master and its replica end when others have its slots, with every key', async () => {
    const [master] = masters() as [LabRedis]
    const { id } = up().find(({ name }) => name === master.name) ?? {}
    const [replica] = up().filter((one) => one.master === id)
    const both = [master, nodes.find(({ name }) => name === replica?.name) as LabRedis]
    await endAndReturn('a master and its replica told to end have ended', both)
    expect(operator.lines.some((line) => line.startsWith('slots') && line.endsWith(`: ${master.name} ends`))).toBe(true)
  })
})

test('of two operators one acts; when it is gone, the other does', async () => {
  const other = startOperator('asia-pacific', () => listed)
  await until(
    'both see the same',
    () => statusOf(other).acting === 'asia-pacific' && statusOf(operator).acting === 'asia-pacific',
  )
  await other.stop()
  await until('the other acts', () => statusOf(operator).acting === 'us-east', { timeout_ms: 60_000 })
})

test('a wiped node joins again as a new one', async () => {
  const replica = nodes.find((node) => !masters().includes(node)) as LabRedis
  await replica.wipe()
  await untilSteady(operator, 6)
  expectLayout(3)
  expect(await missing(redis, KEYS)).toEqual([])
})
