// What Kysely's MySQL dialect wants of a pool, over the primary wherever it is: `new MysqlDialect({ pool: primaryPool(finder, …) })`. A statement that
// finds its server read-only, or lost, makes it suspect; the next one goes to the primary that is then.

import type { MysqlConnection } from './connection.ts'
import { isServerTrouble } from './errors.ts'
import type { MysqlPool } from './pool.ts'
import type { Primary, PrimaryFinder } from './primary.ts'

type Callback<Result> = (error: unknown, result: Result) => void

/** Kysely's `MysqlPoolConnection`. Results are not streamed. */
export type KyselyConnection = {
  query(
    sql: string,
    parameters: unknown[],
  ): { stream: <Row>() => AsyncIterable<Row> & { [Symbol.asyncIterator](): AsyncIterableIterator<Row> } }
  query(sql: string, parameters: unknown[], callback: Callback<never>): void
  release(): void
}

/** Kysely's `MysqlPool`. */
export type KyselyPool = {
  getConnection(callback: Callback<KyselyConnection>): void
  end(callback: (error: unknown) => void): void
}

/** Over the primary; closing it is its owner's. */
export function primaryPool(finder: PrimaryFinder, deadline_ms: number): KyselyPool {
  return poolOver(async () => {
    const primary: Primary = await finder.primary(deadline_ms)
    return { pool: primary.pool, suspect: () => finder.suspect(primary) }
  }, deadline_ms)
}

/** Over one server, such as this region's replica; closing it is its owner's. */
export function serverPool(pool: MysqlPool, deadline_ms: number): KyselyPool {
  return poolOver(async () => ({ pool, suspect: () => {} }), deadline_ms)
}

function poolOver(find: () => Promise<{ pool: MysqlPool; suspect: () => void }>, deadline_ms: number): KyselyPool {
  const acquire = async (): Promise<KyselyConnection> => {
    const { pool, suspect } = await find()
    try {
      return wrap(await pool.acquire(deadline_ms), pool, suspect, deadline_ms)
    } catch (error) {
      if (isServerTrouble(error)) suspect()
      throw error
    }
  }
  return {
    getConnection: (callback) => {
      acquire().then(
        (connection) => callback(null, connection),
        (error: unknown) => callback(error, undefined as never),
      )
    },
    end: (callback) => callback(null),
  }
}

function wrap(
  connection: MysqlConnection,
  pool: MysqlPool,
  suspect: () => void,
  deadline_ms: number,
): KyselyConnection {
  const query = (sql: string, parameters: unknown[], callback?: Callback<never>) => {
    if (callback === undefined) throw new Error('results are not streamed; ask for pages')
    connection.compiled(sql, parameters, deadline_ms).then(
      (result) => callback(null, result as never),
      (error: unknown) => {
        if (isServerTrouble(error)) suspect()
        callback(error, undefined as never)
      },
    )
  }
  return { query: query as KyselyConnection['query'], release: () => pool.release(connection) }
}
