// Orders over HTTP/1.1 through the whole platform on one machine: batches, a few connections to each region, every batch durable before it
// is answered, and the load beside it.

import { CostWatch } from './cost-watch.ts'
import type { BenchOptions, Figure } from './figure.ts'
import { LoadMaker, openClients, openGround } from './ground.ts'
import { describe } from './orders-ws.ts'

const ORDERS_PER_SECOND_TARGET = 10_000
const CLIENTS_PER_REGION = 2
const CONNECTIONS = 2
const BATCHES = [100, 500] as const
const WARM_UP_MS = 3_000

export async function run(options: BenchOptions): Promise<Figure[]> {
  const ground = await openGround(options)
  const load = new LoadMaker()
  const figures: Figure[] = []
  try {
    const clients = await openClients(ground, CLIENTS_PER_REGION)
    for (const ordersPerRequest of BATCHES) {
      const costs = new CostWatch(ground.target, [process.pid, load.pid])
      const result = await load.run({
        way: 'rest',
        clients,
        ordersPerRequest,
        requestsInFlight: CONNECTIONS,
        ordersPerSecond: null,
        warmUp_ms: WARM_UP_MS,
        measure_ms: options.seconds * 1_000,
      })
      options.say(describe(`batches of ${ordersPerRequest}`, result))
      options.say(`  of a core: ${costs.describe()}`)
      const name = `orders_rest_${ordersPerRequest}`
      figures.push(
        {
          name: `${name}.acknowledged`,
          value: result.acknowledgedPerSecond,
          unit: 'orders/s',
          reference: ORDERS_PER_SECOND_TARGET,
        },
        { name: `${name}.p50`, value: result.p50_ms, unit: 'ms', reference: null },
        { name: `${name}.p99`, value: result.p99_ms, unit: 'ms', reference: null },
        { name: `${name}.refused`, value: result.refused, unit: 'orders', reference: 0 },
      )
    }
    return figures
  } finally {
    load.close()
    await ground.close()
  }
}
