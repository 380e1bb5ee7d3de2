// For tests of other packages and of the whole: a shard's trading, seeded, every kind of command, with its batches and events.

export { historyQueries } from './history-queries.ts'
export { Random } from './random.ts'
export { Flow, type TestBatch, TestShard } from './test-shard.ts'
