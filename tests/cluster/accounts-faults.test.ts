// Accounts on MySQL while things go wrong: the primary killed under load, credentials changed under load, wrong credentials, a replica that is
// away. What was acknowledged is there once; what was told as not done is not there; the audit chains are whole.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { auditKey, verifyAudit } from '@wintrades/gateway/audit'
import { createLogger } from '@wintrades/platform'
import { type MysqlOptions, MysqlPool } from '@wintrades/platform/mysql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Auth,
  codeOf,
  MysqlAccounts,
  NEW_KEY,
  OPERATOR_API_KEY,
  openAuth,
  PASSWORD,
} from '../../packages/gateway/test/auth/parts.ts'
import { AccountsLoad } from './accounts-load.ts'
import { createSchema, openForWriting, optionsFor } from './accounts-server.ts'
import { type Lab, type LabMysql, startLab, until } from './lab/index.ts'

let lab: Lab
let server: LabMysql
const secrets = { jwtKeys: [NEW_KEY], encryptionKey: new Uint8Array(32).fill(7), operatorApiKey: OPERATOR_API_KEY }
const logger = createLogger('test', { level: 'error' })

beforeAll(async () => {
  lab = await startLab()
  server = await lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' })
  await openForWriting(server)
})

afterAll(() => lab?.close())

async function optionsIn(schema: string): Promise<MysqlOptions> {
  await createSchema(server, schema)
  return optionsFor(server, schema)
}

function open(mysql: MysqlOptions): Promise<Auth> {
  return openAuth({ dataDirectory: 'unused', mysql, secrets, logger })
}

test('processes that open a new schema at once and register at once give every account a number of its own', async () => {
  const mysql = await optionsIn('at_once')
  const processes = await Promise.all([1, 2, 3].map(() => open(mysql)))
  const registered = await Promise.all(
    processes.flatMap((auth, at) =>
      [1, 2, 3, 4].map((i) => auth.accounts.register(`u${at}-${i}@example.com`, PASSWORD)),
    ),
  )
  expect(new Set(registered.map(({ accountId }) => accountId)).size).toBe(12)
  const codes = await Promise.all(
    processes.map((auth) => codeOf(() => auth.accounts.register('same@example.com', PASSWORD))),
  )
  expect(codes.sort()).toEqual(['EMAIL_TAKEN', 'EMAIL_TAKEN', 'none'])
  expect((await verifyAudit((processes[0] as Auth).database, auditKey(secrets.encryptionKey))).faults).toEqual([])
  await Promise.all(processes.map((auth) => auth.close()))
})

test('the primary killed under load, twice: nothing acknowledged is lost, nothing is there twice, refusals are true', async () => {
  const auth = await open(await optionsIn('killed'))
  const load = await AccountsLoad.start(auth)
  for (let kill = 0; kill < 2; kill++) {
    await load.more(15)
    await server.kill()
    await server.start()
    await openForWriting(server)
  }
  await load.more(15)
  await load.stop()
  await load.check(server, 'killed', auditKey(secrets.encryptionKey))
  await auth.close()
})

test('while the primary is away a refusal comes in time, and known API keys go on', async () => {
  const auth = await open(await optionsIn('away'))
  const account = await auth.accounts.register('ada@example.com', PASSWORD)
  // Freezing a server that is writing may be refused at first.
  await until('it is frozen', () => server.pause().then(() => true), { timeout_ms: 30_000, every_ms: 100 })
  try {
    const began_ms = performance.now()
    const code = await codeOf(() => auth.sessions.open(account))
    expect(code).toMatch(/^(ACCOUNTS_UNAVAILABLE|OUTCOME_UNKNOWN)$/)
    expect(performance.now() - began_ms).toBeLessThan(16_000)
  } finally {
    await server.unpause()
  }
  await until('it is back', async () => (await codeOf(() => auth.sessions.open(account))) === 'none', {
    timeout_ms: 30_000,
    every_ms: 200,
  })
  await auth.close()
})

