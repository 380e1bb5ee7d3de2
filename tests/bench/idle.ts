// What a platform costs on which nobody trades, and one with the simulated market: processor time and memory of its processes. And what
// memory they have after many orders.

import { setTimeout as pause } from 'node:timers/promises'
import { readRunningStatus } from '@wintrades/operations'
import type { Target } from '@wintrades/operations/drill'
import type { BenchOptions, Figure } from './figure.ts'
import { type Ground, LoadMaker, openClients, openGround } from './ground.ts'
import { readCost } from './processor.ts'

const PROCESSOR_PERCENT_TARGET = 5
const MEMORY_MB_TARGET = 250
/** What starting leaves to do is done by then. */
const SETTLE_MS = 5_000
const CLIENTS_PER_REGION = 4
const IN_FLIGHT = 200
const MB = 1024 * 1024

export async function run(options: BenchOptions): Promise<Figure[]> {
  const alone = { ...options, private: true }
  const quiet = await withGround(alone, false, async (ground) => [
    ...(await measureIdle('idle', ground.target, options)),
    ...(await measureAfterOrders(ground, options)),
  ])
  const simulated = await withGround(alone, true, ({ target }) => measureIdle('idle_simulated', target, options))
  return [...quiet, ...simulated]
}

async function withGround(
  options: BenchOptions,
  simulation: boolean,
  measure: (ground: Ground) => Promise<Figure[]>,
): Promise<Figure[]> {
  const ground = await openGround(options, simulation)
  try {
    return await measure(ground)
  } finally {
    await ground.close()
  }
}

/** Every process is held against the target by itself; the figure is that of the worst. */
async function measureIdle(name: string, target: Target, { say, seconds }: BenchOptions): Promise<Figure[]> {
  await pause(SETTLE_MS)
  const before = readAll(target)
  const start_ms = performance.now()
  await pause(2_000 * seconds)
  const elapsed_seconds = (performance.now() - start_ms) / 1_000
  const processes = [...readAll(target)].map(([process, cost]) => ({
    process,
    percent: ((cost.cpu_seconds - (before.get(process)?.cpu_seconds ?? 0)) / elapsed_seconds) * 100,
    memory_mb: cost.memory_bytes / MB,
  }))
  for (const { process, percent, memory_mb } of processes) {
    say(`${name}: ${process.padEnd(13)} ${percent.toFixed(1).padStart(5)} % of a core, ${memory_mb.toFixed(0)} MB`)
  }
  const percents = processes.map((one) => one.percent)
  const unit = '% of a core'
  return [
    { name: `${name}.processor`, value: Math.max(...percents), unit, reference: PROCESSOR_PERCENT_TARGET },
    { name: `${name}.processor_of_all`, value: percents.reduce((sum, one) => sum + one, 0), unit, reference: null },
    memoryFigure(`${name}.memory`, target),
  ]
}

async function measureAfterOrders(ground: Ground, { say, seconds }: BenchOptions): Promise<Figure[]> {
  const load = new LoadMaker()
  try {
    const result = await load.run({
      way: 'stream',
      clients: await openClients(ground, CLIENTS_PER_REGION),
      ordersPerRequest: 1,
      requestsInFlight: IN_FLIGHT,
      ordersPerSecond: null,
      warmUp_ms: 0,
      measure_ms: seconds * 1_000,
    })
    await pause(SETTLE_MS)
    for (const [process, { memory_bytes }] of readAll(ground.target)) {
      say(`after ${result.acknowledged} orders: ${process.padEnd(13)} ${(memory_bytes / MB).toFixed(0)} MB`)
    }
    return [
      { name: 'after_orders.orders', value: result.acknowledged, unit: 'orders', reference: null },
      { ...memoryFigure('after_orders.memory', ground.target), reference: null },
    ]
  } finally {
    load.close()
  }
}

function memoryFigure(name: string, target: Target): Figure {
  const memories = [...readAll(target).values()].map((cost) => cost.memory_bytes / MB)
  return { name, value: Math.max(...memories), unit: 'MB', reference: MEMORY_MB_TARGET }
}

function readAll({ dataDirectory }: Target): ReadonlyMap<string, ReturnType<typeof readCost>> {
  const processes = readRunningStatus(dataDirectory)?.processes ?? []
  return new Map(processes.flatMap(({ name, pid }) => (pid === null ? [] : [[name, readCost(pid)] as const])))
}
