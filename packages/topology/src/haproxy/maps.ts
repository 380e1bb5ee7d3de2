// The maps by which a client finds its region, as far as the topology says them.

import { CONTINENT_CODES } from '../geo/continent-map.ts'
import type { Topology } from '../model.ts'

export function renderRegionsMap({ regions }: Topology): string {
  const lines = regions.flatMap(({ name, continents }) => continents.map((one) => `${CONTINENT_CODES[one]} ${name}`))
  return `# Continent, the region of its clients. ${RENDERED}\n${lines.sort().join('\n')}\n`
}

export function renderNetworksMap({ regions }: Topology): string {
  const lines = regions.flatMap(({ name, networks }) => networks.map((network) => `${network} ${name}\n`))
  return `# Networks whose clients belong to a region wherever they are. ${RENDERED}\n${lines.join('')}`
}

/** A running balancer is told its entries; it starts with none. */
export function renderOverridesMap(): string {
  return `# Region, the one that its clients are sent to instead. Entries are made while it runs: docs/topology.md.\n`
}

const RENDERED = 'Rendered from topology.yml by `wintrades render`: change that.'
