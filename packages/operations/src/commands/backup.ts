// `wintrades backup …`: full backups, what is in the store, checks by a restore, and restoring. Says what it does while it does it, and how long it took;
// destroys nothing without being told so by name.

import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { createLogger } from '@wintrades/platform'
import { Command, InvalidArgumentError } from 'commander'
import type { FullBackup } from '../backup/index.ts'
import type { Opened } from '../backup/open.ts'
import { readTargetMarkets } from '../drill/target.ts'
import { inRepository } from '../repository.ts'
import { table } from '../supervisor/panel.ts'
import { bar } from './replay.ts'

const HELP = `
The servers, the account, the store and what is kept stand in the operators' file (operator.example.yml explains it). Everything in the store is
encrypted with keys derived from ENCRYPTION_KEY: without that key no backup can be read, so keep a copy of it where the backups are not.
Times are ISO 8601: 2026-11-25T14:30:00Z. Exit code 0: done; 1: it failed, and the last line says what to do; 2: not understood.
docs/backups.md explains how it works; docs/runbooks/ what to do when something is wrong.
`

type Common = { readonly file: string; readonly keyFile?: string; readonly json?: boolean }
type Selected = Common & { readonly backup?: string; readonly to?: Date }

export function backupCommand(): Command {
  const command = new Command('backup').description('Makes, lists, checks and restores backups of the data tier.')
  command.addCommand(createCommand())
  command.addCommand(listCommand())
  command.addCommand(verifyCommand())
  command.addCommand(restoreCommand())
  command.addCommand(removeCommand())
  return command.addHelpText('after', HELP)
}

function common(command: Command): Command {
  return command
    .option(
      '--file <path>',
      "the operators' configuration",
      process.env['OPERATOR_FILE'] || inRepository('operator.yml'),
    )
    .option(
      '--key-file <path>',
      'file of the ENCRYPTION_KEY that the store was written with (default: the environment’s)',
    )
    .option('--json', 'one JSON object on standard output; what happens meanwhile on standard error')
}

function selecting(command: Command): Command {
  return common(command)
    .option('--to <time>', 'every commit up to then, and none after (default: everything that is archived)', time)
    .option('--backup <id>', 'the full backup to start from (default: the newest from which the time can be reached)')
}

function createCommand(): Command {
  return common(new Command('create'))
    .description('Makes a full backup from a secondary, now.')
    .action(async (options: Common) => {
      const { createBackup } = await import('../backup/index.ts')
      const { catalogue, settings } = await open(options)
      const telling = new Telling(options)
      const backup = await createBackup({ catalogue, settings, progress: telling.progress, signal: interruption() })
      telling.end(
        backup,
        `backup ${backup.id} of ${backup.source.name}: ${size(backup.storedBytes)} (${size(backup.plainBytes)} unpacked) in ${backup.took_seconds} s`,
      )
    })
}

function listCommand(): Command {
  return common(new Command('list'))
    .description('Shows the backups of the store, how far the archive reaches, and what is damaged or missing.')
    .action(async (options: Common) => {
      const { catalogue } = await open(options)
      const { full, segments, unfinished, faults } = await catalogue.list()
      const [archive, verified] = [await catalogue.archive(), await catalogue.verification()]
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify({ full, segments, archive, verified, unfinished, faults })}\n`)
      } else {
        for (const line of describe(full, verified)) process.stdout.write(`${line}\n`)
        const bytes = segments.reduce((sum, one) => sum + one.storedBytes, 0)
        const until = archive === null ? 'nothing is archived yet' : `complete until ${archive.completeUntil}`
        process.stdout.write(`\narchived binlogs: ${segments.length} files, ${size(bytes)}, ${until}\n`)
        for (const name of unfinished) process.stdout.write(`unfinished, removed by the next backup: ${name}\n`)
        for (const fault of faults) process.stdout.write(`✘ ${fault}\n`)
      }
      process.exitCode = faults.length > 0 ? 1 : 0
    })
}

function verifyCommand(): Command {
  return selecting(new Command('verify'))
    .description(
      'Restores a backup to a scratch server and proves that it is the venue: rows, journal, money, history.',
    )
    .action(async (options: Selected) => {
      const { verifyBackup } = await import('../backup/index.ts')
      const { catalogue, settings } = await open(options)
      const telling = new Telling(options)
      const { markets } = readTargetMarkets()
      const result = await verifyBackup({
        catalogue,
        settings,
        markets,
        logger: createLogger('backup', { level: 'warn', write: (line) => process.stderr.write(line) }),
        backup: options.backup ?? null,
        to: options.to ?? null,
        progress: telling.progress,
        signal: interruption(),
      })
      const { verification, restored, proof } = result
      telling.end(
        result,
        [
          ...proof.shards.map(
            (one) =>
              `✔ ${one.shard}: ${one.batches} batches from ${one.from} to ${one.seq}, state ${one.stateHash.slice(0, 16)}`,
          ),
          ...proof.history.map(
            (one) => `✔ ${one.shard}: the history of batches ${one.afterSeq + 1} to ${one.seq} is the journal's`,
          ),
          `✔ money is conserved; ${restored.transactions} transactions after the backup, up to ${verification.restoredTo}`,
          `backup ${verification.backup} is good: unpacked in ${restored.took_seconds.unpack} s, ${verification.took_seconds} s altogether`,
        ].join('\n'),
      )
    })
}

