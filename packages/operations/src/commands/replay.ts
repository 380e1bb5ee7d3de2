// `wintrades replay FILE`: plays recorded order flow to the platform through the public API, and says what came of it.

import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { inRepository } from '../repository.ts'

const HELP = `
Known recordings, plain or packed (.gz, .xz): orders of the Spanish exchange (BME) as CSV, order events of Bitstamp as CSV,
captures of Binance's depth and trade streams. docs/replay.md describes them.

A recording is played to the platform that runs on the data directory (wintrades up), where the simulated market and others
trade too. If none runs there, or with --private, a private platform is started on free ports, with an instrument made for the
recording and nobody else; it is stopped and removed at the end. There the trades must be those of an independent price-time
matcher, or this fails.
`

type Options = {
  readonly speed: number
  readonly accounts: number
  readonly symbol?: string
  readonly data?: string
  readonly private: boolean
  readonly json: boolean
}

const ACCOUNTS_MAX = 64
const BAR_CHARS = 30

export function replayCommand(): Command {
  return new Command('replay')
    .description('Sends recorded order flow through the public API: WebSocket, several accounts, in order.')
    .argument('<file>', 'the recording')
    .addOption(
      new Option('--speed <factor>', 'times as fast as recorded, 1 or more; max: as fast as answers come')
        .argParser(speed)
        .default(Number.POSITIVE_INFINITY, 'max'),
    )
    .option('--accounts <number>', 'how many accounts share the orders', accounts, 4)
    .option('--symbol <symbol>', 'the instrument (default: what the recording says)', symbol)
    .option(
      '--data <directory>',
      'data directory of the platform (default: DATA_DIRECTORY, else data beside this program)',
    )
    .option('--private', 'use a private platform even if one runs', false)
    .option('--json', 'print figures as JSON', false)
    .addHelpText('after', HELP)
    .action(async (file: string, options: Options) => {
      process.exitCode = (await run(file, options)) ? 0 : 1
    })
}

async function run(file: string, options: Options): Promise<boolean> {
  const { renderFigures } = await import('../drill/report.ts')
  const { matchesExpectation, renderResult, replayFigures } = await import('../replay/result.ts')
  const { replay } = await import('../replay/run.ts')
  const out = options.json ? process.stderr : process.stdout
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
  process.once('SIGTERM', () => interrupted.abort(new Error('interrupted')))
  const result = await replay({
    file: resolve(file),
    dataDirectory: resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data'))),
    private: options.private,
    symbol: options.symbol ?? null,
    accounts: options.accounts,
    speed: options.speed,
    say: (line) => out.write(`${line}\n`),
    progress: out.isTTY
      ? (share, text) => out.write(`\r${bar(share)} ${text}\u001b[K${share === 1 ? '\n' : ''}`)
      : () => {},
    signal: interrupted.signal,
  })
  out.write(`${renderResult(result)}\n`)
  if (options.json) process.stdout.write(`${renderFigures(replayFigures(result))}\n`)
  // Where others trade too, other trades are no failure.
  return result.private ? matchesExpectation(result) : result.unknown === 0
}

export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CHARS)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CHARS - full)} ${String(Math.floor(share * 100)).padStart(3)} %`
}

function speed(value: string): number {
  if (value === 'max') return Number.POSITIVE_INFINITY
  const number = Number(value)
  if (/^[0-9.]+$/.test(value) && Number.isFinite(number) && number >= 1) return number
  throw new InvalidArgumentError('Give a number from 1 on, or max.')
}

function accounts(value: string): number {
  const number = Number(value)
  if (/^[0-9]+$/.test(value) && number >= 1 && number <= ACCOUNTS_MAX) return number
  throw new InvalidArgumentError(`Give a whole number from 1 to ${ACCOUNTS_MAX}.`)
}

function symbol(value: string): string {
  if (/^[A-Z0-9]{1,10}-[A-Z0-9]{1,10}$/.test(value)) return value
  throw new InvalidArgumentError('Give BASE-QUOTE, such as ANA-EUR.')
}
