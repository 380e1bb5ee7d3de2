// `wintrades drill`: carries out a drill, prints its timeline and what was checked, and fails unless every promise held.

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatFileFault } from '@wintrades/platform'
import { Command, InvalidArgumentError, Option } from 'commander'
import { requireTyped } from '../deployment/confirm.ts'
import { readRemains } from '../deployment/destroy.ts'
import { Docker } from '../deployment/docker.ts'
import { runStackDrill, STACK_DRILLS, type StackDrillName } from '../deployment/drills.ts'
import { readKeyFile } from '../deployment/from-backup.ts'
import {
  aboutDeployment,
  changingDeployment,
  type ProcedureOptions,
  readTopology,
  revealTo,
  runProcedure,
} from '../deployment/procedure.ts'
import { runTotalLoss } from '../deployment/total-loss.ts'
import { DATABASE_FAULTS, type DatabaseFault } from '../drill/database-faults.ts'
import type { DrillResult } from '../drill/report.ts'
import type { DrillFault } from '../drill/trading-drill.ts'
import { inRepository } from '../repository.ts'

/** What `tests/cluster/drill.ts` is asked for. */
type LabDrillOptions = {
  readonly fault: DatabaseFault
  readonly delayed: boolean
  readonly seconds: number
  readonly rate: number
  readonly clients: number
  readonly seeds: readonly number[]
  readonly say: (line: string) => void
  readonly onResult: (seed: number, result: DrillResult) => void
  readonly signal: AbortSignal
}

const PLATFORM_DRILLS = {
  'region-loss': { fault: 'kill', summary: 'kill -9 the process that leads a shard' },
  'region-stall': {
    fault: 'stall',
    summary: 'freeze that process until another leads, then let it go on: two leaders',
  },
  'hand-over': { fault: 'hand-over', summary: 'move a shard to another region as an operator does' },
  'cache-loss': {
    fault: 'cache-loss',
    summary: 'empty and freeze every Redis node of OPERATOR_FILE for five seconds; needs CACHE_DRIVER=redis',
  },
} as const
type PlatformDrill = keyof typeof PLATFORM_DRILLS
type DrillName = PlatformDrill | DatabaseFault
const NAMES = [
  ...new Set([
    ...Object.keys(PLATFORM_DRILLS),
    ...Object.keys(DATABASE_FAULTS),
    'restore',
    ...Object.keys(STACK_DRILLS),
    'total-loss',
  ]),
]

const HELP = `
Drills of the platform that runs on the data directory (wintrades up). If none runs there, a private one is started on free ports and stopped at the end.
${list(PLATFORM_DRILLS)}

Drills of the database of three regions. They start a platform of their own in a lab on this machine: MySQL servers in containers, regions in network
namespaces, 80 and 200 ms between them unless --no-delays is given. That needs Linux, root and Docker; the first time, images are built for two minutes.
${list(DATABASE_FAULTS)}

Drill of the backups, against the data tier that --file (operator.yml) describes:
  restore                   back it up as it runs, restore that to a scratch server with everything archived, prove it, and tell how long it took

Drills of a deployment on Docker Swarm, with --stack: of the one in topology.yml, or where --topology or --environment say. Clients trade through its load balancer, in
paper mode; planned work must not fail one request.
${list(STACK_DRILLS)}
  total-loss                everything but a copy of the backups is removed, while clients trade, and brought back from it. Needs --store, --key-file,
                            --confirm; what was not archived yet is lost

A drill registers accounts of its own and leaves them without open orders. It passes when every promise held and trading went on in time.
With --json the last lines on standard output are one object per figure; everything else goes to standard error.
`

type Options = {
  readonly data?: string
  readonly private: boolean
  readonly delays: boolean
  readonly seconds: number
  readonly rate: number
  readonly clients: number
  readonly times: number
  readonly seed?: number
  readonly json: boolean
  readonly file: string
  readonly stack: boolean
  readonly region?: string
  readonly store?: string
  readonly keyFile?: string
  readonly confirm?: string
} & ProcedureOptions

