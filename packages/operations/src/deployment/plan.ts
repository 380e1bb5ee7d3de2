// What a deploy would change, looked at and not done: obstacles, nodes, images, secrets, and service by service what is different from what runs.

import { appServiceOf, STACK_FILE, type Topology } from '@wintrades/topology'
import { changedNetworks, compareStacks, type ServiceChange } from './compare-stacks.ts'
import type { Docker } from './docker.ts'
import { currentRelease, environmentOf, renderRelease, stackVersionOf } from './kept-releases.ts'
import { planLabels } from './node-labels.ts'
import { preflight, processorFaults } from './preflight.ts'
import { missingImages, releaseOf } from './release.ts'
import { planSecrets } from './secrets.ts'
import type { StateDirectory } from './state-directory.ts'
import { readNodes, readServices, type Service } from './swarm.ts'

export type DeploymentPlan = {
  readonly release: string
  /** While there is one, nothing would be deployed. */
  readonly faults: readonly string[]
  readonly warnings: readonly string[]
  /** What is made before any service changes, a line each. */
  readonly preparations: readonly string[]
  readonly services: readonly ServiceChange[]
}

export type PlanOptions = {
  readonly docker: Docker
  readonly topology: Topology
  readonly state: StateDirectory
  /** region → host name of a node. */
  readonly placement: ReadonlyMap<string, string>
}

export async function planDeployment({ docker, topology, state, placement }: PlanOptions): Promise<DeploymentPlan> {
  const { info, faults, warnings } = await preflight(docker, topology)
  const release = releaseOf()
  const images = await missingImages(docker, topology, release)
  const preparations = images.map(({ image, how }) => `image ${image} is ${how}`)
  const file = renderRelease(topology).get(STACK_FILE) ?? ''
  if (!info.isActive) {
    const after = { file, environment: environmentOf(release, {}) }
    const begin = 'a swarm of this machine alone is begun, and every secret made'
    return { release, faults, warnings, preparations: [begin, ...preparations], services: compareStacks(null, after) }
  }
  // A worker of a swarm may not look at it.
  if (!info.isManager) return { release, faults, warnings, preparations, services: [] }
  const nodes = await readNodes(docker)
  const labels = planLabels(topology, nodes, placement)
  const secrets = await planSecrets(docker, topology, state)
  const running = await readServices(docker, topology.stack)
  const current = running.length === 0 ? null : currentRelease(state)
  const before = current === null ? null : stackVersionOf(state, current)
  const after = { file, environment: environmentOf(release, secrets.environment) }
  const isForeign = running.length > 0 && before === null
  const networks = before === null ? [] : changedNetworks(before, after)
  return {
    release,
    faults: [
      ...faults,
      ...labels.faults,
      ...processorFaults(topology, nodes),
      ...networks.map((name) => networkFault(topology.stack, name)),
    ],
    warnings: [
      ...warnings,
      ...(isForeign
        ? [
            `${topology.stack} runs and was not deployed from here (${state.path}): what it differs in is not known here`,
          ]
        : []),
    ],
    preparations: [
      ...labels.changes.map(({ node, labels: added }) => `node ${node.hostname} gets ${added.join(', ')}`),
      ...preparations,
      ...secrets.made.map((name) => `secret ${name} is made`),
    ],
    services: withRunning(compareStacks(before, after), running, topology),
  }
}

/** Docker makes a network once; what is in use cannot be another one. */
export function networkFault(stack: string, network: string): string {
  return `network ${stack}_${network} would have to be another one, and a network is never changed while the stack runs: put what topology.yml says of it back, or remove the stack first (wintrades destroy; data and secrets stay)`
}

/** Numbers that were changed by hand come back to what the topology says. */
function withRunning(
  changes: readonly ServiceChange[],
  running: readonly Service[],
  topology: Topology,
): readonly ServiceChange[] {
  const counts = new Map<string, number>([
    ...topology.regions.map(({ name, app }) => [appServiceOf(name), app.replicas] as const),
    ['redis_cluster', topology.cache.nodes],
    ['cdn_cache', topology.content.replicas],
  ])
  const byHand = running.flatMap(({ name, replicas }): ServiceChange[] => {
    const wanted = counts.get(name)
    if (wanted === undefined || replicas === null || replicas === wanted) return []
    const known = changes.find(({ service }) => service === name)
    if (known?.details.some((detail) => detail.startsWith('replicas: ')) === true) return []
    const line = `replicas: ${replicas}, as somebody changed them by hand → ${wanted}`
    return [{ service: name, kind: 'changed', details: [...(known?.details ?? []), line] }]
  })
  return [...changes.filter(({ service }) => byHand.every((change) => change.service !== service)), ...byHand]
}

/** For a person. */
export function describePlan(stack: string, plan: DeploymentPlan): readonly string[] {
  const { release, faults, warnings, preparations, services } = plan
  const isNothing = preparations.length === 0 && services.length === 0
  return [
    `stack ${stack}, release ${release}`,
    ...warnings.map((warning) => `warning: ${warning}`),
    ...preparations.map((line) => `  + ${line}`),
    ...services.flatMap(({ service, kind, details }) => [
      `  ${SIGNS[kind]} service ${service}${kind === 'changed' ? '' : ` is ${kind}`}`,
      ...details.map((detail) => `      ${detail}`),
    ]),
    ...(isNothing ? ['nothing would change'] : []),
    ...faults.map((fault) => `OBSTACLE: ${fault}`),
    ...(faults.length > 0 ? ['while there is an obstacle, nothing is deployed'] : []),
  ]
}

const SIGNS = { added: '+', removed: '-', changed: '~' } as const
