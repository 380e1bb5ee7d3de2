// The operators on real servers, while a client writes: whatever is lost, nothing that was acknowledged is, and nothing is there twice.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, wintrades } from './command-line.ts'
import { LabDatabase } from './database.ts'
import { type Lab, startLab, until } from './lab/index.ts'
import { checkRows, Writer } from './writer.ts'

/** The goals are 5 s and 1 s, on a quiet machine; the figures are printed. */
const GAP_MS_MAX = 25_000

let lab: Lab
let database: LabDatabase
const writers: Writer[] = []

beforeAll(async () => {
  lab = await startLab()
  database = await LabDatabase.start(lab)
})

afterAll(() => lab?.close())

/** Runs `work` while a client writes, and tells how long nothing was acknowledged. */
async function underLoad(name: string, work: (writer: Writer) => Promise<void>): Promise<number> {
  const writer = new Writer(database, name)
  writers.push(writer)
  writer.start()
  try {
    await writer.next(100)
    const began_ms = performance.now()
    await work(writer)
    await writer.next(100)
    const gap_ms = writer.longestGap_ms(began_ms)
    process.stdout.write(
      `${name}: ${(gap_ms / 1_000).toFixed(2)} s without acknowledgements, ${writer.acknowledged.size} rows\n`,
    )
    return gap_ms
  } finally {
    await writer.stop()
  }
}

async function check(): Promise<void> {
  const primary = await database.whole()
  const count = await checkRows(database, writers, primary)
  expect(count).toBeGreaterThanOrEqual(writers.reduce((sum, writer) => sum + writer.acknowledged.size, 0))
}

/** `wintrades db …`, as a person types it. */
function wintradesDb(...words: readonly string[]): Promise<Answer> {
  return wintrades(['db', ...words, '--file', database.operatorFile])
}

test('empty servers become a database whose first server is the primary', async () => {
  for (const region of ['us-east', 'eu-west', 'asia-pacific'] as const) database.startOperator(region)
  expect(await database.whole()).toBe('mysql_master')
  await Writer.createTable(database, 'mysql_master')
})

test('the primary is killed: another one is promoted, and the old one comes back as a replica', async () => {
  const gap_ms = await underLoad('killed', async (writer) => {
    await database.server('mysql_master').kill()
    await writer.next()
  })
  expect(gap_ms).toBeLessThan(GAP_MS_MAX)
  await database.server('mysql_master').start()
  await check()
})

test('the primary moves where it is asked to, and back', async () => {
  for (const target of ['mysql_slave_ap', 'mysql_master']) {
    await database.whole()
    const gap_ms = await underLoad(`planned-${target}`, async () => {
      const { code, text } = await wintradesDb('promote', target)
      expect(text).toMatch(new RegExp(`^${target} is the primary`))
      expect(code).toBe(0)
    })
    expect(gap_ms).toBeLessThan(GAP_MS_MAX)
    expect(await database.whole()).toBe(target)
  }
  await check()
})

test('the primary is cut off, alive and still written to: it acknowledges nothing, and is cloned when it is back', async () => {
  const old = database.server('mysql_master')
  const lonely = new Writer(database, 'lonely', { only: old, workers: 2 })
  writers.push(lonely)
  await underLoad('cut', async (writer) => {
    await lab.cut('us-east')
    lonely.start()
    await writer.next()
    await until('another primary', async () => (await database.report('eu-west')).primary !== 'mysql_master', {
      timeout_ms: 90_000,
      every_ms: 100,
    })
    await writer.next()
  })
  expect(lonely.acknowledged.size).toBe(0)
  await lab.heal('us-east')
  await check()
  await lonely.stop()
  await check()
})

test('a person looks, and has a server made anew only by typing its name', async () => {
  const status = await wintradesDb('status')
  expect(status).toMatchObject({ code: 0, text: expect.stringMatching(/mysql_slave_us +us-east +reader +replica/) })
  const mistyped = await wintradesDb('clone', 'mysql_slave_us', '--confirm', 'mysql_slave_eu')
  expect(mistyped).toMatchObject({ code: 2, text: expect.stringContaining('nothing was done') })
  const unknown = await wintradesDb('promote', 'mysql_slave_us')
  expect(unknown).toMatchObject({ code: 1, text: expect.stringContaining('mysql_slave_us is no voter') })
  const [before] = await database.server('mysql_slave_us').query<{ uuid: string }>('SELECT @@server_uuid AS uuid')
  const cloned = await wintradesDb('clone', 'mysql_slave_us', '--confirm', 'mysql_slave_us')
  expect(cloned).toMatchObject({ code: 0, text: expect.stringContaining('mysql_slave_us is a copy of') })
  const [after] = await database.server('mysql_slave_us').query<{ uuid: string }>('SELECT @@server_uuid AS uuid')
  expect(after?.uuid).not.toBe(before?.uuid)
  await check()
})

test('a wiped replica is made anew', async () => {
  const primary = await database.whole()
  const other = database.servers.find((server) => server.role === 'voter' && server.name !== primary)
  await other?.wipe()
  await check()
})

test('after a full stop everything is there again', async () => {
  await Promise.all(database.servers.map((server) => server.stop()))
  await Promise.all(database.servers.map((server) => server.start()))
  await check()
  await underLoad('after the stop', async () => {})
  await check()
})

test('after all were killed at once everything is there again', async () => {
  await underLoad('all killed', async (writer) => {
    await Promise.all(database.servers.map((server) => server.kill()))
    await Promise.all(database.servers.map((server) => server.start()))
    await writer.next()
  })
  await check()
})

test('with two of three voters gone nothing is promoted, the reason is said, and it goes on when one is back', async () => {
  const primary = await database.whole()
  const voters = database.servers.filter((server) => server.role === 'voter')
  const [first, second] = [database.server(primary), voters.find((server) => server.name !== primary)]
  await Promise.all([first.kill(), second?.kill()])
  const refusal = async () => {
    const { outcome, line } = await database.report('us-east')
    return outcome === 'refuse' && line
  }
  const line = await until('a refusal', refusal, { timeout_ms: 60_000, every_ms: 100 })
  expect(line).toMatch(
    /^Refused: 1 of 2 voters needed can be fenced; answering: .*; silent: .*; start a silent voter with its data$/,
  )
  await second?.start()
  await until('a primary', async () => (await database.report('us-east')).primary !== null, {
    timeout_ms: 90_000,
    every_ms: 100,
  })
  await first.start()
  await check()
})
