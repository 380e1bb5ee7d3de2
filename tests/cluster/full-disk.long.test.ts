// Full disks on real servers, which wait for room instead of failing: what the app and the operators say, how trading goes on, and that nothing that was
// acknowledged is lost, nor anything there twice, once there is room again.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@wintrades/platform'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { wintrades } from './command-line.ts'
import { LabDatabase } from './database.ts'
import { Depositing, LIMITS, SHARD } from './depositing.ts'
import { type Lab, type LabMysql, startLab, until } from './lab/index.ts'
import { mysqlOptionsOf } from './trio.ts'

const DISK_MB = 900
/** Without a batch for so long, though one is always under way. */
const STILL_MS = 3_000

let lab: Lab
let directory: string
let database: LabDatabase
let load: Depositing
const said: string[] = []

beforeAll(async () => {
  lab = await startLab()
  directory = mkdtempSync(join(tmpdir(), 'wt-disk-'))
  database = await LabDatabase.startFormed(lab, ['eu-west'], { disks_mb: { mysql_master: DISK_MB } })
  const logger = createLogger('venue', { level: 'warn', write: (line) => said.push(line) })
  load = await Depositing.start({ directory, mysql: mysqlOptionsOf(database.servers), pause_ms: 5, logger })
})

afterAll(async () => {
  await load?.stop()
  await database?.stopOperators()
  await lab?.close()
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
})

/** Until the operator says so of this server, later than `since`. */
async function untilTold(server: string, since_ms: number): Promise<void> {
  const told = async () => {
    const { servers } = await database.report('eu-west')
    const at = servers.find(({ name }) => name === server)?.diskFullAt ?? null
    return at !== null && Date.parse(at) >= since_ms
  }
  await until(`the operator tells that the disk of ${server} is full`, told, LIMITS)
}

async function untilStill(): Promise<void> {
  let last = { seq: load.seq, at_ms: performance.now() }
  const isStill = () => {
    if (load.seq !== last.seq) last = { seq: load.seq, at_ms: performance.now() }
    return performance.now() - last.at_ms > STILL_MS
  }
  await until('nothing is committed any more', isStill, LIMITS)
}

/** A server that waits looks for room once a minute; started again it looks at once. */
async function makeRoom(server: LabMysql): Promise<void> {
  server.disk.makeRoom()
  await server.kill()
  await server.start()
}

async function expectWhole(server: LabMysql): Promise<void> {
  const wanted = load.seq
  const rows = async () =>
    await server.query<{ seq: number; batch: Buffer }>(
      'SELECT seq, batch FROM wintrades.journal WHERE shard = ? ORDER BY seq',
      [SHARD],
    )
  await until(`${server.name} has everything`, async () => (await rows()).length >= wanted, LIMITS)
  const found = await rows()
  expect(found.map(({ seq }) => Number(seq))).toEqual(found.map((_, i) => i + 1))
  const others = found.filter(({ seq, batch }) => {
    const heard = load.heard[seq - 1]
    return heard !== undefined && Buffer.compare(batch, heard.bytes) !== 0
  })
  expect(others).toEqual([])
}

test('the primary’s disk is full: nothing is acknowledged, all of them say why, and the primary can be moved', async () => {
  await load.more(20)
  const primary = database.server('mysql_master')
  const began_ms = Date.now()
  primary.disk.fill(1)
  await untilStill()
  const stoodAt = load.seq
  await untilTold('mysql_master', began_ms)
  const status = await wintrades(['db', 'status', '--file', database.operatorFile])
  expect(status.text).toMatch(/mysql_master +us-east +voter +primary .*disk full at \d{4}-/)
  expect(status.text).toMatch(/The disk of mysql_master is full \(".+"\): make room, or move the primary/)
  expect(said.some((line) => line.includes('an append has no outcome yet, trying again'))).toBe(true)
  expect(load.seq).toBe(stoodAt)
  // As the runbook has it.
  const promoted = await wintrades(['db', 'promote', 'mysql_slave_eu', '--file', database.operatorFile])
  expect(promoted.text).toMatch(/^mysql_slave_eu is the primary/)
  await load.more(20)
  await makeRoom(primary)
  expect(await database.whole()).toBe('mysql_slave_eu')
  await expectWhole(database.server('mysql_slave_eu'))
  await expectWhole(primary)
})

test('a voter’s disk is full: the other one acknowledges, trading goes on, and it catches up when there is room', async () => {
  const voter = database.server('mysql_master')
  const began_ms = Date.now()
  voter.disk.fill(0)
  await untilTold('mysql_master', began_ms)
  await load.more(50)
  await makeRoom(voter)
  expect(await database.whole()).toBe('mysql_slave_eu')
  await expectWhole(voter)
})
