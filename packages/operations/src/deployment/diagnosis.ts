// What is wrong with a deployment, why, and what to do next: from everything that is to be seen of it at one moment. Pure.

import { appServiceOf, NODE_LABELS, operatorServiceOf, type Topology } from '@wintrades/topology'
import type { Preflight } from './preflight.ts'
import { type StackStatus, shardsOf } from './stack-status.ts'
import type { Service } from './swarm.ts'

export type Finding = {
  /** `broken`: something does not work; `weak`: the next fault would hurt; `note`: somebody wanted it so. */
  readonly kind: 'broken' | 'weak' | 'note'
  readonly what: string
  readonly next: string
}

export type Certificates = readonly { readonly name: string; readonly expiresAt: Date }[]

export type Facts = {
  readonly status: StackStatus
  readonly preflight: Pick<Preflight, 'faults' | 'warnings'>
  /** Under the private authority, as this machine has them. */
  readonly certificates: Certificates
  readonly now: Date
}

const LOCK_OLD_MS = 3_600_000
const LAG_MS_MAX = 10_000
const DAY_MS = 86_400_000
/** Deploys renew sooner: what is left longer than that was deployed by nobody for weeks. */
const CERTIFICATE_DAYS_MIN = 30
const BACKUP_HOURS_MAX = 36

/** The worst first. */
export function diagnose(topology: Topology, facts: Facts): readonly Finding[] {
  const { status, preflight } = facts
  if (status.services.length === 0) {
    return [
      broken(
        `of stack ${topology.stack} nothing runs`,
        'wintrades plan shows what a deploy would do, wintrades deploy does it',
      ),
    ]
  }
  const findings = [
    ...preflight.faults.map((fault) => broken(...halves(fault))),
    ...nodeFindings(topology, status),
    ...serviceFindings(status),
    ...regionFindings(topology, status),
    ...shardFindings(status),
    ...databaseFindings(topology, status),
    ...partFindings(facts),
    ...backupFindings(topology, facts),
    ...certificateFindings(facts),
    ...lockFindings(facts),
    ...preflight.warnings.map((warning) => note(...halves(warning))),
  ]
  const rank = { broken: 0, weak: 1, note: 2 } as const
  return findings.toSorted((a, b) => rank[a.kind] - rank[b.kind])
}

function nodeFindings({ regions }: Topology, { nodes }: StackStatus): readonly Finding[] {
  const able = nodes.filter(({ isReady, isActive }) => isReady && isActive)
  return [
    ...nodes
      .filter(({ isReady }) => !isReady)
      .map(({ hostname }) =>
        broken(
          `node ${hostname} is down: what ran there runs elsewhere or not at all`,
          `start the machine or its Docker (systemctl start docker, there); if it will not come back: docker node rm --force ${hostname}`,
        ),
      ),
    ...nodes
      .filter(({ isReady, isActive }) => isReady && !isActive)
      .map(({ hostname }) =>
        weak(
          `node ${hostname} takes no tasks: somebody drained or paused it`,
          `docker node update --availability active ${hostname}, when its maintenance is done`,
        ),
      ),
    ...regions
      .filter(({ name }) => !able.some(({ labels }) => labels[NODE_LABELS.region(name)] === 'true'))
      .map(({ name }) =>
        broken(
          `no node that is ready carries region ${name}`,
          `wintrades deploy --place ${name}=NODE (docker node ls names them)`,
        ),
      ),
  ]
}

function serviceFindings({ services, stack }: StackStatus): readonly Finding[] {
  return services.flatMap((service): Finding[] => {
    const { name, progress } = service
    if (progress.state === 'failed')
      return [broken(`${name} ${progress.line}`, `wintrades logs ${name}; then mend it and wintrades deploy again`)]
    if (progress.state === 'going on') {
      const [cause, next] = causeOf(service, stack)
      return [broken(`${name}: ${progress.running} of ${progress.wanted} healthy${cause}`, next)]
    }
    if (service.replicas === 0)
      return [
        note(
          `${name} has no tasks: somebody scaled it to 0`,
          `docker service scale ${stack}_${name}=1, or wintrades deploy`,
        ),
      ]
    return []
  })
}

