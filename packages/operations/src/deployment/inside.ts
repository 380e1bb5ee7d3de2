// Asks a process of the stack over HTTP from inside its own container, with a key that is a secret there: no key leaves the swarm. That works for tasks on
// the node that docker speaks to; another node is named where none is here.

import type { Topology } from '@wintrades/topology'
import { type Docker, DockerFault } from './docker.ts'
import { readNodes, readServices } from './swarm.ts'

export type InsideRequest = {
  readonly method: 'GET' | 'POST'
  readonly port: number
  readonly path: string
  /** The header that carries it, and the secret's file in the container. */
  readonly key?: { readonly header: string; readonly file: string }
  readonly body?: unknown
  readonly timeout_ms: number
}

export type InsideAnswer = { readonly status: number; readonly body: unknown }

const START_MS = 15_000
/** Read from standard input, so that nothing of it is in a list of processes. */
const SCRIPT = `
const { readFileSync } = require('node:fs')
const { method, port, path, key, body, timeout_ms } = JSON.parse(readFileSync(0, 'utf8'))
const headers = { 'content-type': 'application/json' }
if (key) headers[key.header] = readFileSync(key.file, 'utf8').trim()
fetch('http://127.0.0.1:' + port + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(timeout_ms) })
  .then(async (response) => {
    const text = await response.text()
    let parsed
    try { parsed = JSON.parse(text) } catch { parsed = text }
    process.stdout.write(JSON.stringify({ status: response.status, body: parsed }))
  })
  .catch((error) => process.stdout.write(JSON.stringify({ status: 0, body: String(error.cause?.message ?? error.message) })))
`

/** `services`: any of them will do. Throws where none has a task on this node. */
export async function askInside(
  docker: Docker,
  topology: Topology,
  services: readonly string[],
  request: InsideRequest,
): Promise<InsideAnswer> {
  for (const service of services) {
    for (const container of await containersOf(docker, `${topology.stack}_${service}`)) {
      try {
        const text = await docker.run(['exec', '--interactive', container, 'node', '--eval', SCRIPT], {
          input: JSON.stringify(request),
          timeout_ms: request.timeout_ms + START_MS,
        })
        return JSON.parse(text) as InsideAnswer
      } catch (error) {
        // It may have stopped since it was found.
        if (!(error instanceof DockerFault)) throw error
      }
    }
  }
  throw new Error(await whereElse(docker, topology, services))
}

/** Of a service of the swarm, those that run on this node. */
export async function containersOf(docker: Docker, service: string): Promise<readonly string[]> {
  const filters = ['--filter', `label=com.docker.swarm.service.name=${service}`, '--filter', 'status=running']
  const text = await docker.run(['ps', '--quiet', ...filters])
  return text.split('\n').filter((id) => id !== '')
}

/** For a person: the node to go to. */
export async function whereElse(docker: Docker, topology: Topology, services: readonly string[]): Promise<string> {
  const nodes = await readNodes(docker)
  const tasks = (await readServices(docker, topology.stack))
    .filter(({ name }) => services.includes(name))
    .flatMap((service) => service.tasks.filter(({ state, wanted }) => state === 'running' && wanted === 'running'))
  const names = [...new Set(tasks.flatMap(({ node }) => nodes.find(({ id }) => id === node)?.hostname ?? []))]
  return names.length === 0
    ? `no process of ${services.join(', ')} runs: wintrades status tells more`
    : `no process of ${services.join(', ')} runs on this node: run this on ${names.join(' or ')}`
}
