// Accounts on a real database with real hashes: registration by several processes, log-in, what is refused, and what is stored.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { parseOptions } from '@node-rs/argon2'
import type { AccountId } from '@wintrades/domain'
import { openSqlite } from '@wintrades/platform'
import { describe, expect, test } from 'vitest'
import { PasswordHasher } from '../../src/auth/passwords.ts'
import { accountsPath, SqliteAccounts } from '../../src/auth/sqlite-accounts.ts'
import { ApiFault } from '../../src/errors.ts'
import { codeOf, faultOf, isEmbedded, opened, PASSWORD, temporaryDirectory } from './parts.ts'

describe('registration', () => {
  test('accounts are numbered from 1001 on', async () => {
    const { accounts } = await opened()
    const first = await accounts.register('ada@example.com', PASSWORD)
    const second = await accounts.register('bob@example.com', PASSWORD)
    expect([first.accountId, second.accountId]).toEqual([1_001, 1_002])
    expect(first.userId).not.toBe(second.userId)
    expect(await accounts.find(first.accountId)).toEqual(first)
    expect(await accounts.find(1_003 as AccountId)).toBeNull()
  })

  test('an e-mail address has one account, however it is written and wherever it registers', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory })
    await here.accounts.register('Ada@Example.com', PASSWORD)
    expect(await codeOf(() => here.accounts.register('ada@example.COM', PASSWORD))).toBe('EMAIL_TAKEN')
    expect(await codeOf(() => there.accounts.register('ADA@example.com', PASSWORD))).toBe('EMAIL_TAKEN')
  })

  test('of registrations of one address at once one succeeds', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory })
    const tries = [here, there, here, there].map(({ accounts }) =>
      codeOf(() => accounts.register('ada@example.com', PASSWORD)),
    )
    expect((await Promise.all(tries)).sort()).toEqual(['EMAIL_TAKEN', 'EMAIL_TAKEN', 'EMAIL_TAKEN', 'none'])
  })

  test.runIf(isEmbedded())(
    'threads that open and migrate a new file at once and register at once share one sequence',
    async () => {
      const dataDirectory = temporaryDirectory()
      const script = fileURLToPath(new URL('./register-child.ts', import.meta.url))
      const numbers = await Promise.all(
        ['a', 'b', 'c'].map(
          (name) =>
            new Promise<number[]>((resolve, reject) => {
              const worker = new Worker(script, { workerData: { dataDirectory, name, registrations: 4 } })
              worker.once('message', resolve)
              worker.once('error', reject)
            }),
        ),
      )
      expect(numbers.flat().sort()).toEqual(Array.from({ length: 12 }, (_, i) => 1_001 + i))
    },
  )

  test.each([
    'ada',
    'ada@',
    '@example.com',
    'ada@localhost',
    'ada lovelace@example.com',
    'ada@exa mple.com',
    'ada@@example.com',
    'ada@example..com',
    'ada@-example.com',
    'ada@example.com\nbcc: eve@example.com',
    '<ada@example.com>',
    `${'a'.repeat(65)}@example.com`,
    `ada@${'example.'.repeat(40)}com`,
  ])(
    '%j is not an e-mail address',
    async (email) => {
      const { accounts } = await opened()
      const fault = await faultOf(() => accounts.register(email, PASSWORD))
      expect(fault).toMatchObject({ code: 'REQUEST_MALFORMED', details: [{ path: 'email' }] })
    },
    60_000,
  )

  test.each(['ada+demo@example.com', "o'neil@mail.example.co.uk", 'åsa@exämple.se'])('%j is one', async (email) => {
    const { accounts } = await opened()
    expect(await codeOf(() => accounts.register(email, PASSWORD))).toBe('none')
    expect(await codeOf(() => accounts.verify(email, PASSWORD))).toBe('none')
  })

  test.each(['short77', 'a'.repeat(129), 'password1', 'QWERTY123', 'trader-ada', 'trader-ada@example.com'])(
    'the password %j is refused',
    async (password) => {
      const { accounts } = await opened()
      expect(await codeOf(() => accounts.register('Trader-Ada@example.com', password))).toBe('PASSWORD_TOO_WEAK')
    },
  )

  test.each(['8 chars!', 'x'.repeat(128), '🔑'.repeat(8), '🔑'.repeat(128)])(
    'the password %j is taken',
    async (password) => {
      const { accounts } = await opened()
      const { accountId } = await accounts.register('ada@example.com', password)
      expect((await accounts.verify('ada@example.com', password)).accountId).toBe(accountId)
    },
  )

  test.runIf(isEmbedded())(
    'passwords are stored as argon2id with OWASP’s parameters, each with its own salt',
    async () => {
      const { accounts, directory } = await opened()
      await accounts.register('ada@example.com', PASSWORD)
      await accounts.register('bob@example.com', PASSWORD)
      const database = openSqlite(accountsPath(directory), { readOnly: true })
      const hashes = database
        .prepare('select password_hash from users')
        .all()
        .map((row) => String(row['password_hash']))
      database.close()
      expect(new Set(hashes).size).toBe(2)
      for (const hash of hashes) {
        expect(hash).toMatch(/^\$argon2id\$v=19\$/)
        expect(parseOptions(hash)).toMatchObject({ memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 })
      }
      for (const file of [accountsPath(directory), `${accountsPath(directory)}-wal`]) {
        expect(readFileSync(file).includes(PASSWORD)).toBe(false)
      }
    },
  )
})

