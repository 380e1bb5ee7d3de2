// The accounts in MySQL: written at the primary, wherever it is; read there too where an answer must be true now. Promises that a transaction
// whose outcome is unknown is repeated until it is known, or told as unknown; that what was found done by a repetition is durable before it is
// told; and that nobody waits longer than a few seconds.

import { randomUUID } from 'node:crypto'
import type { Logger } from '@wintrades/platform'
import { CircuitBreaker, CircuitOpenError } from '@wintrades/platform/circuit-breaker'
import { checkMysql, compilingQueries, migrateMysql, SchemaError } from '@wintrades/platform/migrations'
import {
  isDuplicate,
  isServerTrouble,
  isTransient,
  type MysqlConnection,
  type MysqlOptions,
  MysqlPool,
  PrimaryFinder,
} from '@wintrades/platform/mysql'
import type { CompiledQuery } from 'kysely'
import { ApiFault } from '../errors.ts'
import { type AccountsDatabase, type Answer, changedBy, type Query, type Transaction } from './database.ts'
import { ACCOUNTS, type AccountsTables } from './schema.ts'

export type MysqlAccountsOptions = {
  readonly mysql: MysqlOptions
  readonly logger: Logger
  readonly now_ms: () => number
  /** How long a primary is waited for when the process starts. */
  readonly startTimeout_ms?: number
  /** Does not migrate. */
  readonly isReadOnly?: boolean
}

const WATCH_MS = 1_000
/** Of one statement. */
const STATEMENT_MS = 5_000
/** A change of one table takes as long as it takes. */
const MIGRATION_STATEMENT_MS = 600_000
/** Of one read or transaction, with all its repetitions: longer than a promotion takes, shorter than a client waits. */
const WHOLE_MS = 8_000
const START_TIMEOUT_MS = 60_000
const ATTEMPTS_MAX = 50
/** With less time left another attempt is not begun. */
const ATTEMPT_MS_MIN = 250
const PAUSE_MS = 50
const PAUSE_MS_MAX = 500
const RETRY_AFTER_MS = 1_000

type Outcome = { isUnknown: boolean }

export class MysqlAccounts implements AccountsDatabase {
  readonly dialect = 'mysql'
  readonly queries = compilingQueries<AccountsTables>('mysql')
  readonly stale: AccountsDatabase['stale']
  /** Their states are for metrics. */
  readonly circuits: readonly CircuitBreaker[]
  readonly #finder: PrimaryFinder
  readonly #replica: MysqlPool | null
  readonly #primaryCircuit: CircuitBreaker
  readonly #replicaCircuit: CircuitBreaker
  readonly #now_ms: () => number
  readonly #logger: Logger
  /** This process, in the table of confirmations. */
  readonly #writer = randomUUID()

