// Accounts, sessions, API keys and the audit log on MySQL: the very tests that the embedded database passes.

import { afterAll, beforeAll } from 'vitest'
import { keepAccountsAt } from '../../packages/gateway/test/auth/parts.ts'
import { openForWriting, SchemasOfServer } from './accounts-server.ts'
import { type Lab, type LabMysql, startLab } from './lab/index.ts'

let lab: Lab
let server: LabMysql

beforeAll(async () => {
  lab = await startLab()
  server = await lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' })
  await openForWriting(server)
})

afterAll(() => lab?.close())

keepAccountsAt(new SchemasOfServer(() => server))
await import('../../packages/gateway/test/auth/accounts.test.ts')
await import('../../packages/gateway/test/auth/sessions.test.ts')
await import('../../packages/gateway/test/auth/api-keys.test.ts')
await import('../../packages/gateway/test/auth/authenticator.test.ts')
await import('../../packages/gateway/test/audit/audit.test.ts')
