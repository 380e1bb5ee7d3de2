// Backups on real servers, of a venue that trades: copied from a replica under load, archived over the loss of the primary, brought back to a chosen
// second on an empty server, proven by replay; and refused, clearly and without harm, where something is wrong.

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BACKUP_DEFAULTS,
  BackupKeys,
  type BackupSettings,
  Catalogue,
  createBackup,
  type FullBackup,
  purgeServers,
  restoreToDirectory,
  verifyBackup,
} from '@wintrades/operations/backup'
import { contains, parseGtidSet } from '@wintrades/operations/promotion'
import { createLogger } from '@wintrades/platform'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Archive, Depositing, LIMITS, markets, REGION, SHARD } from './depositing.ts'
import { type Lab, type LabMysql, startLab, until } from './lab/index.ts'
import { run } from './lab/shell.ts'
import { mysqlOptionsOf } from './trio.ts'

const logger = createLogger('backup-test', { level: 'error', write: (line) => process.stderr.write(line) })
const keys = new BackupKeys(randomBytes(32))
const calm = () => {}
const signal = new AbortController().signal

let lab: Lab
let primary: LabMysql
let replica: LabMysql
let directory: string
let settings: BackupSettings
let catalogue: Catalogue
let archive: Archive
let load: Depositing
let backup: FullBackup

async function openPrimary(server: LabMysql, term: number): Promise<void> {
  await server.query('SET GLOBAL super_read_only = OFF')
  await server.query('SET GLOBAL read_only = OFF')
  await server.query(
    'REPLACE INTO wintrades_operator.primary_term (id, number, promoter, server) VALUES (1, ?, ?, ?)',
    [term, 'test', server.name],
  )
}

