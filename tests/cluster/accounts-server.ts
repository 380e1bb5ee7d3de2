// A MySQL server of the lab as the tests of accounts use it: each directory of a test gets a schema, taken in turn from a few that are emptied.

import type { MysqlOptions } from '@wintrades/platform/mysql'
import type { AccountsServer } from '../../packages/gateway/test/auth/parts.ts'
import type { LabMysql } from './lab/index.ts'

/** Tests have up to three directories at once. */
const SCHEMAS = ['accounts_1', 'accounts_2', 'accounts_3', 'accounts_4', 'accounts_5', 'accounts_6'] as const
/** Children first. */
const TABLES = ['audit', 'audit_streams', 'confirmations', 'sessions', 'api_keys', 'users'] as const

export async function openForWriting(server: LabMysql): Promise<void> {
  await server.query('set global super_read_only = off')
  await server.query('set global read_only = off')
}

export function optionsFor(server: LabMysql, database: string): MysqlOptions {
  return {
    servers: [{ host: server.host, port: server.port }],
    readServer: null,
    database,
    user: 'wintrades_app_a',
    password: { file: server.credentials.passwordFileOf('app') },
    caFile: server.credentials.authorityFile,
    connections_max: 10,
  }
}

/** A schema that the application's users may use. */
export async function createSchema(server: LabMysql, schema: string): Promise<void> {
  await server.query('create database if not exists ??', [schema])
  for (const user of ['wintrades_app_a', 'wintrades_app_b']) {
    await server.query(
      'grant select, insert, update, delete, create, alter, index, drop, references on ??.* to ??@??',
      [schema, user, '%'],
    )
  }
}

export class SchemasOfServer implements AccountsServer {
  readonly #server: () => LabMysql
  readonly #schemas = new Map<string, string>()
  #next = 0

  constructor(server: () => LabMysql) {
    this.#server = server
  }

  async optionsOf(directory: string): Promise<MysqlOptions> {
    return optionsFor(this.#server(), this.#schemas.get(directory) ?? (await this.#empty(directory)))
  }

  async run(directory: string, statements: readonly string[]): Promise<void> {
    const connection = await this.#server().connect()
    await connection.query('use ??', [this.#schemas.get(directory)])
    // As a program with the very rights of the database's administrator would.
    for (const statement of statements) await connection.query(statement)
    await connection.end()
  }

  async #empty(directory: string): Promise<string> {
    const schema = SCHEMAS[this.#next++ % SCHEMAS.length] as string
    for (const [other, taken] of this.#schemas) if (taken === schema) this.#schemas.delete(other)
    this.#schemas.set(directory, schema)
    const server = this.#server()
    await createSchema(server, schema)
    for (const table of TABLES) {
      const [known] = await server.query(
        'select 1 from information_schema.tables where table_schema = ? and table_name = ?',
        [schema, table],
      )
      if (known === undefined) continue
      await server.query('delete from ??.??', [schema, table])
      if (table === 'users') await server.query('alter table ??.?? auto_increment = 1001', [schema, table])
    }
    return schema
  }
}
