// The simulated market as a process: finds the front door in FRONT_DOOR_URL, keeps its accounts in DATA_DIRECTORY/simulation.json,
// and stops in order on SIGTERM or when its supervisor is gone.

import { join } from 'node:path'
import { createLogger, Lifecycle, loadConfig } from '@wintrades/platform'
import { Simulation } from './simulation.ts'

const read = loadConfig(process.env)
const baseUrl = process.env['FRONT_DOOR_URL'] ?? ''
if (!read.ok || !URL.canParse(baseUrl)) {
  const faults = read.ok ? [] : read.faults.map((fault) => fault.message)
  if (!URL.canParse(baseUrl)) faults.push('FRONT_DOOR_URL must be the address of a front door')
  for (const fault of faults) createLogger('simulation').error('configuration', { fault })
  process.exit(2)
}
const { config } = read
const logger = createLogger('simulation', { level: config.logLevel })
const lifecycle = new Lifecycle({ logger, stopTimeout_ms: config.stopTimeout_ms })
lifecycle.exitOnSignals()

if (config.tradingMode === 'live') {
  // Stays, because a supervisor would start it again; does nothing, because real accounts trade with real money here.
  logger.warn('TRADING_MODE=live: there is no simulated market')
  setInterval(() => {}, 2 ** 30)
} else {
  const simulation = new Simulation({
    baseUrl,
    accountsFile: join(config.dataDirectory, 'simulation.json'),
    logger,
    seed: Date.now() % 1_000_000,
  })
  await lifecycle.add({ name: 'simulation', start: () => simulation.start(), stop: () => simulation.stop() })
}
