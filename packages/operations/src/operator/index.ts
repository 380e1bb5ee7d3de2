// The operator: reconcilers that keep the data tier in order, and what a program needs to run them.

export { type ConfigurationResult, type OperatorConfiguration, readOperatorFile } from './configuration.ts'
export type { DatabaseConfiguration } from './database/configuration.ts'
export { MysqlPromoter, type PromoterFigures, type PromoterOptions } from './database/promoter.ts'
export { databaseReconciler } from './database/reconciler.ts'
export type { Account, DatabaseAccess, DatabaseServer } from './database/server.ts'
export { type HistoryPartitionsOptions, historyPartitions } from './history/partitions.ts'
export { type HttpOptions, OperatorServer } from './http-server.ts'
export { type Line, Lines } from './lines.ts'
export { type Command, type CommandResult, pause, type Reconciler, runReconcilers } from './reconciler.ts'
export * from './redis/index.ts'
export type { TrafficConfiguration } from './traffic/configuration.ts'
export { TrafficOperator } from './traffic/reconciler.ts'
