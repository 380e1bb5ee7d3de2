// What others use of the drills: the checker with the shape of its input, and the printing of verdicts.

export * from './checker.ts'
export type * from './history.ts'
export * from './report.ts'
