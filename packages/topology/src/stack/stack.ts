// The stack file of Docker Swarm: every service, network, volume, config and secret of a deployment.

import type { Topology } from '../model.ts'
import { formatYaml, type Yaml } from '../yaml.ts'
import { appServices, operatorServices } from './app.ts'
import { balancerServices, SOCKETS_VOLUME, socketsVolume } from './balancer.ts'
import { cacheServices } from './cache.ts'
import { configFilesOf } from './configs.ts'
import { contentServices, contentVolumes } from './content.ts'
import { databaseServices } from './database.ts'
import { monitoringServices, monitoringVolumes } from './monitoring.ts'
import { secretsOf, variableOf } from './secrets.ts'

/** `digestOf`: a short digest (a-z, 0-9) of the content of a file in the repository. */
export function renderStack(topology: Topology, digestOf: (path: string) => string): string {
  const { stack } = topology
  const file = {
    // The oldest form with all that is used here: Docker 20.10 and later read it.
    version: '3.8',
    services: {
      ...balancerServices(topology),
      ...appServices(topology),
      ...databaseServices(topology),
      ...cacheServices(topology),
      ...contentServices(topology),
      ...operatorServices(topology),
      ...monitoringServices(topology),
    },
    networks: networks(topology),
    volumes: volumes(topology),
    configs: Object.fromEntries(
      configFilesOf(topology).map(({ name, path }) => [
        name,
        { name: `${stack}_${name}_${digestOf(path)}`, file: `./${path}` },
      ]),
    ),
    secrets: Object.fromEntries(
      secretsOf(topology).map(({ name }) => [
        name,
        { external: true, name: `\${${variableOf(name)}:?wintrades deploy makes it}` },
      ]),
    ),
  }
  return `${HEADER}${formatYaml(file)}`
}

const HEADER = `# The whole platform on Docker Swarm. Rendered from topology.yml by \`wintrades render\`: change that. \`wintrades deploy\` makes the secrets and the
# images whose names it takes from the environment, labels the nodes, and brings this up.
`

function networks({ stack, network }: Topology): Yaml {
  const { encrypted } = network
  const overlay = (name: string, subnet: string, internal: boolean): Yaml => ({
    name: `${stack}_${name}`,
    driver: 'overlay',
    // That the option is there is what counts, whatever it says.
    driver_opts: encrypted ? { encrypted: 'true' } : undefined,
    internal: internal ? true : undefined,
    ipam: { config: [{ subnet }] },
  })
  return {
    global: overlay('global', network.globalSubnet, false),
    data: overlay('data', network.dataSubnet, true),
    operations: overlay('operations', network.operationsSubnet, true),
    // The node's own.
    host: { external: true, name: 'host' },
  }
}

function volumes(topology: Topology): Yaml {
  const { stack, database, backups } = topology
  const named = (name: string): Yaml => ({ name: `${stack}_${name}` })
  return {
    ...Object.fromEntries(database.servers.map(({ name }) => [name, named(name)])),
    // One for each node of the cluster: the swarm puts the number in.
    redis: named('redis_{{.Task.Slot}}'),
    [SOCKETS_VOLUME]: socketsVolume(topology),
    ...contentVolumes(topology),
    ...monitoringVolumes(topology),
    ...(backups === null ? {} : { backups: named('backups') }),
  }
}
