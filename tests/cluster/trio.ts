// Three voters with lossless semi-sync, formed by hand: for tests that are about what stands on it, and not about promotion.

import { createLogger } from '@wintrades/platform'
import type { MysqlOptions } from '@wintrades/platform/mysql'
import { JournalDatabase } from '@wintrades/venue'
import type { Lab, LabMysql } from './lab/index.ts'
import { until } from './lab/index.ts'

export type Trio = { readonly primary: LabMysql; readonly replicas: readonly [LabMysql, LabMysql] }

/** What an app of this lab would be configured with. */
export function mysqlOptionsOf(servers: readonly LabMysql[]): MysqlOptions {
  const [{ credentials }] = servers as [LabMysql]
  return {
    servers: servers.map(({ host, port }) => ({ host, port })),
    readServer: null,
    database: 'wintrades',
    user: 'wintrades_app_a',
    password: { file: credentials.passwordFileOf('app') },
    caFile: credentials.authorityFile,
    connections_max: 10,
  }
}

/** Patient: the machine may have much else to do. */
export function openDatabase(servers: readonly LabMysql[], connections_max = 24): JournalDatabase {
  return new JournalDatabase(
    mysqlOptionsOf(servers),
    createLogger('test', { level: 'error' }),
    connections_max,
    60_000,
  ).share()
}

/** One in each region, the first of them open. */
export async function startTrio(lab: Lab, settings: readonly string[] = []): Promise<Trio> {
  const options = { role: 'voter', settings } as const
  const [primary, eu, ap] = await Promise.all([
    lab.mysql({ ...options, name: 'mysql_master', region: 'us-east', serverId: 1 }),
    lab.mysql({ ...options, name: 'mysql_slave_eu', region: 'eu-west', serverId: 2 }),
    lab.mysql({ ...options, name: 'mysql_slave_ap', region: 'asia-pacific', serverId: 3 }),
  ])
  for (const replica of [eu, ap]) await follow(replica, primary)
  await openPrimary(primary, 1)
  return { primary, replicas: [eu, ap] }
}

/** `acknowledges`: a voter's word counts for a commit, a reader's does not. */
export async function follow(replica: LabMysql, source: LabMysql, acknowledges = true): Promise<void> {
  await replica.query(`SET GLOBAL rpl_semi_sync_replica_enabled = ${acknowledges ? 'ON' : 'OFF'}`)
  await replica.query(
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = 'wintrades_replication_a', SOURCE_PASSWORD = ?,
     SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1, SOURCE_HEARTBEAT_PERIOD = 1, SOURCE_CONNECT_RETRY = 1`,
    [source.host, source.port, source.credentials.passwordOf('replication')],
  )
  await replica.query('START REPLICA')
}

/** Opens it as the primary of a term, as the operator would, once somebody is there to acknowledge. */
export async function openPrimary(server: LabMysql, term: number): Promise<void> {
  await server.query('SET GLOBAL rpl_semi_sync_source_enabled = ON')
  await until(
    'a replica acknowledges',
    async () => Number((await status(server, 'Rpl_semi_sync_source_clients')) ?? 0) > 0,
    {
      timeout_ms: 30_000,
    },
  )
  await server.query('SET GLOBAL super_read_only = OFF')
  await server.query('SET GLOBAL read_only = OFF')
  await server.query(
    `INSERT INTO wintrades_operator.primary_term (id, number, promoter, server) VALUES (1, ?, 'test', ?)
     ON DUPLICATE KEY UPDATE number = VALUES(number), server = VALUES(server)`,
    [term, server.name],
  )
}

export async function status(server: LabMysql, name: string): Promise<string | null> {
  const [row] = await server.query<{ Value: string }>(`SHOW GLOBAL STATUS LIKE '${name}'`)
  return row?.Value ?? null
}
