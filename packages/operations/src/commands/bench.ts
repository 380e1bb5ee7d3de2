// `wintrades bench`: runs one bench and prints what it measured beside what it is held against.

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { type Figure, renderFigures } from '../drill/report.ts'
import { inRepository } from '../repository.ts'

const BENCHES = {
  'orders-ws': 'orders over WebSockets, one by one and in batches: rate, and latency at half of it',
  'orders-rest': 'orders over HTTP in batches',
  'orders-mysql': 'orders with the journal on four MySQL servers, next door and 80/200 ms apart (root, Docker)',
  journal: 'what an append to MySQL costs with semi-sync, beside a server that waits for nobody (root, Docker)',
  idle: 'processor time and memory of a platform on which nobody trades, and memory after many orders',
  startup: 'from the command to ready',
  failover: 'from a leader killed, or asked to hand over, to acknowledgements again',
  'book-w1': 'the bare order book on workload W1, beside the one that npm offers',
  'engine-w1': 'the whole engine on workload W1, bytes in and events out: rate, and time of one command',
  'engine-many': 'the engine with many instruments at once, and the memory of instruments, orders and accounts',
  history: 'history rows written to MySQL a second, and a page of an account’s orders among millions, from a replica',
  links: 'what encrypting the links between processes costs, in processor time a frame',
  snapshot: 'a snapshot of a million orders written and restored, and replay from the journal',
} as const
type BenchName = keyof typeof BENCHES

type Options = { readonly data?: string; readonly private: boolean; readonly seconds: number; readonly json: boolean }
type BenchModule = {
  run(options: {
    json: boolean
    seconds: number
    dataDirectory: string
    private: boolean
    say: (line: string) => void
    signal: AbortSignal
  }): Promise<readonly Figure[]>
}

const HELP = `
Benches:
${Object.entries(BENCHES)
  .map(([name, summary]) => `  ${name.padEnd(13)} ${summary}`)
  .join('\n')}

A bench measures the platform that runs on the data directory (wintrades up). If none runs there, it starts a private one
on free ports and stops it at the end; startup and failover always do. Figures depend on the machine and on what else runs.
With --json the last lines on standard output are one object per figure; everything else goes to standard error.
`

export function benchCommand(): Command {
  return new Command('bench')
    .description('Measures the platform, or a part of it, and prints each figure beside what it is held against.')
    .argument('<name>', `one of ${Object.keys(BENCHES).join(', ')}`, benchName)
    .option('--seconds <number>', 'how long each part measures', positive, 10)
    .option(
      '--data <directory>',
      'data directory of the platform (default: DATA_DIRECTORY, else data beside this program)',
    )
    .option('--private', 'use a private platform even if one runs', false)
    .option('--json', 'print figures as JSON', false)
    .addHelpText('after', HELP)
    .action(async (name: BenchName, options: Options) => {
      await run(name, options)
    })
}

async function run(name: BenchName, options: Options): Promise<void> {
  const module = (await import(pathToFileURL(inRepository('tests', 'bench', `${name}.ts`)).href)) as BenchModule
  const out = options.json ? process.stderr : process.stdout
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
  const figures = await module.run({
    json: options.json,
    seconds: options.seconds,
    dataDirectory: resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data'))),
    private: options.private,
    say: (line) => void out.write(`${line}\n`),
    signal: interrupted.signal,
  })
  process.stdout.write(`${options.json ? renderFigures(figures) : renderTable(figures)}\n`)
}

function renderTable(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map((one) => one.name.length))
  return figures
    .map(({ name, value, unit, reference }) => {
      const beside = reference === null ? '' : `   (reference ${formatNumber(reference)} ${unit})`
      return `  ${name.padEnd(width)}  ${formatNumber(value).padStart(12)} ${unit}${beside}`
    })
    .join('\n')
}

function formatNumber(value: number): string {
  return value.toLocaleString('en-GB', { maximumFractionDigits: Math.abs(value) < 100 ? 3 : 0 })
}

function benchName(text: string): BenchName {
  if (Object.hasOwn(BENCHES, text)) return text as BenchName
  throw new InvalidArgumentError(`It must be one of ${Object.keys(BENCHES).join(', ')}.`)
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a number above 0.')
}
