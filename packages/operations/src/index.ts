// What operating WinTrades offers to programs: the platform on one machine, started and stopped by code.

export {
  ConfigurationFault,
  DataInUse,
  type Platform,
  type PlatformEvent,
  type PlatformOptions,
  type PlatformStatus,
  type ProcessStatus,
  readRunningStatus,
  startPlatform,
} from './supervisor/index.ts'
