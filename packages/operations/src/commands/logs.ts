// `wintrades logs SERVICE|REGION`: what its processes have written, from whichever node they run on.

import { appServiceOf } from '@wintrades/topology'
import { Command } from 'commander'
import { Docker } from '../deployment/docker.ts'
import { aboutDeployment, type DeploymentOptions, readTopology } from '../deployment/procedure.ts'
import { readServices } from '../deployment/swarm.ts'

type LogsOptions = DeploymentOptions & { readonly follow?: boolean; readonly since?: string; readonly lines: string }

/** Followed until it is broken off. */
const FOLLOW_MS = 24 * 3_600_000
const ONCE_MS = 60_000

export function logsCommand(): Command {
  return aboutDeployment(new Command('logs'))
    .description('Shows what the processes of a service wrote; of a region, its app processes.')
    .argument('<service>', 'a service of the stack, such as mysql_master, or a region')
    .option('--follow', 'go on with what comes')
    .option('--since <time>', 'such as 10m or 2026-01-01T12:00:00')
    .option('--lines <number>', 'of each process, the last so many', '200')
    .action(async (name: string, options: LogsOptions, command: Command) => {
      const topology = readTopology(options)
      const docker = new Docker()
      const region = topology.regions.find((one) => one.name === name)
      const service = region === undefined ? name : appServiceOf(region.name)
      const known = (await readServices(docker, topology.stack)).map((one) => one.name)
      if (!known.includes(service))
        command.error(
          `error: there is no service ${name}; there are ${[...topology.regions.map((one) => one.name), ...known].join(', ')}`,
        )
      if (!/^\d{1,6}$/.test(options.lines)) command.error('error: --lines must be a whole number')
      await docker.run(
        [
          'service',
          'logs',
          '--tail',
          options.lines,
          ...(options.follow === true ? ['--follow'] : []),
          ...(options.since === undefined ? [] : ['--since', options.since]),
          `${topology.stack}_${service}`,
        ],
        {
          timeout_ms: options.follow === true ? FOLLOW_MS : ONCE_MS,
          onLine: (line) => void process.stdout.write(`${line}\n`),
        },
      )
    })
}
