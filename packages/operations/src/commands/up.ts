// `wintrades up`: the whole platform on this machine until Ctrl-C, one line per event, a live panel on a terminal.

import { resolve } from 'node:path'
import { loadConfig } from '@wintrades/platform'
import { Command, InvalidArgumentError } from 'commander'
import { inRepository } from '../repository.ts'
import { ConfigurationFault, DataInUse, type Platform, type PlatformEvent, startPlatform } from '../supervisor/index.ts'
import { Panel } from '../supervisor/panel.ts'

type UpOptions = {
  readonly port?: number
  readonly data?: string
  readonly processes: number
  readonly simulation: boolean
}

const DEFAULT_PORT = 8000
const EXIT_REFUSED = 2
const PROCESSES_MAX = 10

export function upCommand(): Command {
  return new Command('up')
    .description(
      'Starts three regions, a front door and a simulated market on this machine, and keeps them running until Ctrl-C. ' +
        'The environment configures it (docs/configuration.md).',
    )
    .option(
      '--port <port>',
      `port of the front door (default: HTTP_PORT, else ${DEFAULT_PORT}; 0: any free one)`,
      parsePort,
    )
    .option('--data <directory>', 'where data lives (default: DATA_DIRECTORY, else data beside this program)')
    .option('--processes <number>', `how many processes each region has, up to ${PROCESSES_MAX}`, parseProcesses, 1)
    .option('--no-simulation', 'without the simulated market')
    .action(async (options: UpOptions) => {
      process.exitCode = await up(options)
    })
}

async function up(options: UpOptions): Promise<number> {
  const started_ms = performance.now()
  const panel = process.stdout.isTTY ? new Panel(process.stdout) : null
  const print = (line: string) => (panel === null ? void process.stdout.write(`${line}\n`) : panel.print(line))
  const stopping = new AbortController()
  const stopped = new Promise<void>((done) => {
    const stop = () => {
      if (stopping.signal.aborted) process.exit(1) // asked twice: the children see the channel close
      stopping.abort()
      done()
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  })
  let platform: Platform
  try {
    platform = await startPlatform({
      dataDirectory: resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data'))),
      port: options.port ?? (process.env['HTTP_PORT'] ? Number(process.env['HTTP_PORT']) : DEFAULT_PORT),
      processesPerRegion: options.processes,
      simulation: options.simulation,
      onEvent: (event) => print(describe(event)),
      signal: stopping.signal,
    })
  } catch (error) {
    return explain(error, stopping.signal.aborted)
  }
  print(`\n${ready(platform, (performance.now() - started_ms) / 1_000)}\n`)
  panel?.start(platform)
  await stopped
  panel?.stop()
  process.stdout.write(`${clock()} stopping\n`)
  await platform.stop()
  process.stdout.write(`${clock()} stopped\n`)
  return 0
}

function explain(error: unknown, interrupted: boolean): number {
  if (interrupted) return 1
  if (!(error instanceof ConfigurationFault) && !(error instanceof DataInUse)) throw error
  process.stderr.write(`wintrades: ${error.message}\n`)
  return EXIT_REFUSED
}

function ready(platform: Platform, seconds: number): string {
  const url = platform.baseUrl.replace('127.0.0.1', 'localhost')
  const unused = loadConfig(process.env)
  const lines = [
    `ready in ${seconds.toFixed(1)} s`,
    '',
    `  API, readable    ${url}/docs`,
    `  API, OpenAPI     ${url}/openapi.json`,
    `  streams          ${url.replace('http', 'ws')}/ws`,
    `  one region       ${url}/region/us-east/health/region`,
    `  data             ${platform.dataDirectory}`,
    `  mode             ${platform.config.tradingMode}`,
  ]
  if (unused.ok && unused.notUsedYet.length > 0) {
    lines.push('', '  given, checked, and not used yet:')
    for (const { variable, part } of unused.notUsedYet) lines.push(`    ${variable} (waits for ${part})`)
  }
  return lines.join('\n')
}

function describe(event: PlatformEvent): string {
  return `${clock()} ${event.process.padEnd(14)} ${event.message}`
}

/** In the zone that TIMEZONE names; a wrong one has been refused before the first event. */
function clock(): string {
  return new Date().toLocaleTimeString('en-GB', { timeZone: process.env['TIMEZONE'] || 'UTC' })
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.')
}

function parseProcesses(text: string): number {
  const count = Number(text)
  if (/^\d{1,2}$/.test(text) && count >= 1 && count <= PROCESSES_MAX) return count
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${PROCESSES_MAX}.`)
}
