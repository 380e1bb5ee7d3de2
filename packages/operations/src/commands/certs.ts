// `wintrades certs`: the certificates of a deployment, when they end, and new ones for those that need them.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { secretsOf, type Topology } from '@wintrades/topology'
import { Command } from 'commander'
import { deploy } from '../deployment/deploy.ts'
import {
  aboutDeployment,
  changingDeployment,
  type DeploymentOptions,
  type ProcedureOptions,
  readTopology,
  revealTo,
  runProcedure,
} from '../deployment/procedure.ts'
import { certificateFolder, readPublicCertificate } from '../deployment/public-certificate.ts'
import { requestsOf } from '../deployment/secrets.ts'
import { StateDirectory } from '../deployment/state-directory.ts'
import { expiryOf, RENEW_DAYS, renewCertificates } from '../operator/certificates/authority.ts'
import { table } from '../supervisor/panel.ts'

type RenewOptions = ProcedureOptions & { readonly all?: boolean; readonly trade: boolean }

const DAY_MS = 86_400_000

export function certsCommand(): Command {
  const command = new Command('certs').description('The certificates of a deployment.')
  command.addCommand(listCommand(), { isDefault: true })
  command.addCommand(renewCommand())
  return command
}

function listCommand(): Command {
  return aboutDeployment(new Command('list'))
    .description(
      `Shows every certificate and when it ends. Those under the private authority are renewed by any deploy from ${RENEW_DAYS} days before. ` +
        'Ends with code 1 where one has ended or is missing.',
    )
    .action(show)
}

function show(options: DeploymentOptions): void {
  const topology = readTopology(options)
  const { certificates } = new StateDirectory(topology.stack)
  const clients = readPublicCertificate(topology.domains)
  const files = [
    ['private authority', join(certificates, 'ca.pem')],
    ...requestsOf(secretsOf(topology)).map(({ name }) => [name, join(certificates, name, 'server.pem')]),
  ] as const
  const rows = [
    clients === null
      ? ['clients', 'missing', '', 'a deploy makes a self-signed one']
      : ['clients', ...endOf(clients.expiresAt), clients.warnings.join('; ')],
    ...files.map(([name, file]) =>
      existsSync(file) ? [name, ...endOf(expiryOf(file)), ''] : [name, 'missing', '', 'a deploy makes it'],
    ),
  ]
  process.stdout.write(`${table(['certificate', 'ends', 'days left', ''], rows).join('\n')}\n`)
  if (rows.some(([, ends, left]) => ends === 'missing' || Number(left) < 0)) process.exitCode = 1
}

function endOf(at: Date): readonly [string, string] {
  return [at.toISOString().slice(0, 10), String(Math.floor((at.getTime() - Date.now()) / DAY_MS))]
}

function renewCommand(): Command {
  return changingDeployment(aboutDeployment(new Command('renew')))
    .description(
      'Makes new certificates for the named services (default: those that end soon), takes over the one of clients if it was replaced in ' +
        `${certificateFolder()}, and brings them onto what runs: a region, then a database server at a time.`,
    )
    .argument('[service...]', 'such as app_us_east, mysql_master or redis_cluster')
    .option('--all', 'for every service')
    .option('--no-trade', 'do not trade test orders')
    .action(async (services: string[], options: RenewOptions) => {
      await runProcedure(`certs renew ${services.join(' ')}`.trim(), options, async (context) => {
        const { topology, state, say } = context
        const requests = wanted(topology, services, options.all === true)
        for (const { name, expiresAt } of await renewCertificates(state.certificates, requests))
          say(`${name}: a new certificate, until ${expiresAt.toISOString().slice(0, 10)}`)
        const { changed } = await deploy({
          ...context,
          region: null,
          placement: new Map(),
          trades: options.trade && topology.tradingMode === 'paper',
          reveal: revealTo(say),
        })
        return changed.length === 0
          ? { outcome: 'unchanged', detail: 'every certificate is valid for long enough, and in use' }
          : { outcome: 'done', detail: `new certificates are in use by ${changed.join(', ')}` }
      })
    })
}

function wanted(topology: Topology, names: readonly string[], all: boolean): ReturnType<typeof requestsOf> {
  const requests = requestsOf(secretsOf(topology))
  const unknown = names.find((name) => requests.every((request) => request.name !== name))
  if (unknown !== undefined)
    throw new Error(
      `no service ${unknown} has a certificate; those that have: ${requests.map(({ name }) => name).join(', ')}`,
    )
  return all ? requests : requests.filter(({ name }) => names.includes(name))
}
