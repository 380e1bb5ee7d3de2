// `wintrades deploy [environment] [region]`: the whole platform, or one region of it, on Docker Swarm.

import { resolve } from 'node:path'
import { Command } from 'commander'
import { deploy } from '../deployment/deploy.ts'
import { readFromBackup } from '../deployment/from-backup.ts'
import {
  changingDeployment,
  ENVIRONMENTS,
  type ProcedureOptions,
  parseEnvironment,
  revealTo,
  runProcedure,
} from '../deployment/procedure.ts'
import { readPublicCertificate } from '../deployment/public-certificate.ts'
import { tradeInEveryRegion } from '../deployment/trade-check.ts'
import { MAIN_ENVIRONMENT } from '../topology/read-files.ts'
import { parseTime } from './backup.ts'
import { parsePlace, showPlan } from './plan.ts'

type DeployCommandOptions = ProcedureOptions & {
  readonly place: ReadonlyMap<string, string>
  readonly trade: boolean
  readonly dryRun?: boolean
  readonly fromBackup?: string
  readonly keyFile?: string
  readonly to?: string
}

export function deployCommand(): Command {
  const command = new Command('deploy')
    .description(
      'Brings the platform up on Docker Swarm, or changes what runs to what topology.yml says. Repeating it is safe.',
    )
    .argument('[environment]', `one of ${ENVIRONMENTS.join(', ')}`, parseEnvironment, MAIN_ENVIRONMENT)
    .argument('[region]', 'a region of the topology, or all', 'all')
    .option(
      '--topology <path>',
      'what is deployed where (default: topology.yml; of another environment topology.ENVIRONMENT.yml)',
    )
    .option('--place <region=node>', 'the node that shall carry a region; may be repeated', parsePlace, new Map())
    .option('--no-trade', 'do not trade test orders')
    .option('--from-backup <directory>', 'begin with the data of a backup store, where no database is yet')
    .option('--key-file <path>', 'file of the ENCRYPTION_KEY that the store was written with')
    .option(
      '--to <time>',
      'every commit up to then, such as 2026-11-25T14:30:00Z (default: all that is archived)',
      parseTime,
    )
    .option('--dry-run', 'say what would change, as wintrades plan does, and change nothing')
  return changingDeployment(command).action(
    async (environment: string, region: string, options: DeployCommandOptions) => {
      await run(environment, region, options)
    },
  )
}

async function run(environment: string, region: string, options: DeployCommandOptions): Promise<void> {
  if (options.dryRun === true) return await showPlan({ ...options, environment })
  if (options.fromBackup !== undefined && region !== 'all')
    throw new Error('a backup is of the whole platform: leave the region out')
  const fromBackup =
    options.fromBackup === undefined
      ? null
      : readFromBackup(resolve(options.fromBackup), options.keyFile, options.to ?? null)
  await runProcedure(`deploy ${environment} ${region}`, { ...options, environment }, async (context) => {
    const { topology, say, signal } = context
    const names = topology.regions.map(({ name }) => name)
    if (region !== 'all' && !names.includes(region)) {
      throw new Error(`there is no region ${region}; regions are all, ${names.join(', ')}`)
    }
    const { changed, release, services } = await deploy({
      ...context,
      region: region === 'all' ? null : region,
      placement: options.place,
      ...(fromBackup === null ? {} : { fromBackup }),
      trades: options.trade && topology.tradingMode === 'paper',
      reveal: revealTo(say),
    })
    if (options.trade && topology.tradingMode === 'paper') await tradeInEveryRegion(topology, say, signal)
    for (const warning of readPublicCertificate(topology.domains)?.warnings ?? []) say(`warning: ${warning}`)
    return changed.length === 0
      ? {
          outcome: 'unchanged',
          detail: `nothing was changed: release ${release} runs, ${services.length} services healthy`,
        }
      : {
          outcome: 'done',
          detail: `all healthy: ${services.length} services of release ${release}; changed: ${changed.join(', ')}`,
        }
  })
}
