// `wintrades backup …` and `wintrades drill restore` as a person types them, against a database that operators keep and a venue trades on. What is
// restored by command becomes a server again, which the operators take back without copying it anew.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackupKeys, type BackupSettings, Catalogue, type FullBackup, openBackups } from '@wintrades/operations/backup'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, wintrades } from './command-line.ts'
import { LabDatabase } from './database.ts'
import { Archive, Depositing, LIMITS, REGION, SHARD } from './depositing.ts'
import { type Lab, type LabMysql, startLab, until } from './lab/index.ts'
import { mysqlOptionsOf } from './trio.ts'

const READER = 'mysql_slave_us'

let lab: Lab
let directory: string
let key: Buffer
let database: LabDatabase
let settings: BackupSettings
let catalogue: Catalogue
let load: Depositing
let archive: Archive
let first: FullBackup
let drilled: FullBackup

function backup(...words: readonly string[]): Promise<Answer> {
  return wintrades(['backup', ...words, '--file', database.operatorFile], keyOf('right.key'))
}

function keyOf(name: string): Readonly<Record<string, string>> {
  return { ENCRYPTION_KEY_FILE: join(directory, name) }
}

/** The last line of standard output. */
function json<Result>({ code, out, text }: Answer): Result {
  expect(code, text).toBe(0)
  return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Result
}

beforeAll(async () => {
  lab = await startLab()
  directory = mkdtempSync(join(tmpdir(), 'wt-backup-'))
  key = randomBytes(32)
  writeFileSync(join(directory, 'right.key'), key.toString('hex'), { mode: 0o600 })
  writeFileSync(join(directory, 'wrong.key'), randomBytes(32).toString('hex'), { mode: 0o600 })
  // Operators that keep no backups: here a person does.
  const sections = ({ servers: [server] }: LabDatabase, region: string | null) =>
    region === null ? backupSection(server as LabMysql) : ''
  database = await LabDatabase.startFormed(lab, ['eu-west'], { sections })
  load = await Depositing.start({ directory, mysql: mysqlOptionsOf(database.servers), pause_ms: 30 })
})

afterAll(async () => {
  await archive?.stop()
  await load?.stop()
  await database?.stopOperators()
  await lab?.close()
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
})

function backupSection({ credentials, image }: LabMysql): string {
  const volumes = [directory, lab.directory].map((path) => `--volume ${path}:${path}`).join(' ')
  return `backup:
  directory: ${join(directory, 'store')}
  work_directory: ${join(directory, 'work')}
  account: { user: wintrades_backup_a, password_file: ${credentials.passwordFileOf('backup')} }
  scratch_command: docker run --rm --network host ${volumes} ${image} mysqld
  archive_file_seconds: 3
`
}

test('without the key, with another, without a section, with words that are not understood: one line that says what to do', async () => {
  const withoutKey = await wintrades(['backup', 'list', '--file', database.operatorFile], { DATA_DIRECTORY: directory })
  expect(withoutKey).toMatchObject({
    code: 1,
    text: expect.stringContaining('set ENCRYPTION_KEY_FILE, or name its file'),
  })
  const nothing = join(directory, 'nothing.yml')
  writeFileSync(nothing, `http: { key_file: ${join(directory, 'right.key')} }\n`)
  const withoutSection = await wintrades(['backup', 'list', '--file', nothing], keyOf('right.key'))
  expect(withoutSection).toMatchObject({ code: 1, text: expect.stringContaining('has no section `backup`') })
  const untimely = await backup('verify', '--to', 'yesterday')
  expect(untimely).toMatchObject({ code: 2, text: expect.stringContaining('such as 2026-11-25T14:30:00Z') })
  const early = await backup('verify')
  expect(early).toMatchObject({ code: 1, text: expect.stringMatching(/no backup/) })
})

test('create makes a full backup from a secondary and tells how large it is; list shows it', async () => {
  await load.more(20)
  const created = await backup('create')
  expect(created).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^backup \S+ of mysql_slave_us: [\d.]+ MB \([\d.]+ MB unpacked\) in [\d.]+ s$/m),
  })
  const { full, faults } = json<{ full: FullBackup[]; faults: string[] }>(await backup('list', '--json'))
  expect(faults).toEqual([])
  expect(full).toHaveLength(1)
  first = full[0] as FullBackup
  const other = await wintrades(['backup', 'list', '--file', database.operatorFile], keyOf('wrong.key'))
  expect(other).toMatchObject({ code: 1, text: expect.stringContaining('another ENCRYPTION_KEY') })
  const named = ['backup', 'list', '--file', database.operatorFile, '--key-file', join(directory, 'right.key')]
  expect(await wintrades(named, keyOf('wrong.key'))).toMatchObject({ code: 0, text: expect.stringContaining(first.id) })
})