  private constructor(options: MysqlAccountsOptions, finder: PrimaryFinder) {
    const { readServer } = options.mysql
    this.#now_ms = options.now_ms
    this.#logger = options.logger
    this.#finder = finder
    this.#replica = readServer === null ? null : new MysqlPool(readServer, options.mysql)
    // Each failure has taken seconds already, and a promotion ends soon: little patience, short rests.
    this.#primaryCircuit = new CircuitBreaker({
      backend: 'mysql-accounts',
      failuresMax: 3,
      rest_ms: 500,
      rest_ms_max: 2_000,
      isFailure: (error) => error instanceof ApiFault && error.code !== 'OVERLOADED' && error.status >= 500,
    })
    this.#replicaCircuit = new CircuitBreaker({ backend: 'mysql-accounts-replica', isFailure: isServerTrouble })
    this.circuits = this.#replica === null ? [this.#primaryCircuit] : [this.#primaryCircuit, this.#replicaCircuit]
    this.stale = {
      all: <Row>(query: Query<Row>) => this.#readStale<Row>(query),
      first: async <Row>(query: Query<Row>) => (await this.#readStale<Row>(query))[0],
    }
  }

  /** Finds the primary and makes or migrates the tables there. Throws SchemaError, or what keeps the primary from being used. */
  static async open(options: MysqlAccountsOptions): Promise<MysqlAccounts> {
    const { mysql, logger, startTimeout_ms = START_TIMEOUT_MS, isReadOnly = false } = options
    const finder = new PrimaryFinder(mysql, logger)
    try {
      if (isReadOnly) await finder.use((connection) => check(connection, mysql), startTimeout_ms, isServerTrouble)
      else await migrateAtPrimary(finder, mysql, logger, startTimeout_ms)
    } catch (error) {
      finder.close()
      throw error
    }
    // What hangs at a primary that was replaced is broken off, and repeated at the new one.
    finder.watch(WATCH_MS)
    return new MysqlAccounts(options, finder)
  }

  async close(): Promise<void> {
    this.#replica?.close()
    this.#finder.close()
  }

  async all<Row>(query: Query<Row>): Promise<Row[]> {
    const compiled = query.compile()
    const answer = await this.#repeated((connection) => run(connection, compiled))
    return answer.rows as Row[]
  }

  async first<Row>(query: Query<Row>): Promise<Row | undefined> {
    return (await this.all<Row>(query))[0]
  }

  async run(query: Query<unknown>): Promise<number> {
    return await this.transaction(() => changedBy(query))
  }

  async transaction<Value>(work: Transaction<Value>): Promise<Value> {
    return await this.#repeated((connection, attempt, outcome) => this.#once(connection, work, attempt, outcome))
  }

  async #readStale<Row>(query: Query<Row>): Promise<Row[]> {
    const replica = this.#replica
    if (replica === null) return await this.all<Row>(query)
    const compiled = query.compile()
    try {
      const answer = await this.#replicaCircuit.run(() =>
        replica.use((connection) => run(connection, compiled), STATEMENT_MS),
      )
      return answer.rows as Row[]
    } catch (error) {
      if (!isServerTrouble(error) && !(error instanceof CircuitOpenError)) throw error
      return await this.all<Row>(query)
    }
  }

  async #once<Value>(
    connection: MysqlConnection,
    work: Transaction<Value>,
    attempt: number,
    outcome: Outcome,
  ): Promise<Value> {
    await connection.query('START TRANSACTION', [], STATEMENT_MS)
    let value: Value
    try {
      const steps = work(attempt)
      let step = steps.next()
      while (!step.done) step = steps.next(await run(connection, step.value))
      value = step.value
      if (outcome.isUnknown) await run(connection, this.#confirmation())
    } catch (error) {
      if (connection.broken === null) await connection.query('ROLLBACK', [], STATEMENT_MS)
      throw error
    }
    await this.#commit(connection, outcome)
    return value
  }

  async #commit(connection: MysqlConnection, outcome: Outcome): Promise<void> {
    try {
      await connection.query('COMMIT', [], STATEMENT_MS)
    } catch (error) {
      // The server may have committed, and only its answer, or another region's acknowledgement, is missing.
      if (isServerTrouble(error)) outcome.isUnknown = true
      throw error
    }
  }

  /**
   * What a server shows after a crash may never have reached another region. A repetition that finds its work done therefore writes something
   * of its own: once that is acknowledged, so is everything before it.
   */
  #confirmation(): CompiledQuery<unknown> {
    const at_ms = this.#now_ms()
    return this.queries
      .insertInto('confirmations')
      .values({ writer: this.#writer, at_ms, count: 1 })
      .onDuplicateKeyUpdate(({ eb }) => ({ at_ms, count: eb('count', '+', 1) }))
      .compile()
  }

  async #repeated<Value>(
    attempt: (connection: MysqlConnection, attempt: number, outcome: Outcome) => Promise<Value>,
  ): Promise<Value> {
    try {
      return await this.#primaryCircuit.run(() => this.#untilDone(attempt))
    } catch (error) {
      if (error instanceof CircuitOpenError) throw unavailable(error)
      throw error
    }
  }

  async #untilDone<Value>(
    attempt: (connection: MysqlConnection, attempt: number, outcome: Outcome) => Promise<Value>,
  ): Promise<Value> {
    const until_ms = performance.now() + WHOLE_MS
    const outcome: Outcome = { isUnknown: false }
    for (let count = 1; ; count++) {
      try {
        const left_ms = Math.max(1, until_ms - performance.now())
        const work = (connection: MysqlConnection) => attempt(connection, count, outcome)
        return await this.#finder.use(work, Math.min(left_ms, STATEMENT_MS), isServerTrouble)
      } catch (error) {
        if (error instanceof ApiFault) throw error
        // Two that made the same key: the one that came later looks again.
        const isRace = isTransient(error) || isDuplicate(error)
        if (!isRace && !isServerTrouble(error)) throw error
        if (count === ATTEMPTS_MAX || performance.now() + ATTEMPT_MS_MIN >= until_ms) {
          this.#logger.warn('the accounts did not answer', { attempts: count, unknown: outcome.isUnknown, error })
          throw givenUp(error, outcome, isRace)
        }
        await pause(count)
      }
    }
  }
}

