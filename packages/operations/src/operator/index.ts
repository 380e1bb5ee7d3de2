// The operator: reconcilers that keep the data tier in order, and what a program needs to run them.

export { MysqlPromoter, type PromoterFigures, type PromoterOptions } from './database/promoter.ts'
export type { Account, DatabaseAccess, DatabaseServer } from './database/server.ts'
export { type Line, Lines } from './lines.ts'
export { type Command, type CommandResult, pause, type Reconciler, runReconcilers } from './reconciler.ts'
