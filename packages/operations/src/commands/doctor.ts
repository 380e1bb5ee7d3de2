// `wintrades doctor`: what is wrong with a deployment, and what to do next.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { secretsOf, type Topology } from '@wintrades/topology'
import { Command } from 'commander'
import { type Certificates, diagnose, type Finding } from '../deployment/diagnosis.ts'
import { Docker } from '../deployment/docker.ts'
import { preflight } from '../deployment/preflight.ts'
import { aboutDeployment, type DeploymentOptions, readTopology } from '../deployment/procedure.ts'
import { requestsOf } from '../deployment/secrets.ts'
import { readStackStatus } from '../deployment/stack-status.ts'
import { StateDirectory } from '../deployment/state-directory.ts'
import { expiryOf } from '../operator/certificates/authority.ts'

const SIGNS = { broken: 'BROKEN', weak: 'weak', note: 'note' } as const

export function doctorCommand(): Command {
  return aboutDeployment(new Command('doctor'))
    .description(
      'Looks at everything of a deployment (nodes, services, regions, shards, databases, cache, load balancers, certificates, backups, this machine) ' +
        'and says what is wrong, why, and what to do next. Changes nothing. Ends with code 1 where something is broken.',
    )
    .option('--json', 'one JSON array')
    .action(async (options: DeploymentOptions & { readonly json?: boolean }) => {
      const findings = await examine(readTopology(options))
      const text = options.json === true ? JSON.stringify(findings) : describe(findings).join('\n')
      process.stdout.write(`${text}\n`)
      process.exitCode = findings.some(({ kind }) => kind === 'broken') ? 1 : 0
    })
}

async function examine(topology: Topology): Promise<readonly Finding[]> {
  const docker = new Docker()
  const state = new StateDirectory(topology.stack)
  const looked = await preflight(docker, topology)
  if (!looked.info.isActive) {
    const what = 'Docker on this machine is in no swarm: nothing is deployed here'
    return [{ kind: 'broken', what, next: 'go to a manager of the swarm, or wintrades deploy begins one here' }]
  }
  if (!looked.info.isManager) {
    const what = 'this machine is a worker of its swarm, which may not look at it'
    return [{ kind: 'broken', what, next: 'go to a manager (docker node ls, there, names them)' }]
  }
  const status = await readStackStatus(docker, topology, state)
  return diagnose(topology, {
    status,
    // What a first deploy would stumble over is the stack itself, once it runs.
    preflight: looked,
    certificates: certificatesOf(topology, state),
    now: new Date(),
  })
}

function certificatesOf(topology: Topology, state: StateDirectory): Certificates {
  return requestsOf(secretsOf(topology)).flatMap(({ name }) => {
    const file = join(state.certificates, name, 'server.pem')
    return existsSync(file) ? [{ name, expiresAt: expiryOf(file) }] : []
  })
}

function describe(findings: readonly Finding[]): readonly string[] {
  if (findings.length === 0) return ['all is well']
  return findings.flatMap(({ kind, what, next }) => [`${SIGNS[kind]}: ${what}`, `  → ${next}`])
}
