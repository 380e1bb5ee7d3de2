// A stack removed: services, networks, configs; and, only where that is asked for, volumes and secrets.

import { pause } from '../operator/reconciler.ts'
import type { BringUpContext } from './bring-up.ts'
import type { Docker } from './docker.ts'
import { pruneSecrets, readSecrets } from './secrets.ts'
import { readNodes, readServices } from './swarm.ts'

const LOOK_MS = 1_000

/** What is there of a stack, a line a kind. */
export async function readRemains(docker: Docker, stack: string, withData: boolean): Promise<readonly string[]> {
  const services = await readServices(docker, stack)
  const lines = [`services: ${services.map(({ name }) => name).join(', ') || 'none'}`]
  if (!withData) return lines
  const nodes = await readNodes(docker)
  return [
    ...lines,
    `secrets: ${(await readSecrets(docker, stack)).length}`,
    `volumes of this node: ${(await volumesOf(docker, stack)).join(', ') || 'none'}`,
    ...(nodes.length > 1 ? [`volumes of the other ${nodes.length - 1} nodes stay: docker volume ls there`] : []),
  ]
}

export async function destroy(context: BringUpContext, withData: boolean): Promise<void> {
  const { docker, topology, say, signal, timeout_ms } = context
  const { stack } = topology
  if ((await readServices(docker, stack)).length > 0) await docker.run(['stack', 'rm', stack])
  const deadline_ms = performance.now() + timeout_ms
  // Its networks and volumes are in use until the last container is gone; that of a job that was broken off nobody else removes.
  for (let left = await containersOf(docker, stack); left.length > 0; left = await containersOf(docker, stack)) {
    for (const id of await containersOf(docker, stack, 'exited')) await docker.run(['rm', id]).catch(() => '')
    if (performance.now() > deadline_ms)
      throw new Error(`${left.length} containers of ${stack} have not ended: docker ps`)
    await pause(LOOK_MS, signal)
    signal.throwIfAborted()
  }
  say('all containers of this node have ended')
  if (!withData) return
  await pruneSecrets(docker, stack, new Set())
  for (const volume of await volumesOf(docker, stack)) {
    await docker.run(['volume', 'rm', volume])
    say(`volume ${volume} is gone`)
  }
}

async function containersOf(docker: Docker, stack: string, status?: 'exited'): Promise<readonly string[]> {
  const filters = [`label=com.docker.stack.namespace=${stack}`, ...(status === undefined ? [] : [`status=${status}`])]
  const ids = await docker.run(['ps', '--all', '--quiet', ...filters.flatMap((filter) => ['--filter', filter])])
  return ids.split('\n').filter((id) => id !== '')
}

async function volumesOf(docker: Docker, stack: string): Promise<readonly string[]> {
  const text = await docker.run(['volume', 'ls', '--format', '{{.Name}}', '--filter', `name=^${stack}_`])
  return text.split('\n').filter((name) => name.startsWith(`${stack}_`))
}
