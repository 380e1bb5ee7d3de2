// Migrations of a SQLite file: all of them or none, once, and a file of another release is refused with what to do.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { openSqlite } from '../src/index.ts'
import { checkSqlite, migrateSqlite, SchemaError, SchemaSteps, sqliteSchemaState } from '../src/migrations/index.ts'
import { LIBRARY, upTo } from './support/library-migrations.ts'

function newFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'wintrades-migrations-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'library.sqlite')
}

function opened(path: string) {
  const database = openSqlite(path)
  onTestFinished(() => {
    if (database.isOpen) database.close()
  })
  return database
}

test('an empty file gets every version, and the next process finds nothing to do', () => {
  const path = newFile()
  const report = migrateSqlite(opened(path), LIBRARY, path)
  expect(report).toMatchObject({ component: 'library', from: 0, to: 3, continued: false })
  expect(report.steps).toEqual([
    'create table books',
    'create index books_by_author on books',
    'add column shelf to books',
    'put every book on a shelf',
    'drop index books_by_author on books',
    'drop column author of books',
  ])
  expect(migrateSqlite(opened(path), LIBRARY, path)).toMatchObject({ from: 3, to: 3, steps: [] })
})

test('a file of the release before is migrated, and what is in it stays', () => {
  const path = newFile()
  const database = opened(path)
  migrateSqlite(database, upTo(1), path)
  database.prepare('insert into books (title, author) values (?, ?)').run('Persuasion', 'Austen')
  expect(migrateSqlite(database, upTo(2), path).steps).toEqual([
    'add column shelf to books',
    'put every book on a shelf',
  ])
  expect(database.prepare('select title, shelf from books').all()).toEqual([{ title: 'Persuasion', shelf: 1 }])
})

test('an older release goes on working after an expanding migration, and after a contracting one says what to do', () => {
  const path = newFile()
  const database = opened(path)
  migrateSqlite(database, upTo(2), path)
  expect(migrateSqlite(database, upTo(1), path)).toMatchObject({ from: 2, to: 2, steps: [] })
  expect(checkSqlite(database, upTo(1), path)).toBe(true)
  migrateSqlite(database, LIBRARY, path)
  for (const use of [migrateSqlite, checkSqlite]) {
    expect(() => use(database, upTo(1), path)).toThrow(SchemaError)
    expect(() => use(database, upTo(1), path)).toThrow(
      'holds library of schema 3, which needs a release that knows schema 2; this one knows 1: start a newer release, or count the books again',
    )
  }
})

test('who only reads is told whether there is anything, and when a migration is still to come', () => {
  const path = newFile()
  const database = opened(path)
  expect(checkSqlite(database, LIBRARY, path)).toBe(false)
  migrateSqlite(database, upTo(2), path)
  expect(() => checkSqlite(database, LIBRARY, path)).toThrow('this release needs 3: it is migrated when a process')
})

test('a migration that fails leaves nothing behind', () => {
  const path = newFile()
  const database = opened(path)
  migrateSqlite(database, upTo(1), path)
  const broken = {
    ...LIBRARY,
    migrations: [
      ...upTo(2).migrations,
      {
        version: 3,
        compatibleFrom: 1,
        steps: (schema: SchemaSteps) => [
          schema.dropTable('nowhere'),
          schema.addColumn('nowhere', 'x', schema.types.int64),
        ],
      },
    ],
  }
  expect(() => migrateSqlite(database, broken, path)).toThrow('no such table: nowhere')
  expect(sqliteSchemaState(database)).toEqual({ version: 1, compatible_from: 1 })
  expect(migrateSqlite(database, LIBRARY, path).from).toBe(1)
})

test('a file that lacks what it says it has is refused by name', () => {
  const path = newFile()
  const database = opened(path)
  migrateSqlite(database, upTo(2), path)
  database.exec('drop index books_by_author; alter table books drop column shelf')
  expect(() => migrateSqlite(database, upTo(2), path)).toThrow(
    'says that it holds library of schema 2, but lacks column books.shelf, index books.books_by_author',
  )
})

test('threads that open a new file at once migrate it once', async () => {
  const path = newFile()
  const script = new URL('./support/migrate-child.ts', import.meta.url)
  const reports = await Promise.all(
    [1, 2, 3, 4].map(
      () =>
        new Promise<{ from: number; steps: string[] }>((resolve, reject) => {
          const worker = new Worker(script, { workerData: { path } })
          worker.once('message', resolve)
          worker.once('error', reject)
        }),
    ),
  )
  expect(reports.flatMap((report) => report.steps)).toHaveLength(6)
  expect(reports.filter((report) => report.steps.length > 0)).toHaveLength(1)
})

test('MySQL gets its own words for the same tables', () => {
  const schema = new SchemaSteps('mysql')
  const { statement } = schema.createTable(
    'events',
    (table) =>
      table
        .addColumn('at_ms', schema.types.int64, (column) => column.notNull())
        .addColumn('id', schema.types.ascii(22), (column) => column.notNull())
        .addColumn('note', schema.types.text(80))
        .addPrimaryKeyConstraint('events_key', ['at_ms', 'id']),
    {
      clustered: true,
      partitions: {
        column: 'at_ms',
        ranges: [
          { name: 'p1', below: 100 },
          { name: 'rest', below: 'max' },
        ],
      },
    },
  )
  expect(statement.parameters).toEqual([])
  expect(statement.sql).toBe(
    'create table `events` (`at_ms` bigint not null, `id` varchar(22) character set ascii collate ascii_bin not null, ' +
      '`note` varchar(80), constraint `events_key` primary key (`at_ms`, `id`)) engine = InnoDB default character set = utf8mb4 ' +
      'collate = utf8mb4_0900_bin row_format = dynamic partition by range (`at_ms`) ' +
      '(partition `p1` values less than (100), partition `rest` values less than (maxvalue))',
  )
})
