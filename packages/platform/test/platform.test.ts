// The adapters as their users meet them: logger, secrets, SQLite, YAML files, lifecycle.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import {
  createLogger,
  formatFileFault,
  isBusy,
  Lifecycle,
  loadConfig,
  loadSecrets,
  neverLog,
  openSqlite,
  readYamlFile,
  secretsDirectory,
} from '../src/index.ts'
import { sqliteDialect } from '../src/kysely.ts'
import { Metrics } from '../src/metrics.ts'

const directories: string[] = []

afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-platform-'))
  directories.push(directory)
  return directory
}

function configIn(directory: string) {
  const result = loadConfig({ DATA_DIRECTORY: directory })
  if (!result.ok) throw new Error('the defaults are refused')
  return result.config
}

test('a line tells time, level, component, message and fields, and masks secrets', () => {
  const lines: string[] = []
  const logger = createLogger('gateway', { level: 'info', write: (line) => lines.push(line) })
  neverLog('a-registered-secret')
  logger.debug('not at this level')
  logger
    .child('auth')
    .info('logged in', { userId: 7, password: 'hunter2', token: 'x', nested: { apiKey: 'y' }, count: 3n })
  logger.error('failed', { error: new Error('with a-registered-secret inside') })
  expect(lines).toHaveLength(2)
  const first = JSON.parse(lines[0] ?? '')
  expect(first).toMatchObject({ level: 'info', component: 'gateway.auth', message: 'logged in', userId: 7, count: '3' })
  expect(first).toMatchObject({ password: '[redacted]', token: '[redacted]', nested: { apiKey: '[redacted]' } })
  expect(lines[1]).not.toContain('a-registered-secret')
  expect(JSON.parse(lines[1] ?? '').error.stack).toContain('Error')
})

test('secrets are generated once, private, and the same for processes that start together', async () => {
  const directory = temporaryDirectory()
  const child = new URL('secrets-child.ts', import.meta.url)
  const children = Array.from({ length: 4 }, () => fork(child, [directory]))
  const answers = await Promise.all(children.map(async (one) => (await once(one, 'message'))[0] as string))
  expect(new Set(answers).size).toBe(1)
  const files = readdirSync(secretsDirectory(directory))
  expect(files.toSorted()).toEqual(['encryption.key', 'jwt.key', 'link.key', 'operator-api.key'])
  for (const file of files) expect(statSync(join(secretsDirectory(directory), file)).mode & 0o777).toBe(0o600)
})

test('a damaged secret file is reported, not replaced', () => {
  const directory = temporaryDirectory()
  mkdirSync(secretsDirectory(directory))
  writeFileSync(join(secretsDirectory(directory), 'encryption.key'), 'half a key')
  expect(() => loadSecrets(configIn(directory))).toThrow(/encryption\.key must hold 32 bytes/)
  expect(readFileSync(join(secretsDirectory(directory), 'encryption.key'), 'utf8')).toBe('half a key')
})

test('SQLite is durable at commit, and Kysely speaks to it', async () => {
  const database = openSqlite(join(temporaryDirectory(), 'deep', 'test.sqlite'))
  expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
  expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
  const db = new Kysely<{ person: { id: number; name: string; active: boolean | number } }>({
    dialect: sqliteDialect(database),
  })
  await db.schema
    .createTable('person')
    .addColumn('id', 'integer')
    .addColumn('name', 'text')
    .addColumn('active', 'integer')
    .execute()
  await db.transaction().execute(async (transaction) => {
    await transaction.insertInto('person').values({ id: 1, name: 'Ada', active: true }).execute()
  })
  expect(await db.selectFrom('person').selectAll().execute()).toEqual([{ id: 1, name: 'Ada', active: 1 }])
  await db.destroy()
})

test('a second writer hears that the database is busy', () => {
  const path = join(temporaryDirectory(), 'test.sqlite')
  const first = openSqlite(path)
  const second = openSqlite(path, { busyTimeout_ms: 1 })
  first.exec('BEGIN IMMEDIATE')
  const attempt = () => second.exec('BEGIN IMMEDIATE')
  expect(attempt).toThrow()
  try {
    attempt()
  } catch (error) {
    expect(isBusy(error)).toBe(true)
  }
})

test('a fault of a YAML file comes with its line', () => {
  const file = join(temporaryDirectory(), 'markets.yml')
  writeFileSync(file, 'shards:\n  - name: us-east\nassets:\n  - id: 1\n    code: usd\n')
  const faults = [{ path: 'assets[0].code', message: 'must be upper case' }]
  const result = readYamlFile(file, () => ({ ok: false as const, faults }))
  expect(result.ok).toBe(false)
  expect('faults' in result && result.faults.map(formatFileFault)).toEqual([
    `${file}:5: assets[0].code must be upper case`,
  ])
  writeFileSync(file, 'a: [1\nb: 2')
  const broken = readYamlFile(file, () => ({ ok: true as const }))
  expect(broken.ok).toBe(false)
  const missing = readYamlFile(`${file}.not`, () => ({ ok: true as const }))
  expect(!missing.ok && missing.faults[0]?.message).toBe('does not exist')
})

test('parts stop in reverse order, and a slow one does not hold up the rest for ever', async () => {
  const lines: string[] = []
  const logger = createLogger('test', { write: (line) => lines.push(line) })
  const lifecycle = new Lifecycle({ logger, stopTimeout_ms: 50 })
  const stopped: string[] = []
  await lifecycle.add({ name: 'first', stop: () => void stopped.push('first') })
  await lifecycle.add({ name: 'stuck', stop: () => new Promise(() => {}) })
  await lifecycle.add({ name: 'last', stop: () => void stopped.push('last') })
  expect(await lifecycle.stop('test')).toBe(false)
  expect(stopped).toEqual(['last', 'first'])
  expect(lines.join()).toContain('"part":"stuck"')
})

test('metrics carry the labels of the process', async () => {
  const metrics = new Metrics({ region: 'eu-west' })
  metrics.counter('wintrades_orders_total', 'Orders.', ['outcome']).inc({ outcome: 'accepted' })
  const { text } = await metrics.render()
  expect(text).toContain('wintrades_orders_total{outcome="accepted",region="eu-west"} 1')
})
