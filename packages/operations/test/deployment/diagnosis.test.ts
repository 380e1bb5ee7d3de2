// What `wintrades doctor` makes of what is to be seen: nothing where all is well; else what is wrong, and a next step that fits.

import { expect, test } from 'vitest'
import type { FullBackup } from '../../src/backup/index.ts'
import { type Certificates, diagnose, type Finding } from '../../src/deployment/diagnosis.ts'
import type { OperatorReport } from '../../src/deployment/operators.ts'
import type { StackStatus } from '../../src/deployment/stack-status.ts'
import type { Node, Task } from '../../src/deployment/swarm.ts'
import { inRepository } from '../../src/repository.ts'
import { requireDeployment } from '../../src/topology/read-files.ts'

const topology = requireDeployment(inRepository('topology.example.yml'))
const NOW = new Date('2026-06-01T12:00:00Z')
const REGIONS = topology.regions.map(({ name }) => name)

const node: Node = {
  id: 'n1',
  hostname: 'node-1',
  isReady: true,
  isActive: true,
  labels: Object.fromEntries(REGIONS.map((name) => [`wintrades.region.${name}`, 'true'])),
  memory_bytes: 64 * 2 ** 30,
  cpus: 16,
}

const service = (name: string) => ({
  name,
  image: 'an/image:1',
  replicas: 1 as number | null,
  update: null,
  updateMessage: '',
  tasks: [] as readonly Task[],
  progress: { name, running: 1, wanted: 1, state: 'done' as const, line: '1 of 1 healthy' },
})

const operator: OperatorReport = {
  region: 'us-east',
  lines: [],
  parts: {
    database: {
      operator: 'us-east',
      outcome: 'serving',
      line: 'mysql_master is the primary, of term 1',
      primary: 'mysql_master',
      servers: topology.database.servers.map(({ name, region, role }) => ({
        name,
        region,
        role,
        address: name,
        state: name === 'mysql_master' ? ('primary' as const) : ('replica' as const),
        source: null,
        term: 1,
        row: 1,
        lag_ms: name === 'mysql_master' ? null : 0,
        acknowledging: null,
        fault: null,
        diskFullAt: null,
      })),
    },
    redis: { verdict: 'steady', line: 'every slot served', acting: null, nodes: [] },
    traffic: { wishes: {}, balancers: [{ address: '10.0.0.1', view: null, fault: null }] },
    backup: null,
  },
}

const backupOf = (change: Partial<NonNullable<StackStatus['backup']>>) => ({
  backup: { ...(well.backup as NonNullable<StackStatus['backup']>), ...change },
})

const well: StackStatus = {
  stack: 'wintradesgo',
  nodes: [node],
  services: ['app_us_east', 'mysql_master', 'global_loadbalancer'].map(service),
  regions: REGIONS.map((region) => ({
    region,
    answeredBy: region,
    shards: [{ shard: 0, name: 'us-east', leader: 'us-east', epoch: 1, seq: 10, commands: null, fault: null }],
  })),
  operator,
  backup: {
    isActive: true,
    doing: null,
    newest: { consistentAt: '2026-06-01T03:15:00Z' } as FullBackup,
    verified: null,
    archive: null,
    faults: {},
  },
  certificate: { warnings: [] },
  lock: null,
  audit: [],
}

function findingsOf(
  status: Partial<StackStatus>,
  certificates: Certificates = [],
  preflight: { readonly faults: readonly string[]; readonly warnings: readonly string[] } = {
    faults: [],
    warnings: [],
  },
): readonly Finding[] {
  return diagnose(topology, { status: { ...well, ...status }, preflight, certificates, now: NOW })
}

const database = (change: (server: NonNullable<OperatorReport['parts']['database']>['servers'][number]) => object) => ({
  operator: {
    ...operator,
    parts: {
      ...operator.parts,
      database: {
        ...(operator.parts.database as NonNullable<OperatorReport['parts']['database']>),
        servers: (operator.parts.database?.servers ?? []).map((server) => ({ ...server, ...change(server) })),
      },
    },
  },
})

const failing = (error: string): Task => ({
  state: 'rejected',
  wanted: 'shutdown',
  error,
  node: 'n1',
  slot: 1,
  image: 'an/image:1',
  createdAt: '2026-06-01T11:00:00Z',
})

const starting = (error: string) => ({
  services: [
    {
      ...service('app_us_east'),
      tasks: [failing(error)],
      progress: { name: 'app_us_east', running: 0, wanted: 1, state: 'going on' as const, line: '' },
    },
  ],
})

test('where all is well there is nothing to say', () => {
  expect(findingsOf({})).toEqual([])
})

test('where nothing runs, that is all there is to say', () => {
  expect(findingsOf({ services: [] })).toEqual([expect.objectContaining({ kind: 'broken' })])
})

