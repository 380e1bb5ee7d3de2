// Snapshots in MySQL: read as they were written or refused by name; one that is not whole is not there; and a venue that finds its newest one damaged
// says so and starts from an older one.

import { randomBytes } from 'node:crypto'
import {
  type AccountId,
  type Amount,
  type AssetId,
  CommandType,
  type Epoch,
  type RegionName,
  readMarkets,
  type Seq,
  type ShardIndex,
} from '@wintrades/domain'
import { createLogger, readYamlFile } from '@wintrades/platform'
import {
  Archiver,
  type HistorySink,
  type JournalDatabase,
  type Journals,
  MysqlSnapshots,
  newOrigin,
  openJournals,
  type Snapshot,
  SnapshotDamage,
  startVenueInProcess,
  TcpTransport,
  type Venue,
} from '@wintrades/venue'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Lab, type LabMysql, startLab, until } from './lab/index.ts'
import { mysqlOptionsOf, openDatabase } from './trio.ts'

const SHARD = 0 as ShardIndex
const LIMITS = { partBytes: 1_000, parts_max: 20, bytes_max: 30_000 }
const ACCOUNT = 11 as AccountId
const PART = 'WHERE shard = ? AND seq = ? AND part = ?'

let lab: Lab
let server: LabMysql
let database: JournalDatabase
let store: MysqlSnapshots

beforeAll(async () => {
  lab = await startLab({ regions: ['us-east'] })
  server = await lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' })
  await server.query('SET GLOBAL super_read_only = OFF')
  await server.query('SET GLOBAL read_only = OFF')
  database = openDatabase([server])
  await database.prepare([{ index: SHARD }])
  store = new MysqlSnapshots(database, LIMITS)
})

afterAll(async () => {
  database?.close()
  await lab?.close()
})

beforeEach(async () => {
  for (const table of ['snapshot', 'snapshot_part']) await server.query('DELETE FROM wintrades.??', [table])
})

/** Incompressible, so that its parts are known: 56 + 32 bytes, and a little, around the engine's. */
function snapshotAt(seq: number, engineBytes = 4_500): Snapshot {
  return { seq: seq as Seq, epoch: 3 as Epoch, hash: new Uint8Array(32).fill(9), engine: randomBytes(engineBytes) }
}

async function partsOf(seq: number): Promise<number[]> {
  const sql = 'SELECT part FROM wintrades.snapshot_part WHERE shard = ? AND seq = ? ORDER BY part'
  return (await server.query<{ part: number }>(sql, [SHARD, seq])).map(({ part }) => Number(part))
}

async function refusalOf(seq: number): Promise<string> {
  const refusal = await store.read(SHARD, seq as Seq).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(SnapshotDamage)
  return (refusal as Error).message
}

test('a snapshot is read as it was written, in parts, newest first', async () => {
  const [older, newer] = [snapshotAt(42), snapshotAt(50)]
  await store.write(SHARD, newer)
  await store.write(SHARD, older)
  expect(await store.list(SHARD)).toEqual([50, 42])
  expect(await store.list(1 as ShardIndex)).toEqual([])
  expect(await partsOf(42)).toEqual([0, 1, 2, 3, 4])
  const read = await store.read(SHARD, 42 as Seq)
  expect({ ...read, engine: Buffer.from(read.engine) }).toEqual(older)
})

test('the newest are kept, the others go with all their parts', async () => {
  for (const seq of [10, 20, 30]) await store.write(SHARD, snapshotAt(seq, 15_000))
  await store.prune(SHARD, 2)
  expect(await store.list(SHARD)).toEqual([30, 20])
  expect(await partsOf(10)).toEqual([])
  expect((await store.read(SHARD, 20 as Seq)).engine).toHaveLength(15_000)
})

test('a changed byte in any part is refused, and the older snapshot is good', async () => {
  await store.write(SHARD, snapshotAt(42))
  await store.write(SHARD, snapshotAt(50))
  for (const part of await partsOf(50)) {
    const [row] = await server.query<{ bytes: Buffer }>(`SELECT bytes FROM wintrades.snapshot_part ${PART}`, [
      0,
      50,
      part,
    ])
    const whole = row?.bytes as Buffer
    const damaged = Buffer.from(whole)
    damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] as number) ^ 1
    await server.query(`UPDATE wintrades.snapshot_part SET bytes = ? ${PART}`, [damaged, 0, 50, part])
    expect(await refusalOf(50)).toMatch(
      /^snapshot of shard 0 after batch 50 in MySQL: (its checksum|it cannot be decomp)/,
    )
    await server.query(`UPDATE wintrades.snapshot_part SET bytes = ? ${PART}`, [whole, 0, 50, part])
  }
  expect((await store.read(SHARD, 50 as Seq)).seq).toBe(50)
  expect((await store.read(SHARD, 42 as Seq)).seq).toBe(42)
})

test('a missing part, and parts of another snapshot, are refused by name', async () => {
  await store.write(SHARD, snapshotAt(42))
  await server.query(`DELETE FROM wintrades.snapshot_part ${PART}`, [0, 42, 3])
  expect(await refusalOf(42)).toContain('after batch 42 in MySQL: part 3 of 5 is missing')
  await store.write(SHARD, snapshotAt(50))
  await server.query('UPDATE wintrades.snapshot_part SET seq = 51 WHERE seq = 50')
  await server.query('UPDATE wintrades.snapshot SET seq = 51 WHERE seq = 50')
  expect(await refusalOf(51)).toContain('it was taken after batch 50')
  await server.query('UPDATE wintrades.snapshot SET parts = 21 WHERE seq = 51')
  expect(await refusalOf(51)).toContain('it says that it has 21 parts; there are 1 to 20')
  expect(await refusalOf(77)).toContain('it is not there any more')
})

