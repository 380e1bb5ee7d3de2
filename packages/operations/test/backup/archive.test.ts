// The store: what is entered is whole; what is missing, damaged or never acknowledged is noticed when it is chosen for a restore.

import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TransactionReader } from '../../src/backup/binlog/events.ts'
import { nextNumber, recoverOpen, SegmentWriter } from '../../src/backup/binlog/segment.ts'
import { ArchiveSelection, chooseBackup } from '../../src/backup/binlog/select.ts'
import { type ArchiveState, Catalogue, type FullBackup, type Segment } from '../../src/backup/store/catalogue.ts'
import { BackupKeys } from '../../src/backup/store/keys.ts'
import { SealedWriter } from '../../src/backup/store/sealed-file.ts'
import { formatDescription, SERVER_A, SERVER_B, transaction } from './support/binlog.ts'

const keys = new BackupKeys(randomBytes(32))
const server = { uuid: SERVER_A, address: 'mysql_master:3306', version: '9.7.4' }
const BASE_AT = Date.UTC(2026, 10, 25, 3, 15)
let directory: string
let catalogue: Catalogue

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-store-'))
  catalogue = await Catalogue.open(directory, keys)
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** When the transaction of that number was committed. */
function atOf(number: number): number {
  return (BASE_AT + number * 1_000) * 1_000
}

type Numbers = { readonly after: string; readonly first: number; readonly last: number; readonly origin?: string }

async function write({ after, first, last, origin = SERVER_A }: Numbers): Promise<SegmentWriter> {
  const number = nextNumber((await catalogue.list()).segments)
  const writer = await SegmentWriter.begin(catalogue, { number, server, after }, formatDescription())
  const reader = new TransactionReader('test')
  for (let number = first; number <= last; number++) {
    for (const event of transaction({ origin, number, at_us: atOf(number) })) {
      const part = reader.take(event)
      if (part !== null) await writer.add(part)
    }
  }
  return writer
}

async function segment(numbers: Numbers): Promise<Segment> {
  return (await (await write(numbers)).finish()) as Segment
}

async function full(last: number, id = '20261125T031500Z-0001'): Promise<FullBackup> {
  const folder = await catalogue.begin(id)
  const file = await SealedWriter.create(join(folder, 'data.sealed'), keys)
  await file.write(Buffer.from('data'))
  const facts = await file.finish()
  const at = new Date(BASE_AT).toISOString()
  const backup: FullBackup = {
    id,
    startedAt: at,
    consistentAt: at,
    took_seconds: 1,
    gtids: `${SERVER_A}:1-${last}`,
    source: { name: 'mysql_slave_eu', uuid: SERVER_B, version: '9.7.4', wasPrimary: false },
    release: '0.1.0',
    schema: null,
    journal: [],
    files: 1,
    ...facts,
  }
  await catalogue.enter(backup)
  return backup
}

function state(archived: string, more: Partial<ArchiveState> = {}): ArchiveState {
  const completeUntil = new Date(atOf(10) / 1_000).toISOString()
  return { archived, refuted: '', removed: '', completeUntil, key: keys.id, ...more }
}

/** The numbers of the transactions that are chosen. */
async function choose(backup: FullBackup, to: Date | null, archive: ArchiveState | null): Promise<number[]> {
  const numbers: number[] = []
  const selection = new ArchiveSelection(catalogue, { backup, to }, archive)
  for await (const { committed } of selection.events()) if (committed !== null) numbers.push(committed.number)
  return numbers
}

const upTo = (number: number) => new Date(atOf(number) / 1_000)

test('what comes after the backup is chosen, once and in order, up to the time', async () => {
  const backup = await full(3)
  await segment({ after: '', first: 1, last: 4 })
  await segment({ after: `${SERVER_A}:1-4`, first: 5, last: 10 })
  const archive = state(`${SERVER_A}:1-10`)
  expect(await choose(backup, null, archive)).toEqual([4, 5, 6, 7, 8, 9, 10])
  expect(await choose(backup, upTo(6), archive)).toEqual([4, 5, 6])
})

test('a missing file is named with what was in it, and times before it can still be reached', async () => {
  const backup = await full(2)
  await segment({ after: `${SERVER_A}:1-2`, first: 3, last: 4 })
  const lost = await segment({ after: `${SERVER_A}:1-4`, first: 5, last: 6 })
  await segment({ after: `${SERVER_A}:1-6`, first: 7, last: 9 })
  unlinkSync(catalogue.segmentPath(lost.id))
  unlinkSync(join(directory, 'binlogs', `${lost.id}.json`))
  const archive = state(`${SERVER_A}:1-9`)
  await expect(choose(backup, null, archive)).rejects.toThrow(`${SERVER_A}:5-6`)
  await expect(choose(backup, upTo(6), archive)).rejects.toThrow(`restore to ${upTo(4).toISOString()} at the latest`)
  expect(await choose(backup, upTo(4), archive)).toEqual([3, 4])
  expect((await catalogue.list()).faults).toEqual([
    `the archived binlog ${lost.id} is missing from ${directory}/binlogs`,
  ])
})

test('a missing file at the end is noticed too', async () => {
  const backup = await full(2)
  await segment({ after: `${SERVER_A}:1-2`, first: 3, last: 4 })
  const lost = await segment({ after: `${SERVER_A}:1-4`, first: 5, last: 6 })
  await catalogue.remove({ segments: [lost.id] })
  await expect(choose(backup, null, state(`${SERVER_A}:1-6`))).rejects.toThrow(
    `missing at the end: the transactions ${SERVER_A}:5-6`,
  )
})

