// No SQL is built from strings: what the programs run is constant, with parameters, or compiled by Kysely. The few places where that cannot be are
// listed here with their reason; a place that is no longer needed fails too.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is planted is source text.

import { expect, test } from 'vitest'
import { CODE } from './repository.ts'
import { findBuiltSql } from './sql-lint.ts'

const SOURCES = CODE.filter((file) => /^(packages|services)\/[^/]+\/src\//.test(file.path))

/** What may stand where, and why it is safe all the same. */
const EXCEPTIONS: readonly { readonly path: string; readonly what: string; readonly why: string }[] = [
  {
    path: 'packages/platform/src/migrations/dialect.ts',
    what: 'sql.lit of what is not constant',
    why: 'lengths of columns and bounds of partitions, which are numbers: DDL knows no parameters',
  },
  {
    path: 'packages/marketdata/src/history/sqlite-statements.ts',
    what: 'sql.lit of what is not constant',
    why: 'members of the domain’s tables of constants, which are numbers',
  },
  {
    path: 'packages/marketdata/src/history/mysql-statements.ts',
    what: 'sql.lit of what is not constant',
    why: 'the same members, and places of columns in a row; JSON_TABLE knows no parameters there',
  },
  {
    path: 'packages/marketdata/src/history/partitions.ts',
    what: 'sql.lit of what is not constant',
    why: 'bounds of partitions, which are numbers: DDL knows no parameters',
  },
]

const FOUND = findBuiltSql(SOURCES)

function excepted(fault: string): boolean {
  return EXCEPTIONS.some(({ path, what }) => fault.startsWith(`${path}:`) && fault.endsWith(what))
}

function planted(text: string): string[] {
  return findBuiltSql([{ path: 'planted.ts', text }])
}

test('SQL is constant, or compiled', () => {
  expect(FOUND.filter((fault) => !excepted(fault))).toEqual([])
})

test('no exception is left over', () => {
  const left = EXCEPTIONS.filter(({ path }) => !FOUND.some((fault) => fault.startsWith(`${path}:`)))
  expect(left).toEqual([])
})

test('the check sees the SQL that there is', () => {
  const text = SOURCES.map((file) => file.text).join('\n')
  expect(text).toMatch(/\.prepare\(/)
  expect(text).toMatch(/\.query\(/)
})

test.each([
  ['a template', 'database.prepare(`select * from users where email = ${email}`)'],
  ['a template of something else', 'this.#file.exec(`vacuum ${path}`)'],
  ['a sum', "connection.query('select * from users where id = ' + id)"],
  ['a sum in the middle', "connection.execute('delete from ' + table + ' where id = ?', [id])"],
  ['a variable', 'const text = `select ${column} from users`; connection.query(text)'],
  ['a variable that grows', "let text = 'select 1'; text += where; database.exec(text)"],
  ['a list that is joined', "connection.query(['select', columns].join(' '))"],
  ['a replacement', "connection.query('select * from t where x = %'.replace('%', value))"],
  ['one of two', 'connection.query(all ? "select 1" : `select ${one}`)'],
  ['Kysely told to take it as it is', 'sql.raw(text)'],
  ['a literal that is put in', 'sql`select ${sql.lit(name)}`'],
  ['a wrapper of which nothing is known', 'ask(connection, `update users set email = ${email}`)'],
  ['a cast in between', 'connection.query(`select ${x}` as string)'],
  ['an imported name of which nothing is known', "import { T } from 'elsewhere'\nconnection.query(`delete from ${T}`)"],
  ['a statement for administrators', "say(`CREATE USER ${name} IDENTIFIED BY '${password}'`)"],
])('the check catches %s', (_what, text) => {
  expect(planted(text)).toHaveLength(1)
})

test.each([
  ['parameters', "connection.query('select * from users where id = ?', [id])"],
  ['constants', "const TABLE = 'users'; const LIMIT = 5; database.exec(`select * from ${TABLE} limit ${LIMIT}`)"],
  ['Kysely’s tag', 'sql`select ${id} from users`'],
  ['what Kysely compiled', 'database.prepare(query.compile().sql)'],
  [
    'prose',
    'log(`update of ${name} failed; select another`); say(`create table ${name} took ${n} s`.length)'.replace(
      'create table',
      'creating table',
    ),
  ],
  ['a regular expression', 'PATTERN.exec(`${text}`.trim())'],
])('the check lets %s pass', (_what, text) => {
  expect(planted(text)).toEqual([])
})

test('constants are followed over imports', () => {
  const names = { path: 'a/names.ts', text: "export const TABLE = 'users'" }
  const use = { path: 'a/use.ts', text: "import { TABLE } from './names.ts'\nfile.exec(`delete from ${TABLE}`)" }
  expect(findBuiltSql([names, use])).toEqual([])
  expect(findBuiltSql([{ ...names, text: 'export const TABLE = process.argv[2]' }, use])).toHaveLength(1)
})
