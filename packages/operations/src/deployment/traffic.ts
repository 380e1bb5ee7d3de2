// A region's clients, shards and database primary moved to others, and back: each step planned, so that clients see nothing but a short wait.

import { appServiceOf, INNER_PORTS, type Topology } from '@wintrades/topology'
import { requireShardRegions } from '../topology/read-files.ts'
import type { BringUpContext } from './bring-up.ts'
import { untilTheyServe } from './database-readiness.ts'
import type { Docker } from './docker.ts'
import { askInside } from './inside.ts'
import { commandOperator, readOperatorReport } from './operators.ts'
import { readStackStatus, shardsOf } from './stack-status.ts'

const SEND_MS = 30_000
const HAND_OVER_MS = 15_000
const PROMOTE_MS = 60_000

/** New requests of a region's clients go to another one; what runs in it goes on. */
export async function drain({ docker, topology, say }: BringUpContext, region: string, to: string): Promise<void> {
  say(await commandOperator(docker, topology, '/traffic/send', { region, to }, SEND_MS))
}

/** And nothing of the platform depends on it any more: its shards are led, and the database has its primary, elsewhere. */
export async function evacuate(context: BringUpContext, region: string, to: string): Promise<void> {
  const { docker, topology, state, say } = context
  await drain(context, region, to)
  const shards = shardsOf(await readStackStatus(docker, topology, state)).filter(({ leader }) => leader === region)
  for (const { name } of shards) say(await handOver(docker, topology, name, firstOther(name, region, to)))
  const database = (await readOperatorReport(topology))?.parts.database
  const primary = database?.servers.find(({ name }) => name === database.primary)
  if (primary?.region !== region) return
  const target =
    topology.database.servers.find((server) => server.role === 'voter' && server.region === to) ??
    topology.database.servers.find((server) => server.role === 'voter' && server.region !== region)
  if (target === undefined) throw new Error(`no voter outside ${region} could become the primary`)
  say(await commandOperator(docker, topology, '/database/promote', { server: target.name }, PROMOTE_MS))
  // Whoever leaves next takes a voter along: what is committed must be acknowledged by those that stay.
  const outside = topology.database.servers.filter((server) => server.role === 'voter' && server.region !== region)
  await untilTheyServe(
    context,
    outside.map((server) => server.name),
  )
}

/** Clients are the region's own again, and the shards whose first region it is. The primary stays where it is: `wintrades db promote` moves it. */
export async function restore(context: BringUpContext, region: string): Promise<void> {
  const { docker, topology, state, say } = context
  const shards = shardsOf(await readStackStatus(docker, topology, state))
  for (const { name, leader } of shards) {
    if (requireShardRegions().get(name)?.[0] === region && leader !== region)
      say(await handOver(docker, topology, name, region))
  }
  await drain(context, region, region)
}

async function handOver(docker: Docker, topology: Topology, shard: string, to: string): Promise<string> {
  const began_ms = performance.now()
  const services = topology.regions.map(({ name }) => appServiceOf(name))
  const answer = await askInside(docker, topology, services, {
    method: 'POST',
    port: INNER_PORTS.http,
    path: '/api/v1/operator/hand-over',
    key: { header: 'x-api-key', file: '/run/secrets/api_key' },
    body: { shard, to },
    timeout_ms: HAND_OVER_MS,
  })
  if (answer.status !== 200) throw new Error(`shard ${shard} was not handed to ${to}: ${JSON.stringify(answer.body)}`)
  return `shard ${shard} is led by ${to} (${Math.round(performance.now() - began_ms)} ms, docker included)`
}

/** Of the shard's regions: the wanted one if it is among them, else the first that is not being left. */
function firstOther(shard: string, left: string, wanted: string): string {
  const order = requireShardRegions().get(shard) ?? []
  const other = order.includes(wanted) ? wanted : order.find((region) => region !== left)
  if (other === undefined) throw new Error(`shard ${shard} may be led by ${left} alone (markets.yml): it cannot leave`)
  return other
}
