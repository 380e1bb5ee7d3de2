// The promoter dies at each step of a promotion, with its last statement on the way; or two are at it at once; or the primary is back before anybody looked.
// Promoters run in this process, so that the step can be chosen. Another one finishes what was begun, and nothing acknowledged is lost.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MysqlPromoter } from '@wintrades/operations/operator'
import { createLogger } from '@wintrades/platform'
import type { RowDataPacket } from 'mysql2'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { LabDatabase } from './database.ts'
import { type Lab, startLab, until } from './lab/index.ts'
import { checkRows, Writer } from './writer.ts'

const WHOLE_MS = 120_000
/** No promotion of this database has more actions. */
const STEPS_MAX = 40

let lab: Lab
let database: LabDatabase
const writers: Writer[] = []
const running = new Set<RunningPromoter>()

class RunningPromoter {
  readonly promoter: MysqlPromoter
  readonly lines: string[] = []
  readonly ended: Promise<void>
  readonly #abort = new AbortController()
  /** How many actions it sends yet; the answer to the last one reaches nobody. */
  actionsLeft: number

  constructor(region: string, actionsLeft = Number.POSITIVE_INFINITY, access = database.access) {
    this.actionsLeft = actionsLeft
    this.promoter = new MysqlPromoter({
      region,
      servers: database.descriptions,
      access,
      logger: createLogger('promoter', { level: 'error' }),
      say: (line) => this.lines.at(-1) !== line && this.lines.push(line),
      onAction: (when) => {
        if (when === 'before') this.actionsLeft -= 1
        if (this.actionsLeft === 0) setImmediate(() => this.#abort.abort())
      },
    })
    this.ended = this.promoter.run(this.#abort.signal)
    running.add(this)
  }

  get isDead(): boolean {
    return this.#abort.signal.aborted
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.ended
    running.delete(this)
  }

  /** How many servers are receiving from the primary. */
  follows(): number {
    const { primary } = this.promoter.figures
    return this.promoter.sessions.filter(
      ({ observation }) =>
        observation.isReachable &&
        observation.channel.source === primary &&
        observation.channel.receiver === 'receiving',
    ).length
  }

  /** Until everybody follows one primary; returns its name. */
  async whole(): Promise<string> {
    const isWhole = () => {
      const { outcome, primary, line } = this.promoter.figures
      const others = this.promoter.sessions.filter(({ server }) => server.name !== primary)
      const isFollowing = others.every(({ observation }) => {
        return (
          observation.isReachable &&
          observation.channel.source === primary &&
          observation.channel.receiver !== 'stopped'
        )
      })
      if (outcome !== 'serving' || !isFollowing) throw new Error(`${line}\n${this.lines.slice(-20).join('\n')}`)
      return primary ?? false
    }
    return await until('everybody follows one primary', isWhole, { timeout_ms: WHOLE_MS, every_ms: 50 })
  }
}

beforeAll(async () => {
  lab = await startLab()
  database = await LabDatabase.start(lab)
  const first = new RunningPromoter('us-east')
  await Writer.createTable(database, await first.whole())
  await first.stop()
})

afterEach(async () => {
  await Promise.all([...running].map((one) => one.stop()))
  for (const writer of writers) await writer.stop()
})

afterAll(() => lab?.close())

function write(name: string): Writer {
  const writer = new Writer(database, name)
  writers.push(writer)
  writer.start()
  return writer
}

/** A new promoter mends what there is; all rows are where they belong. */
async function mend(): Promise<string> {
  const mender = new RunningPromoter('eu-west')
  const primary = await mender.whole()
  await mender.stop()
  await checkRows(database, writers, primary)
  return primary
}

test('the promoter dies at each step of a planned promotion', { timeout: 600_000 }, async () => {
  const writer = write('planned-steps')
  let steps = 0
  for (let step = 1; step <= STEPS_MAX; step += 1) {
    // It mends first what the one before it left.
    const mortal = new RunningPromoter('us-east')
    const primary = await mortal.whole()
    await writer.next(5)
    const patience = new AbortController()
    mortal.actionsLeft = step
    const asked = mortal.promoter.promote(
      primary === 'mysql_master' ? 'mysql_slave_eu' : 'mysql_master',
      patience.signal,
    )
    // It is answered when the new primary is followed; what the others need still comes after.
    const followed = asked.then(async ({ ok }) => (ok ? await mortal.whole() : null)).catch(() => null)
    await Promise.race([mortal.ended, followed])
    const isDone = !mortal.isDead
    patience.abort()
    await mortal.stop()
    await asked
    if (isDone) break
    steps = step
  }
  await mend()
  process.stdout.write(`planned promotion: the promoter died at each of ${steps} steps\n`)
  expect(steps).toBeGreaterThanOrEqual(10)
  expect(steps).toBeLessThan(STEPS_MAX)
})

test('the promoter dies in the middle of replacing a killed primary', async () => {
  const writer = write('unplanned-steps')
  for (const step of [3, 5, 7, 8]) {
    const before = await mend()
    await database.server(before).kill()
    const mortal = new RunningPromoter('asia-pacific', step)
    await mortal.ended
    await mortal.stop()
    const heir = new RunningPromoter('eu-west')
    await writer.next(5)
    await heir.stop()
    await database.server(before).start()
  }
  await mend()
})

test('a primary that dies in the middle of sending a transaction: what has come of it holds nobody up', async () => {
  const before = await mend()
  const primary = database.server(before)
  const replicas = database.servers.filter(({ name }) => name !== before)
  await primary.query('CREATE TABLE IF NOT EXISTS wintrades.large (text VARCHAR(250) NOT NULL)')
  const looks = await Promise.all(replicas.map((one) => one.connect()))
  const arrives = async (look: (typeof looks)[number]) => {
    const [rows] = await look.query<RowDataPacket[]>(
      `SELECT QUEUEING_TRANSACTION AS half FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''`,
    )
    return rows[0]?.['half'] !== ''
  }
  const client = await primary.connect()
  // Compressed, it would be one event and its head: halves are seldom then, but there.
  await client.query('SET SESSION cte_max_recursion_depth = 1000000, binlog_transaction_compression = OFF')
  const sent = client
    .query(
      `INSERT INTO wintrades.large WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 600000) SELECT REPEAT('x', 200) FROM n`,
    )
    .catch(() => null)
  await until('it arrives everywhere', async () => (await Promise.all(looks.map(arrives))).every(Boolean), {
    every_ms: 1,
  })
  await primary.kill()
  await sent
  expect(await Promise.all(looks.map(arrives))).toEqual(replicas.map(() => true))
  await Promise.all(looks.map((look) => look.end()))
  const writer = write('half-sent')
  const heir = new RunningPromoter('eu-west')
  // The applier of a server waits 60 s for the other half.
  await writer.next(5, 30_000)
  await until('the other voter follows too', () => heir.follows() >= 2)
  await heir.stop()
  await primary.start()
  await mend()
})

test('two promoters at once, with the primary gone', async () => {
  const writer = write('two-unplanned')
  const before = await mend()
  await database.server(before).kill()
  const two = [new RunningPromoter('eu-west'), new RunningPromoter('asia-pacific')]
  await writer.next(20)
  await database.server(before).start()
  const primaries = await Promise.all(two.map((one) => one.whole()))
  expect(new Set(primaries).size).toBe(1)
  await Promise.all(two.map((one) => one.stop()))
  await mend()
})

test('two promoters at once, asked for different servers', async () => {
  write('two-planned')
  const before = await mend()
  const others = database.servers.filter((one) => one.role === 'voter' && one.name !== before).map((one) => one.name)
  const two = [new RunningPromoter('eu-west'), new RunningPromoter('asia-pacific')]
  await Promise.all(two.map((one) => one.whole()))
  const asked = two.map((one, index) => one.promoter.promote(others[index] as string, AbortSignal.timeout(45_000)))
  const results = await Promise.all(asked)
  expect(results.some(({ ok }) => ok)).toBe(true)
  // Both may be granted, one after the other.
  await until('both see one primary', async () => {
    const primaries = await Promise.all(two.map((one) => one.whole()))
    return new Set(primaries).size === 1
  })
  await Promise.all(two.map((one) => one.stop()))
  await mend()
})

test('a primary that was killed under load and is back before anybody looked', async () => {
  const writer = write('phantoms')
  const before = await mend()
  await writer.next(20)
  await database.server(before).kill()
  await database.server(before).start()
  const primary = await mend()
  await writer.next(20)
  await writer.stop()
  expect(await mend()).toBe(primary)
})

test('a wrong password is said, with what to do, and nothing is touched', async () => {
  const passwordFile = join(lab.directory, 'wrong-password')
  writeFileSync(passwordFile, 'this-is-not-the-password\n', { mode: 0o600 })
  const operator = { user: 'wintrades_operator_a', passwordFile }
  const stranger = new RunningPromoter('us-east', undefined, { ...database.access, operator })
  await until('it is said', () => stranger.lines.some((line) => line.startsWith('Refused')), {
    timeout_ms: 10_000,
    every_ms: 50,
  })
  expect(stranger.lines.join('\n')).toContain(
    `mysql_master refuses wintrades_operator_a: put the password that the server knows into ${passwordFile}`,
  )
  expect(stranger.promoter.figures.actions).toEqual({})
  await stranger.stop()
  await mend()
})
