// `wintrades drill`: carries out a drill, prints its timeline and what was checked, and fails unless every promise held.

import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { DrillResult } from '../drill/report.ts'
import { inRepository } from '../repository.ts'

const HELP = `
Drills:
  region-loss   kill -9 the process that leads a shard
  region-stall  freeze that process until another leads, then let it go on: two leaders
  hand-over     move a shard to another region as an operator does

A drill works against the platform that runs on the data directory (wintrades up). If none runs there, it starts a
private one on free ports and stops it at the end. It registers accounts of its own and leaves them without open orders.
With --json the last lines on standard output are one object per figure; everything else goes to standard error.
`

const DRILLS = { 'region-loss': 'kill', 'region-stall': 'stall', 'hand-over': 'hand-over' } as const
type DrillName = keyof typeof DRILLS

type Options = {
  readonly data?: string
  readonly private: boolean
  readonly seconds: number
  readonly rate: number
  readonly clients: number
  readonly times: number
  readonly seed?: number
  readonly json: boolean
}

export function drillCommand(): Command {
  return new Command('drill')
    .description('Takes a leader away while clients trade, then checks that no acknowledged order was lost.')
    .argument('<name>', `one of ${Object.keys(DRILLS).join(', ')}`, drillName)
    .option('--seconds <number>', 'how long clients trade', positive, 15)
    .option('--rate <number>', 'commands a second, over all clients', positive, 600)
    .option('--clients <number>', 'how many clients, spread over the regions', positive, 6)
    .option('--times <number>', 'how often to repeat the drill', positive, 1)
    .addOption(
      new Option('--seed <number>', 'repeat the intentions of a drill, and its choice of shard').argParser(positive),
    )
    .option(
      '--data <directory>',
      'data directory of the platform (default: DATA_DIRECTORY, else data beside this program)',
    )
    .option('--private', 'use a private platform even if one runs', false)
    .option('--json', 'print figures as JSON', false)
    .addHelpText('after', HELP)
    .action(async (name: DrillName, options: Options) => {
      process.exitCode = (await run(name, options)) ? 0 : 1
    })
}

async function run(name: DrillName, options: Options): Promise<boolean> {
  const { renderConditions, renderFigures, renderVerdict } = await import('../drill/report.ts')
  const { leaderFault } = await import('../drill/leader-faults.ts')
  const { runDrill } = await import('../drill/run.ts')
  const out = options.json ? process.stderr : process.stdout
  const say = (line: string) => out.write(`${line}\n`)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
  const results: DrillResult[] = []
  const firstSeed = options.seed ?? Date.now() % 1_000_000
  for (let i = 0; i < options.times; i++) {
    const seed = firstSeed + i
    say(`drill ${name}, seed ${seed}${options.times > 1 ? ` (${i + 1} of ${options.times})` : ''}`)
    const result = await runDrill({
      fault: leaderFault(DRILLS[name]),
      dataDirectory: resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data'))),
      private: options.private,
      seconds: options.seconds,
      rate: options.rate,
      clients: options.clients,
      seed,
      say,
      signal: interrupted.signal,
    })
    say(`\n${renderVerdict(result.verdict)}\n\n${renderConditions(result.conditions)}\n`)
    say(result.passed ? `drill ${name} passed` : `DRILL ${name} FAILED; its intentions repeat with --seed ${seed}`)
    results.push(result)
  }
  if (options.json) process.stdout.write(`${results.map((one) => renderFigures(one.figures)).join('\n')}\n`)
  return results.every((one) => one.passed)
}

function drillName(value: string): DrillName {
  if (value in DRILLS) return value as DrillName
  throw new InvalidArgumentError(`Drills are ${Object.keys(DRILLS).join(', ')}.`)
}

function positive(value: string): number {
  const number = Number(value)
  if (Number.isFinite(number) && number > 0 && /^[0-9.]+$/.test(value)) return number
  throw new InvalidArgumentError('Give a number greater than zero.')
}
