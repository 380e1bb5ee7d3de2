// The section `database` of operator.yml.

import { type Fields, MYSQL_LAYOUT } from '@wintrades/topology'
import { readTime, type SunTime } from './follow-the-sun.ts'
import type { Account, DatabaseAccess, DatabaseServer } from './server.ts'

export type DatabaseConfiguration = {
  readonly servers: readonly DatabaseServer[]
  readonly access: DatabaseAccess
  readonly followTheSun: readonly SunTime[]
}

const SERVERS_MAX = 32
const VOTERS = 3
const SUN_TIMES_MAX = 24

export function readDatabaseSection(fields: Fields): DatabaseConfiguration {
  const access: DatabaseAccess = {
    operator: readAccount(fields.inner('account')),
    replication: readAccount(fields.inner('replication_account')),
    authorityFile: fields.path('authority_file'),
    authorityFileOnServers: fields.path('authority_file_on_servers', `${MYSQL_LAYOUT.tlsDirectory}/ca.pem`),
  }
  const servers = fields.list('servers', SERVERS_MAX, readServer)
  checkServers(fields, servers)
  const followTheSun = fields.list('follow_the_sun', SUN_TIMES_MAX, (item) => {
    const region = item.region('region')
    const at = item.text('at', /^([01]\d|2[0-3]):[0-5]\d$/, 'a time in UTC such as "08:00", in quotes')
    if (!servers.some((server) => server.role === 'voter' && server.region === region)) {
      item.fault('region', `must be a region with a voter; ${region} has none`, null)
    }
    return { minute: readTime(at), region }
  })
  fields.end()
  return { servers, access, followTheSun }
}

function readAccount(fields: Fields): Account {
  const account = {
    user: fields.text('user', /^[A-Za-z0-9_]{1,32}$/, 'the name of an account such as wintrades_operator_a'),
    passwordFile: fields.path('password_file'),
  }
  fields.end()
  return account
}

function readServer(fields: Fields): DatabaseServer {
  return {
    name: fields.text('name', /^[A-Za-z0-9_-]{1,60}$/, 'a name such as mysql_master'),
    region: fields.region('region'),
    host: fields.host('host'),
    port: fields.integer('port', 1, 65_535, 3_306),
    role: fields.oneOf('role', ['voter', 'reader']),
  }
}

function checkServers(fields: Fields, servers: readonly DatabaseServer[]): void {
  const voters = servers.filter((server) => server.role === 'voter')
  if (voters.length !== VOTERS) {
    fields.fault(
      'servers',
      `must have exactly ${VOTERS} voters, as two of three are what every rule counts on; it has ${voters.length}`,
      null,
    )
  }
  const regions = new Set(voters.map((server) => server.region))
  if (regions.size < voters.length)
    fields.fault('servers', 'must have its voters in different regions: one region lost must not take two', null)
  for (const [what, of] of [
    ['name', (server: DatabaseServer) => server.name],
    ['host and port', (server: DatabaseServer) => `${server.host}:${server.port}`],
  ] as const) {
    const all = servers.map(of)
    const twice = all.find((one, index) => all.indexOf(one) !== index)
    if (twice !== undefined) fields.fault('servers', `must have each ${what} once; ${twice} is there twice`, null)
  }
}
