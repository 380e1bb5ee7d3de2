// The operator's configuration: the environment, and the file that OPERATOR_FILE names. Ends the process with every fault where it cannot be used.

import { type OperatorConfiguration, readOperatorFile } from '@wintrades/operations/operator'
import { type Config, createLogger, type Environment, formatFileFault, loadConfig } from '@wintrades/platform'

const EXIT_MISCONFIGURED = 2

export function readConfiguration(environment: Environment): {
  readonly config: Config
  readonly configuration: OperatorConfiguration
} {
  const read = loadConfig(environment)
  if (!read.ok) return refuse(read.faults.map((fault) => fault.message))
  const { config } = read
  const file = readOperatorFile(config.operatorFile)
  if (!file.ok) return refuse(file.faults.map(formatFileFault))
  return { config, configuration: file.configuration }
}

function refuse(faults: readonly string[]): never {
  const logger = createLogger('operator')
  for (const fault of faults) logger.error('configuration', { fault })
  process.exit(EXIT_MISCONFIGURED)
}
