// The front door as a process: configuration in, one listening server out. What it does is in packages/operations/src/front-door.

import { FrontDoor } from '@wintrades/operations/front-door'
import { createLogger, Lifecycle, loadConfig } from '@wintrades/platform'

const read = loadConfig(process.env)
if (!read.ok) {
  for (const fault of read.faults) createLogger('front-door').error('configuration', { fault: fault.message })
  process.exit(2)
}
const { config } = read
const logger = createLogger('front-door', { level: config.logLevel })
const lifecycle = new Lifecycle({ logger, stopTimeout_ms: config.stopTimeout_ms })
lifecycle.exitOnSignals()

const door = new FrontDoor({
  host: config.httpHost,
  port: config.httpPort,
  regions: config.regionAddresses ?? [],
  logger,
})
try {
  await lifecycle.add({
    name: 'front door',
    start: async () => {
      const port = await door.start()
      logger.info('listening', { host: config.httpHost, port })
      process.send?.({ kind: 'listening', httpPort: port })
    },
    stop: () => door.stop(),
  })
} catch (error) {
  logger.error('cannot listen', { host: config.httpHost, port: config.httpPort, error })
  process.exit(1)
}