export function drillCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('drill')))
    .description('Breaks something while clients trade, then checks that no acknowledged order was lost.')
    .argument('<name>', `one of ${NAMES.join(', ')}`, drillName)
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
    .option('--no-delays', 'drills of the database: no delays between the regions')
    .option('--json', 'print figures as JSON', false)
    .option(
      '--file <path>',
      "the operators' configuration, for restore",
      process.env['OPERATOR_FILE'] || inRepository('operator.yml'),
    )
    .option('--stack', 'on the deployment', false)
    .option('--region <name>', 'with --stack, the region that is evacuated or lost (default: the first)')
    .option('--store <directory>', 'total-loss: a new folder for the copy of the backups')
    .option('--key-file <path>', 'total-loss: file of the ENCRYPTION_KEY, as the first deploy showed it')
    .option('--confirm <stack>', 'total-loss: the name of the stack, typed once more, instead of being asked')
    .addHelpText('after', HELP)
    .action(async (name: string, options: Options) => {
      process.exitCode = (await start(name, options)) ? 0 : 1
    })
}

async function start(name: string, options: Options): Promise<boolean> {
  if (options.stack) {
    if (isStackDrill(name) || name === 'total-loss') return await runOnStack(name, options).then(() => true)
    throw new Error(`drills on a deployment are ${Object.keys(STACK_DRILLS).join(', ')}, total-loss`)
  }
  if (name === 'restore') return await runRestore(options)
  if (isPlatformDrill(name) || isDatabaseDrill(name)) return await run(name, options)
  throw new Error(`${name} is a drill of a deployment: say --stack`)
}

/** Throws where it failed, so that the record of procedures says so. */
async function runOnStack(name: StackDrillName | 'total-loss', options: Options): Promise<void> {
  const { renderConditions, renderFigures } = await import('../drill/report.ts')
  const { regions, stack, tradingMode } = readTopology(options)
  if (tradingMode !== 'paper')
    throw new Error('clients of a drill have no money but in paper mode: this deployment trades for real')
  const region = options.region ?? regions[0]?.name
  if (region === undefined || regions.every((one) => one.name !== region))
    throw new Error(`regions are ${regions.map((one) => one.name).join(', ')}, not ${region}`)
  const loss = name === 'total-loss' ? await requireLoss(stack, options) : null
  let lines = ''
  try {
    await runProcedure(`drill ${name}`, options, async (context) => {
      const out = options.json ? process.stderr : process.stdout
      const say = (line: string) => void out.write(`${line}\n`)
      const { passed, conditions, figures } =
        loss === null
          ? await runStackDrill({ ...context, say }, name as StackDrillName, region, options.seconds)
          : await runTotalLoss({ ...context, say }, { ...loss, seconds: options.seconds, reveal: revealTo(say) })
      lines = `${renderFigures(figures)}\n`
      say(`\n${renderConditions(conditions)}\n`)
      if (!passed) throw new Error(`DRILL ${name} FAILED`)
      return { outcome: 'done', detail: `drill ${name} passed` }
    })
  } finally {
    if (options.json) process.stdout.write(lines)
  }
}

/** What a complete loss needs, and that it is wanted. */
async function requireLoss(
  stack: string,
  { store, keyFile, confirm }: Options,
): Promise<{ readonly store: string; readonly key: string }> {
  if (store === undefined || keyFile === undefined)
    throw new Error(
      'total-loss needs --store, a new folder for the copy of the backups, and --key-file, their ENCRYPTION_KEY',
    )
  const key = readKeyFile(keyFile)
  for (const line of await readRemains(new Docker(), stack, true)) process.stderr.write(`${line}\n`)
  await requireTyped(stack, confirm)
  return { store: resolve(store), key }
}

async function runRestore(options: Options): Promise<boolean> {
  const { openBackups, runRestoreDrill } = await import('../backup/index.ts')
  const { renderFigures } = await import('../drill/report.ts')
  const { readTargetMarkets } = await import('../drill/target.ts')
  const { createLogger } = await import('@wintrades/platform')
  const out = options.json ? process.stderr : process.stdout
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
  const figures = await runRestoreDrill({
    ...(await openBackups(options.file)),
    markets: readTargetMarkets().markets,
    logger: createLogger('drill', { level: 'warn', write: (line) => process.stderr.write(line) }),
    say: (line) => out.write(`${line}\n`),
    signal: interrupted.signal,
  })
  for (const { name, value, unit } of figures) out.write(`  ${name}: ${value} ${unit}\n`)
  out.write('drill restore passed\n')
  if (options.json) process.stdout.write(`${renderFigures(figures)}\n`)
  return true
}

