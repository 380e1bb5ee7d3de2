// Orders over WebSockets through the whole platform on one machine: three regions with three replicas of each shard, every batch durable
// before it is acknowledged, and the load beside them. Rate at full load, and latency at half of the promised rate.

import { CostWatch, untilQuiet } from './cost-watch.ts'
import type { BenchOptions, Figure } from './figure.ts'
import { LoadMaker, openClients, openGround } from './ground.ts'
import type { LoadClientPlan, LoadJob, LoadResult } from './load-job.ts'

export const ORDERS_PER_SECOND_TARGET = 50_000
export const P99_MS_TARGET = 50
const CLIENTS_PER_REGION = 4
const IN_FLIGHT = 400
const BATCH = { orders: 50, inFlight: 8 } as const
const WARM_UP_MS = 3_000

export async function run(options: BenchOptions): Promise<Figure[]> {
  const ground = await openGround(options)
  const load = new LoadMaker()
  try {
    const clients = await openClients(ground, CLIENTS_PER_REGION)
    options.say(`${clients.length} clients in ${ground.target.regions().length} regions`)
    const run = async (title: string, job: Omit<LoadJob, 'name'>) => {
      const costs = new CostWatch(ground.target, [process.pid, load.pid])
      const result = await load.run(job)
      options.say(describe(title, result))
      options.say(`  of a core: ${costs.describe()}`)
      const behind_seconds = await untilQuiet(ground.target)
      options.say(`  busy for ${behind_seconds.toFixed(1)} s more: histories catch up`)
      return { ...result, behind_seconds }
    }
    const single = await measure('orders_ws', 1, IN_FLIGHT, run, clients, options)
    const batches = await measure('orders_ws_batch', BATCH.orders, BATCH.inFlight, run, clients, options)
    return [...single, ...batches]
  } finally {
    load.close()
    await ground.close()
  }
}

async function measure(
  name: string,
  ordersPerRequest: number,
  requestsInFlight: number,
  run: (title: string, job: Omit<LoadJob, 'name'>) => Promise<LoadResult & { readonly behind_seconds: number }>,
  clients: readonly LoadClientPlan[],
  options: BenchOptions,
): Promise<Figure[]> {
  const shared = { way: 'stream', clients, ordersPerRequest, measure_ms: options.seconds * 1_000 } as const
  const full = await run(`${name}, full rate`, {
    ...shared,
    requestsInFlight,
    ordersPerSecond: null,
    warmUp_ms: WARM_UP_MS,
  })
  // What is promised at the promised rate is held to at half of it, however much more is possible.
  const ordersPerSecond = ORDERS_PER_SECOND_TARGET / 2
  const half = await run(`${name}, half rate`, {
    ...shared,
    requestsInFlight: null,
    ordersPerSecond,
    warmUp_ms: WARM_UP_MS,
  })
  return [
    {
      name: `${name}.acknowledged`,
      value: full.acknowledgedPerSecond,
      unit: 'orders/s',
      reference: ORDERS_PER_SECOND_TARGET,
    },
    { name: `${name}.p50_full_rate`, value: full.p50_ms, unit: 'ms', reference: null },
    { name: `${name}.p99_full_rate`, value: full.p99_ms, unit: 'ms', reference: null },
    { name: `${name}.p50_half_rate`, value: half.p50_ms, unit: 'ms', reference: null },
    { name: `${name}.p99_half_rate`, value: half.p99_ms, unit: 'ms', reference: P99_MS_TARGET },
    { name: `${name}.refused`, value: full.refused + half.refused, unit: 'orders', reference: 0 },
    { name: `${name}.unanswered`, value: full.unanswered + half.unanswered, unit: 'orders', reference: 0 },
    { name: `${name}.history_behind`, value: full.behind_seconds, unit: 's', reference: null },
    { name: `${name}.load_process`, value: full.loadCpu * 100, unit: '% of a core', reference: null },
  ]
}

export function describe(name: string, result: LoadResult): string {
  const { acknowledgedPerSecond, p50_ms, p99_ms, max_ms, refused, unanswered, loadCpu, refusals } = result
  const rate = `${Math.round(acknowledgedPerSecond)} orders/s acknowledged`
  const times = `p50 ${p50_ms.toFixed(1)} ms, p99 ${p99_ms.toFixed(1)} ms, max ${max_ms.toFixed(1)} ms`
  const rest = `${refused} refused, ${unanswered} unanswered, load process ${(loadCpu * 100).toFixed(0)} % of a core`
  return [`${name}: ${rate}; ${times}; ${rest}`, ...refusals.map((one) => `  ${one}`)].join('\n')
}
