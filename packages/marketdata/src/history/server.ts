// Where a history is read: what a server of it can do, and how a read can fail. `sqlite-server.ts` and `mysql-server.ts` are the two.

import type { Seq, ShardIndex } from '@wintrades/domain'
import type { SchemaDialect } from '@wintrades/platform/migrations'
import type { CompiledQuery } from 'kysely'

export type Question = { readonly shard: ShardIndex; readonly query: CompiledQuery }

export interface HistoryServer {
  /** For messages and metrics. */
  readonly name: string
  readonly dialect: SchemaDialect
  /**
   * The answers, in order. A later answer is not older than an earlier one; with `atOneMoment` all are of the same moment (of each
   * shard). Throws when the server cannot be reached or does not answer in time.
   */
  ask(questions: readonly Question[], atOneMoment: boolean): Promise<readonly (readonly object[])[]>
  close(): Promise<void>
}

/** History does not hold yet what the read had to see: ask again. */
export class HistoryNotCaughtUp extends Error {
  override readonly name = 'HistoryNotCaughtUp'
  readonly shard: ShardIndex
  readonly wanted: Seq

  constructor(shard: ShardIndex, wanted: Seq) {
    super(`the history of shard ${shard} has not reached batch ${wanted}`)
    this.shard = shard
    this.wanted = wanted
  }
}

/** No server of the history answers. */
export class HistoryUnavailable extends Error {
  override readonly name = 'HistoryUnavailable'

  constructor(cause: unknown) {
    super(`history cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
