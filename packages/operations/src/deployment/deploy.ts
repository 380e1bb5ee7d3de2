// A deployment from beginning to end: what is needed is looked at first, then made where it is missing, then the stack is brought up and watched until
// every task is healthy. Repeating it is safe at any point, and changes nothing where nothing changed. What runs already is changed step by step (roll-out.ts).

import { SECRETS } from '@wintrades/topology'
import { type BringUpContext, bringUp, converge, DeployFailed } from './bring-up.ts'
import type { ServiceProgress } from './convergence.ts'
import { type FromBackup, requireNoDatabase, restoreVoters } from './from-backup.ts'
import { currentRelease, type KeptRelease, keepRelease, markCurrent } from './kept-releases.ts'
import { planLabels } from './node-labels.ts'
import { ensureSwarm, preflight, processorFaults } from './preflight.ts'
import { prune } from './prune.ts'
import { servicesOfRegion } from './region-services.ts'
import { ensureImages, missingElsewhere, releaseOf } from './release.ts'
import { rollOut } from './roll-out.ts'
import { ensureSecrets, type SecretsListener, type SecretWishes } from './secrets.ts'
import { readNodes, readServices, type Service } from './swarm.ts'

export type DeployOptions = BringUpContext & {
  /** One region, or null: everything. */
  readonly region: string | null
  /** region → host name of a node. */
  readonly placement: ReadonlyMap<string, string>
  readonly reveal: SecretsListener['reveal']
  readonly secrets?: SecretWishes
  /** Instead of an empty database. */
  readonly fromBackup?: FromBackup
  /** Of what runs already, each region that is changed has to trade before the next one is. */
  readonly trades: boolean
}

export type PrepareOptions = Omit<DeployOptions, 'region' | 'trades'>

export type DeployResult = {
  readonly release: string
  readonly changed: readonly string[]
  readonly services: readonly ServiceProgress[]
}

export async function deploy(options: DeployOptions): Promise<DeployResult> {
  const { docker, topology, state, region, say } = options
  const { fromBackup } = options
  if (fromBackup !== undefined) await requireNoDatabase(docker, topology)
  const kept = await prepare(options)
  if (fromBackup !== undefined) for (const line of await restoreVoters(options, kept, fromBackup)) say(line)
  const before = await readServices(docker, topology.stack)
  const current = before.length === 0 ? null : currentRelease(state)
  say(`bringing up ${region === null ? '' : `${region} of `}stack ${topology.stack}, release ${kept.release}`)
  if (region === null && current !== null && current.id !== kept.id) await rollOut(options, kept, current, options)
  else await bringUp(options, kept, region === null ? null : servicesOfRegion(region))
  const progress = await converge(options)
  const after = await readServices(docker, topology.stack)
  if (region === null) markCurrent(state, kept)
  await prune(docker, topology, state, after)
  return { release: kept.release, changed: changedServices(before, after), services: progress }
}

/** Everything that the services need, made where it is missing; nothing that runs is changed yet. */
export async function prepare(options: PrepareOptions): Promise<KeptRelease> {
  const { docker, topology, state, say } = options
  const { info, faults, warnings } = await preflight(docker, topology)
  for (const warning of warnings) say(`warning: ${warning}`)
  refuse(faults)
  await ensureSwarm(docker, info, say)
  const nodes = await labelNodes(options)
  const release = releaseOf()
  const missing = missingElsewhere(topology, release, nodes)
  if (missing !== null) say(`warning: ${missing}`)
  await ensureImages(docker, topology, release, say)
  const { fromBackup } = options
  const wishes = fromBackup === undefined ? options.secrets : { given: new Map([[SECRETS.encryption, fromBackup.key]]) }
  const secrets = await ensureSecrets(docker, topology, state, options, wishes)
  return keepRelease(state, topology, release, secrets.environment)
}

/** How many nodes there are. */
async function labelNodes({ docker, topology, placement, say }: PrepareOptions): Promise<number> {
  const nodes = await readNodes(docker)
  const { changes, faults } = planLabels(topology, nodes, placement)
  refuse([...faults, ...processorFaults(topology, nodes)])
  for (const { node, labels } of changes) {
    await docker.run(['node', 'update', ...labels.flatMap((label) => ['--label-add', `${label}=true`]), node.id])
    say(`${node.hostname} carries ${labels.map((label) => label.replace('wintrades.', '')).join(', ')}`)
  }
  return nodes.length
}

function refuse(faults: readonly string[]): void {
  if (faults.length > 0)
    throw new DeployFailed(`nothing was deployed:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
}

function changedServices(before: readonly Service[], after: readonly Service[]): readonly string[] {
  return after.flatMap((service) => {
    const former = before.find(({ name }) => name === service.name)
    const isSame =
      former !== undefined &&
      former.image === service.image &&
      former.replicas === service.replicas &&
      newest(former) === newest(service)
    return isSame ? [] : [service.name]
  })
}

/** When its newest task was made. */
function newest({ tasks }: Service): string {
  return (
    tasks
      .map(({ createdAt }) => createdAt)
      .sort()
      .at(-1) ?? ''
  )
}
