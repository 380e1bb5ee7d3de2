// `wintrades hand-over SHARD --to REGION`: moves the leadership of a shard, planned and without loss, and waits until it is there.

import { resolve } from 'node:path'
import { loadConfig, loadSecrets } from '@wintrades/platform'
import { Command } from 'commander'
import { inRepository } from '../repository.ts'
import { ConfigurationFault, type ProcessStatus, readRunningStatus } from '../supervisor/index.ts'
import { type RegionReport, readRegion } from '../supervisor/region-report.ts'

type HandOverOptions = { readonly to: string; readonly data?: string }

const REQUEST_TIMEOUT_MS = 10_000

export function handOverCommand(): Command {
  return new Command('hand-over')
    .description('Moves the leadership of a shard to another region, without loss, and tells how long it took.')
    .argument('<shard>', 'name of the shard, for example us-east')
    .requiredOption('--to <region>', 'the region that shall lead it')
    .option(
      '--data <directory>',
      'data directory of the platform (default: DATA_DIRECTORY, else data beside this program)',
    )
    .action(async (shard: string, options: HandOverOptions, command: Command) => {
      const dataDirectory = resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data')))
      const status = readRunningStatus(dataDirectory)
      if (status === null) throw new Error(`nothing runs on ${dataDirectory}; start it with ./wintrades up`)
      const regions = status.processes.filter((one) => one.region !== undefined)
      const reports = (await Promise.all(regions.map(readRegion))).filter((report) => report !== null)
      const leader = findLeader(reports, shard, command)
      const known = regions.map((one) => one.region)
      if (!known.includes(options.to))
        command.error(`error: there is no region ${options.to}; regions are ${known.join(', ')}`)
      if (leader === options.to) {
        process.stdout.write(`${shard} is led by ${leader} already\n`)
        return
      }
      const from = regions.find((one) => one.region === leader)
      if (from === undefined) throw new Error(`nobody leads ${shard} at this moment; try again`)
      const took_ms = await handOver(from, shard, options.to, operatorKey(dataDirectory))
      process.stdout.write(`${shard}: ${leader} → ${options.to} in ${took_ms.toFixed(0)} ms\n`)
    })
}

/** The newest epoch knows best. */
function findLeader(reports: readonly RegionReport[], name: string, command: Command): string | null {
  const shards = reports.flatMap((report) => report.shards)
  const views = shards.filter((shard) => shard.name === name)
  if (views.length === 0) {
    const names = [...new Set(shards.map((shard) => shard.name))].join(', ')
    command.error(`error: there is no shard ${name}; shards are ${names}`)
  }
  return views.toSorted((left, right) => right.epoch - left.epoch)[0]?.leader ?? null
}

/** As the platform itself has it: from the environment, a file, or generated. */
function operatorKey(dataDirectory: string): string {
  const read = loadConfig({ ...process.env, DATA_DIRECTORY: dataDirectory })
  if (!read.ok) throw new ConfigurationFault(read.faults.map((fault) => fault.message))
  return loadSecrets(read.config).operatorApiKey
}

async function handOver(from: ProcessStatus, shard: string, to: string, key: string): Promise<number> {
  const started_ms = performance.now()
  const response = await fetch(`http://${from.host}:${from.httpPort}/api/v1/operator/hand-over`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ shard, to }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  })
  if (!response.ok) throw new Error(`the hand-over was refused: ${response.status} ${await response.text()}`)
  return performance.now() - started_ms
}
