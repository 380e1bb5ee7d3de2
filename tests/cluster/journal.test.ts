// The journal on MySQL keeps the contract of every journal.

import type { ShardIndex } from '@wintrades/domain'
import { type JournalDatabase, MysqlJournal } from '@wintrades/venue'
import { CONTRACT_ORIGIN, journalContract } from '@wintrades/venue/journal-contract'
import { afterAll, beforeAll } from 'vitest'
import { type Lab, startLab } from './lab/index.ts'
import { openDatabase } from './trio.ts'

let lab: Lab
let database: JournalDatabase
let shards = 0

beforeAll(async () => {
  lab = await startLab()
  const server = await lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' })
  await server.query('SET GLOBAL super_read_only = OFF')
  await server.query('SET GLOBAL read_only = OFF')
  database = openDatabase([server])
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
