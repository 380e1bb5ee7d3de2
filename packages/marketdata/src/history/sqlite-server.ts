// The history in SQLite files, read from this process's own read-only connections. Each file is opened when it is there.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { assert, type Markets, type Shard, type ShardIndex } from '@wintrades/domain'
import type { CompiledQuery } from 'kysely'
import { HistoryReader } from './reader.ts'
import type { HistoryServer, Question } from './server.ts'
import { historyPath, openHistoryToRead } from './sqlite-files.ts'

/** The history in the files of a directory. */
export function openSqliteHistory(directory: string, markets: Markets): HistoryReader {
  return new HistoryReader(markets, [new SqliteHistoryServer(directory, markets)])
}

export class SqliteHistoryServer implements HistoryServer {
  readonly name = 'sqlite'
  readonly dialect = 'sqlite'
  readonly #shards = new Map<ShardIndex, ShardFile>()

  constructor(directory: string, markets: Markets) {
    for (const shard of markets.shards) this.#shards.set(shard.index, new ShardFile(directory, shard))
  }

  async ask(questions: readonly Question[], atOneMoment: boolean): Promise<readonly (readonly object[])[]> {
    const files = atOneMoment ? new Set(questions.map((question) => this.#of(question.shard))) : []
    for (const file of files) file.begin()
    try {
      return questions.map(({ shard, query }) => this.#of(shard).all(query))
    } finally {
      for (const file of files) file.end()
    }
  }

  async close(): Promise<void> {
    for (const file of this.#shards.values()) file.close()
  }

  #of(shard: ShardIndex): ShardFile {
    const file = this.#shards.get(shard)
    assert(file !== undefined, `shard ${shard} is not in markets.yml`)
    return file
  }
}

const STATEMENTS_MAX = 64

class ShardFile {
  readonly #path: string
  readonly #statements = new Map<string, StatementSync>()
  #database: DatabaseSync | null = null

  constructor(directory: string, shard: Shard) {
    this.#path = historyPath(directory, shard)
  }

  all(query: CompiledQuery): object[] {
    this.#database ??= openHistoryToRead(this.#path)
    if (this.#database === null) return []
    let statement = this.#statements.get(query.sql)
    if (statement === undefined) {
      assert(this.#statements.size < STATEMENTS_MAX, 'the history has a fixed set of queries')
      statement = this.#database.prepare(query.sql)
      this.#statements.set(query.sql, statement)
    }
    return statement.all(...(query.parameters as SQLInputValue[])) as object[]
  }

  /** Until `end` every question sees the same commit. */
  begin(): void {
    this.#database ??= openHistoryToRead(this.#path)
    this.#database?.exec('BEGIN')
  }

  end(): void {
    if (this.#database?.isTransaction === true) this.#database.exec('COMMIT')
  }

  close(): void {
    this.#statements.clear()
    this.#database?.close()
    this.#database = null
  }
}
