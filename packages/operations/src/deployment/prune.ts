// What a stack has left behind in the swarm, and nothing names any more.

import type { Topology } from '@wintrades/topology'
import type { Docker } from './docker.ts'
import { keptReleases } from './kept-releases.ts'
import { pruneSecrets } from './secrets.ts'
import type { StateDirectory } from './state-directory.ts'
import type { Service } from './swarm.ts'

/** Secrets and configs that neither a service nor a kept release names. */
export async function prune(
  docker: Docker,
  { stack }: Topology,
  state: StateDirectory,
  services: readonly Service[],
): Promise<void> {
  if (services.length === 0) return
  await pruneSecrets(
    docker,
    stack,
    new Set(keptReleases(state).flatMap(({ environment }) => Object.values(environment))),
  )
  const configs = (
    await docker.run(['config', 'ls', '--quiet', '--filter', `label=com.docker.stack.namespace=${stack}`])
  )
    .split('\n')
    .filter((id) => id !== '')
  // What is in use docker does not give up; of the others, those of a kept release are made again from its files.
  for (const id of configs) await docker.run(['config', 'rm', id]).catch(() => '')
}
