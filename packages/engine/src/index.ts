export { Engine } from './engine.ts'
export { SnapshotError } from './snapshot-bytes.ts'
export { ENGINE_VERSION } from './state.ts'
export type { AccountView } from './views.ts'
