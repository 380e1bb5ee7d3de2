// `wintrades audit show|verify`: who did what, and whether the record of it is as it was written. Reads the accounts' database, SQLite or MySQL as
// the environment says, and changes nothing there.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  auditKey,
  auditView,
  cursorOf,
  cursorText,
  openAccountsToRead,
  readAudit,
  verifyAudit,
} from '@wintrades/gateway/audit'
import { type Config, createLogger, loadConfig, loadSecrets, secretsDirectory } from '@wintrades/platform'
import { mysqlOptions } from '@wintrades/platform/mysql'
import { Command } from 'commander'
import { inRepository } from '../repository.ts'
import { ConfigurationFault } from '../supervisor/index.ts'

type PlaceOptions = { readonly data?: string }
type ShowOptions = PlaceOptions & {
  readonly limit: string
  readonly account?: string
  readonly before?: string
  readonly json?: true
}
type VerifyOptions = PlaceOptions & { readonly heads?: true }

const LIMIT_MAX = 1_000

export function auditCommand(): Command {
  return new Command('audit')
    .description('Shows the audit log, or verifies that nothing in it was changed, taken out or put in.')
    .addCommand(showCommand())
    .addCommand(verifyCommand())
}

function showCommand(): Command {
  return place(new Command('show'))
    .description('Shows the newest records.')
    .option('--limit <number>', `how many, at most ${LIMIT_MAX}`, '50')
    .option('--account <number>', 'only what is about this account')
    .option('--before <place>', 'goes on where the page before ended')
    .option('--json', 'a JSON object a line, with details and hashes')
    .action(async (options: ShowOptions, command: Command) => {
      const limit = wholeNumber(options.limit, '--limit', command)
      if (limit > LIMIT_MAX) command.error(`error: --limit is at most ${LIMIT_MAX}`)
      const before = options.before === undefined ? null : cursorOf(options.before)
      if (options.before !== undefined && before === null) {
        command.error('error: --before is a place that an earlier page has printed')
      }
      const account =
        options.account === undefined ? {} : { account: wholeNumber(options.account, '--account', command) }
      await withAccounts(options, async (database) => {
        const page = await readAudit(database, { limit, ...account, ...(before === null ? {} : { before }) })
        for (const record of page.items) {
          const view = auditView(record)
          say(options.json ? JSON.stringify(view) : lineOf(view))
        }
        if (page.next !== null && !options.json) say(`older ones: --before ${cursorText(page.next)}`)
      })
    })
}

function verifyCommand(): Command {
  return place(new Command('verify'))
    .description('Reads all of it and checks every chain. Exit code 1: something is not as it was written.')
    .option('--heads', 'prints where each chain ends, to be kept elsewhere')
    .action(async (options: VerifyOptions) => {
      await withAccounts(options, async (database, encryptionKey) => {
        const { streams, records, faults, heads } = await verifyAudit(database, auditKey(encryptionKey))
        if (options.heads) for (const head of heads) say(head)
        for (const fault of faults) say(`FAULT ${fault}`)
        const verdict = faults.length === 0 ? 'all as it was written' : `${faults.length} faults`
        say(`${records} records in ${streams} chains: ${verdict}`)
        if (faults.length > 0) process.exitCode = 1
      })
    })
}

function place(command: Command): Command {
  return command.option(
    '--data <directory>',
    'data directory of the platform (default: DATA_DIRECTORY, else data beside this program)',
  )
}

async function withAccounts(
  options: PlaceOptions,
  work: (database: Awaited<ReturnType<typeof openAccountsToRead>>, encryptionKey: Uint8Array) => Promise<void>,
): Promise<void> {
  const dataDirectory = resolve(options.data ?? (process.env['DATA_DIRECTORY'] || inRepository('data')))
  const read = loadConfig({ ...process.env, DATA_DIRECTORY: dataDirectory })
  if (!read.ok) throw new ConfigurationFault(read.faults.map((fault) => fault.message))
  const logger = createLogger('audit', { level: 'error', write: (line) => void process.stderr.write(line) })
  const place = { dataDirectory, mysql: mysqlOptions(read.config), logger, now_ms: Date.now }
  const key = encryptionKeyOf(read.config)
  const database = await openAccountsToRead(place)
  try {
    await work(database, key)
  } finally {
    await database.close()
  }
}

/** As the platform has it; a key that was made up here would verify nothing. */
function encryptionKeyOf(config: Config): Uint8Array {
  if (config.encryptionKey !== null) return config.encryptionKey
  const path = join(secretsDirectory(config.dataDirectory), 'encryption.key')
  if (!existsSync(path))
    throw new Error(`there is no ${path}: name the platform's data directory, or set ENCRYPTION_KEY_FILE`)
  return loadSecrets(config).encryptionKey
}

function lineOf(view: ReturnType<typeof auditView>): string {
  const { principal, accountId, address, action, target, outcome } = view
  const who = accountId === null ? principal : `${principal} (account ${accountId})`
  return `${new Date(view.at).toISOString()}  ${who}  ${address}  ${action}  ${target}  ${outcome}`
}

function wholeNumber(text: string, option: string, command: Command): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) command.error(`error: ${option} is a whole number above 0`)
  return Number(text)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