/** What docker says in its own words, and what that means here. */
const CAUSES: readonly (readonly [RegExp, string, (name: string) => string])[] = [
  [
    /not available for new tasks/i,
    'the node that has its labels is down or drained',
    () => 'bring that node back (docker node ls); a deploy with --place moves a region to another one, but no data',
  ],
  [
    /scheduling constraints not satisfied/i,
    'no node has the labels that it needs',
    () => 'wintrades plan names the labels; wintrades deploy sets them on nodes that are ready',
  ],
  [
    /insufficient resources/i,
    'no node has as much memory or as many processors as it may use',
    () => 'more nodes, or less memory_mb and cpus in topology.yml, then wintrades deploy',
  ],
  [
    /host-mode port already in use/i,
    'another service has its port on every node',
    () => 'stop that one (docker service ls shows ports), or choose other ports in topology.yml, then wintrades deploy',
  ],
  [
    /no such image|pull access denied|not found: manifest/i,
    'the node does not have its image and cannot get it',
    () => 'put the images where every node can pull them (images in topology.yml), or load them there (docker load)',
  ],
  [
    /\b137\b|oom/i,
    'it was killed, most likely for using more memory than it may',
    (name) => `wintrades logs ${name}; more memory_mb for it in topology.yml, then wintrades deploy`,
  ],
  [
    /rlimit/i,
    'dockerd may not open as many files as it needs',
    () => 'raise dockerd’s limit (ulimit -n), or lower balancer.connections_max in topology.yml, then wintrades deploy',
  ],
  [
    /no space left/i,
    'the disk of its node is full',
    () => 'make room there (docker system df): docs/runbooks/full-disk.md',
  ],
  [/unhealthy container/i, 'its health check fails', (name) => `wintrades logs ${name} says why`],
]

function causeOf({ name, tasks }: Service, stack: string): readonly [string, string] {
  const error = tasks
    .filter((task) => task.error !== null && task.error !== '')
    .toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0]?.error
  if (error === undefined || error === null)
    return ['', `it may only be starting; if it stays so: wintrades logs ${name}`]
  const known = CAUSES.find(([pattern]) => pattern.test(error))
  if (known === undefined)
    return [`: ${error}`, `wintrades logs ${name}; docker service ps --no-trunc ${stack}_${name}`]
  const [, meaning, next] = known
  return [`: ${meaning} (${error})`, next(name)]
}

function regionFindings({ regions }: Topology, { regions: views, operator }: StackStatus): readonly Finding[] {
  return regions.flatMap(({ name }): Finding[] => {
    const sentTo = operator?.parts.traffic?.wishes[name] ?? name
    const answeredBy = views.find(({ region }) => region === name)?.answeredBy ?? null
    if (answeredBy === null)
      return [
        broken(
          `clients of ${name} are answered by nobody`,
          `wintrades logs global_loadbalancer, wintrades logs ${appServiceOf(name)}: the balancer is not reached on this machine, or no region is ready`,
        ),
      ]
    const moved = [
      ...(sentTo === name
        ? []
        : [note(`clients of ${name} are sent to ${sentTo}`, `wintrades region restore ${name} takes it back`)]),
      ...(answeredBy === sentTo
        ? []
        : [
            broken(
              `clients of ${name} are answered by ${answeredBy}: no process of ${sentTo} is ready`,
              `wintrades logs ${sentTo} says what its processes wait for`,
            ),
          ]),
    ]
    return moved
  })
}

function shardFindings(status: StackStatus): readonly Finding[] {
  return shardsOf(status).flatMap(({ name, leader, fault }): Finding[] => {
    if (fault !== null)
      return [
        broken(
          `shard ${name} has stopped: ${fault}`,
          `wintrades logs ${leader ?? name}; docs/venue.md says what each fault means`,
        ),
      ]
    if (leader === null)
      return [
        broken(
          `shard ${name} is led by nobody: its orders wait`,
          'a process claims it by itself once it can write to the database: see what is said of the databases',
        ),
      ]
    return []
  })
}

function databaseFindings(topology: Topology, { operator }: StackStatus): readonly Finding[] {
  const database = operator?.parts.database
  if (database === undefined || database === null)
    return [
      broken(
        'no operator answers: nobody keeps databases, cache and traffic in order, and nothing is known of them here',
        `wintrades logs ${operatorServiceOf(topology.regions[0]?.name ?? '')}; is the operations door reached at ${topology.operations.address}:${topology.operations.operatorPort}?`,
      ),
    ]
  return [
    ...(database.outcome === 'serving' ? [] : [broken(database.line, runbookOf(database.line))]),
    ...database.servers.flatMap((server): Finding[] => {
      if (server.diskFullAt !== null)
        return [broken(`the disk of ${server.name} is full`, 'docs/runbooks/full-disk.md')]
      if (server.fault !== null || server.state === 'unreachable')
        return [
          weak(
            `${server.name} (${server.role} in ${server.region}) is ${server.state}${server.fault === null ? '' : `: ${server.fault}`}`,
            `the operators bring it back by themselves; if it stays so: wintrades logs ${server.name}, docs/runbooks/README.md`,
          ),
        ]
      if (server.lag_ms !== null && server.lag_ms > LAG_MS_MAX)
        return [
          weak(
            `${server.name} is ${Math.round(server.lag_ms / 1_000)} s behind the primary`,
            'docs/runbooks/replica-behind.md',
          ),
        ]
      return []
    }),
  ]
}

