// Keeps the partitions of the history: made ahead, dropped by age. Looks at the primary now and then; an operator that was off for weeks finds
// rows in `rest` and divides them. Any operator may do it, one at a time does.

import { keepPartitions, type PartitionPolicy } from '@wintrades/marketdata'
import type { Logger } from '@wintrades/platform'
import { isServerTrouble, type MysqlAddress, type MysqlOptions, PrimaryFinder } from '@wintrades/platform/mysql'
import { pause, type Reconciler } from '../reconciler.ts'

export type HistoryPartitionsOptions = {
  readonly servers: readonly MysqlAddress[]
  /** The operator's: it may change tables. */
  readonly account: { readonly user: string; readonly passwordFile: string }
  readonly authorityFile: string
  readonly logger: Logger
  readonly policy: PartitionPolicy
  readonly interval_ms?: number
  readonly now_ms?: () => number
}

const DATABASE = 'wintrades'
const INTERVAL_MS = 3_600_000
/** After a failure, such as no primary. */
const AGAIN_MS = 60_000
const FIND_MS = 10_000
/** A late operator moves rows. */
const STEP_MS = 3_600_000

export function historyPartitions(options: HistoryPartitionsOptions): Reconciler {
  const { logger, policy, interval_ms = INTERVAL_MS, now_ms = Date.now } = options
  let keptAt_ms = 0
  let failures = 0
  const keep = async (finder: PrimaryFinder): Promise<boolean> => {
    try {
      const changes = await finder.use(
        (connection) => keepPartitions(connection, { policy, now_ms: now_ms(), deadline_ms: STEP_MS }),
        FIND_MS,
        isServerTrouble,
      )
      for (const change of changes) logger.info('partitions of the history', change)
      keptAt_ms = now_ms()
      return true
    } catch (error) {
      failures += 1
      logger.warn('the partitions of the history could not be kept, trying again; until then rows go to the rest', {
        error,
      })
      return false
    }
  }
  return {
    name: 'history-partitions',
    run: async (signal) => {
      const finder = new PrimaryFinder(mysqlOptionsOf(options), logger)
      try {
        while (!signal.aborted) await pause((await keep(finder)) ? interval_ms : AGAIN_MS, signal)
      } finally {
        finder.close()
      }
    },
    status: () => ({ policy, keptAt_ms, failures }),
    metrics: (metrics) => {
      const name = 'wintrades_history_partitions_kept_timestamp_seconds'
      metrics.gauge(name, 'When this operator last found or brought the partitions in order.', [], (gauge) =>
        gauge.set(keptAt_ms / 1_000),
      )
    },
  }
}

function mysqlOptionsOf({ servers, account, authorityFile }: HistoryPartitionsOptions): MysqlOptions {
  return {
    servers,
    readServer: null,
    database: DATABASE,
    user: account.user,
    password: { file: account.passwordFile },
    caFile: authorityFile,
    connections_max: 1,
  }
}
