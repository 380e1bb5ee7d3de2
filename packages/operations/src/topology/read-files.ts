// topology.yml and markets.yml of a deployment, checked by themselves and against each other.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Markets, readMarkets } from '@wintrades/domain'
import { type FileFault, formatFileFault, readYamlFile } from '@wintrades/platform'
import { readTopology, type Topology } from '@wintrades/topology'
import { inRepository } from '../repository.ts'

export type DeploymentResult =
  | { readonly ok: true; readonly topology: Topology; readonly markets: Markets }
  | { readonly ok: false; readonly faults: readonly FileFault[] }

/** The environment whose file needs no name of its own. */
export const MAIN_ENVIRONMENT = 'production'

/** The installation's own, or the example that comes with the platform; of any other environment than the main one its own alone. */
export function topologyFile(environment = MAIN_ENVIRONMENT): string {
  if (environment !== MAIN_ENVIRONMENT) return inRepository(`topology.${environment}.yml`)
  const own = inRepository('topology.yml')
  return existsSync(own) ? own : inRepository('topology.example.yml')
}

/** What is traded: that of the repository, or the file that WINTRADES_MARKETS names. */
export function marketsFile(): string {
  return resolve(process.env['WINTRADES_MARKETS'] || inRepository('markets.yml'))
}

export function readDeployment(file: string, marketsPath: string): DeploymentResult {
  const markets = readYamlFile(marketsPath, readMarkets)
  if (!markets.ok) return markets
  const read = readYamlFile(file, (raw) => readTopology(raw, markets.markets.shards))
  return read.ok ? { ok: true, topology: read.topology, markets: markets.markets } : read
}

/** For commands, which can do nothing without. */
export function requireDeployment(file: string, markets = marketsFile()): Topology {
  const result = readDeployment(file, markets)
  if (result.ok) return result.topology
  const faults = result.faults.map(formatFileFault).join('\n')
  throw new Error(`the topology cannot be used (topology.example.yml explains every key)\n${faults}`)
}

/** For commands: shard → the regions that may lead it, the first one before all others. */
export function requireShardRegions(): ReadonlyMap<string, readonly string[]> {
  const result = readYamlFile(marketsFile(), readMarkets)
  if (!result.ok) throw new Error(result.faults.map(formatFileFault).join('\n'))
  return new Map(result.markets.shards.map(({ name, regions }) => [name, regions]))
}
