// A deployment from beginning to end: what is needed is looked at first, then made where it is missing, then the stack is brought up and watched until
// every task is healthy, and at last orders are traded in every region. Repeating it is safe at any point, and changes nothing where nothing changed.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FIXED_FILES, STACK_FILE, type Topology } from '@wintrades/topology'
import { pause } from '../operator/reconciler.ts'
import { inRepository } from '../repository.ts'
import { compareDeployment } from '../topology/deployment-files.ts'
import { isDone, progressOf, type ServiceProgress } from './convergence.ts'
import type { Docker } from './docker.ts'
import { planLabels } from './node-labels.ts'
import { ensureSwarm, preflight, processorFaults } from './preflight.ts'
import { serviceFilter } from './region-services.ts'
import { ensureImages, releaseOf } from './release.ts'
import { ensureSecrets, pruneSecrets, type SecretsListener, type SecretsResult } from './secrets.ts'
import type { StateDirectory } from './state-directory.ts'
import { readNodes, readServices, type Service } from './swarm.ts'

export type DeployOptions = {
  readonly docker: Docker
  readonly topology: Topology
  readonly state: StateDirectory
  /** One region, or null: everything. */
  readonly region: string | null
  /** region → host name of a node. */
  readonly placement: ReadonlyMap<string, string>
  readonly timeout_ms: number
  readonly say: SecretsListener['say']
  readonly reveal: SecretsListener['reveal']
  readonly signal: AbortSignal
}

export type DeployResult = {
  readonly release: string
  readonly changed: readonly string[]
  readonly services: readonly ServiceProgress[]
}

const LOOK_MS = 1_000
const STACK_DEPLOY_MS = 300_000
/** A service that was not asked to change yet looks done: docker needs a moment to say so. */
const QUIET_LOOKS = 3

/** What docker is asked for in the name of a deployment failed: with the services as they stand. */
export class DeployFailed extends Error {
  override readonly name = 'DeployFailed'
}

export async function deploy(options: DeployOptions): Promise<DeployResult> {
  const { docker, topology, say } = options
  const { info, faults, warnings } = await preflight(docker, topology)
  for (const warning of warnings) say(`warning: ${warning}`)
  if (faults.length > 0)
    throw new DeployFailed(`nothing was deployed:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
  await ensureSwarm(docker, info, say)
  await labelNodes(options)
  const release = releaseOf()
  await ensureImages(docker, topology, release, say)
  const secrets = await ensureSecrets(docker, topology, options.state, options)
  const before = await readServices(docker, topology.stack)
  await bringUp(options, release, secrets)
  const services = await converge(options)
  const after = await readServices(docker, topology.stack)
  const changed = changedServices(before, after)
  await prune(docker, topology, after, secrets)
  return { release, changed, services }
}

async function labelNodes({ docker, topology, placement, say }: DeployOptions): Promise<void> {
  const nodes = await readNodes(docker)
  const plan = planLabels(topology, nodes, placement)
  const { changes } = plan
  const faults = [...plan.faults, ...processorFaults(topology, nodes)]
  if (faults.length > 0)
    throw new DeployFailed(`nothing was deployed:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
  for (const { node, labels } of changes) {
    await docker.run(['node', 'update', ...labels.flatMap((label) => ['--label-add', `${label}=true`]), node.id])
    say(`${node.hostname} carries ${labels.map((label) => label.replace('wintrades.', '')).join(', ')}`)
  }
}

async function bringUp(options: DeployOptions, release: string, secrets: SecretsResult): Promise<void> {
  const { docker, topology, state, region, say } = options
  rmSync(state.rendered, { recursive: true, force: true })
  const write = (path: string, text: string) => {
    const file = join(state.rendered, path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, text)
  }
  for (const path of FIXED_FILES) write(path, readFileSync(inRepository(path), 'utf8'))
  for (const { path, text } of compareDeployment(topology, state.rendered)) {
    if (text !== null) write(path, path === STACK_FILE && region !== null ? serviceFilter(text, region) : text)
  }
  say(
    region === null
      ? `bringing up stack ${topology.stack}, release ${release}`
      : `bringing up ${region} of stack ${topology.stack}, release ${release}`,
  )
  const command = [
    'stack',
    'deploy',
    '--compose-file',
    STACK_FILE,
    '--resolve-image',
    'never',
    ...(region === null ? ['--prune'] : []),
    topology.stack,
  ]
  await docker.run(command, {
    directory: state.rendered,
    environment: { ...secrets.environment, WINTRADES_RELEASE: release },
    timeout_ms: STACK_DEPLOY_MS,
  })
}

/** Until every service is as it shall be; says what changes. */
async function converge({
  docker,
  topology,
  timeout_ms,
  say,
  signal,
}: DeployOptions): Promise<readonly ServiceProgress[]> {
  const deadline_ms = performance.now() + timeout_ms
  const told = new Map<string, string>()
  const began_ms = performance.now()
  for (let quiet = 0; ; ) {
    signal.throwIfAborted()
    const nodes = (await readNodes(docker)).filter(({ isReady, isActive }) => isReady && isActive)
    const edge = nodes.filter(({ labels }) => labels['wintrades.edge'] === 'true').length
    const services = (await readServices(docker, topology.stack)).map((service) => progressOf(service, edge))
    for (const { name, line } of services) {
      if (told.get(name) === line) continue
      told.set(name, line)
      say(`${((performance.now() - began_ms) / 1_000).toFixed(0).padStart(4)} s  ${name}: ${line}`)
    }
    const failed = services.filter(({ state }) => state === 'failed')
    if (failed.length > 0) throw new DeployFailed(failed.map(({ name, line }) => `${name} ${line}`).join('\n'))
    quiet = isDone(services) ? quiet + 1 : 0
    if (quiet >= QUIET_LOOKS) return services
    if (performance.now() > deadline_ms) {
      const open = services.filter(({ state }) => state !== 'done').map(({ name, line }) => `  ${name}: ${line}`)
      throw new DeployFailed(
        `not healthy after ${Math.round(timeout_ms / 1_000)} s:\n${open.join('\n')}\nIt goes on by itself; docker service ps ${topology.stack}_NAME and docker service logs tell more`,
      )
    }
    await pause(LOOK_MS, signal)
  }
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

async function prune(
  docker: Docker,
  { stack }: Topology,
  services: readonly Service[],
  secrets: SecretsResult,
): Promise<void> {
  if (services.length === 0) return
  await pruneSecrets(docker, stack, new Set(Object.values(secrets.environment)))
  const configs = (
    await docker.run(['config', 'ls', '--quiet', '--filter', `label=com.docker.stack.namespace=${stack}`])
  )
    .split('\n')
    .filter((id) => id !== '')
  // What is in use docker does not give up: only what no service has any more goes.
  for (const id of configs) await docker.run(['config', 'rm', id]).catch(() => '')
}