test.each<[string, Partial<StackStatus>, Finding['kind'], RegExp, RegExp]>([
  [
    'a node that is down',
    { nodes: [node, { ...node, id: 'n2', hostname: 'node-2', isReady: false }] },
    'broken',
    /node-2 is down/,
    /systemctl start docker/,
  ],
  [
    'a node that was drained',
    { nodes: [node, { ...node, hostname: 'node-2', isActive: false }] },
    'weak',
    /node-2 takes no tasks/,
    /--availability active node-2/,
  ],
  [
    'a label that is missing',
    { nodes: [{ ...node, labels: { 'wintrades.region.us-east': 'true', 'wintrades.region.eu-west': 'true' } }] },
    'broken',
    /carries region asia-pacific/,
    /--place asia-pacific=/,
  ],
  [
    'no place for a task',
    starting('no suitable node (scheduling constraints not satisfied on 1 node)'),
    'broken',
    /labels that it needs/,
    /wintrades deploy/,
  ],
  [
    'a task whose node is down',
    starting('no suitable node (scheduling constraints not satisfied on 2 nodes; 1 node not available for new tasks)'),
    'broken',
    /is down or drained/,
    /docker node ls/,
  ],
  [
    'a taken port',
    starting('no suitable node (host-mode port already in use on 1 node)'),
    'broken',
    /has its port/,
    /other ports/,
  ],
  [
    'an image that is not there',
    starting('No such image: wintrades/app:1'),
    'broken',
    /does not have its image/,
    /docker load/,
  ],
  ['too little memory', starting('task: non-zero exit (137)'), 'broken', /more memory than it may/, /memory_mb/],
  ['what is not known', starting('the moon is full'), 'broken', /the moon is full/, /docker service ps/],
  [
    'a service of no tasks',
    { services: [{ ...service('app_us_east'), replicas: 0 }] },
    'note',
    /no tasks/,
    /docker service scale/,
  ],
  [
    'nobody answers',
    { regions: [{ region: 'us-east', answeredBy: null, shards: [] }] },
    'broken',
    /answered by nobody/,
    /global_loadbalancer/,
  ],
  [
    'another region answers',
    { regions: well.regions.map((view) => ({ ...view, answeredBy: 'us-east' })) },
    'broken',
    /eu-west are answered by us-east/,
    /wintrades logs eu-west/,
  ],
  ['no operator', { operator: null }, 'broken', /no operator answers/, /operations door/],
  [
    'a replica that is gone',
    database(({ name }) => (name === 'mysql_slave_eu' ? { state: 'unreachable' } : {})),
    'weak',
    /mysql_slave_eu .* is unreachable/,
    /wintrades logs mysql_slave_eu/,
  ],
  [
    'a replica far behind',
    database(({ name }) => (name === 'mysql_slave_eu' ? { lag_ms: 60_000 } : {})),
    'weak',
    /60 s behind/,
    /replica-behind/,
  ],
  [
    'a full disk',
    database(({ name }) => (name === 'mysql_master' ? { diskFullAt: '2026-06-01T11:59:00Z' } : {})),
    'broken',
    /disk of mysql_master is full/,
    /full-disk/,
  ],
  [
    'backups that fail',
    backupOf({ faults: { full: 'no room' } as never }),
    'broken',
    /full fails: no room/,
    /logs operator_eu_west/,
  ],
  [
    'an old backup',
    backupOf({ newest: { consistentAt: '2026-05-29T03:15:00Z' } as FullBackup }),
    'weak',
    /81 hours old/,
    /backup-too-old/,
  ],
  ['no backup', backupOf({ newest: null }), 'weak', /no backup yet/, /03:15 UTC/],
  ['nothing of backups', { backup: null }, 'weak', /nothing is known of the backups/, /logs operator_eu_west/],
  [
    'an old lock',
    { lock: { id: '1', who: 'ann@ops', at: '2026-06-01T09:00:00Z', why: 'update' } },
    'weak',
    /ann@ops/,
    /--break-lock/,
  ],
  [
    'a lock',
    { lock: { id: '1', who: 'ann@ops', at: '2026-06-01T11:59:00Z', why: 'update' } },
    'note',
    /ann@ops/,
    /wait/,
  ],
])('%s', (_name, status, kind, what, next) => {
  const found = findingsOf(status).find((finding) => what.test(finding.what))
  expect(found).toMatchObject({ kind, next: expect.stringMatching(next) })
})

test('an evacuation is no fault, and is said', () => {
  const traffic = { wishes: { 'eu-west': 'us-east' }, balancers: [] }
  const findings = findingsOf({
    operator: { ...operator, parts: { ...operator.parts, traffic } },
    regions: well.regions.map((view) => (view.region === 'eu-west' ? { ...view, answeredBy: 'us-east' } : view)),
  })
  expect(findings).toEqual([
    {
      kind: 'note',
      what: 'clients of eu-west are sent to us-east',
      next: 'wintrades region restore eu-west takes it back',
    },
  ])
})

test('a shard that nobody leads comes before what only weakens', () => {
  const shards = [{ shard: 0, name: 'us-east', leader: null, epoch: 1, seq: 10, commands: null, fault: null }]
  const findings = findingsOf({
    regions: well.regions.map((view) => ({ ...view, shards })),
    ...database(({ name }) => (name === 'mysql_slave_eu' ? { lag_ms: 60_000 } : {})),
  })
  expect(findings.map(({ kind }) => kind)).toEqual(['broken', 'weak'])
  expect(findings[0]?.what).toContain('shard us-east is led by nobody')
})

test('certificates are told before they end, and after', () => {
  const inDays = (days: number) => new Date(NOW.getTime() + days * 86_400_000)
  const certificates = [
    { name: 'app_us_east', expiresAt: inDays(200) },
    { name: 'mysql_master', expiresAt: inDays(10) },
    { name: 'redis_cluster', expiresAt: inDays(-1) },
  ]
  expect(findingsOf({}, certificates).map(({ what }) => what)).toEqual([
    'the certificate of redis_cluster has expired',
    'the certificate of mysql_master expires in 10 days',
  ])
})

test('an obstacle of this machine keeps its own next step', () => {
  const fault = '3 GB are free on the disk, and a deployment needs 10: make room (docker system df)'
  expect(findingsOf({}, [], { faults: [fault], warnings: [] })).toEqual([
    {
      kind: 'broken',
      what: '3 GB are free on the disk, and a deployment needs 10',
      next: 'make room (docker system df)',
    },
  ])
})
