// The journal on MySQL keeps the contract of every journal.

import type { ShardIndex } from '@wintrades/domain'
import { createLogger } from '@wintrades/platform'
import type { MysqlOptions } from '@wintrades/platform/mysql'
import { JournalDatabase, MysqlJournal } from '@wintrades/venue'
import { CONTRACT_ORIGIN, journalContract } from '@wintrades/venue/journal-contract'
import { afterAll, beforeAll } from 'vitest'
import { type Lab, type LabMysql, startLab } from './lab/index.ts'

let lab: Lab
let database: JournalDatabase
let shards = 0

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

beforeAll(async () => {
  lab = await startLab()
  const server = await lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' })
  await server.query('SET GLOBAL super_read_only = OFF')
  await server.query('SET GLOBAL read_only = OFF')
  database = new JournalDatabase(mysqlOptionsOf([server]), createLogger('test', { level: 'warn' }), 24).share()
})

afterAll(async () => {
  database?.close()
  await lab?.close()
})

journalContract({
  name: 'mysql',
  open: async () => {
    const index = shards++ as ShardIndex
    await database.prepare([{ index }])
    return () => new MysqlJournal(database, { index, name: `shard-${index}` }, CONTRACT_ORIGIN)
  },
})
