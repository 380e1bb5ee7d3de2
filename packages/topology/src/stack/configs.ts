// Files that containers are given. Their names in the swarm end in a digest of their content: they cannot be changed there, and a changed file is
// a new one, which makes its services restart and no other.

import { GEO_MAPS, mapFileOf } from '../haproxy/files.ts'
import type { Topology } from '../model.ts'
import { balancerConfigs } from './balancer.ts'
import { contentConfigs, VARNISH_ENTRYPOINT } from './content.ts'
import { monitoringConfigs } from './monitoring.ts'

/** The file's path in the repository. */
export type ConfigFile = { readonly name: ConfigName; readonly path: string }
export type ConfigName = string

export const STACK_FILE = 'docker-compose.global.yml'

/** What is traded, and which regions may lead what. */
export const MARKETS_FILE = 'markets.yml'

/** Files that stand in the repository and are the same everywhere. */
export const FIXED_FILES = [
  MARKETS_FILE,
  'deployment/mysql/entrypoint.sh',
  'deployment/mysql/initialise.sql',
  'deployment/redis/entrypoint.sh',
  VARNISH_ENTRYPOINT,
  mapFileOf(GEO_MAPS[4]),
  mapFileOf(GEO_MAPS[6]),
] as const

export const CONFIGS = {
  markets: 'markets',
  mysqlEntrypoint: 'mysql_entrypoint',
  mysqlInitialise: 'mysql_initialise',
  mysql: (server: string) => `${server}_cnf`,
  redisEntrypoint: 'redis_entrypoint',
  redis: 'redis',
  operator: (region: string) => `operator_${region.replaceAll('-', '_')}`,
} as const

export function configFilesOf(topology: Topology): readonly ConfigFile[] {
  return [
    { name: CONFIGS.markets, path: MARKETS_FILE },
    { name: CONFIGS.mysqlEntrypoint, path: 'deployment/mysql/entrypoint.sh' },
    { name: CONFIGS.mysqlInitialise, path: 'deployment/mysql/initialise.sql' },
    ...topology.database.servers.map(({ name }) => ({ name: CONFIGS.mysql(name), path: mysqlFileOf(name) })),
    { name: CONFIGS.redisEntrypoint, path: 'deployment/redis/entrypoint.sh' },
    { name: CONFIGS.redis, path: REDIS_FILE },
    ...balancerConfigs(),
    ...contentConfigs(),
    ...monitoringConfigs(topology),
    ...topology.regions.map(({ name }) => ({ name: CONFIGS.operator(name), path: operatorFileOf(name) })),
  ]
}

export const REDIS_FILE = 'deployment/redis/redis.conf'

export function mysqlFileOf(server: string): string {
  return `deployment/mysql/${server}.cnf`
}

export function operatorFileOf(region: string): string {
  return `deployment/operator/${region}.yml`
}