function restoreCommand(): Command {
  return selecting(new Command('restore'))
    .description("Restores to a new directory, which becomes a server's data directory. Never writes over anything.")
    .requiredOption('--directory <path>', 'the data directory to be made; must not exist, or be empty')
    .action(async (options: Selected & { readonly directory: string }) => {
      const { restoreToDirectory } = await import('../backup/index.ts')
      const { catalogue, settings } = await open(options)
      const telling = new Telling(options)
      const directory = resolve(options.directory)
      const result = await restoreToDirectory(directory, {
        catalogue,
        settings,
        backup: options.backup ?? null,
        to: options.to ?? null,
        progress: telling.progress,
        signal: interruption(),
      })
      const { backup, transactions, lastCommitAt, took_seconds, journal } = result
      telling.end(
        result,
        [
          `${directory} is restored from ${backup.id}, with ${transactions} transactions after it`,
          `the last commit in it: ${lastCommitAt?.toISOString() ?? `none after the backup, ${backup.consistentAt}`}`,
          ...journal.map((head) => `shard ${head.shard} ends at batch ${head.seq}, epoch ${head.epoch}`),
          `${took_seconds.total} s: ${took_seconds.unpack} s to unpack, ${took_seconds.apply} s to apply binlogs`,
          'what to do with it: docs/runbooks/restore-to-a-time.md',
        ].join('\n'),
      )
    })
}

function removeCommand(): Command {
  return common(new Command('remove'))
    .description('Removes a full backup from the store. Asks for its name. The newest cannot be removed.')
    .argument('<id>', 'the backup')
    .option('--confirm <id>', 'its name, typed once more, instead of being asked')
    .action(async (id: string, options: Common & { readonly confirm?: string }, command: Command) => {
      const { catalogue } = await open(options)
      const { full } = await catalogue.list()
      if (!full.some((one) => one.id === id)) command.error(`error: there is no backup ${id}: wintrades backup list`)
      if (full.at(-1)?.id === id) command.error(`error: ${id} is the newest backup: make another one first`)
      await confirm(id, options.confirm, command)
      await catalogue.remove({ full: [id] })
      new Telling(options).end({ removed: id }, `${id} is removed`)
    })
}

async function confirm(id: string, given: string | undefined, command: Command): Promise<void> {
  const warning = `The backup ${id} is removed for good, and with it every time that only it reaches.`
  let typed = given
  if (typed === undefined && process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    typed = await terminal.question(`${warning}\nType its name to go on: `)
    terminal.close()
  }
  if (typed === undefined) command.error(`error: ${warning} Say --confirm ${id} to go on`)
  if (typed !== id) command.error(`error: "${typed}" is not ${id}; nothing was done`)
}

async function open(options: Common): Promise<Opened> {
  const { openBackups } = await import('../backup/index.ts')
  return await openBackups(options.file, options.keyFile)
}

/** Progress on one line of a terminal, or one line a step; the result at the end. */
class Telling {
  readonly #out: NodeJS.WriteStream
  readonly #isJson: boolean
  #last = ''

  constructor({ json }: Common) {
    this.#isJson = json === true
    this.#out = this.#isJson ? process.stderr : process.stdout
  }

  readonly progress = (step: string, share: number | null): void => {
    if (this.#out.isTTY) {
      this.#out.write(`\r${share === null ? step : `${bar(share)} ${step}`}\u001b[K`)
      this.#last = step
      return
    }
    // In a log, a step is told once, not each time that its figures change.
    const name = step.replace(/[\d(].*$/, '').trim()
    if (name !== this.#last) this.#out.write(`${step}\n`)
    this.#last = name
  }

  end(result: unknown, text: string): void {
    if (this.#out.isTTY) this.#out.write('\r\u001b[K')
    process.stdout.write(`${this.#isJson ? JSON.stringify(result) : text}\n`)
  }
}

function describe(
  full: readonly FullBackup[],
  verified: { backup: string; at: string; passed: boolean } | null,
): string[] {
  if (full.length === 0) return ['there is no backup yet']
  const rows = full.map((one) => [
    one.id,
    one.consistentAt,
    one.source.name,
    one.source.version,
    size(one.storedBytes),
    `${one.took_seconds.toFixed(1)} s`,
    verified?.backup === one.id ? `${verified.passed ? 'restored and good' : 'CHECK FAILED'} ${verified.at}` : '',
  ])
  return table(['backup', 'state of', 'from', 'MySQL', 'size', 'took', ''], rows)
}

function size(bytes: number): string {
  return bytes >= 1024 ** 3 ? `${(bytes / 1024 ** 3).toFixed(1)} GB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`
}

function interruption(): AbortSignal {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupted.abort(new Error('interrupted; what was begun has been removed')))
  }
  return interrupted.signal
}

function time(value: string): Date {
  return new Date(parseTime(value))
}

/** The text, when it is a time with its zone. */
export function parseTime(value: string): string {
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(value)
  if (isTime && !Number.isNaN(new Date(value).getTime())) return value
  throw new InvalidArgumentError('Give a time with its zone, such as 2026-11-25T14:30:00Z.')
}
