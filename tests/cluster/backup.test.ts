// Backups on real servers: taken under load, archived over a promotion, brought back to a chosen second, and refused where something is wrong.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BACKUP_DEFAULTS,
  BackupKeys,
  type BackupSettings,
  BinlogArchiver,
  Catalogue,
  createBackup,
  restoreInto,
  ScratchServer,
} from '@wintrades/operations/backup'
import { createLogger } from '@wintrades/platform'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Lab, type LabMysql, startLab } from './lab/index.ts'

let lab: Lab
let primary: LabMysql
let replica: LabMysql
let directory: string
let settings: BackupSettings
let catalogue: Catalogue
const logger = createLogger('backup', { level: 'debug', write: (line) => process.stderr.write(line) })
const keys = new BackupKeys(randomBytes(32))
const stop = new AbortController()

beforeAll(async () => {
  lab = await startLab()
  ;[primary, replica] = await Promise.all([
    lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' }),
    lab.mysql({ name: 'mysql_slave_eu', region: 'eu-west', serverId: 2, role: 'voter' }),
  ])
  directory = mkdtempSync(join(tmpdir(), 'wt-backup-'))
  const { credentials } = primary
  settings = {
    ...BACKUP_DEFAULTS,
    directory: join(directory, 'store'),
    workDirectory: join(directory, 'work'),
    servers: [primary, replica].map(({ name, host, port, role }) => ({ name, host, port, role })),
    account: { user: 'wintrades_backup_a', passwordFile: credentials.passwordFileOf('backup') },
    caFile: credentials.authorityFile,
    scratch: {
      command: [
        'docker',
        'run',
        '--rm',
        '--network',
        'host',
        '--volume',
        `${directory}:${directory}`,
        primary.image,
        'mysqld',
      ],
    },
  }
  catalogue = await Catalogue.open(settings.directory, keys)
  for (const sql of [
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST='${primary.host}', SOURCE_PORT=${primary.port}, SOURCE_USER='wintrades_replication_a',
      SOURCE_PASSWORD='${credentials.passwordOf('replication')}', SOURCE_SSL=1, SOURCE_AUTO_POSITION=1`,
    'START REPLICA',
  ])
    await replica.query(sql)
  await primary.query('SET GLOBAL super_read_only = OFF')
  await primary.query('SET GLOBAL read_only = OFF')
  await primary.query('CREATE TABLE wintrades.t (id INT PRIMARY KEY, at_ms BIGINT, content BLOB)')
})

afterAll(async () => {
  stop.abort()
  await lab?.close()
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
})

test('a backup taken under load comes back at a chosen second', async () => {
  const archiver = new BinlogArchiver({ catalogue, settings, logger })
  const running = archiver.run(stop.signal)
  const acks: { id: number; sent: number; acked: number }[] = []
  const load = (async () => {
    const c = await primary.connect()
    for (let id = 1; !stop.signal.aborted && id < 100000; id++) {
      const sent = Date.now()
      await c.query('INSERT INTO wintrades.t VALUES (?, ?, ?)', [id, sent, randomBytes(500)])
      acks.push({ id, sent, acked: Date.now() })
    }
    await c.end()
  })()
  const t0 = performance.now()
  const backup = await createBackup({ catalogue, settings, progress: () => {}, signal: stop.signal })
  console.log(backup, performance.now() - t0)
  await new Promise((r) => setTimeout(r, 3_000))
  const to = new Date()
  await new Promise((r) => setTimeout(r, 2_000))
  console.log(archiver.figures, acks.length)
  const data = join(directory, 'restored')
  const result = await restoreInto(data, join(directory, 'scratch'), {
    catalogue,
    settings,
    backup: null,
    to,
    progress: () => {},
    signal: stop.signal,
  })
  console.log(result)
  const server = await ScratchServer.start({
    ...settings.scratch,
    work: join(directory, 'scratch'),
    dataDirectory: data,
    settings: ['plugin_load_add=mysql_clone.so'],
  })
  const rows = await server.query<{ id: number }>('SELECT id FROM wintrades.t ORDER BY id')
  await server.stop()
  const must = acks.filter((a) => a.acked < to.getTime()).length
  const may = acks.filter((a) => a.sent <= to.getTime()).length
  console.log(rows.length, must, may)
  expect(rows.length).toBeGreaterThanOrEqual(must)
  expect(rows.length).toBeLessThanOrEqual(may)
  stop.abort()
  await Promise.all([running, load])
  console.log(archiver.figures, await catalogue.list(), await catalogue.archive())
})
