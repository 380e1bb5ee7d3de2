// `wintrades region …`: moves a region's clients, shards and database primary to others, and back; adds a region, and removes one.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { CONTINENTS, type Continent, REPLICAS_MAX } from '@wintrades/topology'
import { Command, InvalidArgumentError } from 'commander'
import type { BringUpContext } from '../deployment/bring-up.ts'
import { type ChangedFile, requireOwnFile, withChangedFiles } from '../deployment/changed-files.ts'
import { deploy } from '../deployment/deploy.ts'
import { requireCurrentRelease } from '../deployment/kept-releases.ts'
import {
  aboutDeployment,
  changingDeployment,
  type DeploymentOptions,
  type ProcedureOptions,
  readTopology,
  revealTo,
  runProcedure,
} from '../deployment/procedure.ts'
import { addRegion, type FileTexts, REPLICAS_DEFAULT, removeRegion } from '../deployment/region-files.ts'
import { drain, evacuate, restore } from '../deployment/traffic.ts'
import { MAIN_ENVIRONMENT, marketsFile, requireDeployment, topologyFile } from '../topology/read-files.ts'
import { parsePlace } from './plan.ts'

type AddOptions = ProcedureOptions & {
  readonly label?: string
  readonly continents: readonly Continent[]
  readonly networks: readonly string[]
  readonly next?: readonly string[]
  readonly replicas: number
  readonly place: ReadonlyMap<string, string>
  readonly dryRun?: boolean
}
type RemoveOptions = ProcedureOptions & { readonly dryRun?: boolean }
type MoveOptions = ProcedureOptions & { readonly to?: string }

export function regionCommand(): Command {
  const command = new Command('region').description(
    'Moves what a region carries to other regions, and back; adds regions, and removes them.',
  )
  command.addCommand(
    moveCommand('drain', 'Sends the clients of a region to another one; what runs in it goes on.', 'drained', drain),
  )
  command.addCommand(
    moveCommand(
      'evacuate',
      'Sends the clients of a region to another one, and moves its shards and the database primary out of it, planned and without loss.',
      'evacuated',
      evacuate,
    ),
  )
  command.addCommand(restoreCommand())
  command.addCommand(addCommand())
  command.addCommand(removeCommand())
  return command
}

function addCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('add')))
    .description(
      'Adds a region to topology.yml and to the shards of markets.yml, where it is the last to lead, and brings it up. Where that fails, files and services ' +
        'are put back.',
    )
    .argument('<region>', 'its name, such as af-south')
    .option('--label <text>', 'its name for people (default: the name)')
    .option('--continents <names>', `whose clients are led there, of ${CONTINENTS.join(', ')}`, parseContinents, [])
    .option('--networks <networks>', 'whose clients are led there, such as 192.0.2.0/24', parseWords, [])
    .option(
      '--next <regions>',
      'every other region, nearest first (default: as they stand in the topology)',
      parseWords,
    )
    .option('--replicas <number>', 'app processes', parseReplicas, REPLICAS_DEFAULT)
    .option('--place <region=node>', 'the node that shall carry it', parsePlace, new Map())
    .option('--dry-run', 'show what would be written, and change nothing')
    .action(async (name: string, options: AddOptions) => {
      const { regions } = readTopology(options)
      const { label = name, continents, networks, replicas, next = regions.map((region) => region.name) } = options
      const region = { name, label, continents, networks, next, replicas }
      await changeRegions(`region add ${name}`, options, (texts) => addRegion(texts, region), {
        before: async () => {},
        done: `${name} is there, and its clients are answered`,
      })
    })
}

function removeCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('remove')))
    .description(
      'Evacuates a region, takes it out of topology.yml and markets.yml, and removes its processes. A region that is the home of a shard, or has a database ' +
        'server, stays.',
    )
    .argument('<region>', 'the region that goes')
    .option('--dry-run', 'show what would be written, and change nothing')
    .action(async (name: string, options: RemoveOptions) => {
      const left = named(readTopology(options).regions, name)
      const to = left.next[0]
      if (to === undefined) throw new Error(`${name} is the only region`)
      await changeRegions(
        `region remove ${name}`,
        { ...options, place: new Map() },
        (texts) => removeRegion(texts, name),
        {
          before: (context) => evacuate(context, name, to),
          done: `${name} is gone; its clients are ${to}'s`,
        },
      )
    })
}

