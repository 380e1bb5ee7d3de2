// Orders over WebSockets with the journal on four MySQL servers in three regions, everything on this machine: three voters with lossless semi-sync, a
// reader, three regions' processes with three replicas of each shard, and the load. Once as if the regions were next door, and once with round trips of
// 80 and 200 ms between them.

import { CostWatch } from './cost-watch.ts'
import type { BenchOptions, Figure } from './figure.ts'
import { LoadMaker, openClients } from './ground.ts'
import type { LoadClientPlan, LoadJob } from './load-job.ts'
import { startOnServers, startServers } from './mysql-ground.ts'
import { describe } from './orders-ws.ts'

const ORDERS_PER_SECOND_TARGET = 25_000
const P50_MS_TARGET = 30
const CLIENTS_PER_REGION = 4
/** As many as it takes to fill the time that an acknowledgement takes. */
const IN_FLIGHT = { near: 400, wide: 2_500 } as const
const WARM_UP_MS = { near: 3_000, wide: 6_000 } as const
const NEAREST_VOTER_MS = 80
const PRIMARY_REGION = 'us-east'

export async function run(options: BenchOptions): Promise<Figure[]> {
  return [...(await measure(options, false)), ...(await measure(options, true))]
}

async function measure(options: BenchOptions, wide: boolean): Promise<Figure[]> {
  const servers = await startServers(options, wide)
  const way = wide ? 'wide' : 'near'
  const name = wide ? 'orders_mysql_wan' : 'orders_mysql'
  const load = new LoadMaker()
  try {
    const ground = await startOnServers(options, servers)
    try {
      const clients = await openClients(ground, CLIENTS_PER_REGION)
      const beside = clients.filter(
        ({ baseUrl }) => new URL(baseUrl).hostname === servers.lab.addressOf(PRIMARY_REGION),
      )
      const runLoad = async (
        title: string,
        who: readonly LoadClientPlan[],
        job: Pick<LoadJob, 'requestsInFlight' | 'ordersPerSecond'>,
      ) => {
        const costs = new CostWatch(ground.target, [process.pid, load.pid])
        const shared = { way: 'stream', ordersPerRequest: 1, measure_ms: options.seconds * 1_000 } as const
        const result = await load.run({ ...shared, ...job, clients: who, warmUp_ms: WARM_UP_MS[way] })
        options.say(describe(`${name}, ${title}`, result))
        options.say(`  of a core: ${costs.describe()}`)
        return result
      }
      const full = await runLoad('full rate', clients, { requestsInFlight: IN_FLIGHT[way], ordersPerSecond: null })
      const half = await runLoad('half of the promised rate', clients, {
        requestsInFlight: null,
        ordersPerSecond: ORDERS_PER_SECOND_TARGET / 2,
      })
      const near = await runLoad('beside the primary', beside, {
        requestsInFlight: null,
        ordersPerSecond: ORDERS_PER_SECOND_TARGET / 6,
      })
      return [
        {
          name: `${name}.acknowledged`,
          value: full.acknowledgedPerSecond,
          unit: 'orders/s',
          reference: ORDERS_PER_SECOND_TARGET,
        },
        { name: `${name}.p50_full_rate`, value: full.p50_ms, unit: 'ms', reference: null },
        { name: `${name}.p50_half_rate`, value: half.p50_ms, unit: 'ms', reference: wide ? null : P50_MS_TARGET },
        { name: `${name}.p99_half_rate`, value: half.p99_ms, unit: 'ms', reference: null },
        {
          name: `${name}.p50_beside_primary`,
          value: near.p50_ms,
          unit: 'ms',
          reference: wide ? NEAREST_VOTER_MS * 1.25 : P50_MS_TARGET,
        },
        { name: `${name}.refused`, value: full.refused + half.refused + near.refused, unit: 'orders', reference: 0 },
        {
          name: `${name}.unanswered`,
          value: full.unanswered + half.unanswered + near.unanswered,
          unit: 'orders',
          reference: 0,
        },
      ]
    } finally {
      await ground.close()
    }
  } finally {
    load.close()
    await servers.lab.close()
  }
}
