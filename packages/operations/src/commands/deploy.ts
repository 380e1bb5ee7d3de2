// `wintrades deploy [environment] [region]`: the whole platform, or one region of it, on Docker Swarm.

import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { deploy } from '../deployment/deploy.ts'
import { Docker } from '../deployment/docker.ts'
import { breakLock, whoAmI, withLock } from '../deployment/lock.ts'
import { readPublicCertificate } from '../deployment/public-certificate.ts'
import { StateDirectory } from '../deployment/state-directory.ts'
import { tradeInEveryRegion } from '../deployment/trade-check.ts'
import { MAIN_ENVIRONMENT, requireDeployment, topologyFile } from '../topology/read-files.ts'

type DeployCommandOptions = {
  readonly topology?: string
  readonly place: ReadonlyMap<string, string>
  readonly timeout: number
  readonly breakLock?: boolean
  readonly trade: boolean
}

const TIMEOUT_SECONDS = 1_200
const ENVIRONMENTS = ['production', 'staging', 'development'] as const

export function deployCommand(): Command {
  return new Command('deploy')
    .description(
      'Brings the platform up on Docker Swarm, or changes what runs to what topology.yml says. Repeating it is safe.',
    )
    .argument('[environment]', `one of ${ENVIRONMENTS.join(', ')}`, parseEnvironment, MAIN_ENVIRONMENT)
    .argument('[region]', 'a region of the topology, or all', 'all')
    .option(
      '--topology <path>',
      'what is deployed where (default: topology.yml; of another environment topology.ENVIRONMENT.yml)',
    )
    .option('--place <region=node>', 'the node that shall carry a region; may be repeated', parsePlace, new Map())
    .option('--timeout <seconds>', 'how long everything may take to become healthy', parseSeconds, TIMEOUT_SECONDS)
    .option('--break-lock', 'take the lock from a deployment that has ended without giving it back')
    .option('--no-trade', 'do not trade test orders at the end')
    .action(async (environment: string, region: string, options: DeployCommandOptions) => {
      await run(environment, region, options)
    })
}

async function run(environment: string, region: string, options: DeployCommandOptions): Promise<void> {
  const began_ms = performance.now()
  const file = resolve(options.topology ?? topologyFile(environment))
  const topology = requireDeployment(file)
  const names = topology.regions.map(({ name }) => name)
  if (region !== 'all' && !names.includes(region)) {
    throw new Error(`there is no region ${region}; regions are all, ${names.join(', ')}`)
  }
  const docker = new Docker()
  const state = new StateDirectory(topology.stack)
  const stopping = new AbortController()
  process.once('SIGINT', () => stopping.abort(new Error('broken off; run it again to go on')))
  const say = (line: string) => void process.stdout.write(`${line}\n`)
  if (options.breakLock === true) {
    const holder = await breakLock(docker, topology.stack)
    if (holder !== null) say(`the lock of ${holder.who}, taken ${holder.at}, was broken`)
  }
  const what = `deploy ${environment} ${region}`
  const record = (outcome: 'done' | 'failed' | 'unchanged', detail: string) =>
    state.audit({
      at: new Date().toISOString(),
      who: whoAmI(),
      what,
      outcome,
      took_seconds: Math.round(performance.now() - began_ms) / 1_000,
      detail,
    })
  try {
    const work = async () => {
      const result = await deploy({
        docker,
        topology,
        state,
        region: region === 'all' ? null : region,
        placement: options.place,
        timeout_ms: options.timeout * 1_000,
        say,
        reveal: (purpose, value) => say(`\n  KEEP THIS, it is shown this once: ${purpose}\n    ${value}\n`),
        signal: stopping.signal,
      })
      if (options.trade && topology.tradingMode === 'paper') await tradeInEveryRegion(topology, say, stopping.signal)
      return result
    }
    // Without a swarm there is nobody to share with, and nowhere to lock.
    const { changed, release, services } = await ((await isSwarm(docker))
      ? withLock(docker, topology.stack, what, work)
      : work())
    const took = `${((performance.now() - began_ms) / 1_000).toFixed(0)} s`
    for (const warning of readPublicCertificate(topology.domains)?.warnings ?? []) say(`warning: ${warning}`)
    if (changed.length === 0)
      say(`nothing was changed: release ${release} runs, ${services.length} services healthy (${took})`)
    else say(`all healthy: ${services.length} services of release ${release}; changed: ${changed.join(', ')} (${took})`)
    record(
      changed.length === 0 ? 'unchanged' : 'done',
      `release ${release}; changed ${changed.join(', ') || 'nothing'}`,
    )
  } catch (error) {
    record('failed', error instanceof Error ? error.message : String(error))
    throw error
  }
}

async function isSwarm(docker: Docker): Promise<boolean> {
  return (await docker.run(['info', '--format', '{{.Swarm.ControlAvailable}}'])) === 'true'
}

function parseEnvironment(text: string): string {
  if ((ENVIRONMENTS as readonly string[]).includes(text)) return text
  throw new InvalidArgumentError(`must be one of ${ENVIRONMENTS.join(', ')}`)
}

function parsePlace(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [region, node, ...rest] = text.split('=')
  if (region === undefined || node === undefined || node === '' || rest.length > 0)
    throw new InvalidArgumentError('must be REGION=NODE, such as eu-west=node-2')
  return new Map([...before, [region, node]])
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds >= 10 && seconds <= 86_400) return seconds
  throw new InvalidArgumentError('must be whole seconds from 10 to 86400')
}
