// `wintrades status`: what runs on a data directory, and what its regions say of their shards.

import { resolve } from 'node:path'
import { Command } from 'commander'
import { Docker } from '../deployment/docker.ts'
import { type DeploymentOptions, parseEnvironment, readTopology } from '../deployment/procedure.ts'
import { readStackStatus } from '../deployment/stack-status.ts'
import { StateDirectory } from '../deployment/state-directory.ts'
import { describeStack, isWell } from '../deployment/status-screen.ts'
import { inRepository } from '../repository.ts'
import { readRunningStatus } from '../supervisor/index.ts'
import { table } from '../supervisor/panel.ts'
import { readRegion } from '../supervisor/region-report.ts'

type StatusOptions = DeploymentOptions & {
  readonly data?: string
  readonly json?: boolean
  readonly stack?: boolean
}

export function statusCommand(): Command {
  return new Command('status')
    .description(
      'Shows the processes of the running platform, and each shard as each region sees it; or everything of a deployment.',
    )
    .option(
      '--data <directory>',
      'data directory of the platform (default: DATA_DIRECTORY, else data beside this program)',
    )
    .option('--json', 'one JSON object')
    .option('--stack', 'the deployment on Docker Swarm, even where a platform runs on this machine')
    .option('--environment <name>', 'of that deployment', parseEnvironment)
    .option('--topology <path>', 'of that deployment')
    .action(async (options: StatusOptions) => {
      if (options.stack === true || options.environment !== undefined || options.topology !== undefined) {
        await showStack(options)
        return
      }
      const dataDirectory = resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data')))
      const status = readRunningStatus(dataDirectory)
      if (status === null) {
        process.stdout.write(
          options.json === true
            ? 'null\n'
            : `nothing runs on ${dataDirectory}; a deployment on Docker Swarm shows wintrades status --stack\n`,
        )
        process.exitCode = 1
        return
      }
      const running = status.processes.filter((one) => one.region !== undefined)
      const reports = (await Promise.all(running.map(readRegion))).filter((report) => report !== null)
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify({ ...status, regions: reports })}\n`)
        return
      }
      const processes = status.processes.map((one) => [
        one.name,
        one.state,
        String(one.pid ?? '–'),
        String(one.restarts),
      ])
      const shards = reports.flatMap((report) =>
        report.shards.map((shard) => [
          shard.name,
          report.region,
          shard.leader ?? 'none',
          String(shard.epoch),
          String(shard.seq),
          shard.fault ?? 'healthy',
        ]),
      )
      const lines = [
        `http://localhost:${status.frontDoor.port}, pid ${status.pid}, since ${status.startedAt}`,
        '',
        ...table(['process', 'state', 'pid', 'restarts'], processes),
        '',
        ...table(['shard', 'seen from', 'leader', 'epoch', 'seq', ''], shards.toSorted()),
      ]
      process.stdout.write(`${lines.join('\n')}\n`)
    })
}

/** Exit code 1 where something is not as it shall be. */
async function showStack(options: StatusOptions): Promise<void> {
  const topology = readTopology(options)
  const status = await readStackStatus(new Docker(), topology, new StateDirectory(topology.stack))
  const text = options.json === true ? JSON.stringify(status) : describeStack(topology, status).join('\n')
  process.stdout.write(`${text}\n`)
  process.exitCode = isWell(status) ? 0 : 1
}