describe('log-in', () => {
  test('needs the e-mail address in any case and the very password', async () => {
    const { accounts } = await opened()
    const account = await accounts.register('ada@example.com', PASSWORD)
    expect(await accounts.verify('ADA@example.com', PASSWORD)).toEqual(account)
    expect(await codeOf(() => accounts.verify('ada@example.com', `${PASSWORD} `))).toBe('CREDENTIALS_INVALID')
    expect(await codeOf(() => accounts.verify('ada@example.com', PASSWORD.toUpperCase()))).toBe('CREDENTIALS_INVALID')
    expect(await codeOf(() => accounts.verify('ada@example.com', ''))).toBe('CREDENTIALS_INVALID')
    expect(await codeOf(() => accounts.verify('ada@example.com', 'x'.repeat(1_000_000)))).toBe('CREDENTIALS_INVALID')
  })

  test('the same letters in another Unicode form are the same password', async () => {
    const { accounts } = await opened()
    await accounts.register('ada@example.com', 'crème brûlée'.normalize('NFC'))
    expect(await codeOf(() => accounts.verify('ada@example.com', 'crème brûlée'.normalize('NFD')))).toBe('none')
  })

  test('an unknown address is answered like a wrong password, and hashed like one', async () => {
    const { accounts } = await opened({ passwords: { inFlight_max: 1, waiting_max: 1 } })
    await accounts.register('ada@example.com', PASSWORD)
    const unknown = await faultOf(() => accounts.verify('nobody@example.com', PASSWORD))
    const wrong = await faultOf(() => accounts.verify('ada@example.com', 'not her password'))
    expect(unknown?.body()).toEqual(wrong?.body())
    // It stands in the same line: three at once are one more than fit.
    const codes = await Promise.all([1, 2, 3].map(() => codeOf(() => accounts.verify('nobody@example.com', PASSWORD))))
    expect(codes.sort()).toEqual(['CREDENTIALS_INVALID', 'CREDENTIALS_INVALID', 'OVERLOADED'])
  })
})

