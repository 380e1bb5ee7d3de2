// `wintrades lab`: a swarm of three nodes on this machine, one a region, to try a deployment on and what may happen to it.

import { pathToFileURL } from 'node:url'
import { Command } from 'commander'
import { inRepository } from '../repository.ts'

/** What `tests/cluster/nodes/command.ts` is asked for: the lab is a part of the tests, beside the packages. */
type Lab = {
  up(isDelayed: boolean, say: (line: string) => void): Promise<void>
  load(say: (line: string) => void): Promise<void>
  status(say: (line: string) => void): Promise<void>
  cut(region: string): Promise<void>
  heal(region: string): Promise<void>
  kill(region: string): Promise<void>
  start(region: string): Promise<void>
  on(region: string, words: readonly string[]): Promise<number>
  down(say: (line: string) => void): Promise<void>
}

const HELP = `
  ./wintrades lab up                        three Docker daemons as nodes of a swarm, in networks of their own; images from Debian packages
  ./wintrades lab on eu-west deploy         the whole platform, typed on the node of eu-west
  ./wintrades lab cut us-east               nobody reaches that node any more
  ./wintrades lab on eu-west status         what the others make of it
  ./wintrades lab heal us-east
  ./wintrades lab kill us-east              the node loses its power; lab start us-east brings it back with its disk
  ./wintrades lab down                      nothing is left

Needs Linux, root, Docker, 16 GB of memory and 20 GB of disk. No registry of images is asked.
`

export function labCommand(): Command {
  const command = new Command('lab').enablePositionalOptions()
  command
    .description('A swarm of three nodes on this machine, one a region, continents apart.')
    .addHelpText('after', HELP)
  command.addCommand(
    new Command('up')
      .description(
        'Makes the swarm and puts the images on its nodes (five minutes the first time). Nothing is deployed yet.',
      )
      .option('--no-delays', 'no delays between the regions, instead of round trips of 80 and 200 ms')
      .action(async ({ delays }: { readonly delays: boolean }) => {
        const began_ms = performance.now()
        await (await lab()).up(delays, say)
        say(
          `the lab is up (${Math.round((performance.now() - began_ms) / 1_000)} s); next: ./wintrades lab on eu-west deploy`,
        )
      }),
  )
  command.addCommand(
    new Command('on')
      .description(
        'A command of a deployment (deploy, status, doctor, …), as typed on the node of a region, about what runs in the lab.',
      )
      .argument('<region>')
      .argument('<command...>')
      .passThroughOptions()
      .allowUnknownOption()
      .action(async (region: string, words: readonly string[]) => {
        process.exitCode = await (await lab()).on(region, words)
      }),
  )
  for (const [name, description, done] of [
    ['cut', 'Draws the cable of a node: nobody reaches it, and it goes on.', 'is cut off'],
    ['heal', 'Puts it in again.', 'is connected'],
    ['kill', 'Ends a node and all that runs on it at once.', 'has lost its power'],
    ['start', 'Starts a node that was killed, with its disk.', 'runs'],
  ] as const) {
    command.addCommand(
      new Command(name)
        .description(description)
        .argument('<region>')
        .action(async (region: string) => {
          await (await lab())[name](region)
          say(`${region} ${done}`)
        }),
    )
  }
  for (const [name, description] of [
    ['load', 'Puts the images of the sources as they are now on every node; then: lab on eu-west update.'],
    ['status', 'Shows the nodes, and how to speak to them.'],
    ['down', 'Takes everything away.'],
  ] as const) {
    command.addCommand(new Command(name).description(description).action(async () => await (await lab())[name](say)))
  }
  return command
}

async function lab(): Promise<Lab> {
  return (await import(pathToFileURL(inRepository('tests', 'cluster', 'nodes', 'command.ts')).href)) as Lab
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
