// The lab's swarm as the ground of a stack: commands are typed on one of its nodes, and every node has the images.

import { Docker, ensureImages, neededImages, releaseOf, requireDeployment } from '@wintrades/operations/deployment'
import type { StackGround } from '../stack/lab-stack.ts'
import { INSIDE, type LabSwarm } from './lab-swarm.ts'

/** `region`: whose node commands are typed on, and clients speak to. */
export function groundOf(swarm: LabSwarm, region: string, say: (line: string) => void): StackGround {
  const { docker, enter, environment, address } = swarm.node(region)
  return {
    docker,
    enter,
    environment: { ...environment, [INSIDE]: swarm.directory },
    address,
    isDisposable: true,
    load: (topologyFile, nodeImage) => loadImages(swarm, topologyFile, nodeImage, say),
    close: () => swarm.end(),
  }
}

/** Built by this host's daemon, which can reach a package registry. */
export async function loadImages(
  swarm: LabSwarm,
  topologyFile: string,
  nodeImage: string,
  say: (line: string) => void,
): Promise<void> {
  process.env['WINTRADES_NODE_IMAGE'] = nodeImage
  const topology = requireDeployment(topologyFile)
  const release = releaseOf()
  await ensureImages(new Docker(), topology, release, say)
  await swarm.load(
    neededImages(topology, release).map(({ image }) => image),
    say,
  )
}