test('drill restore backs the database up as it runs, archives where no operator does, restores and proves it', async () => {
  const result = await wintrades(['drill', 'restore', '--file', database.operatorFile, '--json'], keyOf('right.key'))
  expect(result.code, result.text).toBe(0)
  expect(result.err).toContain('no operator archives the binlog: this drill does, while it runs')
  expect(result.err).toContain(`✔ ${REGION}: replayed to batch`)
  expect(result.err).toContain('drill restore passed')
  const figures = result.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; value: number })
  const transactions = figures.find((one) => one.name === 'restore.transactions')
  expect(transactions?.value).toBeGreaterThan(0)
  process.stdout.write(`${figures.map((one) => `${one.name} ${one.value}`).join(', ')}\n`)
})

test('verify restores the newest backup and all that is archived, and proves it', async () => {
  const opened = await openBackups(database.operatorFile, join(directory, 'right.key'))
  settings = opened.settings
  catalogue = await Catalogue.open(settings.directory, new BackupKeys(key))
  archive = new Archive(catalogue, settings)
  await load.more(20)
  await archive.isComplete()
  const began = load.seq
  const verified = json<{
    verification: { backup: string; passed: boolean }
    proof: { shards: { shard: string; seq: number; stateHash: string }[] }
  }>(await backup('verify', '--json'))
  drilled = (await catalogue.list()).full[1] as FullBackup
  expect(verified.verification).toMatchObject({ backup: drilled.id, passed: true })
  const shard = verified.proof.shards.find((one) => one.shard === REGION)
  expect(shard?.seq).toBeGreaterThanOrEqual(began)
  expect(shard?.stateHash).toBe(load.stateAfter(shard?.seq ?? 0))
  expect((await backup('list')).out).toMatch(new RegExp(`${drilled.id}.*restored and good`))
})

test('restore makes a data directory of a chosen second; the operators take the server back with it', async () => {
  await load.more(20)
  const to = new Date()
  await load.more(20)
  await archive.isComplete()
  const reader = database.server(READER)
  const data = join(lab.directory, READER, 'data', 'data')
  const refused = await backup('restore', '--directory', data)
  expect(refused).toMatchObject({ code: 1, text: expect.stringMatching(/is not empty .*: nothing was changed/) })
  const operatorSaid = () => readFileSync(database.logFileOf('eu-west'), 'utf8')
  const before = operatorSaid().length
  await reader.kill()
  rmSync(data, { recursive: true })
  const [{ id }] = [first]
  const restored = await backup('restore', '--directory', data, '--to', to.toISOString(), '--backup', id)
  expect(restored.code, restored.text).toBe(0)
  expect(restored.out).toContain(`${data} is restored from ${id}, with`)
  const last = Number(new RegExp(`^shard ${SHARD} ends at batch (\\d+)`, 'm').exec(restored.out)?.[1])
  expect(last).toBeGreaterThanOrEqual(load.heard.filter(({ at_ms }) => at_ms < to.getTime()).length)
  expect(load.heard[last]?.at_ms).toBeGreaterThanOrEqual(to.getTime())
  await reader.start()
  await database.whole()
  const rows = () =>
    reader.query<{ seq: number; batch: Buffer }>('SELECT seq, batch FROM wintrades.journal WHERE shard = ?', [SHARD])
  const wanted = load.seq
  await until('it has caught up', async () => (await rows()).length >= wanted, LIMITS)
  for (const { seq, batch } of (await rows()).slice(0, wanted)) {
    expect(Buffer.compare(batch, load.heard[seq - 1]?.bytes as Uint8Array), `batch ${seq}`).toBe(0)
  }
  const { servers } = await database.report('eu-west')
  expect(servers.find((one) => one.name === READER)).toMatchObject({ state: 'replica', fault: null })
  expect(operatorSaid().slice(before)).not.toMatch(/clone/i)
})

test('a time that cannot be reached is refused with the times that can', async () => {
  const target = join(directory, 'elsewhere')
  const late = await backup('restore', '--directory', target, '--to', '2100-01-01T00:00:00Z')
  expect(late).toMatchObject({ code: 1, text: expect.stringMatching(/archive reaches to \d{4}-/) })
  const early = await backup('restore', '--directory', target, '--to', '2020-01-01T00:00:00Z')
  expect(early).toMatchObject({ code: 1, text: expect.stringMatching(/oldest backup can be restored to \d{4}-/) })
  const unknown = await backup('restore', '--directory', target, '--backup', 'full-nothing')
  expect(unknown).toMatchObject({ code: 1, text: expect.stringMatching(/full-nothing/) })
  expect(readdirSync(directory)).not.toContain('elsewhere')
})

test('remove takes a backup away only when its name is typed, and never the newest', async () => {
  expect(await backup('remove', drilled.id, '--confirm', drilled.id)).toMatchObject({
    code: 2,
    text: expect.stringContaining('is the newest backup: make another one first'),
  })
  expect(await backup('remove', first.id)).toMatchObject({ code: 2, text: expect.stringContaining(`Say --confirm`) })
  expect(await backup('remove', first.id, '--confirm', 'other')).toMatchObject({
    code: 2,
    text: expect.stringContaining('nothing was done'),
  })
  expect((await catalogue.list()).full).toHaveLength(2)
  expect(await backup('remove', first.id, '--confirm', first.id)).toMatchObject({ code: 0 })
  expect((await catalogue.list()).full.map((one) => one.id)).toEqual([drilled.id])
})
