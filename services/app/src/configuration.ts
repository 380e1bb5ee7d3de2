// What the process is told: the environment and markets.yml, whole and checked, or every fault of them on its log and exit code 2.

import type { Markets, RegionName } from '@wintrades/domain'
import { readMarkets } from '@wintrades/domain'
import {
  type Config,
  createLogger,
  type Environment,
  formatFileFault,
  loadConfig,
  readYamlFile,
} from '@wintrades/platform'
import { calendarFault, type LinkTlsFiles, type Peer } from '@wintrades/venue'

export type AppConfig = Omit<Config, 'region' | 'linkPeers'> & {
  readonly region: RegionName
  readonly linkPeers: readonly Peer[] | null
}

export function readConfiguration(environment: Environment): { readonly config: AppConfig; readonly markets: Markets } {
  const read = loadConfig(environment)
  if (!read.ok) return refuse(read.faults.map((fault) => fault.message))
  const file = readYamlFile(read.config.marketsFile, readMarkets)
  if (!file.ok) return refuse(file.faults.map(formatFileFault))
  const { config } = read
  const { markets } = file
  const regions = new Set<string>(markets.shards.flatMap((shard) => [...shard.regions]))
  const strangers = [config.region, ...(config.linkPeers ?? []).map((peer) => peer.region)].filter(
    (one) => !regions.has(one),
  )
  if (strangers.length > 0) {
    return refuse([`${strangers.join(', ')}: no region of ${config.marketsFile}, which has ${[...regions].join(', ')}`])
  }
  const faults = markets.instruments.flatMap(({ calendar }) =>
    calendar === null ? [] : (calendarFault(calendar) ?? []),
  )
  if (faults.length > 0) return refuse([...new Set(faults)].map((fault) => `${config.marketsFile}: ${fault}`))
  return { config: config as unknown as AppConfig, markets }
}

/** null: links are not encrypted. */
export function linkTlsFiles({
  linkCertificateFile: certificateFile,
  linkCertificateKeyFile: keyFile,
  linkCaFile: caFile,
}: AppConfig): LinkTlsFiles | null {
  return certificateFile === null || keyFile === null || caFile === null ? null : { certificateFile, keyFile, caFile }
}

function refuse(faults: readonly string[]): never {
  const logger = createLogger('app')
  for (const fault of faults) logger.error('configuration', { fault })
  process.exit(2)
}