function runbookOf(line: string): string {
  return line.startsWith('Refused') ? 'docs/runbooks/promotion-refused.md' : 'docs/runbooks/primary-lost.md'
}

function partFindings({ status }: Facts): readonly Finding[] {
  const { redis, traffic } = status.operator?.parts ?? {}
  const unreached = traffic?.balancers.filter(({ fault }) => fault !== null) ?? []
  const findings: Finding[] = unreached.map(({ address, fault }) =>
    weak(
      `load balancer ${address} does not tell where it sends clients: ${fault}`,
      'wintrades logs global_loadbalancer; was its password changed without the operators?',
    ),
  )
  if (redis?.verdict === 'refuse' || redis?.verdict === 'wait')
    findings.push(weak(`cache: ${redis.line}`, 'everything works without it, more slowly: docs/runbooks/cache.md'))
  return findings
}

function backupFindings({ backups }: Topology, { status: { backup }, now }: Facts): readonly Finding[] {
  if (backups === null) return [weak('no backups are made', 'topology.yml, section backups; docs/backups.md')]
  const service = operatorServiceOf(backups.region)
  if (backup === null)
    return [
      weak(`nothing is known of the backups: ${service} does not answer on this node`, `wintrades logs ${service}`),
    ]
  const { newest } = backup
  const age_hours = newest === null ? null : (now.getTime() - Date.parse(newest.consistentAt)) / 3_600_000
  return [
    ...Object.entries(backup.faults).map(([task, fault]) =>
      broken(
        `backups: ${task} fails: ${fault}`,
        `it is tried again by itself; wintrades logs ${service}, docs/backups.md`,
      ),
    ),
    ...(age_hours === null
      ? [
          weak(
            'there is no backup yet',
            `one is made at ${backups.at} UTC; docs/operations.md#access says how to make one now`,
          ),
        ]
      : age_hours > BACKUP_HOURS_MAX
        ? [weak(`the newest backup is ${Math.round(age_hours)} hours old`, 'docs/runbooks/backup-too-old.md')]
        : []),
  ]
}

function certificateFindings({ certificates, status, now }: Facts): readonly Finding[] {
  const warnings = status.certificate?.warnings ?? []
  return [
    ...certificates.flatMap(({ name, expiresAt }): Finding[] => {
      const left_days = Math.floor((expiresAt.getTime() - now.getTime()) / DAY_MS)
      if (left_days >= CERTIFICATE_DAYS_MIN) return []
      const what = left_days < 0 ? 'has expired' : `expires in ${left_days} days`
      return [(left_days < 0 ? broken : weak)(`the certificate of ${name} ${what}`, 'wintrades certs renew')]
    }),
    ...warnings.map((warning) =>
      (/expires/.test(warning) ? weak : note)(
        warning,
        'put certificate and key into deployment/ssl (wintradesgo.crt, wintradesgo.key), then wintrades certs renew',
      ),
    ),
  ]
}

function lockFindings({ status: { lock }, now }: Facts): readonly Finding[] {
  if (lock === null) return []
  const age_ms = now.getTime() - Date.parse(lock.at)
  const what = `${lock.who} is at it since ${lock.at}: ${lock.why}`
  return [
    age_ms > LOCK_OLD_MS
      ? weak(what, 'if that has ended without giving the lock back: wintrades deploy --break-lock')
      : note(what, 'wait for it'),
  ]
}

/** `what: what to do`, as obstacles are said. */
function halves(text: string): readonly [string, string] {
  const at = text.lastIndexOf(': ')
  return at < 0 ? [text, 'see docs/operations.md'] : [text.slice(0, at), text.slice(at + 2)]
}

const broken = (what: string, next: string): Finding => ({ kind: 'broken', what, next })
const weak = (what: string, next: string): Finding => ({ kind: 'weak', what, next })
const note = (what: string, next: string): Finding => ({ kind: 'note', what, next })
