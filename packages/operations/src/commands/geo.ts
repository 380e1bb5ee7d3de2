// `wintrades geo update`: makes the map from addresses to continents anew, from an openly licensed data package.

import { resolve } from 'node:path'
import type { ContinentMap } from '@wintrades/topology'
import { Command } from 'commander'
import { REPOSITORY } from '../repository.ts'
import { compareDeployment, writeDeployment } from '../topology/deployment-files.ts'
import { GEO_PACKAGE, updateGeoMaps } from '../topology/geo-maps.ts'
import { requireDeployment, topologyFile } from '../topology/read-files.ts'

type UpdateOptions = { readonly topology: string; readonly from?: string }

const HELP = `
The data are those of the npm package ${GEO_PACKAGE} (CC0 1.0), fetched with npm, or of a folder with
its files (--from). The maps are part of the deployment: \`wintrades deploy\` brings them out.
`

export function geoCommand(): Command {
  const update = new Command('update')
    .description(
      'Makes the maps of deployment/haproxy/maps from the newest data, and renders the files that name them.',
    )
    .option('--topology <path>', 'what is deployed where', topologyFile())
    .option('--from <directory>', 'an unpacked data package, instead of fetching it')
    .addHelpText('after', HELP)
    .action(async (options: UpdateOptions) => {
      const topology = requireDeployment(resolve(options.topology))
      const { source, maps } = await updateGeoMaps(
        REPOSITORY,
        options.from === undefined ? null : resolve(options.from),
      )
      process.stdout.write(`${source}\n`)
      for (const [version, map] of Object.entries(maps)) process.stdout.write(`IPv${version}: ${describe(map)}\n`)
      writeDeployment(compareDeployment(topology, REPOSITORY), REPOSITORY)
    })
  return new Command('geo').description('The map by which clients find their region.').addCommand(update)
}

function describe({ networks, longestPrefix, countriesUnknown }: ContinentMap): string {
  const unknown =
    countriesUnknown.length === 0 ? '' : `; on no continent that is known here: ${countriesUnknown.join(', ')}`
  return `${networks} networks, none smaller than /${longestPrefix}${unknown}`
}
