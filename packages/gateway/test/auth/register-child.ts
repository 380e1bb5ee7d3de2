// Opens the accounts as a process of its own would and registers some users, for accounts.test.ts; reports their account numbers.

import { parentPort, workerData } from 'node:worker_threads'
import { createLogger } from '@wintrades/platform'
import type { Account } from '../../src/auth/accounts.ts'
import { openAuth } from '../../src/auth/auth.ts'

const { dataDirectory, name, registrations } = workerData as {
  dataDirectory: string
  name: string
  registrations: number
}
const text = new TextEncoder()
const secrets = {
  jwtKeys: [{ kid: 'test', key: text.encode('k'.repeat(32)) }],
  encryptionKey: new Uint8Array(32),
  operatorApiKey: 'k'.repeat(24),
}
const auth = await openAuth({ dataDirectory, secrets, logger: createLogger('test', { level: 'error' }) })
/** As a client does: refused because the others are writing, it comes again. */
async function register(email: string, triesLeft = 50): Promise<Account> {
  try {
    return await auth.accounts.register(email, 'correct horse battery staple')
  } catch (error) {
    if (triesLeft === 0 || (error as { code?: string }).code !== 'OVERLOADED') throw error
    return await register(email, triesLeft - 1)
  }
}

const users = Array.from({ length: registrations }, (_, i) => register(`${name}${i}@example.com`))
const accounts = (await Promise.all(users)).map((user) => user.accountId)
await auth.close()
parentPort?.postMessage(accounts)
