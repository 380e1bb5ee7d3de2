// The promoter's logic, for the adapter that observes real servers and carries the actions out.

export type { Action, Decision, Guard, Outcome } from './action.ts'
export { decide } from './decide.ts'
export * from './gtid-set.ts'
export * from './observation.ts'
