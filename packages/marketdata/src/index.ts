// Market data from committed batches: live (depth, trades, candles, tickers, account events), history, and feeds from outside.

export * from './feeds/index.ts'
export {
  type CompareOptions,
  compareHistory,
  type HistoryDifference,
  type HistoryRowsSource,
  historyEnd,
  mysqlRows,
  rebuildHistory,
  sqliteRows,
} from './history/compare.ts'
export { HistoryDiskFull } from './history/mysql-errors.ts'
export { type MysqlHistory, MysqlHistoryServer, openMysqlHistory } from './history/mysql-server.ts'
export { MysqlHistoryWriter, type MysqlHistoryWriterOptions, migrateHistory } from './history/mysql-writer.ts'
export {
  keepPartitions,
  PARTITION_POLICY,
  type PartitionChange,
  type PartitionPolicy,
} from './history/partitions.ts'
export type { Posting } from './history/postings.ts'
export * from './history/reader.ts'
export { HISTORY, PostingKind } from './history/schema.ts'
export { HistoryNotCaughtUp, type HistoryServer, HistoryUnavailable } from './history/server.ts'
export { historyDirectory, historyPath } from './history/sqlite-files.ts'
export { openSqliteHistory, SqliteHistoryServer } from './history/sqlite-server.ts'
export { SqliteHistoryWriter } from './history/sqlite-writer.ts'
export type { HistoryWriterFigures, HistoryWriterOptions } from './history/writing.ts'
export * from './json.ts'
export * from './live/account-feed.ts'
export * from './live/candles.ts'
export * from './live/depth-book.ts'
export * from './live/instrument-market.ts'
export * from './live/loader.ts'
export * from './live/market-data.ts'
export * from './live/recent-trades.ts'
export * from './order-status.ts'
