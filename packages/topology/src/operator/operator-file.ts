// The file of a region's operator (operator.example.yml explains its keys): what it keeps in order, and where the others are.

import { INNER_PORTS, operatorServiceOf, type Topology } from '../model.ts'
import { BACKUPS_DIRECTORY } from '../stack/app.ts'
import { BALANCER_PROGRAM, REDIS_CERTIFICATE_NAME, SECRETS } from '../stack/secrets.ts'
import { formatYaml, type Yaml } from '../yaml.ts'

export function renderOperatorFile(topology: Topology, region: string): string {
  const { regions, database, cache, backups } = topology
  const file = {
    http: { host: '0.0.0.0', port: INNER_PORTS.operator, key_file: secret(SECRETS.operatorKey) },
    operators: Object.fromEntries(
      regions.map(({ name }) => [name, `http://${operatorServiceOf(name)}:${INNER_PORTS.operator}`]),
    ),
    database: {
      account: { user: 'wintrades_operator_a', password_file: secret(SECRETS.mysql('operator', 'a')) },
      replication_account: {
        user: 'wintrades_replication_a',
        password_file: secret(SECRETS.mysql('replication', 'a')),
      },
      authority_file: secret('ca.pem'),
      servers: database.servers.map(({ name, region: home, role }) => ({
        name,
        region: home,
        host: name,
        port: INNER_PORTS.mysql,
        role,
      })),
      follow_the_sun:
        database.followTheSun.length === 0 ? undefined : database.followTheSun.map((time): Yaml => ({ ...time })),
    },
    redis: {
      account: { user: 'wintrades_operator', password_file: secret(SECRETS.redis('operator', 'a')) },
      authority_file: secret('ca.pem'),
      certificate_name: REDIS_CERTIFICATE_NAME,
      replicas_per_master: cache.replicasPerMaster,
      // Every task of the service is a node. Which region one is in cannot be seen from its name.
      nodes: [
        { name: 'redis_cluster', region: topology.defaultRegion, host: 'redis_cluster', port: INNER_PORTS.redis },
      ],
    },
    balancers: {
      host: 'global_loadbalancer',
      port: INNER_PORTS.stats,
      user: BALANCER_PROGRAM,
      password_file: secret(SECRETS.balancerOperator),
      regions: regions.map(({ name }) => name),
    },
    backup:
      backups?.region !== region
        ? undefined
        : {
            directory: BACKUPS_DIRECTORY,
            account: { user: 'wintrades_backup_a', password_file: secret(SECRETS.mysql('backup', 'a')) },
            at: backups.at,
            keep_daily: backups.keepDaily,
            keep_weekly: backups.keepWeekly,
            verify_every_hours: backups.verifyEvery_hours,
          },
  }
  return `# The operator of ${region}. Rendered from topology.yml by \`wintrades render\`: change that.\n${formatYaml(file)}`
}

function secret(name: string): string {
  return `/run/secrets/${name}`
}
