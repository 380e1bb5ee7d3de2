// `wintrades secrets`: what is secret in a deployment, since when it is what it is, and new ones for those that can be replaced while everything runs.

import { SECRETS, secretsOf, variableOf } from '@wintrades/topology'
import { Command } from 'commander'
import type { BringUpContext } from '../deployment/bring-up.ts'
import {
  addPasswords,
  type DatabasePasswords,
  discardOldPasswords,
  haveTwoPasswords,
  newDatabasePasswords,
  ROTATED_ACCOUNTS,
} from '../deployment/database-passwords.ts'
import { prepare } from '../deployment/deploy.ts'
import { Docker } from '../deployment/docker.ts'
import { type KeptRelease, renewSecrets, requireCurrentRelease } from '../deployment/kept-releases.ts'
import {
  aboutDeployment,
  changingDeployment,
  type DeploymentOptions,
  type ProcedureOptions,
  readTopology,
  revealTo,
  runProcedure,
} from '../deployment/procedure.ts'
import { rollOut } from '../deployment/roll-out.ts'
import { currentSecrets, readSecrets, type SecretWishes } from '../deployment/secrets.ts'
import { table } from '../supervisor/panel.ts'

const DATABASE = 'database'
const BALANCER = 'balancer'
/** What a person names → the secrets that are made anew. */
const ROTATED: Readonly<Record<string, readonly string[]>> = {
  [DATABASE]: ROTATED_ACCOUNTS.map((account) => SECRETS.mysql(account, 'a')),
  [BALANCER]: [SECRETS.balancerUsers, SECRETS.balancerOperator],
  [SECRETS.apiKey]: [SECRETS.apiKey],
  [SECRETS.operatorKey]: [SECRETS.operatorKey],
  [SECRETS.jwt]: [SECRETS.jwt],
}
const REASONS = `
  database      passwords of the accounts of app processes, readers, operators, backups and exporters; each account has two while it is changed
  balancer      password of the load balancer's figures (shown once), and of the operators there
  api_key       key of the operator (X-API-Key, shown once)
  operator_key  key of the commands to operators
  jwt_secret    signs access tokens: those that are out end, and clients refresh them

Not these: encryption_key, without which backups and API keys cannot be read; link_key, since processes of two keys are cut off from each other; the accounts of
replication and of Redis. Certificates: wintrades certs renew.
`

type RotateOptions = ProcedureOptions & { readonly trade: boolean }

export function secretsCommand(): Command {
  const command = new Command('secrets').description(
    'The secrets of a deployment. None is ever shown but when it is made.',
  )
  command.addCommand(listCommand(), { isDefault: true })
  command.addCommand(rotateCommand())
  return command
}

function listCommand(): Command {
  return aboutDeployment(new Command('list'))
    .description('Shows every secret, since when it is what it is, and whether it can be replaced.')
    .action(async (options: DeploymentOptions) => {
      const topology = readTopology(options)
      const current = currentSecrets(await readSecrets(new Docker(), topology.stack))
      const wayOf = (name: string) => Object.entries(ROTATED).find(([, names]) => names.includes(name))?.[0]
      const rows = secretsOf(topology).map(({ name }) => {
        const way = wayOf(name)
        const made = current.get(name)?.createdAt.slice(0, 10) ?? 'not made yet'
        return [name, made, way === undefined ? '' : `wintrades secrets rotate ${way}`]
      })
      process.stdout.write(`${table(['secret', 'since', ''], rows).join('\n')}\n`)
    })
}

function rotateCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('rotate')))
    .description(
      'Makes new secrets and brings them onto what runs: a region, then a database server at a time; clients notice nothing. One that was broken off is ' +
        'gone on with.',
    )
    .argument('<what...>', `of ${Object.keys(ROTATED).join(', ')}`)
    .option('--no-trade', 'do not trade test orders')
    .addHelpText('after', REASONS)
    .action(async (words: string[], options: RotateOptions) => {
      const unknown = words.find((word) => ROTATED[word] === undefined)
      if (unknown !== undefined)
        throw new Error(`${unknown} cannot be rotated; these can: ${Object.keys(ROTATED).join(', ')} (--help says why)`)
      await runProcedure(`secrets rotate ${words.join(' ')}`, options, async (context) => {
        await rotate(context, words, options.trade && context.topology.tradingMode === 'paper')
        return { outcome: 'done', detail: `new secrets are in use: ${words.join(', ')}` }
      })
    })
}

async function rotate(context: BringUpContext, words: readonly string[], trades: boolean): Promise<void> {
  const { state, say } = context
  const before = requireCurrentRelease(state)
  const isDatabase = words.includes(DATABASE)
  // Secrets are made before the databases know them: what is newest in the swarm is then always what goes on with a change that was begun.
  const isBegun = isDatabase && (await haveTwoPasswords(context))
  const passwords = isDatabase && !isBegun ? newDatabasePasswords() : null
  const others = words.filter((word) => word !== DATABASE).flatMap((word) => ROTATED[word] ?? [])
  const secrets: SecretWishes = {
    given: passwords ?? new Map(),
    anew: new Set([...others, ...(passwords?.keys() ?? [])]),
  }
  if (isBegun) say('the change of passwords that was begun is gone on with')
  const kept = await prepare({
    ...context,
    placement: new Map(),
    secrets,
    reveal: revealTo(say),
  })
  if (passwords !== null) {
    await addOrForget(context, passwords, kept)
    say(`the accounts ${ROTATED_ACCOUNTS.join(', ')} have two passwords each`)
  }
  await rollOut(context, kept, before, { trades })
  if (isDatabase) {
    await discardOldPasswords(context)
    say('the passwords before are no good any more')
  }
  const variables = words.flatMap((word) => ROTATED[word] ?? []).map(variableOf)
  renewSecrets(state, Object.fromEntries(variables.map((name) => [name, kept.environment[name] ?? ''])))
}

/** Secrets that the databases were not told of must not be the newest: whatever is deployed next would be given them. */
async function addOrForget(context: BringUpContext, passwords: DatabasePasswords, kept: KeptRelease): Promise<void> {
  try {
    await addPasswords(context, passwords)
  } catch (error) {
    // It may have been done all the same.
    if (await haveTwoPasswords(context)) return
    for (const name of passwords.keys())
      await context.docker.run(['secret', 'rm', kept.environment[variableOf(name)] ?? name])
    throw error
  }
}