test('a replica that cannot be reached is done without', async () => {
  const mysql = await optionsIn('no_replica')
  const auth = await open({ ...mysql, readServer: { host: server.host, port: 1 } })
  const { accountId } = await auth.accounts.register('ada@example.com', PASSWORD)
  for (let i = 0; i < 8; i++) expect(await auth.accounts.isFunded(accountId)).toBe(false)
  await auth.close()
})

describe('credentials', () => {
  function filesWith(copy: 'a' | 'b') {
    const [userFile, file] = [join(lab.directory, 'db-user'), join(lab.directory, 'db-password')]
    const write = (one: 'a' | 'b') => {
      writeFileSync(userFile, `wintrades_app_${one}\n`)
      writeFileSync(file, `${server.credentials.passwordOf('app', one)}\n`)
    }
    write(copy)
    return { userFile, file, write }
  }

  const usersOf = async () =>
    (
      await server.query<{ user: string }>(
        "select distinct processlist_user as user from performance_schema.threads where processlist_user like 'wintrades_app%' order by 1",
      )
    ).map(({ user }) => user)

  test('change under load without a failure: new connections use the new ones, the old ones drain', async () => {
    const { userFile, file, write } = filesWith('a')
    const mysql = { ...(await optionsIn('rotated')), userFile, password: { file } }
    const auth = await open(mysql)
    const account = await auth.accounts.register('ada@example.com', PASSWORD)
    let running = true
    let served = 0
    const workers = [1, 2, 3, 4].map(async () => {
      while (running) {
        await auth.sessions.open(account)
        served += 1
      }
    })
    try {
      await until('it is served', () => served > 20, { timeout_ms: 30_000, every_ms: 20 })
      expect(await usersOf()).toEqual(['wintrades_app_a'])
      write('b')
      const others = async () => (await usersOf()).join() === 'wintrades_app_b'
      await until('only the other user is connected', others, { timeout_ms: 30_000, every_ms: 200 })
      // Now the first may be changed: nobody uses it any more.
      await server.query('alter user wintrades_app_a account lock')
      const before = served
      await until('it goes on', () => served > before + 20, { timeout_ms: 30_000, every_ms: 20 })
    } finally {
      running = false
    }
    await Promise.all(workers)
    await server.query('alter user wintrades_app_a account unlock')
    await auth.close()
  })

  test('that are wrong do not replace those that work, until they are right', async () => {
    const { userFile, file, write } = filesWith('a')
    const pool = new MysqlPool(
      { host: server.host, port: server.port },
      {
        ...(await optionsIn('rotated')),
        userFile,
        password: { file },
      },
    )
    const whoAmI = async () => {
      const [row] = await pool.use((connection) => connection.query('select current_user() as user', [], 5_000), 5_000)
      return String(row?.['user'])
    }
    expect(await whoAmI()).toBe('wintrades_app_a@%')
    writeFileSync(userFile, 'wintrades_app_b\n')
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(await whoAmI()).toBe('wintrades_app_a@%')
    write('b')
    await until('the right ones are used', async () => (await whoAmI()) === 'wintrades_app_b@%', {
      timeout_ms: 15_000,
      every_ms: 100,
    })
    pool.close()
  })

  test('that are wrong from the start are named, with what to check', async () => {
    const mysql = { ...(await optionsIn('rotated')), password: { text: 'not the password' } }
    const opening = MysqlAccounts.open({ mysql, logger, now_ms: Date.now, startTimeout_ms: 1_000 })
    await expect(opening).rejects.toThrow(
      /refuses user wintrades_app_a: check DB_USER \(or DB_USER_FILE\) and DB_PASSWORD_FILE/,
    )
  })

  test('in a file that is not there are named too', async () => {
    const mysql = { ...(await optionsIn('rotated')), password: { file: join(lab.directory, 'nowhere') } }
    const opening = MysqlAccounts.open({ mysql, logger, now_ms: Date.now, startTimeout_ms: 1_000 })
    await expect(opening).rejects.toThrow('DB_PASSWORD_FILE names')
  })
})
