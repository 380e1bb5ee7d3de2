// What the tests of Redis share: nodes in three regions, operators in this process, and a client that finds nodes by name as in a deployment.

import { readFileSync } from 'node:fs'
import { User } from '@wintrades/gateway/test/client'
import type { TestRegion } from '@wintrades/gateway/test/region'
import { RedisOperator } from '@wintrades/operations/operator'
import { createLogger, type LogLevel } from '@wintrades/platform'
import { RedisCluster, type RedisUse } from '@wintrades/platform/redis'
import { type Lab, type LabRedis, REGIONS, until } from './lab/index.ts'

/** Every node has a port of its own, so that it can be moved to any region. */
const FIRST_PORT = 7_001

export async function startNode(lab: Lab, number: number): Promise<LabRedis> {
  const region = REGIONS[(number - 1) % REGIONS.length] as string
  return await lab.redis({ name: `redis-${number}`, region, port: FIRST_PORT + number - 1 })
}

export async function startNodes(lab: Lab, first: number, last: number): Promise<LabRedis[]> {
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  return await Promise.all(numbers.map((number) => startNode(lab, number)))
}

export type RunningOperator = {
  readonly operator: RedisOperator
  /** Every line that it said. */
  readonly lines: readonly string[]
  stop(): Promise<void>
}

/** `nodes` is asked each round. */
export function startOperator(name: string, nodes: () => readonly LabRedis[]): RunningOperator {
  const [one] = nodes() as [LabRedis]
  const lines: string[] = []
  const write = (line: string) => {
    const { time, message } = JSON.parse(line) as { time: string; message: string }
    lines.push(message)
    if (process.env.LAB_VERBOSE) process.stderr.write(`${time} ${name}: ${message}\n`)
  }
  const operator = new RedisOperator({
    name,
    nodes: () => nodes().map(({ name, region, host, port }) => ({ name, region, host, port })),
    access: {
      user: 'wintrades_operator',
      password: () => one.passwordOf('operator'),
      ca: readFileSync(one.authorityFile, 'utf8'),
      certificateName: null,
    },
    logger: createLogger('operator', { write }),
    interval_ms: 300,
  })
  const ending = new AbortController()
  const running = operator.run(ending.signal)
  return {
    operator,
    lines,
    stop: async () => {
      ending.abort()
      await running
    },
  }
}

type Status = {
  readonly verdict: string
  readonly line: string
  readonly acting: string | null
  readonly nodes?: readonly {
    readonly name: string
    readonly region: string
    readonly state: string
    readonly role?: string
    readonly slots?: number
    readonly id?: string
    readonly master?: string | null
  }[]
}

export function statusOf({ operator }: RunningOperator): Status {
  return operator.status() as Status
}

/** Seconds until the operator finds so many nodes in order. */
export async function untilSteady(running: RunningOperator, nodeCount: number, timeout_ms = 120_000): Promise<number> {
  const begun_ms = performance.now()
  const isSteady = () => {
    const { verdict, line, nodes = [] } = statusOf(running)
    if (verdict === 'steady' && nodes.filter(({ state }) => state === 'up').length === nodeCount) return true
    throw new Error(`${verdict}: ${line}`)
  }
  await until(`${nodeCount} nodes are steady`, isSteady, { timeout_ms, every_ms: 20 })
  return (performance.now() - begun_ms) / 1_000
}

export function connectApp(nodes: readonly LabRedis[], level: LogLevel = 'error'): RedisCluster {
  const [one] = nodes as [LabRedis]
  return new RedisCluster(
    {
      nodes: nodes.map(({ name, port }) => ({ host: name, port })),
      user: 'wintrades_app',
      password: one.passwordOf('app'),
      tls: { ca: readFileSync(one.authorityFile, 'utf8') },
      prefix: 'wintrades:',
      clientName: 'wintrades-app-test',
      lookup: async (host) => {
        const node = nodes.find(({ name }) => name === host)
        if (node === undefined) throw new Error(`no node ${host}`)
        return node.host
      },
    },
    { logger: createLogger('app', { level }) },
  )
}

export const HOUR_MS = 3_600_000

const AT_ONCE = 50

/** Asks again and again, each key for up to a minute and a half. */
async function each(keys: readonly string[], ask: (key: string) => Promise<void>): Promise<void> {
  const left = [...keys]
  const work = async () => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      const asked = key
      const answered = async () => {
        await ask(asked)
        return true
      }
      await until(`${asked} is answered`, answered, { timeout_ms: 90_000 })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

export async function fill(redis: RedisUse, keys: readonly string[]): Promise<void> {
  await each(keys, async (key) => void (await redis.set(key, `value of ${key}`, HOUR_MS)))
}

/** Keys that are not there, or hold something else. */
export async function missing(redis: RedisUse, keys: readonly string[]): Promise<string[]> {
  const lost: string[] = []
  await each(keys, async (key) => {
    const value = await redis.get(key)
    if (value !== `value of ${key}`) lost.push(key)
  })
  return lost
}

/** An order every few milliseconds until `work` is done. */
export async function ordersDuring(region: TestRegion, work: () => Promise<unknown>) {
  const user = await User.register(region)
  const times_ms: number[] = []
  const refused: string[] = []
  let done = false
  const working = work().finally(() => {
    done = true
  })
  for (let count = 0; !done || count < 50; count += 1) {
    const begun_ms = performance.now()
    const { status, text } = await user.order({ clientOrderId: `order-${count}` })
    times_ms.push(performance.now() - begun_ms)
    if (status !== 201) refused.push(`${status} ${text}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await working
  times_ms.sort((one, other) => one - other)
  return { count: times_ms.length, refused, median_ms: times_ms[times_ms.length >> 1] as number }
}