test('a time beyond the archive is refused, and says how far it reaches', async () => {
  const backup = await full(2)
  await segment({ after: `${SERVER_A}:1-2`, first: 3, last: 10 })
  const archive = state(`${SERVER_A}:1-10`)
  await expect(choose(backup, upTo(11), archive)).rejects.toThrow(`reaches to ${upTo(10).toISOString()}`)
  const quiet = state(`${SERVER_A}:1-10`, { completeUntil: upTo(20).toISOString() })
  expect(await choose(backup, upTo(11), quiet)).toHaveLength(8)
})

test('what was never acknowledged is left out', async () => {
  const backup = await full(2)
  await segment({ after: `${SERVER_A}:1-2`, first: 3, last: 5 })
  await segment({ after: `${SERVER_A}:1-5`, first: 1, last: 2, origin: SERVER_B })
  const archive = state(`${SERVER_A}:1-5,${SERVER_B}:1-2`, { refuted: `${SERVER_A}:5` })
  expect(await choose(backup, null, archive)).toEqual([3, 4, 1, 2])
})

test('of a file that is still written, whole transactions are chosen', async () => {
  const backup = await full(2)
  const writer = await write({ after: `${SERVER_A}:1-2`, first: 3, last: 5 })
  const [gtid] = transaction({ number: 6, at_us: atOf(6) }) as [Buffer]
  const part = new TransactionReader('test').take(gtid)
  if (part !== null) await writer.add(part)
  await writer.close()
  expect(await choose(backup, null, state(`${SERVER_A}:1-5`))).toEqual([3, 4, 5])
})

test('what an archiver left open is finished by the next, without the half transaction at its end', async () => {
  const writer = await write({ after: '', first: 1, last: 5 })
  const [gtid] = transaction({ number: 6, at_us: atOf(6) }) as [Buffer]
  const part = new TransactionReader('test').take(gtid)
  if (part !== null) await writer.add(part)
  await writer.close()
  const [recovered] = await recoverOpen(catalogue)
  expect(recovered).toMatchObject({ gtids: `${SERVER_A}:1-5`, transactions: 5, number: 1 })
  expect(await catalogue.openSegments()).toEqual([])
  expect((await catalogue.list()).segments).toHaveLength(1)
})

test('a file without a transaction leaves nothing', async () => {
  expect(await (await write({ after: '', first: 1, last: 0 })).finish()).toBeNull()
  expect(readdirSync(join(directory, 'binlogs'))).toEqual([])
})

test('the newest backup from which a time can be reached is taken', async () => {
  const backup = await full(2)
  const later = { ...backup, id: 'later', consistentAt: upTo(100).toISOString() }
  expect(chooseBackup([backup, later], null).id).toBe('later')
  expect(chooseBackup([backup, later], upTo(50)).id).toBe(backup.id)
  // The clocks of two machines differ: what was copied at that very time may hold more.
  expect(chooseBackup([backup, later], upTo(101)).id).toBe(backup.id)
  expect(() => chooseBackup([backup], upTo(0))).toThrow('can be restored to 2026-11-25T03:15:05.000Z and later')
  expect(() => chooseBackup([], null)).toThrow('wintrades backup create')
})

test('a backup that was not finished is no backup, and the next removes what is left of it', async () => {
  const folder = await catalogue.begin('20261125T031500Z-aaaa')
  writeFileSync(join(folder, 'data.sealed'), 'half')
  expect(await catalogue.list()).toMatchObject({
    full: [],
    unfinished: ['20261125T031500Z-aaaa.unfinished'],
    faults: [],
  })
  await full(2)
  expect(existsSync(folder)).toBe(false)
  expect((await catalogue.list()).full).toHaveLength(1)
})

test('a backup whose file is missing or cut short is a fault, not a backup', async () => {
  const backup = await full(2)
  truncateSync(catalogue.dataPath(backup.id), 10)
  expect((await catalogue.list()).full).toEqual([])
  expect((await catalogue.list()).faults.join()).toMatch(
    /has 10 bytes, the catalogue says \d+: restore it from another copy/,
  )
  rmSync(join(directory, 'full', backup.id), { recursive: true })
  expect((await catalogue.list()).faults.join()).toContain(`the backup ${backup.id} is missing`)
})

test('a changed catalogue is refused', async () => {
  const backup = await full(2)
  const path = join(directory, 'full', backup.id, 'backup.json')
  writeFileSync(path, readFileSync(path, 'utf8').replace(`${SERVER_A}:1-2`, `${SERVER_A}:1-3`))
  await expect(catalogue.read(backup.id)).rejects.toThrow('its signature is wrong')
  expect((await catalogue.list()).faults.join()).toContain('its signature is wrong')
  writeFileSync(path, 'no json')
  await expect(catalogue.read(backup.id)).rejects.toThrow('it is no JSON')
})

test('another key is told before anything is done', async () => {
  await full(2)
  await expect(Catalogue.open(directory, new BackupKeys(randomBytes(32)))).rejects.toThrow(`id ${keys.id}`)
})

test('a name that is none of a backup’s is not looked for', async () => {
  await expect(catalogue.read('../../etc')).rejects.toThrow('there is no backup')
})
