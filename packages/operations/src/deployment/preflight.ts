// Whether this machine and this swarm can carry a deployment, before anything is changed: each obstacle with what to do about it.

import { statfsSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Topology } from '@wintrades/topology'
import { type Docker, DockerFault } from './docker.ts'
import { type Node, readInfo, readServices, type SwarmInfo } from './swarm.ts'

export type Preflight = {
  readonly info: SwarmInfo
  readonly faults: readonly string[]
  readonly warnings: readonly string[]
  readonly isFirst: boolean
}

const DOCKER_MAJOR_MIN = 20
const DISK_BYTES_MIN = 10 * 2 ** 30
const MIB = 2 ** 20

export async function preflight(docker: Docker, topology: Topology): Promise<Preflight> {
  const info = await readInfo(docker)
  const faults: string[] = []
  const warnings: string[] = []
  if (Number.parseInt(info.serverVersion, 10) < DOCKER_MAJOR_MIN) {
    faults.push(`Docker ${info.serverVersion} is too old: install ${DOCKER_MAJOR_MIN}.10 or later`)
  }
  if (info.isActive && !info.isManager) {
    faults.push(
      'this machine is a worker of its swarm: deploy from a manager, or make it one (docker node promote, there)',
    )
  }
  const isFirst = !info.isActive || (await readServices(docker, topology.stack)).length === 0
  const need_mb = memoryOf(topology)
  if (info.memory_bytes / MIB < need_mb) {
    warnings.push(
      `limits of memory add up to ${Math.round(need_mb / 1_024)} GB, and this machine has ${Math.round(info.memory_bytes / MIB / 1_024)}: more nodes, or less memory_mb in topology.yml`,
    )
  }
  const free = freeDisk()
  if (free !== null && free < DISK_BYTES_MIN) {
    faults.push(
      `${Math.round(free / 2 ** 30)} GB are free on the disk, and a deployment needs ${DISK_BYTES_MIN / 2 ** 30}: make room (docker system df)`,
    )
  }
  if (isFirst) {
    for (const [port, use] of portsOf(topology)) {
      if (await isTaken(port))
        faults.push(
          `port ${port} (${use}) is taken on this machine: stop who has it (ss -ltnp 'sport = :${port}'), or choose another one in topology.yml`,
        )
    }
  }
  return { info, faults, warnings, isFirst }
}

/** A container may not be promised more processors than its node has: docker would refuse it again and again. */
export function processorFaults(topology: Topology, nodes: readonly Node[]): readonly string[] {
  const { regions, database, cache, content, operator, balancer, monitoring } = topology
  const wanted: readonly (readonly [string, number])[] = [
    ...regions.map(({ name, app }) => [`app.cpus of region ${name}`, app.cpus] as const),
    ['database.cpus', database.cpus],
    ['cache.cpus', cache.cpus],
    ['content.cpus', content.cpus],
    ['operator.cpus', operator.cpus],
    ['balancer.cpus', balancer.cpus],
    ['monitoring.cpus', monitoring?.cpus ?? 0],
  ]
  return nodes.flatMap(({ hostname, cpus }) =>
    wanted
      .filter(([, wants]) => cpus > 0 && wants > cpus)
      .map(
        ([what, wants]) =>
          `${what} is ${wants}, and node ${hostname} has ${cpus}: write ${cpus} or less in topology.yml`,
      ),
  )
}

/** A swarm of this machine alone, where there is none. */
export async function ensureSwarm(docker: Docker, info: SwarmInfo, say: (line: string) => void): Promise<void> {
  if (info.isActive) return
  try {
    await docker.run(['swarm', 'init', '--advertise-addr', process.env['WINTRADES_ADVERTISE_ADDRESS'] || '127.0.0.1'])
  } catch (error) {
    const said = error instanceof DockerFault ? error.message : String(error)
    throw new Error(
      `the swarm could not be begun: ${said}; name this machine's address in WINTRADES_ADVERTISE_ADDRESS, or run docker swarm init`,
    )
  }
  say('a swarm of this machine was begun (docker swarm join-token worker tells others how to join)')
}

/** All that its services may use at most, MB. */
export function memoryOf(topology: Topology): number {
  const { regions, database, cache, content, operator, balancer, monitoring, backups } = topology
  const apps = regions.reduce((sum, { app }) => sum + app.replicas * app.memory_mb, 0)
  const operators = regions.length * operator.memory_mb + (backups === null ? 0 : backups.memory_mb)
  return (
    apps +
    operators +
    database.servers.length * database.memory_mb +
    cache.nodes * cache.memory_mb +
    content.replicas * content.memory_mb +
    balancer.memory_mb +
    (monitoring?.memory_mb ?? 0)
  )
}

function portsOf({ ports, operations, monitoring }: Topology): readonly (readonly [number, string])[] {
  return [
    [ports.http, 'HTTP'],
    [ports.https, 'HTTPS'],
    [operations.statsPort, "the load balancer's figures"],
    [operations.operatorPort, 'operators'],
    ...(monitoring === null ? [] : ([[operations.prometheusPort, 'Prometheus']] as const)),
  ]
}

async function isTaken(port: number): Promise<boolean> {
  const server = createServer()
  return await new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'))
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(false)))
  })
}

function freeDisk(): number | null {
  try {
    const { bavail, bsize } = statfsSync('/var/lib/docker')
    return bavail * bsize
  } catch {
    return null // docker runs elsewhere
  }
}