async function migrateAtPrimary(
  finder: PrimaryFinder,
  mysql: MysqlOptions,
  logger: Logger,
  timeout_ms: number,
): Promise<void> {
  const until_ms = performance.now() + timeout_ms
  for (;;) {
    try {
      const left_ms = Math.max(1, until_ms - performance.now())
      const report = await finder.use((connection) => migrate(connection, mysql), left_ms, isServerTrouble)
      const { from, to, steps, continued } = report
      if (steps.length > 0 || continued) logger.info('accounts migrated', { from, to, steps, continued })
      return
    } catch (error) {
      // A migration that broke off with its server is continued at the next one.
      if (error instanceof SchemaError || !isServerTrouble(error) || performance.now() >= until_ms) throw error
      logger.warn('the accounts are not migrated yet, trying again', { error })
      await pause(ATTEMPTS_MAX)
    }
  }
}

function migrate(connection: MysqlConnection, mysql: MysqlOptions) {
  return migrateMysql(forMigrations(connection), ACCOUNTS, { where: `${connection.server}/${mysql.database}` })
}

async function check(connection: MysqlConnection, mysql: MysqlOptions): Promise<void> {
  const where = `${connection.server}/${mysql.database}`
  if (!(await checkMysql(forMigrations(connection), ACCOUNTS, where))) {
    throw new SchemaError(`${where} holds no accounts yet: they are made when a process of the platform starts there`)
  }
}

function forMigrations(connection: MysqlConnection) {
  const query = async (sql: string, values: readonly unknown[] = []) =>
    [await connection.compiled(sql, values, MIGRATION_STATEMENT_MS), null] as const
  return { query }
}

async function run(connection: MysqlConnection, query: CompiledQuery<unknown>): Promise<Answer> {
  const result = await connection.compiled(query.sql, query.parameters, STATEMENT_MS)
  if (Array.isArray(result)) return { rows: result, changed: 0, insertId: 0 }
  const { affectedRows = 0, insertId = 0 } = result as { affectedRows?: number; insertId?: number }
  return { rows: [], changed: affectedRows, insertId }
}

/** Longer each time, and never in step with others. */
function pause(count: number): Promise<void> {
  const pause_ms = Math.min(PAUSE_MS_MAX, PAUSE_MS * count) * (0.5 + Math.random())
  return new Promise((resolve) => setTimeout(resolve, pause_ms))
}

function givenUp(error: unknown, outcome: Outcome, isRace: boolean): ApiFault {
  if (outcome.isUnknown) {
    return new ApiFault('OUTCOME_UNKNOWN', {
      message:
        'The accounts’ database did not answer in time: it may or may not have happened. Look before trying again.',
      cause: error,
    })
  }
  if (!isRace) return unavailable(error)
  const message = 'Too many change the same at once; nothing was done. Try again.'
  return new ApiFault('OVERLOADED', { message, retryAfter_ms: RETRY_AFTER_MS, cause: error })
}

function unavailable(cause: unknown): ApiFault {
  return new ApiFault('ACCOUNTS_UNAVAILABLE', { retryAfter_ms: RETRY_AFTER_MS, cause })
}
