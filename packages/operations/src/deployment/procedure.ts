// What every procedure on a deployment has in common: the topology it is about, one at a time with a lock that says who and why, an audit line with how it
// ended and how long it took, and an end by Ctrl-C that leaves nothing half told.

import { resolve } from 'node:path'
import type { Topology } from '@wintrades/topology'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { MAIN_ENVIRONMENT, requireDeployment, topologyFile } from '../topology/read-files.ts'
import type { BringUpContext } from './bring-up.ts'
import { Docker } from './docker.ts'
import { breakLock, whoAmI, withLock } from './lock.ts'
import type { SecretsListener } from './secrets.ts'
import { StateDirectory } from './state-directory.ts'

export const ENVIRONMENTS = ['production', 'staging', 'development'] as const
const TIMEOUT_SECONDS = 1_200

export type DeploymentOptions = { readonly environment?: string; readonly topology?: string }
export type ProcedureOptions = DeploymentOptions & { readonly timeout: number; readonly breakLock?: boolean }

/** How it ended: `unchanged` when there was nothing to do. */
export type Outcome = { readonly outcome: 'done' | 'unchanged'; readonly detail: string }

/** `--environment`, `--topology`: which deployment is meant. */
export function aboutDeployment(command: Command): Command {
  return command
    .addOption(
      new Option('--environment <name>', `one of ${ENVIRONMENTS.join(', ')}`)
        .argParser(parseEnvironment)
        .default(MAIN_ENVIRONMENT),
    )
    .option(
      '--topology <path>',
      'what is deployed where (default: topology.yml; of another environment topology.ENVIRONMENT.yml)',
    )
}

/** And what every procedure that changes it understands. */
export function changingDeployment(command: Command): Command {
  return command
    .option('--timeout <seconds>', 'how long everything may take to become healthy', parseSeconds, TIMEOUT_SECONDS)
    .option('--break-lock', 'take the lock from a procedure that has ended without giving it back')
}

export function readTopology(options: DeploymentOptions): Topology {
  return requireDeployment(resolve(options.topology ?? topologyFile(options.environment ?? MAIN_ENVIRONMENT)))
}

export async function runProcedure(
  what: string,
  options: ProcedureOptions,
  work: (context: BringUpContext) => Promise<Outcome>,
): Promise<void> {
  const began_ms = performance.now()
  const topology = readTopology(options)
  const docker = new Docker()
  const state = new StateDirectory(topology.stack)
  const stopping = new AbortController()
  process.once('SIGINT', () => stopping.abort(new Error('broken off; run it again to go on')))
  const say = (line: string) => void process.stdout.write(`${line}\n`)
  if (options.breakLock === true) {
    const holder = await breakLock(docker, topology.stack)
    if (holder !== null) say(`the lock of ${holder.who}, taken ${holder.at}, was broken`)
  }
  const record = (outcome: 'done' | 'failed' | 'unchanged', detail: string) => {
    const took_seconds = Math.round(performance.now() - began_ms) / 1_000
    state.audit({ at: new Date().toISOString(), who: whoAmI(), what, outcome, took_seconds, detail })
  }
  const context = { docker, topology, state, say, signal: stopping.signal, timeout_ms: options.timeout * 1_000 }
  try {
    // Without a swarm there is nobody to share with, and nowhere to lock.
    const { outcome, detail } = await ((await isSwarm(docker))
      ? withLock(docker, topology.stack, what, () => work(context))
      : work(context))
    say(`${detail} (${((performance.now() - began_ms) / 1_000).toFixed(0)} s)`)
    record(outcome, detail)
  } catch (error) {
    record('failed', error instanceof Error ? error.message : String(error))
    throw error
  }
}

/** What a person has to keep, where nobody overlooks it. */
export function revealTo(say: (line: string) => void): SecretsListener['reveal'] {
  return (purpose, value) => say(`\n  KEEP THIS, it is shown this once: ${purpose}\n    ${value}\n`)
}

async function isSwarm(docker: Docker): Promise<boolean> {
  return (await docker.run(['info', '--format', '{{.Swarm.ControlAvailable}}'])) === 'true'
}

export function parseEnvironment(text: string): string {
  if ((ENVIRONMENTS as readonly string[]).includes(text)) return text
  throw new InvalidArgumentError(`must be one of ${ENVIRONMENTS.join(', ')}`)
}

export function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds >= 10 && seconds <= 86_400) return seconds
  throw new InvalidArgumentError('must be whole seconds from 10 to 86400')
}