beforeAll(async () => {
  lab = await startLab()
  ;[primary, replica] = await Promise.all([
    lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' }),
    lab.mysql({ name: 'mysql_slave_eu', region: 'eu-west', serverId: 2, role: 'voter' }),
  ])
  directory = mkdtempSync(join(tmpdir(), 'wt-backup-'))
  const { credentials } = primary
  const container = ['docker', 'run', '--rm', '--network', 'host', '--volume', `${directory}:${directory}`]
  settings = {
    ...BACKUP_DEFAULTS,
    directory: join(directory, 'store'),
    workDirectory: join(directory, 'work'),
    servers: [primary, replica].map(({ name, host, port, role }) => ({ name, host, port, role })),
    account: { user: 'wintrades_backup_a', passwordFile: credentials.passwordFileOf('backup') },
    caFile: credentials.authorityFile,
    // The restored server's folder is the lab's.
    scratch: { command: [...container, '--volume', `${lab.directory}:${lab.directory}`, primary.image, 'mysqld'] },
    segmentAge_seconds_max: 3,
  }
  catalogue = await Catalogue.open(settings.directory, keys)
  await openPrimary(primary, 1)
  await replica.query(
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = 'wintrades_replication_a', SOURCE_PASSWORD = ?,
       SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1`,
    [primary.host, primary.port, credentials.passwordOf('replication')],
  )
  await replica.query('START REPLICA')
  await primary.query('SET GLOBAL rpl_semi_sync_source_enabled = ON')
  load = await Depositing.start({ directory, mysql: mysqlOptionsOf([primary, replica]) })
})

afterAll(async () => {
  await load?.stop()
  await archive?.stop()
  await lab?.close()
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
})

test('a backup is made from the replica while the venue trades', async () => {
  archive = new Archive(catalogue, settings)
  await load.more(20)
  backup = await createBackup({ catalogue, settings, progress: calm, signal })
  expect(backup.source).toMatchObject({ name: 'mysql_slave_eu', wasPrimary: false })
  const { full, faults } = await catalogue.list()
  expect(full.map((one) => one.id)).toEqual([backup.id])
  expect(faults).toEqual([])
  process.stdout.write(`backup: ${backup.took_seconds} s, ${backup.storedBytes} of ${backup.plainBytes} bytes\n`)
})

test('the archive goes on over the loss of the primary, and knows what was never acknowledged', async () => {
  await archive.stop()
  // What only the primary ever had, and nobody acknowledged: an archiver that read it there took it for real.
  archive = new Archive(catalogue, { ...settings, servers: settings.servers.slice(0, 1) })
  await archive.isComplete()
  await replica.query('STOP REPLICA IO_THREAD')
  const never = primary.query('CREATE TABLE wintrades.never_acknowledged (id INT)').then(
    () => 'acknowledged',
    () => 'not acknowledged',
  )
  await until(
    'what waits for an acknowledgement is archived',
    async () => {
      const [row] = await primary.query<{ executed: string }>('SELECT @@gtid_executed AS executed')
      return !contains(parseGtidSet(row?.executed ?? ''), archive.archiver.archived)
    },
    LIMITS,
  )
  await archive.stop()
  await primary.kill()
  expect(await never).toBe('not acknowledged')
  await until(
    'the replica has applied what it received',
    async () => {
      const [status] = await replica.query<{ Retrieved_Gtid_Set: string; Executed_Gtid_Set: string }>(
        'SHOW REPLICA STATUS',
      )
      const [row] = await replica.query<{ isApplied: number }>('SELECT GTID_SUBSET(?, ?) AS isApplied', [
        status?.Retrieved_Gtid_Set.replace(/\s/g, ''),
        status?.Executed_Gtid_Set.replace(/\s/g, ''),
      ])
      return row?.isApplied === 1
    },
    LIMITS,
  )
  await replica.query('STOP REPLICA')
  await replica.query('RESET REPLICA ALL')
  await openPrimary(replica, 2)
  archive = new Archive(catalogue, settings)
  await load.more(20)
  await archive.isComplete()
  expect(archive.archiver.figures).toMatchObject({ source: 'mysql_slave_eu', fault: null })
  expect(archive.archiver.figures.refuted).toBeGreaterThan(0)
})

test('restored on an empty server to a chosen second, it is the journal of that second', async () => {
  await load.more(20)
  const to = new Date()
  await load.more(20)
  await archive.isComplete()
  // The lost primary comes back with nothing: its volume has no data directory.
  const data = join(lab.directory, primary.name, 'data', 'data')
  rmSync(data, { recursive: true, force: true })
  const result = await restoreToDirectory(data, { catalogue, settings, backup: null, to, progress: calm, signal })
  process.stdout.write(`restore: ${JSON.stringify(result.took_seconds)}, ${result.transactions} transactions\n`)
  await primary.start()
  const rows = await primary.query<{ seq: number; batch: Buffer }>(
    'SELECT seq, batch FROM wintrades.journal WHERE shard = ? ORDER BY seq',
    [SHARD],
  )
  // Byte for byte what the venue committed, from the first on, without a gap.
  expect(rows.map((row) => row.seq)).toEqual(rows.map((_, i) => i + 1))
  const others = rows.filter(({ seq, batch }) => Buffer.compare(batch, load.heard[seq - 1]?.bytes as Uint8Array) !== 0)
  expect(others).toEqual([])
  // All that was acknowledged before the second, nothing that was begun after it.
  const acknowledged = load.heard.filter(({ at_ms }) => at_ms < to.getTime()).length
  expect(rows.length).toBeGreaterThanOrEqual(acknowledged)
  const later = load.heard[rows.length]
  expect(later?.at_ms).toBeGreaterThanOrEqual(to.getTime())
  expect(await primary.query("SHOW TABLES IN wintrades LIKE 'never_acknowledged'")).toEqual([])
  expect(rows.length).toBeLessThan(load.seq)
})

test('a check restores everything that was acknowledged and proves it', async () => {
  const written = await load.writeHistory()
  const began = load.seq
  const { verification, proof, restored } = await verifyBackup({
    catalogue,
    settings,
    markets,
    logger,
    backup: null,
    to: null,
    progress: calm,
    signal,
  })
  process.stdout.write(`check: ${verification.took_seconds} s, ${restored.transactions} transactions\n`)
  const shard = proof.shards.find((one) => one.shard === REGION)
  expect(shard?.seq).toBeGreaterThanOrEqual(began)
  expect(shard?.stateHash).toBe(load.stateAfter(shard?.seq ?? 0))
  expect(proof.history).toEqual([{ shard: REGION, afterSeq: 0, seq: written }])
  expect(await catalogue.verification()).toMatchObject({ passed: true, backup: backup.id, fault: null })
})

test('archived binlogs are taken off the servers, others are not', async () => {
  const logs = async () => (await replica.query('SHOW BINARY LOGS')).length
  await replica.query('FLUSH BINARY LOGS')
  await archive.isComplete()
  const alone = { ...settings, servers: settings.servers.slice(1), serverBinlogs_bytes_max: 1 }
  // Without an archive only what never had a transaction may go.
  await purgeServers(alone, new Map())
  expect(await logs()).toBeGreaterThan(1)
  const servers = new Set<string>()
  const isPurged = async () => {
    for (const { server } of await purgeServers(alone, archive.archiver.archived)) servers.add(server)
    return (await logs()) === 1
  }
  await until('the archive has what is in the older files', isPurged, LIMITS)
  expect([...servers]).toEqual(['mysql_slave_eu'])
})

test('a directory that is not empty is refused and left alone', async () => {
  const target = join(directory, 'full-of-data')
  mkdirSync(target)
  writeFileSync(join(target, 'ibdata1'), 'somebody’s money')
  const restoring = restoreToDirectory(target, { catalogue, settings, backup: null, to: null, progress: calm, signal })
  await expect(restoring).rejects.toThrow(/is not empty \(ibdata1\): nothing was changed.*move it away/)
  expect(readFileSync(join(target, 'ibdata1'), 'utf8')).toBe('somebody’s money')
})

test('a damaged backup is refused and leaves nothing behind; another key opens nothing', async () => {
  const path = catalogue.dataPath(backup.id)
  const whole = readFileSync(path)
  const damaged = Buffer.from(whole)
  damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] as number) ^ 1
  writeFileSync(path, damaged)
  const target = join(directory, 'from-damaged')
  const restoring = restoreToDirectory(target, { catalogue, settings, backup: null, to: null, progress: calm, signal })
  await expect(restoring).rejects.toThrow(/is damaged: chunk \d+ is not what was written; use another copy/)
  expect(readdirSync(directory).filter((name) => name.startsWith('from-damaged'))).toEqual([])
  writeFileSync(path, whole)
  expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(backup.sha256)
  await expect(Catalogue.open(settings.directory, new BackupKeys(randomBytes(32)))).rejects.toThrow(
    'another ENCRYPTION_KEY',
  )
})

test('a missing binlog is named before anything is unpacked', async () => {
  const { segments } = await catalogue.list()
  const lost = segments.find(
    (one) => Date.parse(backup.consistentAt) * 1_000 < one.firstAt_us,
  ) as (typeof segments)[number]
  const document = join(settings.directory, 'binlogs', `${lost.id}.json`)
  const kept = readFileSync(document)
  rmSync(document)
  const target = join(directory, 'with-a-hole')
  const restoring = restoreToDirectory(target, { catalogue, settings, backup: null, to: null, progress: calm, signal })
  await expect(restoring).rejects.toThrow(/archived binlogs are missing: the transactions .*at the latest \(--to\)/s)
  expect((await catalogue.list()).faults).toEqual([expect.stringContaining(`${lost.id} is missing`)])
  writeFileSync(document, kept)
  expect((await catalogue.list()).faults).toEqual([])
})

test('without room nothing is begun, and what there was stays', async () => {
  const small = join(directory, 'small')
  mkdirSync(small)
  await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small])
  try {
    const elsewhere = await Catalogue.open(join(small, 'store'), keys)
    const creating = createBackup({ catalogue: elsewhere, settings, progress: calm, signal })
    await expect(creating).rejects.toThrow(/no space left at .*the backup takes about .*Nothing was changed/)
    const working = createBackup({
      catalogue,
      settings: { ...settings, workDirectory: join(small, 'work') },
      progress: calm,
      signal,
    })
    await expect(working).rejects.toThrow(/no space left at .*a copy of the database takes/)
    expect((await catalogue.list()).full.map((one) => one.id)).toEqual([backup.id])
    expect((await elsewhere.list()).unfinished).toEqual([])
  } finally {
    await run('umount', [small])
  }
})

test.for(['starting', 'opening', 'encrypting'])(
  'a backup that is broken off while it is %s leaves nothing',
  async (step) => {
    const stop = new AbortController()
    const progress = (now: string) => {
      if (now.startsWith(step)) stop.abort(new Error('broken off'))
    }
    await expect(createBackup({ catalogue, settings, progress, signal: stop.signal })).rejects.toThrow('broken off')
    expect(await catalogue.list()).toMatchObject({ unfinished: [], faults: [] })
    expect((await catalogue.list()).full).toHaveLength(1)
    expect(readdirSync(settings.workDirectory)).toEqual([])
  },
)