describe('hashing', () => {
  test('beyond the line is a refusal that says when to come back; the line goes on', async () => {
    const hasher = new PasswordHasher({ inFlight_max: 2, waiting_max: 3 })
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => hasher.hash(PASSWORD)))
    expect(results.map((result) => result.status)).toEqual([
      ...Array(5).fill('fulfilled'),
      ...Array(3).fill('rejected'),
    ])
    for (const result of results) {
      if (result.status === 'fulfilled') continue
      expect(result.reason).toBeInstanceOf(ApiFault)
      expect(result.reason).toMatchObject({ code: 'OVERLOADED', status: 503 })
      expect((result.reason as ApiFault).retryAfter_ms).toBeGreaterThan(0)
    }
    const hash = await hasher.hash(PASSWORD)
    expect(await hasher.verify(hash, PASSWORD)).toBe(true)
  })

  test('a place that is handed on is still taken', async () => {
    const hasher = new PasswordHasher({ inFlight_max: 1, waiting_max: 1 })
    const first = hasher.hash(PASSWORD)
    const second = hasher.hash(PASSWORD)
    await first
    // The second is at work, so the third waits and the fourth is too many.
    const third = hasher.hash(PASSWORD)
    expect(await codeOf(() => hasher.hash(PASSWORD))).toBe('OVERLOADED')
    await Promise.all([second, third])
  })

  test('a failure gives its place back', async () => {
    const hasher = new PasswordHasher({ inFlight_max: 1, waiting_max: 4 })
    const broken = await Promise.allSettled([1, 2, 3].map(() => hasher.verify('not a hash', PASSWORD)))
    expect(broken.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(await hasher.hash(PASSWORD)).toMatch(/^\$argon2id/)
  })
})

describe('demo funds', () => {
  test('an account is not funded until it is marked, and then at every process', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory })
    const { accountId } = await here.accounts.register('ada@example.com', PASSWORD)
    expect(await there.accounts.isFunded(accountId)).toBe(false)
    await here.accounts.markFunded(accountId)
    await here.accounts.markFunded(accountId)
    expect(await there.accounts.isFunded(accountId)).toBe(true)
    await expect(here.accounts.markFunded(7 as AccountId)).rejects.toThrow('account 7 is not registered')
  })
})

describe('the database', () => {
  test('keeps accounts over a restart', async () => {
    const before = await opened()
    const account = await before.accounts.register('ada@example.com', PASSWORD)
    const after = await opened({ directory: before.directory })
    expect(await after.accounts.verify('ada@example.com', PASSWORD)).toEqual(account)
  })
})

describe.runIf(isEmbedded())('the file', () => {
  test('can be read while another process holds its write lock; what would write is refused soon', async () => {
    const { accounts, sessions, directory } = await opened()
    const account = await accounts.register('ada@example.com', PASSWORD)
    const other = openSqlite(accountsPath(directory))
    other.exec('begin immediate')
    expect(await accounts.verify('ada@example.com', PASSWORD)).toEqual(account)
    expect(await codeOf(() => sessions.open(account))).toBe('OVERLOADED')
    expect(await codeOf(() => accounts.markFunded(account.accountId))).toBe('OVERLOADED')
    other.exec('commit')
    other.close()
    expect(await codeOf(() => sessions.open(account))).toBe('none')
  })

  test('of a newer release that this one cannot read is refused', async () => {
    const directory = temporaryDirectory()
    await SqliteAccounts.open(directory).close()
    const file = openSqlite(accountsPath(directory))
    file.exec('update schema_version set version = 9, compatible_from = 8')
    file.close()
    expect(() => SqliteAccounts.open(directory)).toThrow('start a newer release')
  })

  test('of a newer release that this one can read is left as it is', async () => {
    const directory = temporaryDirectory()
    await SqliteAccounts.open(directory).close()
    const file = openSqlite(accountsPath(directory))
    file.exec('update schema_version set version = 9, compatible_from = 1')
    await SqliteAccounts.open(directory).close()
    const state = file.prepare('select * from schema_version').all()
    file.close()
    expect(state).toMatchObject([{ id: 1, version: 9, compatible_from: 1 }])
  })
})
