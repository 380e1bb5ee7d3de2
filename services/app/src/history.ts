// Where this process reads the history: files of this machine, or this region's MySQL replica and the primary.

import type { Markets } from '@wintrades/domain'
import { type HistoryReader, historyDirectory, openMysqlHistory, openSqliteHistory } from '@wintrades/marketdata'
import type { Logger } from '@wintrades/platform'
import { observeCircuit } from '@wintrades/platform/circuit-breaker'
import type { Metrics } from '@wintrades/platform/metrics'
import { type MysqlOptions, PrimaryFinder } from '@wintrades/platform/mysql'

const WATCH_MS = 1_000

export type HistoryPlace = { readonly dataDirectory: string; readonly mysql: MysqlOptions | null }

export function openHistory(
  { dataDirectory, mysql }: HistoryPlace,
  { markets, metrics, logger }: { readonly markets: Markets; readonly metrics: Metrics; readonly logger: Logger },
): { readonly reader: HistoryReader; close(): Promise<void> } {
  if (mysql === null) {
    const reader = openSqliteHistory(historyDirectory(dataDirectory), markets)
    return { reader, close: () => reader.close() }
  }
  const finder = new PrimaryFinder(mysql, logger)
  finder.watch(WATCH_MS)
  const { reader, circuits } = openMysqlHistory(mysql, finder, markets)
  for (const circuit of circuits) observeCircuit(metrics, circuit)
  return {
    reader,
    close: async () => {
      await reader.close()
      finder.close()
    },
  }
}
