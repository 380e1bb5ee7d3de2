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
    name: 'lab',
    summary: 'a swarm of three nodes on this machine, to try a deployment and what may happen to it',
    load: async () => (await import('./commands/lab.ts')).labCommand(),
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
    name: 'plan',
    summary: 'show what a deploy would change, and change nothing',
    load: async () => (await import('./commands/plan.ts')).planCommand(),
  },
  {
    name: 'scale',
    summary: 'change how many processes a region has, or nodes the cache',
    load: async () => (await import('./commands/scale.ts')).scaleCommand(),
  },
  {
    name: 'region',
    summary: 'move what a region carries to others, and back',
    load: async () => (await import('./commands/region.ts')).regionCommand(),
  },
  {
    name: 'update',
    summary: 'bring another release onto the running stack, region by region',
    load: async () => (await import('./commands/update.ts')).updateCommand(),
  },
  {
    name: 'migrate',
    summary: 'bring the schema of the databases to this release, ahead of an update',
    load: async () => (await import('./commands/migrate.ts')).migrateCommand(),
  },
  {
    name: 'rollback',
    summary: 'bring back the release before',
    load: async () => (await import('./commands/update.ts')).rollbackCommand(),
  },
  {
    name: 'secrets',
    summary: 'show since when secrets are what they are, and replace them while everything runs',
    load: async () => (await import('./commands/secrets.ts')).secretsCommand(),
  },
  {
    name: 'certs',
    summary: 'show the certificates of a deployment, and renew them',
    load: async () => (await import('./commands/certs.ts')).certsCommand(),
  },
  {
    name: 'doctor',
    summary: 'say what is wrong with a deployment, why, and what to do next',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  },
  {
    name: 'logs',
    summary: 'show what the processes of a service wrote',
    load: async () => (await import('./commands/logs.ts')).logsCommand(),
  },
  {
    name: 'destroy',
    summary: 'remove a deployment',
    load: async () => (await import('./commands/destroy.ts')).destroyCommand(),
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
