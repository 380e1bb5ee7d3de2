// `wintrades db …`: what the operators see of the database servers, and what may be asked of them. Everything is done by an operator, under its locks and
// checks; nothing here touches a server.

import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { formatFileFault } from '@wintrades/platform'
import { Command } from 'commander'
import { ensureCertificates } from '../operator/certificates/authority.ts'
import { type OperatorConfiguration, readOperatorFile } from '../operator/configuration.ts'
import type { DatabaseStatus, ServerStatus } from '../operator/database/reconciler.ts'
import { KEY_HEADER, readKey } from '../operator/http-server.ts'
import type { Line } from '../operator/lines.ts'
import { inRepository } from '../repository.ts'
import { table } from '../supervisor/panel.ts'

const ASK_MS = 5_000
const LINES_SHOWN = 12
const DAY_MS = 86_400_000

type FileOption = { readonly file: string }
type WorkOptions = FileOption & { readonly timeout: string; readonly json?: boolean; readonly confirm?: string }
type OperatorReport = {
  readonly region: string
  readonly parts: { readonly database?: DatabaseStatus | null }
  readonly lines: readonly Line[]
}

export function dbCommand(): Command {
  const command = new Command('db').description('Shows and moves the database primary; mends its replicas.')
  command.addCommand(statusCommand())
  command.addCommand(
    workCommand(
      'promote',
      'Moves the primary to a server, planned: no acknowledged commit is lost, and clients see a short wait.',
      60,
    ),
  )
  command.addCommand(
    workCommand('rejoin', 'Waits until a server follows the primary, and says what keeps it from that.', 60),
  )
  command.addCommand(
    workCommand(
      'clone',
      'Replaces everything on a server by a copy of the primary. Asks for its name first.',
      3_600,
    ).option('--confirm <server>', "the server's name, typed once more, instead of being asked"),
  )
  command.addCommand(certificatesCommand())
  return command
}

function withFile(command: Command): Command {
  return command.option(
    '--file <path>',
    "the operators' configuration",
    process.env['OPERATOR_FILE'] ?? inRepository('operator.yml'),
  )
}

function statusCommand(): Command {
  return withFile(new Command('status'))
    .description('Shows every server as the operators see it, and what they did and refused last.')
    .option('--json', 'one JSON object')
    .action(async (options: FileOption & { readonly json?: boolean }) => {
      const operators = operatorsOf(read(options.file))
      const answers = await Promise.all(operators.map(askStatus))
      const reports = answers.flatMap(({ report }) => (report === null ? [] : [report]))
      if (options.json === true) process.stdout.write(`${JSON.stringify({ operators: answers })}\n`)
      else for (const line of describe(answers)) process.stdout.write(`${line}\n`)
      const isWell = reports.some(({ parts }) => parts.database?.outcome === 'serving')
      process.exitCode = isWell ? 0 : 1
    })
}

function workCommand(name: 'promote' | 'rejoin' | 'clone', summary: string, seconds: number): Command {
  return withFile(new Command(name))
    .description(summary)
    .argument('<server>', 'name of the server, for example mysql_slave_eu')
    .option('--timeout <seconds>', 'how long to wait for it', String(seconds))
    .option('--json', 'one JSON object')
    .action(async (server: string, options: WorkOptions, command: Command) => {
      const configuration = read(options.file)
      const { database } = configuration
      const servers = database?.servers ?? []
      const target = servers.find((one) => one.name === server)
      if (target === undefined) {
        command.error(`error: there is no server ${server}; servers are ${servers.map((one) => one.name).join(', ')}`)
      }
      const timeout_seconds = Number(options.timeout)
      if (!Number.isInteger(timeout_seconds) || timeout_seconds < 1)
        command.error('error: --timeout must be a whole number of seconds')
      if (name === 'clone') await confirm(server, options, command)
      const began_ms = performance.now()
      const result = await ask(configuration, target.region, name, { server, timeout_seconds })
      const took_ms = Math.round(performance.now() - began_ms)
      if (options.json === true) process.stdout.write(`${JSON.stringify({ ...result, took_ms })}\n`)
      else process.stdout.write(`${result.line}\n`)
      process.exitCode = result.ok ? 0 : 1
    })
}

function certificatesCommand(): Command {
  return withFile(new Command('certificates'))
    .description('Makes the private authority and the certificates of all servers, and renews what expires soon.')
    .option(
      '--directory <path>',
      'where they are kept; the authority’s key stays there',
      inRepository('data', 'certificates'),
    )
    .action(async (options: FileOption & { readonly directory: string }) => {
      const servers = read(options.file).database?.servers ?? []
      const requests = servers.map(({ name, host }) => ({ name, hosts: [host, 'localhost', '127.0.0.1'] }))
      const reports = await ensureCertificates(resolve(options.directory), requests)
      const rows = reports.map(({ name, action, expiresAt, file }) => [
        name,
        action,
        `${Math.floor((expiresAt.getTime() - Date.now()) / DAY_MS)} days left`,
        file,
      ])
      process.stdout.write(`${table(['server', '', 'certificate', 'file'], rows).join('\n')}\n`)
    })
}

