// Everything that is to be seen of a deployment at one moment: nodes and services from the swarm, shards from the regions themselves, databases, cache and
// traffic from an operator, certificates and what was done last from this machine. What does not answer is null; nothing here throws because a part is down.

import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import type { Topology } from '@wintrades/topology'
import type { BackupStatus } from '../backup/index.ts'
import type { ShardReport } from '../supervisor/region-report.ts'
import { progressOf, type ServiceProgress } from './convergence.ts'
import type { Docker } from './docker.ts'
import { type Holder, readLock } from './lock.ts'
import { type OperatorReport, readBackupStatus, readOperatorReport } from './operators.ts'
import { certificateFolder, readPublicCertificate } from './public-certificate.ts'
import type { AuditLine, StateDirectory } from './state-directory.ts'
import { type Node, readNodes, readServices, type Service } from './swarm.ts'

export type RegionView = {
  readonly region: string
  /** The region that answered for it: another one, where none of its processes is ready or its clients are sent elsewhere. */
  readonly answeredBy: string | null
  readonly shards: readonly ShardReport[]
}

export type StackStatus = {
  readonly stack: string
  readonly nodes: readonly Node[]
  readonly services: readonly (Service & { readonly progress: ServiceProgress })[]
  readonly regions: readonly RegionView[]
  readonly operator: OperatorReport | null
  /** Of the operator that makes them; null: none are to be made, or it does not answer. */
  readonly backup: BackupStatus | null
  readonly certificate: { readonly warnings: readonly string[] } | null
  readonly lock: Holder | null
  /** The newest last. */
  readonly audit: readonly AuditLine[]
}

const ASK_MS = 5_000
const AUDIT_LINES = 5

export async function readStackStatus(docker: Docker, topology: Topology, state: StateDirectory): Promise<StackStatus> {
  const [nodes, services, lock, operator, backup, regions] = await Promise.all([
    readNodes(docker),
    readServices(docker, topology.stack),
    readLock(docker, topology.stack),
    readOperatorReport(topology),
    readBackupStatus(docker, topology),
    Promise.all(topology.regions.map(({ name }) => readRegionView(topology, name))),
  ])
  const edge = nodes.filter(({ labels, isReady }) => isReady && labels['wintrades.edge'] === 'true').length
  return {
    stack: topology.stack,
    nodes,
    services: services.map((service) => ({ ...service, progress: progressOf(service, edge) })),
    regions,
    operator,
    backup,
    certificate: readPublicCertificate(topology.domains),
    lock,
    audit: state.auditLines().slice(-AUDIT_LINES),
  }
}

/** Of any shard, what the region with the newest epoch says. */
export function shardsOf({ regions }: Pick<StackStatus, 'regions'>): readonly ShardReport[] {
  const newest = new Map<string, ShardReport>()
  for (const shard of regions.flatMap(({ shards }) => shards)) {
    const other = newest.get(shard.name)
    if (other === undefined || other.epoch < shard.epoch || (other.epoch === shard.epoch && other.seq < shard.seq))
      newest.set(shard.name, shard)
  }
  return [...newest.values()].sort((a, b) => a.shard - b.shard)
}

type RawReport = { readonly region?: string; readonly shards?: readonly ShardReport[] }

export async function readRegionView(topology: Topology, region: string): Promise<RegionView> {
  const raw = await askBalancer(topology, region)
  return { region, answeredBy: raw?.region ?? null, shards: raw?.shards ?? [] }
}

/** As a client of that region asks. */
function askBalancer(topology: Topology, region: string): Promise<RawReport | null> {
  const [servername = 'localhost'] = topology.domains
  const isSelfSigned = readPublicCertificate(topology.domains)?.isSelfSigned === true
  const agent = new Agent({
    servername,
    ...(isSelfSigned ? { ca: readFileSync(join(certificateFolder(), 'wintradesgo.crt'), 'utf8') } : {}),
  })
  const options = {
    agent,
    host: '127.0.0.1',
    port: topology.ports.https,
    path: '/health/region',
    headers: { host: servername, 'x-wintrades-region': region },
    timeout: ASK_MS,
  }
  return new Promise((resolve) => {
    const asked = request(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.once('end', () => resolve(response.statusCode === 200 ? parse(text) : null))
    })
    asked.once('timeout', () => asked.destroy(new Error('no answer in time')))
    asked.once('error', () => resolve(null)) // the status says that nobody answered
    asked.end()
  })
}

function parse(text: string): RawReport | null {
  try {
    return JSON.parse(text) as RawReport
  } catch {
    return null // not from a process of this platform
  }
}
