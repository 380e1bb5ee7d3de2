// The platform on one machine: starting it, watching it, stopping it.

export { DataInUse } from './data-lock.ts'
export {
  ConfigurationFault,
  type Platform,
  type PlatformEvent,
  type PlatformOptions,
  startPlatform,
} from './platform.ts'
export { type PlatformStatus, type ProcessState, type ProcessStatus, readRunningStatus } from './status-file.ts'