function read(file: string): OperatorConfiguration {
  const result = readOperatorFile(resolve(file))
  if (result.ok) return result.configuration
  throw new Error(
    `the operators' configuration cannot be used (operator.example.yml explains it)\n${result.faults.map(formatFileFault).join('\n')}`,
  )
}

type Operator = { readonly region: string; readonly address: string }

function operatorsOf({ operators, http }: OperatorConfiguration): readonly Operator[] {
  const listed = Object.entries(operators).map(([region, address]) => ({ region, address }))
  return listed.length > 0 ? listed : [{ region: 'here', address: `http://${http.host}:${http.port}` }]
}

async function askStatus({
  region,
  address,
}: Operator): Promise<Operator & { readonly report: OperatorReport | null; readonly fault: string | null }> {
  try {
    const response = await fetch(`${address}/status`, { signal: AbortSignal.timeout(ASK_MS) })
    return { region, address, report: (await response.json()) as OperatorReport, fault: null }
  } catch (error) {
    return { region, address, report: null, fault: reasonOf(error) }
  }
}

/** The operator of the server's region first: it is nearest; any other will do. */
async function ask(
  configuration: OperatorConfiguration,
  region: string,
  command: string,
  body: { readonly server: string; readonly timeout_seconds: number },
): Promise<{ readonly ok: boolean; readonly line: string }> {
  const operators = [...operatorsOf(configuration)].sort(
    (a, b) => Number(b.region === region) - Number(a.region === region),
  )
  const faults: string[] = []
  for (const operator of operators) {
    const { report, fault } = await askStatus(operator)
    if (report === null) {
      faults.push(`${operator.region} (${operator.address}): ${fault}`)
      continue
    }
    const response = await fetch(`${operator.address}/database/${command}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [KEY_HEADER]: readKey(configuration.http.keyFile) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout((body.timeout_seconds + 10) * 1_000),
    })
    return (await response.json()) as { readonly ok: boolean; readonly line: string }
  }
  throw new Error(`no operator answers: ${faults.join('; ')}`)
}

function describe(answers: readonly Awaited<ReturnType<typeof askStatus>>[]): readonly string[] {
  const silent = answers.filter(({ report }) => report === null)
  const lines = silent.map(
    ({ region, address, fault }) => `operator of ${region} (${address}) does not answer: ${fault}`,
  )
  const reports = answers.flatMap(({ report }) => (report === null ? [] : [report]))
  for (const { region, parts } of reports)
    lines.push(`operator of ${region}: ${parts.database?.line ?? 'it keeps no database'}`)
  const best = reports.find(({ parts }) => parts.database?.outcome === 'serving') ?? reports[0]
  if (best?.parts.database == null) return lines
  const rows = best.parts.database.servers.map(serverRow)
  const said = best.lines.slice(-LINES_SHOWN).map(({ at, text }) => `  ${at.slice(0, 19)}Z  ${text}`)
  const head = ['server', 'region', 'role', 'state', 'term', 'behind', '']
  return [...lines, '', ...table(head, rows), '', `last lines of ${best.region}:`, ...said]
}

function serverRow(server: ServerStatus): string[] {
  const behind = server.lag_ms === null ? '–' : `${(server.lag_ms / 1_000).toFixed(1)} s`
  const { fault, source, acknowledging, diskFullAt } = server
  const part = acknowledging === null ? (source === null ? '' : `follows ${source}`) : `${acknowledging} acknowledge`
  const full = diskFullAt === null ? [] : [`disk full at ${diskFullAt.slice(0, 19)}Z`]
  const note = [fault ?? part, ...full].filter((text) => text !== '').join('; ')
  return [server.name, server.region, server.role, server.state, String(server.row ?? '–'), behind, note]
}

async function confirm(server: string, options: WorkOptions, command: Command): Promise<void> {
  const warning = `Everything on ${server} is replaced by a copy of the primary; transactions that only it has are gone.`
  let typed = options.confirm
  if (typed === undefined && process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    typed = await terminal.question(`${warning}\nType its name to go on: `)
    terminal.close()
  }
  if (typed === undefined) command.error(`error: ${warning} Say --confirm ${server} to go on`)
  if (typed !== server) command.error(`error: "${typed}" is not ${server}; nothing was done`)
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error ? cause.message : message
}
