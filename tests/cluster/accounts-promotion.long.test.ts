// Accounts while the primary moves and while it is lost: the application finds the new one by itself; sessions, API keys and the audit log have all that
// was acknowledged, once, on whichever server is the primary then.

import { auditKey } from '@wintrades/gateway/audit'
import { createLogger } from '@wintrades/platform'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Auth, NEW_KEY, OPERATOR_API_KEY, openAuth } from '../../packages/gateway/test/auth/parts.ts'
import { AccountsLoad } from './accounts-load.ts'
import { wintrades } from './command-line.ts'
import { LabDatabase } from './database.ts'
import { type Lab, startLab, until } from './lab/index.ts'
import { mysqlOptionsOf } from './trio.ts'

const secrets = { jwtKeys: [NEW_KEY], encryptionKey: new Uint8Array(32).fill(7), operatorApiKey: OPERATOR_API_KEY }

let lab: Lab
let database: LabDatabase
let auth: Auth

beforeAll(async () => {
  lab = await startLab()
  database = await LabDatabase.startFormed(lab, ['us-east', 'eu-west'])
  auth = await openAuth({
    dataDirectory: 'unused',
    mysql: mysqlOptionsOf(database.servers),
    secrets,
    logger: createLogger('test', { level: 'silent' }),
  })
})

afterAll(async () => {
  await auth?.close()
  await database?.stopOperators()
  await lab?.close()
})

async function checkOn(load: AccountsLoad, primary: string): Promise<void> {
  await load.stop()
  await load.check(database.server(primary), 'wintrades', auditKey(secrets.encryptionKey))
}

test('over a planned promotion log-ins, keys and the audit log go on, and nothing is lost or doubled', async () => {
  const load = await AccountsLoad.start(auth)
  await load.more(15)
  const promoted = await wintrades(['db', 'promote', 'mysql_slave_eu', '--file', database.operatorFile])
  expect(promoted.text).toMatch(/^mysql_slave_eu is the primary/)
  await load.more(15)
  expect(await database.whole()).toBe('mysql_slave_eu')
  await checkOn(load, 'mysql_slave_eu')
})

test('so it is when the primary is killed and another one promoted', async () => {
  const load = await AccountsLoad.start(auth)
  await load.more(15)
  await database.server('mysql_slave_eu').kill()
  const promoted = async () => {
    const { outcome, primary } = await database.report('us-east')
    return outcome === 'serving' && primary !== 'mysql_slave_eu' ? primary : null
  }
  const primary = await until('another primary', promoted, { timeout_ms: 90_000, every_ms: 100 })
  await load.more(15)
  await checkOn(load, primary)
  await database.server('mysql_slave_eu').start()
  expect(await database.whole()).toBe(primary)
})

test('a replica whose replication was stopped by hand follows again: rejoin says when, and what is no server', async () => {
  const rejoin = (name: string) => wintrades(['db', 'rejoin', name, '--file', database.operatorFile])
  const primary = await database.whole()
  const reader = database.server('mysql_slave_us')
  await reader.query('STOP REPLICA')
  const rejoined = await rejoin('mysql_slave_us')
  expect(rejoined).toMatchObject({ code: 0, text: expect.stringContaining(`mysql_slave_us follows ${primary}`) })
  const [status] = await reader.query('SHOW REPLICA STATUS')
  expect(status).toMatchObject({ Replica_IO_Running: 'Yes', Replica_SQL_Running: 'Yes' })
  expect((await rejoin('mysql_slave_mars')).text).toContain(
    'there is no server mysql_slave_mars; servers are mysql_master',
  )
  await reader.kill()
  const away = await wintrades(['db', 'rejoin', 'mysql_slave_us', '--timeout', '3', '--file', database.operatorFile])
  expect(away).toMatchObject({
    code: 1,
    text: expect.stringMatching(/mysql_slave_us does not run: nothing listens on/),
  })
  await reader.start()
  expect(await rejoin('mysql_slave_us')).toMatchObject({ code: 0 })
})
