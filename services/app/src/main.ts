// A region's process: configuration in; the venue in a thread of its own, the archiver in another, the gateway in this one. All wiring is
// here and in `archiver.ts`; what the parts do is in their packages.

import { createGateway } from '@wintrades/gateway'
import { MarketData } from '@wintrades/marketdata'
import { createLogger, Lifecycle, loadSecrets } from '@wintrades/platform'
import { Metrics } from '@wintrades/platform/metrics'
import { mysqlOptions } from '@wintrades/platform/mysql'
import { startVenue, type Venue } from '@wintrades/venue'
import { startArchiver } from './archiver.ts'
import { linkTlsFiles, readConfiguration } from './configuration.ts'
import { openHistory } from './history.ts'
import { openRedis } from './redis.ts'

const { config, markets } = readConfiguration(process.env)
const { region, dataDirectory } = config
const secrets = loadSecrets(config)
const journal = { dataDirectory, mysql: mysqlOptions(config) }
const logger = createLogger('app', { level: config.logLevel, fields: { region } })
const lifecycle = new Lifecycle({ logger, stopTimeout_ms: config.stopTimeout_ms })
lifecycle.exitOnSignals()

/** Without one of its threads a region is no use: it ends, and its supervisor starts it again. */
function end(reason: string, error: Error): void {
  if (lifecycle.stopping) return
  logger.error(reason, { error })
  void lifecycle.stop(reason).then(() => process.exit(70))
}

async function openVenue(): Promise<Venue> {
  const venue = await startVenue({
    region,
    markets,
    journal,
    linkHost: config.linkHost,
    linkPort: config.linkPort,
    peers: config.linkPeers ?? [],
    linkKey: secrets.linkKey,
    linkTls: linkTlsFiles(config),
    logLevel: config.logLevel,
    onFailure: (error) => end('the venue has failed', error),
  })
  await lifecycle.add({ name: 'venue', stop: () => venue.close() })
  return venue
}

try {
  const venue = await openVenue()
  const archiver = startArchiver({
    venue,
    markets,
    dataDirectory,
    journal,
    logLevel: config.logLevel,
    onFailure: (error) => end('the archiver has failed', error),
  })
  await lifecycle.add({ name: 'archiver', stop: () => archiver.stop() })
  const metrics = new Metrics({ region })
  const history = openHistory(journal, { markets, metrics, logger })
  await lifecycle.add({ name: 'history', stop: () => history.close() })
  const redis = await openRedis(config, { logger, metrics })
  if (redis !== null) await lifecycle.add({ name: 'redis', stop: () => redis.close() })
  const gateway = createGateway({
    config,
    secrets,
    markets,
    venue,
    marketData: new MarketData(markets),
    history: history.reader,
    metrics,
    logger,
    ...(redis === null ? {} : { redis }),
  })
  await lifecycle.add({
    name: 'gateway',
    start: async () => {
      const { port } = await gateway.start()
      logger.info('listening', { host: config.httpHost, port })
      process.send?.({ kind: 'listening', httpPort: port })
    },
    stop: () => gateway.stop(),
  })
} catch (error) {
  logger.error('cannot start', { error })
  await lifecycle.stop('cannot start')
  process.exit(1)
}
