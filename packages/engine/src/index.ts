// The engine of one shard: commands in, events out, snapshots between; and its bare order book, for measuring it and for replaying.

export { Engine } from './engine.ts'
export { FILL_LAYOUT } from './layouts.ts'
export { SnapshotError } from './snapshot-bytes.ts'
export { StandaloneBook } from './standalone-book.ts'
export { ENGINE_VERSION, VERSION_ORDER_TYPES } from './state.ts'
export type { AccountView } from './views.ts'
