// The example's topology as a stack of this machine alone: small, from the lab's images, on ports that nothing else has, under a name of its own.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseDocument } from 'yaml'
import { ensureImage } from '../lab/images.ts'

export const REPOSITORY = join(import.meta.dirname, '..', '..', '..')
const SERVERS = ['mysql', 'redis', 'haproxy', 'varnish', 'prometheus'] as const

export type StackPorts = { readonly http: number; readonly https: number }

/** Of the commands of a deployment whose topology, markets and all that it keeps lie in this folder. */
export function deploymentEnvironment(folder: string, nodeImage: string): Readonly<Record<string, string>> {
  return {
    WINTRADES_STATE: join(folder, 'state'),
    WINTRADES_SSL: join(folder, 'ssl'),
    WINTRADES_NODE_IMAGE: nodeImage,
    WINTRADES_MARKETS: join(folder, 'markets.yml'),
  }
}

/** Writes it to `file`, and markets.yml beside it; answers the image that the platform's own are built on. */
export async function writeLabTopology(
  file: string,
  stack: string,
  ports: StackPorts,
  say: (line: string) => void,
): Promise<string> {
  const images: Record<string, string> = {}
  for (const name of SERVERS) images[name] = await ensureImage(name, say)
  const nodeImage = await ensureImage('node', say)
  const document = parseDocument(readFileSync(join(REPOSITORY, 'topology.example.yml'), 'utf8'))
  document.set('stack', stack)
  for (const region of [0, 1, 2]) {
    document.setIn(['regions', region, 'app', 'replicas'], 1)
    document.setIn(['regions', region, 'app', 'memory_mb'], 512)
  }
  document.set('images', document.createNode(images))
  document.set('ports', document.createNode({ ...ports }))
  document.set(
    'operations',
    document.createNode({ stats_port: 28_081, operator_port: 28_300, prometheus_port: 28_090 }),
  )
  document.set('network', document.createNode({ encrypted: false }))
  // Where dockerd itself may open few files, containers may not open more.
  document.set('balancer', document.createNode({ connections_max: 5_000 }))
  document.setIn(['database', 'memory_mb'], 768)
  // What does not work here shows at once.
  document.set('update', document.createNode({ delay_seconds: 0, monitor_seconds: 5 }))
  writeFileSync(file, String(document))
  copyFileSync(join(REPOSITORY, 'markets.yml'), join(dirname(file), 'markets.yml'))
  return nodeImage
}
