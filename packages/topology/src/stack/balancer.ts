// What clients connect to, and the door for people and scripts: on every node of the edge.

import { DOOR_FILE, HAPROXY_FILE, HAPROXY_LAYOUT, MAPS, type MapName, mapFileOf, mapPathOf } from '../haproxy/files.ts'
import { INNER_PORTS, NODE_LABELS, type Topology } from '../model.ts'
import type { Yaml } from '../yaml.ts'
import type { ConfigFile } from './configs.ts'
import {
  deployOf,
  healthOf,
  httpTest,
  loggingOf,
  mountConfig,
  mountSecret,
  mountVolume,
  publish,
  USERS,
} from './parts.ts'
import { SECRETS } from './secrets.ts'

const CONFIG = 'haproxy'
/** Files that are no connections: listeners, checks, lookups. It does not start where it may not open enough. */
const FILES_BESIDE = 2_000
const DOOR_CONFIG = 'operations_door'
export const SOCKETS_VOLUME = 'operations_sockets'

function mapConfigOf(name: MapName): string {
  return `map_${name.replaceAll('-', '_')}`
}

export function balancerConfigs(): readonly ConfigFile[] {
  return [
    { name: CONFIG, path: HAPROXY_FILE },
    { name: DOOR_CONFIG, path: DOOR_FILE },
    ...MAPS.map((name) => ({ name: mapConfigOf(name), path: mapFileOf(name) })),
  ]
}

/** Memory, owned by who listens there. */
export function socketsVolume({ stack }: Topology): Yaml {
  return {
    name: `${stack}_${SOCKETS_VOLUME}`,
    driver: 'local',
    driver_opts: { type: 'tmpfs', device: 'tmpfs', o: `size=1m,uid=${USERS.haproxy},gid=${USERS.haproxy},mode=0700` },
  }
}

export function balancerServices(topology: Topology): Record<string, Yaml> {
  return { global_loadbalancer: balancer(topology), operations_door: door(topology) }
}

const confined = {
  user: `${USERS.haproxy}:${USERS.haproxy}`,
  read_only: true,
  cap_drop: ['ALL'],
} as const

function balancer(topology: Topology): Yaml {
  const { images, ports } = topology
  const { certificate, users } = HAPROXY_LAYOUT
  const files_max = 2 * topology.balancer.connections_max + FILES_BESIDE
  const secret = (name: string, path: string) => mountSecret(name, path.replace('/run/secrets/', ''), USERS.haproxy)
  return {
    image: images.haproxy,
    command: ['haproxy', '-W', '-db', '-f', users, '-f', HAPROXY_LAYOUT.configuration],
    ...confined,
    configs: [
      mountConfig(CONFIG, HAPROXY_LAYOUT.configuration),
      ...MAPS.map((name) => mountConfig(mapConfigOf(name), mapPathOf(name))),
    ],
    secrets: [secret(SECRETS.publicCertificate, certificate), secret(SECRETS.balancerUsers, users)],
    volumes: [mountVolume(SOCKETS_VOLUME, HAPROXY_LAYOUT.sockets)],
    ulimits: { nofile: { soft: files_max, hard: files_max } },
    ports: [publish(INNER_PORTS.clientsHttp, ports.http), publish(INNER_PORTS.clientsHttps, ports.https)],
    networks: ['global', 'operations'],
    healthcheck: healthOf({
      test: httpTest(INNER_PORTS.balancerMetrics, '/health'),
      interval_seconds: 5,
      timeout_seconds: 3,
      retries: 3,
      start_seconds: 20,
    }),
    // SIGUSR1: connections are finished, new ones go to another node.
    stop_signal: 'SIGUSR1',
    stop_grace_period: '10s',
    logging: loggingOf(topology),
    deploy: deployOf(topology, {
      replicas: 'one on each node',
      resources: topology.balancer,
      labels: [NODE_LABELS.edge],
      // Two cannot have one port of a node.
      order: 'stop-first',
    }),
  }
}

function door(topology: Topology): Yaml {
  const { images, operations } = topology
  return {
    image: images.haproxy,
    command: ['haproxy', '-W', '-db', '-f', HAPROXY_LAYOUT.configuration],
    ...confined,
    configs: [mountConfig(DOOR_CONFIG, HAPROXY_LAYOUT.configuration)],
    volumes: [mountVolume(SOCKETS_VOLUME, HAPROXY_LAYOUT.sockets)],
    networks: ['host'],
    // Who is not known is refused, by the balancer behind it: both live.
    healthcheck: healthOf({
      test: httpTest(operations.statsPort, '/', { address: operations.address, status: 401 }),
      interval_seconds: 15,
      timeout_seconds: 10,
      retries: 4,
      start_seconds: 60,
    }),
    stop_grace_period: '10s',
    logging: loggingOf(topology),
    deploy: deployOf(topology, {
      replicas: 'one on each node',
      resources: { cpus: 0.5, memory_mb: 128 },
      labels: [NODE_LABELS.edge],
      order: 'stop-first',
    }),
  }
}
