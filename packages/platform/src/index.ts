// Adapters only: configuration, secrets, logger, SQLite, files, lifecycle. Knows nothing of trading. What takes long to load stands
// apart: `@wintrades/platform/kysely` (sqliteDialect) and `@wintrades/platform/metrics` (Metrics).

export type { Kind, Parsed, Peer } from './config/kinds.ts'
export { type ConfigFault, type ConfigResult, type Environment, loadConfig } from './config/load.ts'
export { configurationReference } from './config/reference.ts'
export { type Config, VARIABLES, type Variable } from './config/variables.ts'
export { createFileAtomically, writeFileAtomically } from './files.ts'
export { Lifecycle, type LifecycleOptions, type Part } from './lifecycle.ts'
export {
  createLogger,
  LOG_LEVELS,
  type LogFields,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  neverLog,
} from './logger.ts'
export { loadSecrets, SecretFault, type Secrets, type SigningKey, secretsDirectory } from './secrets.ts'
export { isBusy, type OpenSqliteOptions, openSqlite } from './sqlite.ts'
export { type ContentFault, type FileFault, formatFileFault, readYamlFile } from './yaml-file.ts'
