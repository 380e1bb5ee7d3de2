// What others use of the drills: the checker with the shape of its input, the printing of verdicts, platforms to work against, and the
// drills themselves.

export { cacheFault } from './cache-faults.ts'
export * from './checker.ts'
export { register } from './customers.ts'
export {
  DATABASE_FAULTS,
  type DatabaseControl,
  type DatabaseFault,
  type DatabaseRoles,
  databaseFault,
} from './database-faults.ts'
export type * from './history.ts'
export { type LeaderFault, leaderFault } from './leader-faults.ts'
export * from './report.ts'
export { type RunOptions, runDrill } from './run.ts'
export * from './target.ts'
export { filledOf, Traders } from './traders.ts'
export * from './trading-drill.ts'