async function run(name: DrillName, options: Options): Promise<boolean> {
  const { renderConditions, renderFigures, renderVerdict } = await import('../drill/report.ts')
  const out = options.json ? process.stderr : process.stdout
  const say = (line: string) => void out.write(`${line}\n`)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
  const results: DrillResult[] = []
  const firstSeed = options.seed ?? Date.now() % 1_000_000
  const seeds = Array.from({ length: options.times }, (_, i) => firstSeed + i)
  const onResult = (seed: number, result: DrillResult) => {
    say(`\n${renderVerdict(result.verdict)}\n\n${renderConditions(result.conditions)}\n`)
    say(result.passed ? `drill ${name} passed` : `DRILL ${name} FAILED; its intentions repeat with --seed ${seed}`)
    results.push(result)
  }
  say(`drill ${name}, ${seeds.length > 1 ? `seeds ${firstSeed} to ${seeds.at(-1)}` : `seed ${firstSeed}`}`)
  const { seconds, rate, clients } = options
  const common = { seconds, rate, clients, seeds, say, onResult, signal: interrupted.signal }
  if (isPlatformDrill(name)) await runOnPlatform(name, options, common)
  else await runInLab(name, options, common)
  if (options.json) process.stdout.write(`${results.map((one) => renderFigures(one.figures)).join('\n')}\n`)
  return results.every((one) => one.passed)
}

type Common = Omit<LabDrillOptions, 'fault' | 'delayed'>

async function runOnPlatform(name: PlatformDrill, options: Options, common: Common): Promise<void> {
  const { runDrill } = await import('../drill/run.ts')
  for (const seed of common.seeds) {
    const result = await runDrill({
      ...common,
      fault: await faultOf(name),
      dataDirectory: resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data'))),
      private: options.private,
      seed,
    })
    common.onResult(seed, result)
  }
}

async function faultOf(name: PlatformDrill): Promise<DrillFault> {
  const { fault } = PLATFORM_DRILLS[name]
  if (fault !== 'cache-loss') return (await import('../drill/leader-faults.ts')).leaderFault(fault)
  const { cacheFault } = await import('../drill/cache-faults.ts')
  const { readOperatorFile } = await import('../operator/index.ts')
  const file = process.env['OPERATOR_FILE'] || inRepository('operator.yml')
  const read = readOperatorFile(file)
  if (!read.ok) throw new Error(read.faults.map(formatFileFault).join('\n'))
  if (read.configuration.redis === null) throw new Error(`${file} has no section redis: operator.example.yml shows it`)
  return cacheFault(read.configuration.redis)
}

/** The lab is a part of the tests, beside the packages. */
async function runInLab(fault: DatabaseFault, { delays }: Options, common: Common): Promise<void> {
  const module = (await import(pathToFileURL(inRepository('tests', 'cluster', 'drill.ts')).href)) as {
    run(options: LabDrillOptions): Promise<void>
  }
  await module.run({ ...common, fault, delayed: delays })
}

function isPlatformDrill(name: string): name is PlatformDrill {
  return name in PLATFORM_DRILLS
}

function isDatabaseDrill(name: string): name is DatabaseFault {
  return name in DATABASE_FAULTS
}

function isStackDrill(name: string): name is StackDrillName {
  return name in STACK_DRILLS
}

function list(drills: Readonly<Record<string, { readonly summary: string }>>): string {
  return Object.entries(drills)
    .map(([name, { summary }]) => `  ${name.padEnd(25)} ${summary}`)
    .join('\n')
}

function drillName(value: string): string {
  if (NAMES.includes(value)) return value
  throw new InvalidArgumentError(`Drills are ${NAMES.join(', ')}.`)
}

function positive(value: string): number {
  const number = Number(value)
  if (Number.isFinite(number) && number > 0 && /^[0-9.]+$/.test(value)) return number
  throw new InvalidArgumentError('Give a number greater than zero.')
}
