// An operator as a process: configuration in, the parts that keep the data tier in order out. What they do is in packages/operations/src/operator;
// a new part is a line in `parts`.

import {
  databaseReconciler,
  historyPartitions,
  Lines,
  OperatorServer,
  type Reconciler,
  runReconcilers,
  TrafficOperator,
} from '@wintrades/operations/operator'
import { createLogger, Lifecycle } from '@wintrades/platform'
import { Metrics } from '@wintrades/platform/metrics'
import { backupPart } from './backup.ts'
import { readConfiguration } from './configuration.ts'
import { redisPart } from './redis.ts'

const { config, configuration } = readConfiguration(process.env)
const { region } = config
const logger = createLogger('operator', { level: config.logLevel, fields: { region } })
const lifecycle = new Lifecycle({ logger, stopTimeout_ms: config.stopTimeout_ms })
lifecycle.exitOnSignals()
const lines = new Lines()
const metrics = new Metrics({ region })

const parts: readonly Reconciler[] = [
  ...(configuration.database === null
    ? []
    : [
        databaseReconciler({ region, configuration: configuration.database, logger: logger.child('database'), lines }),
        historyPartitions({
          servers: configuration.database.servers,
          account: configuration.database.access.operator,
          authorityFile: configuration.database.access.authorityFile,
          policy: configuration.history.policy,
          logger: logger.child('history'),
        }),
      ]),
  ...(configuration.redis === null
    ? []
    : [redisPart(config, configuration.redis, { logger: logger.child('redis'), lines })]),
  ...(configuration.balancers === null
    ? []
    : [new TrafficOperator(configuration.balancers, logger.child('traffic'), lines)]),
  ...(configuration.backup === null ? [] : [backupPart(config, configuration.backup, logger.child('backup'))]),
]
for (const part of parts) part.metrics?.(metrics)

const server = new OperatorServer({
  ...configuration.http,
  region,
  parts,
  lines,
  metrics,
  logger: logger.child('http'),
})
try {
  const port = await server.start()
  logger.info('listening', { host: configuration.http.host, port })
} catch (error) {
  logger.error('cannot listen', { ...configuration.http, error })
  process.exit(1)
}
await lifecycle.add({ name: 'http', stop: () => server.stop() })
const stopping = new AbortController()
const running = runReconcilers(parts, logger, stopping.signal)
await lifecycle.add({
  name: 'reconcilers',
  stop: () => {
    stopping.abort()
    return running
  },
})
