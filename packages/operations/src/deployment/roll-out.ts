// A release onto a running stack: its schema, with which the release before goes on working; then one region after another, each healthy and trading before
// the next; then the database servers, one after another, the primary last and only once another server has taken its place; then what is left. Where one
// step fails, everything that was changed is put back to what ran before.

import { appServiceOf, type Topology } from '@wintrades/topology'
import { type BringUpContext, bringUp, converge, DeployFailed } from './bring-up.ts'
import { changedNetworks, compareStacks } from './compare-stacks.ts'
import { untilTheyServe, votersOf } from './database-readiness.ts'
import { type KeptRelease, markCurrent, stackVersionOf } from './kept-releases.ts'
import { migrate } from './migration.ts'
import { commandOperator, readOperatorReport } from './operators.ts'
import { networkFault } from './plan.ts'
import { prune } from './prune.ts'
import { servicesOfRegion } from './region-services.ts'
import { readServices } from './swarm.ts'
import { tradeIn } from './trade-check.ts'

export type RollOutOptions = {
  /** Test orders are traded in each region that was changed, before the next one is. */
  readonly trades: boolean
}

const PROMOTE_MS = 60_000

export async function rollOut(
  context: BringUpContext,
  kept: KeptRelease,
  before: KeptRelease,
  { trades }: RollOutOptions,
): Promise<void> {
  const { docker, topology, state, say, signal } = context
  const [old, now] = [stackVersionOf(state, before), stackVersionOf(state, kept)]
  const networks = changedNetworks(old, now)
  if (networks.length > 0) {
    const faults = networks.map((name) => networkFault(topology.stack, name))
    throw new DeployFailed(`nothing was changed:\n${faults.join('\n')}`)
  }
  const steps = stepsOf(topology, compareStacks(old, now))
  if (kept.release !== before.release) {
    say(`the schema of release ${kept.release}`)
    for (const line of await migrate(context, kept)) say(line)
  }
  const touched: string[] = []
  try {
    for (const { region, services } of steps.regions) {
      touched.push(...services)
      say(`${region}: release ${kept.release}`)
      await bringUp(context, kept, services)
      await converge(context, services)
      if (trades) await tradeAndTell(context, region)
    }
    for (const server of await primaryLast(topology, steps.servers)) {
      touched.push(server)
      await changeServer(context, kept, server)
    }
    say('everything else')
    await bringUp(context, kept, null)
    await converge(context)
    if (trades) for (const region of steps.newRegions) await tradeAndTell(context, region)
  } catch (error) {
    if (signal.aborted) throw error
    await putBack(context, before, touched, error as Error)
  }
  markCurrent(state, kept)
  await prune(docker, topology, state, await readServices(docker, topology.stack))
}

export type RollOutSteps = {
  /** That run already and have something new, in the topology's order. */
  readonly regions: readonly { readonly region: string; readonly services: readonly string[] }[]
  /** Their load balancers do not know them until the end. */
  readonly newRegions: readonly string[]
  readonly servers: readonly string[]
}

/** Pure. */
export function stepsOf(topology: Topology, changes: ReturnType<typeof compareStacks>): RollOutSteps {
  const kindOf = new Map(changes.map(({ service, kind }) => [service, kind]))
  const regions = topology.regions.flatMap(({ name }) => {
    const services = servicesOfRegion(name).filter((service) => kindOf.has(service))
    return services.length === 0 ? [] : [{ region: name, services }]
  })
  const isNew = ({ region }: { readonly region: string }) => kindOf.get(appServiceOf(region)) === 'added'
  return {
    regions: regions.filter((step) => !isNew(step)),
    newRegions: regions.filter(isNew).map(({ region }) => region),
    // A new one is harmless, and comes with the rest.
    servers: topology.database.servers.map(({ name }) => name).filter((name) => kindOf.get(name) === 'changed'),
  }
}

async function tradeAndTell({ topology, say, signal }: BringUpContext, region: string): Promise<void> {
  const { symbol, took_ms } = await tradeIn(topology, region, signal)
  say(`${region}: an order was traded (${symbol}, ${Math.round(took_ms)} ms)`)
}

async function primaryLast(topology: Topology, servers: readonly string[]): Promise<readonly string[]> {
  if (servers.length === 0) return servers
  const primary = (await readOperatorReport(topology))?.parts.database?.primary
  return [...servers.filter((name) => name !== primary), ...servers.filter((name) => name === primary)]
}

/** Its container is another one afterwards, and follows the primary, or is it. */
async function changeServer(context: BringUpContext, kept: KeptRelease, server: string): Promise<void> {
  const { docker, topology, say } = context
  const database = (await readOperatorReport(topology))?.parts.database
  if (database?.primary === server) {
    const other = topology.database.servers.find(({ name, role }) => role === 'voter' && name !== server)
    if (other === undefined) throw new Error(`no voter besides ${server} could be the primary meanwhile`)
    say(await commandOperator(docker, topology, '/database/promote', { server: other.name }, PROMOTE_MS))
  }
  // Were another one still on its way back, nobody would be left to acknowledge.
  await untilTheyServe(context, votersOf(topology))
  say(`${server} is changed`)
  await bringUp(context, kept, [server])
  await converge(context, [server])
  await untilTheyServe(context, [...votersOf(topology), server])
  say(`${server} serves again`)
}

/** Always throws: what went wrong, and what runs now. */
async function putBack(
  context: BringUpContext,
  before: KeptRelease,
  services: readonly string[],
  error: Error,
): Promise<never> {
  const { say } = context
  say(`${error.message}\nputting back to release ${before.release}: ${services.join(', ') || 'everything'}`)
  const servers = context.topology.database.servers.map((server) => server.name)
  for (const name of [...services].reverse()) {
    if (servers.includes(name)) await changeServer(context, before, name)
    else {
      await bringUp(context, before, [name])
      await converge(context, [name])
    }
  }
  await bringUp(context, before, null)
  await converge(context)
  throw new DeployFailed(`${error.message}\nrelease ${before.release} runs again`)
}