/** Both files and what runs, from one state to the next, or not at all. */
async function changeRegions(
  what: string,
  options: ProcedureOptions & { readonly place: ReadonlyMap<string, string>; readonly dryRun?: boolean },
  change: (texts: FileTexts) => FileTexts,
  { before, done }: { readonly before: (context: BringUpContext) => Promise<void>; readonly done: string },
): Promise<void> {
  const files = filesOf(options)
  const changes = (): readonly ChangedFile[] => {
    const texts = { topology: readFileSync(files.topology, 'utf8'), markets: readFileSync(files.markets, 'utf8') }
    const changed = change(texts)
    return (['topology', 'markets'] as const).map((key) => ({ path: files[key], text: changed[key] }))
  }
  if (options.dryRun === true) {
    for (const file of changes()) process.stdout.write(`${differencesOf(file).join('\n')}\n`)
    return
  }
  await runProcedure(what, options, async (context) => {
    requireCurrentRelease(context.state)
    // Read under the lock: somebody else may have changed them until then.
    return await withChangedFiles(changes(), async () => {
      // With everything that is wrong with it said at once, before anything moves.
      const topology = requireDeployment(files.topology)
      await before(context)
      await deploy({
        ...context,
        topology,
        region: null,
        placement: options.place,
        trades: topology.tradingMode === 'paper',
        reveal: revealTo(context.say),
      })
      return { outcome: 'done', detail: done }
    })
  })
}

function differencesOf({ path, text }: ChangedFile): readonly string[] {
  const before = readFileSync(path, 'utf8').split('\n')
  const after = text.split('\n')
  return [
    path,
    ...before.filter((line) => !after.includes(line)).map((line) => `  - ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `  + ${line}`),
  ]
}

function filesOf({ topology, environment }: DeploymentOptions): {
  readonly topology: string
  readonly markets: string
} {
  return {
    topology: requireOwnFile(resolve(topology ?? topologyFile(environment ?? MAIN_ENVIRONMENT))),
    markets: marketsFile(),
  }
}

function parseReplicas(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text)
  throw new InvalidArgumentError(`must be a whole number, at most ${REPLICAS_MAX}`)
}

function parseWords(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

function parseContinents(text: string): readonly Continent[] {
  const words = parseWords(text)
  const unknown = words.find((word) => !(CONTINENTS as readonly string[]).includes(word))
  if (unknown !== undefined) throw new InvalidArgumentError(`${unknown} is none of ${CONTINENTS.join(', ')}`)
  return words as readonly Continent[]
}

function moveCommand(name: string, summary: string, done: string, move: typeof drain): Command {
  const command = changingDeployment(aboutDeployment(new Command(name)))
    .description(summary)
    .argument('<region>', 'the region to leave')
    .option('--to <region>', 'where to (default: its first `next` in the topology)')
  return command.action(async (region: string, options: MoveOptions) => {
    await runProcedure(`region ${name} ${region}`, options, async (context) => {
      const { topology } = context
      const left = named(topology.regions, region)
      const to = named(topology.regions, options.to ?? left.next[0] ?? region)
      if (to.name === region) throw new Error(`${region} cannot be left for itself: name another region with --to`)
      await move(context, region, to.name)
      return { outcome: 'done', detail: `${region} is ${done}: wintrades region restore ${region} takes it back` }
    })
  })
}

function restoreCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('restore')))
    .description(
      'Gives a region its clients and its own shards back. The database primary stays: wintrades db promote moves it.',
    )
    .argument('<region>', 'the region that was drained or evacuated')
    .action(async (region: string, options: ProcedureOptions) => {
      await runProcedure(`region restore ${region}`, options, async (context) => {
        named(context.topology.regions, region)
        await restore(context, region)
        return { outcome: 'done', detail: `${region} has its clients and shards back` }
      })
    })
}

function named<Region extends { readonly name: string }>(regions: readonly Region[], wanted: string): Region {
  const region = regions.find(({ name }) => name === wanted)
  if (region === undefined)
    throw new Error(`there is no region ${wanted}; regions are ${regions.map(({ name }) => name).join(', ')}`)
  return region
}