test('an upload that was broken off is no snapshot; the next one of its batch is whole, and pruning takes its rest', async () => {
  await store.write(SHARD, snapshotAt(42))
  // As many as had been sent when the process died.
  for (const [seq, parts] of [
    [40, 3],
    [50, 9],
  ] as const) {
    for (let part = 0; part < parts; part++) {
      await server.query('INSERT INTO wintrades.snapshot_part VALUES (?, ?, ?, ?)', [0, seq, part, randomBytes(1_000)])
    }
  }
  expect(await store.list(SHARD)).toEqual([42])
  const again = snapshotAt(50)
  await store.write(SHARD, again)
  expect(Buffer.from((await store.read(SHARD, 50 as Seq)).engine)).toEqual(again.engine)
  await store.prune(SHARD, 2)
  expect(await partsOf(40)).toEqual([])
  await store.write(SHARD, snapshotAt(60))
  await store.prune(SHARD, 1)
  expect(await partsOf(50)).toEqual([])
})

test('what is too large is not written, and what claims to be larger is not unpacked', async () => {
  await expect(store.write(SHARD, snapshotAt(42, 25_000))).rejects.toThrow(/too large for MySQL, which takes 20 parts/)
  await expect(store.write(SHARD, snapshotAt(42, 30_000))).rejects.toThrow(
    /which takes 30000 bytes; it was not written/,
  )
  expect(await partsOf(42)).toEqual([])
  // Zeroes: small in the database, large in memory.
  const engine = new Uint8Array(1_000_000)
  await new MysqlSnapshots(database).write(SHARD, { ...snapshotAt(43), engine })
  expect(await partsOf(43)).toEqual([0])
  expect(await refusalOf(43)).toContain('it cannot be decompressed to at most 30000 bytes')
})

const read = readYamlFile(new URL('../../markets.yml', import.meta.url).pathname, readMarkets)
if (!read.ok) throw new Error('markets.yml has faults')
const { markets } = read
const HOME = (markets.shards[SHARD] as (typeof markets.shards)[number]).name as RegionName
const said: string[] = []
const logger = createLogger('test', { level: 'error', write: (line) => said.push(line) })

/** Remembers only how far it came: what is archived is another test's. */
class NoHistory implements HistorySink {
  #seq = 0
  begin = async () => this.#seq as Seq
  write = async () => void this.#seq++
  sync = async () => {}
  flush = async () => {}
}

async function startVenue(): Promise<Venue & { journals: Journals['journals']; snapshots: Journals['snapshots'] }> {
  const origin = newOrigin()
  const place = { dataDirectory: lab.directory, mysql: mysqlOptionsOf([server]) }
  const { journals, snapshots } = await openJournals(place, { markets, origin, logger })
  const link = {
    region: HOME,
    origin,
    host: '127.0.0.1',
    port: 0,
    peers: [],
    key: new Uint8Array(32),
    tls: null,
    logger,
  }
  const transport = new TcpTransport(link)
  const venue = await startVenueInProcess({ region: HOME, origin, markets, journals, transport, snapshots, logger })
  await until('the shard is led', () => venue.status().shards[SHARD]?.leading === true, { timeout_ms: 60_000 })
  return Object.assign(venue, { journals, snapshots })
}

async function deposit(venue: Venue, number: number): Promise<void> {
  const asset = (markets.assets[0]?.id ?? 0) as AssetId
  const transferId = `deposit-${number}`
  const command = { type: CommandType.deposit, account: ACCOUNT, asset, amount: 1_000 as Amount, transferId } as const
  const outcome = await new Promise((resolve) => {
    const handler = { committed: () => resolve('committed'), unknown: () => resolve('unknown') }
    const answer = venue.submit(SHARD, command, handler)
    if (answer !== 'submitted') resolve(answer)
  })
  expect(outcome).toBe('committed')
}

test('a venue whose newest snapshot has lost a part says so, and goes on from an older one and the journal', async () => {
  const venue = await startVenue()
  const { journals, snapshots } = venue
  const archiver = new Archiver({
    markets,
    journals,
    snapshots,
    history: new NoHistory(),
    logger,
    isLeading: (shard) => shard === SHARD,
    snapshotCommands: 8,
    journalKept_ms: 0,
  })
  for (let number = 0; number < 40; number++) {
    await deposit(venue, number)
    if (number % 10 === 9) while (await archiver.turn());
  }
  const seqs = await snapshots.list(SHARD)
  expect(seqs).toHaveLength(3)
  // The journal begins behind the oldest: without any snapshot nothing could start.
  expect((await journals[SHARD]?.extent())?.first).toBe((seqs.at(-1) as number) + 1)
  const before = await venue.account(SHARD, ACCOUNT)
  await venue.close()

  await server.query(`DELETE FROM wintrades.snapshot_part ${PART}`, [SHARD, seqs[0], 0])
  const damaged = Buffer.alloc(500, 1)
  await server.query(`UPDATE wintrades.snapshot_part SET bytes = ? ${PART}`, [damaged, SHARD, seqs[1], 0])
  said.length = 0
  const again = await startVenue()
  expect(again.status().shards[SHARD]?.fault).toBeNull()
  expect((await again.account(SHARD, ACCOUNT)).value.balances).toEqual(before.value.balances)
  const reports = said.filter((line) => line.includes('a snapshot cannot be used, trying an older one'))
  expect(reports).toHaveLength(2)
  expect(reports[0]).toContain(`after batch ${seqs[0]} in MySQL: part 0 of 1 is missing`)
  expect(reports[1]).toContain(`after batch ${seqs[1]} in MySQL: it cannot be decompressed`)
  await again.close()
})
