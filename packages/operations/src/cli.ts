// The `wintrades` command line: names the commands and loads the one that was asked for, so that starting stays quick.
// Promises: help everywhere; exit code 2 for input it does not understand, 1 for work that failed, 0 otherwise.

import { Command, CommanderError } from 'commander'
import { readVersion } from './repository.ts'

type Entry = {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<Command>
}

const ENTRIES: readonly Entry[] = [
  {
    name: 'up',
    summary: 'start three regions, a front door and a simulated market on this machine',
    load: async () => (await import('./commands/up.ts')).upCommand(),
  },
  {
    name: 'test',
    summary: 'run the tests: all, or the named tiers',
    load: async () => (await import('./commands/test.ts')).testCommand(),
  },
  {
    name: 'status',
    summary: 'show regions, shards, leaders and epochs of the running platform',
    load: async () => (await import('./commands/status.ts')).statusCommand(),
  },
  {
    name: 'hand-over',
    summary: 'move the leadership of a shard to another region',
    load: async () => (await import('./commands/hand-over.ts')).handOverCommand(),
  },
  {
    name: 'drill',
    summary: 'break something on purpose and prove that nothing was lost',
    load: async () => (await import('./commands/drill.ts')).drillCommand(),
  },
  {
    name: 'replay',
    summary: 'send recorded order flow through the public API',
    load: async () => (await import('./commands/replay.ts')).replayCommand(),
  },
  {
    name: 'bench',
    summary: 'measure the platform, or a part of it',
    load: async () => (await import('./commands/bench.ts')).benchCommand(),
  },
  {
    name: 'db',
    summary: 'show and move the database primary, mend its replicas, make certificates',
    load: async () => (await import('./commands/db.ts')).dbCommand(),
  },
  {
    name: 'backup',
    summary: 'make, list, check and restore backups of the data tier',
    load: async () => (await import('./commands/backup.ts')).backupCommand(),
  },
  {
    name: 'audit',
    summary: 'show who did what, and verify that the record of it is whole',
    load: async () => (await import('./commands/audit.ts')).auditCommand(),
  },
  {
    name: 'render',
    summary: 'write every file of a deployment from topology.yml',
    load: async () => (await import('./commands/render.ts')).renderCommand(),
  },
  {
    name: 'geo',
    summary: 'bring the map from addresses to continents up to date',
    load: async () => (await import('./commands/geo.ts')).geoCommand(),
  },
  {
    name: 'deploy',
    summary: 'bring the platform up on Docker Swarm, or change it to what topology.yml says',
    load: async () => (await import('./commands/deploy.ts')).deployCommand(),
  },
  {
    name: 'docs',
    summary: 'write the reference pages that come from the code',
    load: async () => (await import('./commands/docs.ts')).docsCommand(),
  },
]

const EXIT_MISUSE = 2

const HELP_AFTER = `
Every command explains itself: wintrades COMMAND --help
`

async function main(words: readonly string[]): Promise<void> {
  const program = new Command('wintrades')
    .description('WinTrades: a trading platform in three regions that keeps every order it has acknowledged.')
    .version(readVersion())
    .addHelpText('after', HELP_AFTER)
    .showHelpAfterError('(wintrades --help lists the commands)')
    .exitOverride()
  const wanted = words.find((word) => !word.startsWith('-'))
  for (const entry of ENTRIES) {
    const command = entry.name === wanted ? await entry.load() : new Command(entry.name)
    program.addCommand(configure(command.name(entry.name).summary(entry.summary)))
  }
  if (words.length === 0) {
    program.outputHelp()
    process.exitCode = EXIT_MISUSE
    return
  }
  await program.parseAsync(words, { from: 'user' })
}

/** Misuse throws here, in every command and sub-command, so that one place decides about exit codes. */
function configure(command: Command): Command {
  command.exitOverride().showHelpAfterError(`(wintrades ${command.name()} --help explains)`)
  for (const subcommand of command.commands) configure(subcommand)
  return command
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong; help and version leave with 0.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_MISUSE
  } else {
    process.stderr.write(`wintrades: ${error instanceof Error ? error.message : String(error)}\n`)
    if (process.env['LOG_LEVEL'] === 'debug' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    process.exitCode = 1
  }
}
