// The lab itself: servers that can be reached from everywhere, delayed, cut off and healed, killed and started again.

import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Lab, type LabMysql, startLab, until, WAN_DELAYS } from './lab/index.ts'

let lab: Lab
let primary: LabMysql
let other: LabMysql

beforeAll(async () => {
  lab = await startLab({ delays: WAN_DELAYS })
  ;[primary, other] = await Promise.all([
    lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' }),
    lab.mysql({ name: 'mysql_slave_eu', region: 'eu-west', serverId: 2, role: 'voter' }),
  ])
})

afterAll(() => lab?.close())

/** Milliseconds that one question takes, asked from within a region. */
async function roundTrip_ms(region: string, server: LabMysql): Promise<number> {
  const script = `
    const { connect } = require('node:net')
    const began = performance.now()
    const socket = connect(${server.port}, '${server.host}')
    socket.setTimeout(3000, () => process.exit(2))
    socket.on('error', () => process.exit(3))
    socket.on('connect', () => { process.stdout.write(String(performance.now() - began)); process.exit(0) })`
  const child = lab.spawn(region, [process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`no connection from ${region} to ${server.name} (${code})`)
  return Number(output)
}

test('a server boots closed, and a test may open it', async () => {
  await expect(primary.query('CREATE DATABASE wintrades_lab')).rejects.toThrow('--super-read-only')
  await primary.query('SET GLOBAL super_read_only = OFF')
  await primary.query('CREATE DATABASE wintrades_lab')
  expect(await primary.query("SHOW DATABASES LIKE 'wintrades_lab'")).toHaveLength(1)
})

test('between regions it takes the round trip, within a region and from here it does not', async () => {
  expect(await roundTrip_ms('eu-west', primary)).toBeGreaterThan(80)
  expect(await roundTrip_ms('us-east', primary)).toBeLessThan(60)
})

test('a region that is cut off is reached by nobody but itself and this host, until it is healed', async () => {
  await lab.cut('us-east')
  await expect(roundTrip_ms('eu-west', primary)).rejects.toThrow('no connection')
  expect(await roundTrip_ms('us-east', primary)).toBeLessThan(60)
  await primary.query('SELECT 1')
  await lab.heal('us-east')
  expect(await roundTrip_ms('eu-west', primary)).toBeGreaterThan(80)
})

test('a killed server is gone, and has its data when it starts again; a wiped one has none', async () => {
  await primary.kill()
  await expect(primary.connect()).rejects.toThrow()
  await primary.start()
  expect(await primary.query("SHOW DATABASES LIKE 'wintrades_lab'")).toHaveLength(1)
  await primary.wipe()
  expect(await primary.query("SHOW DATABASES LIKE 'wintrades_lab'")).toEqual([])
})

test('a frozen server keeps its connections and answers when it goes on', async () => {
  const connection = await createConnection({
    host: other.host,
    port: other.port,
    user: 'lab_admin',
    password: other.adminPassword,
  })
  await other.pause()
  let answered = false
  const answer = connection.query('SELECT 1').then(() => {
    answered = true
  })
  await expect(until('an answer', () => answered, { timeout_ms: 500 })).rejects.toThrow('not within')
  await other.unpause()
  await answer
  await connection.end()
})
