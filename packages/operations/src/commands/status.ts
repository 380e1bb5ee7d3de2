// `wintrades status`: what runs on a data directory, and what its regions say of their shards.

import { resolve } from 'node:path'
import { Command } from 'commander'
import { inRepository } from '../repository.ts'
import { readRunningStatus } from '../supervisor/index.ts'
import { table } from '../supervisor/panel.ts'
import { readRegion } from '../supervisor/region-report.ts'

export function statusCommand(): Command {
  return new Command('status')
    .description('Shows the processes of the running platform, and each shard as each region sees it.')
    .option(
      '--data <directory>',
      'data directory of the platform (default: DATA_DIRECTORY, else data beside this program)',
    )
    .option('--json', 'one JSON object')
    .action(async (options: { readonly data?: string; readonly json?: boolean }) => {
      const dataDirectory = resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data')))
      const status = readRunningStatus(dataDirectory)
      if (status === null) {
        process.stdout.write(options.json === true ? 'null\n' : `nothing runs on ${dataDirectory}\n`)
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
