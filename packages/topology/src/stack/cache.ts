// The Redis Cluster: one service, whose tasks are the nodes. `docker service scale` makes it larger or smaller; the operators give the nodes their work.

import { INNER_PORTS, type Topology } from '../model.ts'
import { REDIS_LAYOUT, type RedisServer } from '../redis/server-configuration.ts'
import type { Yaml } from '../yaml.ts'
import { CONFIGS } from './configs.ts'
import {
  deployOf,
  healthOf,
  loggingOf,
  mountConfig,
  mountMemory,
  mountSecret,
  mountVolume,
  ROOT_THEN_USER,
} from './parts.ts'
import { REDIS_CERTIFICATE_NAME, REDIS_USERS, SECRETS } from './secrets.ts'

const BUFFERS_MB = 64
/** A node that was changed is to have its data again before the next is. */
const BETWEEN_NODES_SECONDS = 30
/** A node that is told to end waits this long at most until others have what it serves. */
const LEAVE_SECONDS = 90
const STOP_SECONDS = LEAVE_SECONDS + 30

export function cacheServices(topology: Topology): Record<string, Yaml> {
  return { redis_cluster: cache(topology) }
}

export function redisServerOf({ cache: { memory_mb } }: Topology): RedisServer {
  return { port: INNER_PORTS.redis, memory_mb, tls: true }
}

function cache(topology: Topology): Yaml {
  const { nodes, cpus, memory_mb } = topology.cache
  const passwords = REDIS_USERS.flatMap((user) => [SECRETS.redis(user, 'a'), SECRETS.redis(user, 'b')])
  const password = '$(cat /run/secrets/redis_exporter_a)'
  const ask = `redis-cli --no-auth-warning --user wintrades_exporter --tls --cacert ${REDIS_LAYOUT.tls}/ca.pem --sni ${REDIS_CERTIFICATE_NAME} -p ${INNER_PORTS.redis} ping`
  return {
    image: topology.images.redis,
    entrypoint: ['/etc/wintrades/entrypoint.sh'],
    hostname: 'redis-{{.Task.Slot}}',
    environment: { REDIS_LEAVE_SECONDS: String(LEAVE_SECONDS) },
    cap_drop: ['ALL'],
    cap_add: ROOT_THEN_USER,
    configs: [
      mountConfig(CONFIGS.redisEntrypoint, '/etc/wintrades/entrypoint.sh', true),
      mountConfig(CONFIGS.redis, '/etc/wintrades/redis.conf'),
    ],
    secrets: [
      ...passwords.map((name) => mountSecret(name)),
      mountSecret(SECRETS.authority, 'ca.pem'),
      mountSecret(SECRETS.certificate(REDIS_CERTIFICATE_NAME), 'server.pem'),
      mountSecret(SECRETS.certificateKey(REDIS_CERTIFICATE_NAME), 'server.key'),
    ],
    volumes: [mountVolume('redis', REDIS_LAYOUT.data), mountMemory(REDIS_LAYOUT.runtime, 4)],
    networks: ['data'],
    // With the exporter's password from its file; it is in no argument.
    healthcheck: healthOf({
      test: ['CMD', 'bash', '-c', `REDISCLI_AUTH="${password}" ${ask} | grep -q PONG`],
      interval_seconds: 15,
      timeout_seconds: 10,
      retries: 4,
      start_seconds: 120,
    }),
    stop_grace_period: `${STOP_SECONDS}s`,
    logging: loggingOf(topology),
    deploy: deployOf(topology, {
      replicas: nodes,
      // Twice: a node saves its data while it is written to.
      resources: { cpus, memory_mb: 2 * memory_mb + BUFFERS_MB },
      labels: [],
      order: 'stop-first',
      delay_seconds: BETWEEN_NODES_SECONDS,
    }),
  }
}
