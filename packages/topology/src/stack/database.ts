// The MySQL servers: one service each, on the one node that has its volume.

import { type DatabaseServer, INNER_PORTS, NODE_LABELS, type Topology } from '../model.ts'
import { MYSQL_LAYOUT, type MysqlServer } from '../mysql/server-configuration.ts'
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
import { MYSQL_ACCOUNTS, SECRETS } from './secrets.ts'

export function databaseServices(topology: Topology): Record<string, Yaml> {
  return Object.fromEntries(topology.database.servers.map((server) => [server.name, database(topology, server)]))
}

/** What its configuration is rendered from. */
export function mysqlServerOf({ database }: Topology, { name, role, region }: DatabaseServer): MysqlServer {
  const { memory_mb, connections_max, binlogKept_hours } = database
  return {
    name,
    serverId: serverIdOf(name),
    role,
    region,
    port: INNER_PORTS.mysql,
    memory_mb,
    connections_max,
    binlogKept_hours,
  }
}

/**
 * From the name alone, so that it stays the same whatever stands before it in a list: FNV-1a, 31 bits, never 0. Two names of one number are refused
 * with the topology.
 */
export function serverIdOf(name: string): number {
  let hash = 0x811c9dc5
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return hash & 0x7fffffff || 1
}

function database(topology: Topology, { name, region }: DatabaseServer): Yaml {
  const { databaseStop_seconds } = topology.update
  const passwords = MYSQL_ACCOUNTS.flatMap((account) => [SECRETS.mysql(account, 'a'), SECRETS.mysql(account, 'b')])
  return {
    image: topology.images.mysql,
    entrypoint: ['/etc/wintrades/entrypoint.sh'],
    hostname: name,
    cap_drop: ['ALL'],
    cap_add: ROOT_THEN_USER,
    configs: [
      mountConfig(CONFIGS.mysqlEntrypoint, '/etc/wintrades/entrypoint.sh', true),
      mountConfig(CONFIGS.mysqlInitialise, '/etc/wintrades/initialise.sql'),
      mountConfig(CONFIGS.mysql(name), '/etc/wintrades/mysql.cnf'),
    ],
    secrets: [
      ...passwords.map((password) => mountSecret(password)),
      mountSecret(SECRETS.authority, 'ca.pem'),
      mountSecret(SECRETS.certificate(name), 'server.pem'),
      mountSecret(SECRETS.certificateKey(name), 'server.key'),
    ],
    volumes: [mountVolume(name, MYSQL_LAYOUT.volume), mountMemory(MYSQL_LAYOUT.runtimeDirectory, 16)],
    networks: ['data'],
    // Patient: recovery after a crash, and after a clone, takes as long as it takes, and to be killed meanwhile would only begin it again. Whether it
    // serves is the operator's to judge.
    healthcheck: healthOf({
      test: ['CMD', 'mysqladmin', '--no-defaults', `--socket=${MYSQL_LAYOUT.socket}`, '--connect-timeout=8', 'ping'],
      interval_seconds: 15,
      timeout_seconds: 10,
      retries: 40,
      start_seconds: 600,
    }),
    stop_grace_period: `${databaseStop_seconds}s`,
    logging: loggingOf(topology),
    deploy: deployOf(topology, {
      replicas: 1,
      resources: topology.database,
      labels: [NODE_LABELS.region(region), NODE_LABELS.server(name)],
      order: 'stop-first',
    }),
  }
}
