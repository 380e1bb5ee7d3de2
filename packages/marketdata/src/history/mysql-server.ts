// The history in MySQL: this region's replica first, then the primary. Each has a circuit breaker of its own, so that a replica that is
// gone costs readers nothing; a server without the history's tables is one where nothing has been written yet.

import type { Markets } from '@wintrades/domain'
import { CircuitBreaker } from '@wintrades/platform/circuit-breaker'
import { checkMysql } from '@wintrades/platform/migrations'
import {
  isServerTrouble,
  type MysqlConnection,
  type MysqlOptions,
  MysqlPool,
  type MysqlValue,
  type PrimaryFinder,
} from '@wintrades/platform/mysql'
import { atOneMoment } from './mysql-writer.ts'
import { HistoryReader } from './reader.ts'
import { HISTORY } from './schema.ts'
import type { HistoryServer, Question } from './server.ts'

const DEADLINE_MS = 2_000
const FAILURES_MAX = 3

export type MysqlHistory = {
  readonly reader: HistoryReader
  /** For metrics. */
  readonly circuits: readonly CircuitBreaker[]
}

/** The finder is its owner's to close. */
export function openMysqlHistory(options: MysqlOptions, finder: PrimaryFinder, markets: Markets): MysqlHistory {
  const primary = new MysqlHistoryServer('mysql-primary', (work) => finder.use(work, DEADLINE_MS, isServerTrouble))
  if (options.readServer === null) return { reader: new HistoryReader(markets, [primary]), circuits: [primary.circuit] }
  const pool = new MysqlPool(options.readServer, options)
  const replica = new MysqlHistoryServer(
    'mysql-replica',
    (work) => pool.use(work, DEADLINE_MS),
    () => pool.close(),
  )
  return { reader: new HistoryReader(markets, [replica, primary]), circuits: [replica.circuit, primary.circuit] }
}

type Use = <Result>(work: (connection: MysqlConnection) => Promise<Result>) => Promise<Result>

export class MysqlHistoryServer implements HistoryServer {
  readonly name: string
  readonly dialect = 'mysql'
  readonly circuit: CircuitBreaker
  readonly #use: Use
  readonly #close: () => void

  constructor(name: string, use: Use, close: () => void = () => {}) {
    this.name = name
    this.#use = use
    this.#close = close
    this.circuit = new CircuitBreaker({ backend: name, failuresMax: FAILURES_MAX, isFailure: isServerTrouble })
  }

  async ask(questions: readonly Question[], isAtOneMoment: boolean): Promise<readonly (readonly object[])[]> {
    return await this.circuit.run(() =>
      this.#use(async (connection) => {
        if (!(await hasHistory(connection))) return questions.map(() => [])
        const all = async () => {
          const answers: (readonly object[])[] = []
          for (const { query } of questions) {
            answers.push(await connection.rows(query.sql, query.parameters as readonly MysqlValue[], DEADLINE_MS))
          }
          return answers
        }
        return isAtOneMoment ? await atOneMoment(connection, all) : await all()
      }),
    )
  }

  async close(): Promise<void> {
    this.#close()
  }
}

const CHECKED = 'history'

/** Throws `SchemaError` when this release cannot read what is there. Looked at once per connection, until it is there. */
async function hasHistory(connection: MysqlConnection): Promise<boolean> {
  if (connection.notes.get(CHECKED) === true) return true
  const query = async (text: string, values: readonly unknown[] = []) =>
    [await connection.compiled(text, values, DEADLINE_MS), null] as const
  const isThere = await checkMysql({ query }, HISTORY, connection.server)
  connection.notes.set(CHECKED, isThere)
  return isThere
}
