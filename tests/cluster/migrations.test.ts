// Migrations on a real MySQL server: many processes at once, broken off and continued, another release's, on a server that is not the primary.

import { checkMysql, type MysqlConnection, migrateMysql, SchemaError } from '@wintrades/platform/migrations'
import type { Connection } from 'mysql2/promise'
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { LIBRARY, upTo } from '../../packages/platform/test/support/library-migrations.ts'
import { openForWriting } from './accounts-server.ts'
import { type Lab, type LabMysql, startLab } from './lab/index.ts'

let lab: Lab
let server: LabMysql
let schemas = 0
let schema: string
let where: string
let connection: Connection

async function connect(): Promise<Connection> {
  const opened = await server.connect()
  await opened.query('use ??', [schema])
  return opened
}

beforeAll(async () => {
  lab = await startLab()
  server = await lab.mysql({ name: 'mysql_master', region: 'us-east', serverId: 1, role: 'voter' })
  await openForWriting(server)
})

afterAll(() => lab?.close())

beforeEach(async () => {
  schema = `library_${++schemas}`
  where = `mysql_master/${schema}`
  await server.query('create database ??', [schema])
  connection = await connect()
  return () => connection.end()
})

/** Breaks the connection off at the nth change of a table, before it is made or after it, when only its record is missing. */
function breaking(at: number, when: 'before' | 'after'): MysqlConnection {
  let changes = 0
  return {
    query: async (sql, values = []) => {
      const isChange = /^(create (table `books`|index)|alter|drop|update)/.test(sql)
      if (isChange) changes += 1
      if (isChange && changes === at && when === 'before') throw new Error('the connection is gone')
      if (!isChange && changes === at && when === 'after' && /schema_step`/.test(sql))
        throw new Error('the connection is gone')
      return await connection.query(sql, [...values])
    },
  }
}

test('an empty schema gets every version; a second process finds nothing to do', async () => {
  const report = await migrateMysql(connection, LIBRARY, { where })
  expect(report).toMatchObject({ from: 0, to: 3, continued: false })
  expect(report.steps).toHaveLength(6)
  expect(await migrateMysql(connection, LIBRARY, { where })).toMatchObject({ from: 3, to: 3, steps: [] })
  const [columns] = await connection.query(
    'select column_name as name from information_schema.columns where table_schema = ? and table_name = ? order by 1',
    [schema, 'books'],
  )
  expect(columns).toEqual([{ name: 'id' }, { name: 'shelf' }, { name: 'title' }])
})

test('of many processes at once one migrates, the others wait for it', async () => {
  const connections = await Promise.all(Array.from({ length: 6 }, connect))
  const reports = await Promise.all(connections.map((one) => migrateMysql(one, LIBRARY, { where })))
  await Promise.all(connections.map((one) => one.end()))
  expect(reports.filter(({ steps }) => steps.length > 0)).toHaveLength(1)
  expect(reports.every(({ to }) => to === 3)).toBe(true)
})

test.each(
  ([1, 2, 3, 4, 5, 6] as const).flatMap((at) => (['before', 'after'] as const).map((when) => [at, when] as const)),
)('broken off at step %i, %s the change: the next process continues, and does nothing twice', async (at, when) => {
  await migrateMysql(connection, upTo(1), { where })
  if (at > 2) await connection.query('insert into books (title, author) values (?, ?)', ['Persuasion', 'Austen'])
  else await connection.query('drop table books, schema_step, schema_version')
  const count = at > 2 ? at - 2 : at
  await expect(migrateMysql(breaking(count, when), LIBRARY, { where })).rejects.toThrow('the connection is gone')
  const report = await migrateMysql(connection, LIBRARY, { where })
  expect(report.to).toBe(3)
  // The first steps of their versions: without a trace when they were not even made.
  expect(report.continued).toBe(when === 'after' || ![1, 3, 5].includes(at))
  if (at <= 2) return
  // The step that changes rows was done once.
  const [books] = await connection.query('select title, shelf from books')
  expect(books).toEqual([{ title: 'Persuasion', shelf: 1 }])
})

test('an older release is told as soon as what it needs is being taken away', async () => {
  await migrateMysql(connection, upTo(2), { where })
  expect(await migrateMysql(connection, upTo(1), { where })).toMatchObject({ from: 2, steps: [] })
  expect(await checkMysql(connection, upTo(1), where)).toBe(true)
  await expect(migrateMysql(breaking(1, 'after'), LIBRARY, { where })).rejects.toThrow('the connection is gone')
  await expect(checkMysql(connection, upTo(1), where)).rejects.toThrow(SchemaError)
  await expect(migrateMysql(connection, upTo(1), { where })).rejects.toThrow('this one knows 1: start a newer release')
  // The release before still can: it does not use what goes.
  expect(await checkMysql(connection, upTo(2), where)).toBe(true)
})

test('who may not change tables is told what to grant', async () => {
  await server.query('create user if not exists reader identified by ?', ['reader'])
  await server.query('grant select, insert on ??.* to reader', [schema])
  const { host, port } = server
  const reader = await createConnection({ host, port, user: 'reader', password: 'reader', database: schema })
  await expect(migrateMysql(reader, LIBRARY, { where })).rejects.toThrow('grant the application’s user CREATE, ALTER')
  await reader.end()
})

test('a server that is not the primary is not migrated', async () => {
  await server.query('set global super_read_only = on')
  try {
    await expect(migrateMysql(connection, LIBRARY, { where })).rejects.toThrow('migrations run on the primary')
  } finally {
    await openForWriting(server)
  }
})

test('a schema that lacks what it says it has is refused by name', async () => {
  await migrateMysql(connection, LIBRARY, { where })
  await connection.query('alter table books drop column shelf')
  await expect(migrateMysql(connection, LIBRARY, { where })).rejects.toThrow('lacks column books.shelf')
})

test('a migration that hangs behind another says so in time', async () => {
  const holder = await connect()
  await holder.query("select get_lock(concat('migrate:', left(sha2(concat(database(), '/library'), 256), 32)), 0)")
  await expect(migrateMysql(connection, LIBRARY, { where, lockTimeout_seconds: 1 })).rejects.toThrow(
    'another process has been migrating library for more than 1 s',
  )
  await holder.end()
})
