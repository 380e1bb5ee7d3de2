// Services as a kept release says, all or some of them, and then watched until each is as it shall be.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { STACK_FILE, type Topology } from '@wintrades/topology'
import { pause } from '../operator/reconciler.ts'
import { isDone, progressOf, type ServiceProgress } from './convergence.ts'
import type { Docker } from './docker.ts'
import { folderOf, type KeptRelease, stackFileOf } from './kept-releases.ts'
import { onlyServices } from './region-services.ts'
import type { StateDirectory } from './state-directory.ts'
import { readNodes, readServices } from './swarm.ts'

export type BringUpContext = {
  readonly docker: Docker
  readonly topology: Topology
  readonly state: StateDirectory
  readonly timeout_ms: number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

const LOOK_MS = 2_000
const STACK_DEPLOY_MS = 300_000
/** A service that was not asked to change yet looks done: docker needs a moment to say so. */
const QUIET_LOOKS = 2

/** What docker was asked for in the name of a deployment failed: with the services as they stand. */
export class DeployFailed extends Error {
  override readonly name = 'DeployFailed'
}

/** `services`: these alone; null: all, and what the stack has besides goes. */
export async function bringUp(
  { docker, topology, state }: BringUpContext,
  kept: KeptRelease,
  services: readonly string[] | null,
): Promise<void> {
  const directory = folderOf(state, kept)
  const file = services === null ? STACK_FILE : `some-${STACK_FILE}`
  if (services !== null) writeFileSync(join(directory, file), onlyServices(stackFileOf(state, kept), services))
  const prune = services === null ? ['--prune'] : []
  await docker.run(
    [
      'stack',
      'deploy',
      '--compose-file',
      file,
      '--resolve-image',
      'never',
      '--with-registry-auth',
      ...prune,
      topology.stack,
    ],
    {
      directory,
      environment: kept.environment,
      timeout_ms: STACK_DEPLOY_MS,
    },
  )
}

/** Until every service (or each of `names`) is as it shall be; says what changes. */
export async function converge(
  { docker, topology, timeout_ms, say, signal }: BringUpContext,
  names: readonly string[] | null = null,
): Promise<readonly ServiceProgress[]> {
  const began_ms = performance.now()
  const told = new Map<string, string>()
  for (let quiet = 0; ; ) {
    signal.throwIfAborted()
    const services = (await readProgress(docker, topology.stack)).filter(({ name }) => names?.includes(name) ?? true)
    for (const { name, line } of services) {
      if (told.get(name) === line) continue
      told.set(name, line)
      say(`${((performance.now() - began_ms) / 1_000).toFixed(0).padStart(4)} s  ${name}: ${line}`)
    }
    const failed = services.filter(({ state }) => state === 'failed')
    if (failed.length > 0) throw new DeployFailed(failed.map(({ name, line }) => `${name} ${line}`).join('\n'))
    quiet = isDone(services) ? quiet + 1 : 0
    if (quiet >= QUIET_LOOKS) return services
    if (performance.now() - began_ms > timeout_ms) {
      const open = services.filter(({ state }) => state !== 'done').map(({ name, line }) => `  ${name}: ${line}`)
      throw new DeployFailed(
        `not healthy after ${Math.round(timeout_ms / 1_000)} s:\n${open.join('\n')}\nIt goes on by itself; wintrades status, docker service ps ${topology.stack}_NAME and docker service logs tell more`,
      )
    }
    await pause(LOOK_MS, signal)
  }
}

export async function readProgress(docker: Docker, stack: string): Promise<readonly ServiceProgress[]> {
  const nodes = (await readNodes(docker)).filter(({ isReady, isActive }) => isReady && isActive)
  const edge = nodes.filter(({ labels }) => labels['wintrades.edge'] === 'true').length
  return (await readServices(docker, stack)).map((service) => progressOf(service, edge))
}
