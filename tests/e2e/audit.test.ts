// `wintrades audit` on an embedded database: shows what was done, and finds what was changed since.

import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { opened, PASSWORD, tamper, temporaryDirectory } from '../../packages/gateway/test/auth/parts.ts'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const CLI = join(REPOSITORY, 'packages/operations/src/cli.ts')

type Result = { readonly code: number; readonly out: string; readonly err: string }

function audit(...words: string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, 'audit', ...words], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

async function platform(): Promise<string> {
  const auth = await opened()
  mkdirSync(join(auth.directory, 'secrets'))
  writeFileSync(join(auth.directory, 'secrets', 'encryption.key'), `${'07'.repeat(32)}\n`)
  const { accountId } = await auth.accounts.register('ada@example.com', PASSWORD, '192.0.2.1')
  await auth.apiKeys.create(accountId, { label: 'bot', scopes: ['read'] }, '192.0.2.1')
  return auth.directory
}

test('shows what was done, in pages, and verifies it', async () => {
  const data = await platform()
  const shown = await audit('show', '--data', data)
  expect(shown.out).toContain('user (account 1001)  192.0.2.1  register  account 1001  done')
  const first = await audit('show', '--data', data, '--limit', '1')
  const before = /--before (\S+)/.exec(first.out)?.[1] ?? ''
  const second = await audit('show', '--data', data, '--limit', '1', '--before', before, '--json')
  expect(JSON.parse(second.out)).toMatchObject({
    seq: expect.any(Number),
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  expect(await audit('verify', '--data', data)).toMatchObject({
    code: 0,
    out: '3 records in 1 chains: all as it was written\n',
  })
})

test('a change is found, and is an error', async () => {
  const data = await platform()
  await tamper(data, "update audit set address = '198.51.100.1' where action = 'register'")
  const result = await audit('verify', '--data', data)
  expect(result.code).toBe(1)
  expect(result.out).toMatch(/FAULT stream \S+, record 2: it was changed since it was written/)
})

test('says what is missing: a database, a key, a number', async () => {
  const empty = temporaryDirectory()
  expect(await audit('verify', '--data', empty)).toMatchObject({
    code: 1,
    err: expect.stringContaining('encryption.key'),
  })
  mkdirSync(join(empty, 'secrets'))
  writeFileSync(join(empty, 'secrets', 'encryption.key'), `${'07'.repeat(32)}\n`)
  expect((await audit('verify', '--data', empty)).err).toContain('accounts.sqlite does not exist')
  expect((await audit('show', '--limit', 'many')).code).toBe(2)
  expect((await audit('show', '--before', 'yesterday')).code).toBe(2)
})
