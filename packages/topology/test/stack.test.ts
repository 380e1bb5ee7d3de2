// The stack file as a whole: everything it names is there, nothing secret is in it, and a change of one file is seen by those who use it alone.

import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { FIXED_FILES, STACK_FILE, secretsOf, variableOf } from '../src/index.ts'
import { exampleTopology, renderExample } from './support/example.ts'

type Mounted = { readonly source: string; readonly target: string }
type Service = {
  readonly environment?: Readonly<Record<string, string>>
  readonly configs?: readonly Mounted[]
  readonly secrets?: readonly Mounted[]
  readonly volumes?: readonly { readonly type: string; readonly source?: string }[]
  readonly networks: readonly string[]
  readonly ports?: readonly { readonly target: number; readonly published: number; readonly mode: string }[]
  readonly healthcheck: { readonly test: readonly string[] }
  readonly stop_grace_period: string
  readonly deploy: {
    readonly replicas?: number
    readonly endpoint_mode?: string
    readonly placement?: { readonly constraints: readonly string[] }
    readonly resources: { readonly limits: Readonly<Record<string, string>> }
    readonly update_config: { readonly order: string; readonly failure_action: string }
  }
}
type Stack = {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly name: string; readonly driver_opts?: object }>>
  readonly volumes: Readonly<Record<string, { readonly name: string }>>
  readonly configs: Readonly<Record<string, { readonly name: string; readonly file: string }>>
  readonly secrets: Readonly<Record<string, { readonly name: string }>>
}

const TOPOLOGY = exampleTopology()
const FILES = renderExample(TOPOLOGY)
const STACK = stackOf(FILES)
const SERVICES = Object.entries(STACK.services)

function stackOf(files: ReadonlyMap<string, string>): Stack {
  return parse(files.get(STACK_FILE) ?? '', { version: '1.1' })
}

function usedBy(pick: (service: Service) => readonly string[]): readonly string[] {
  return [...new Set(SERVICES.flatMap(([, service]) => pick(service)))].sort()
}

it('has the services that people know', () => {
  const replicas = Object.fromEntries(SERVICES.map(([name, { deploy }]) => [name, deploy.replicas]))
  expect(replicas).toMatchObject({
    app_us_east: 3,
    app_eu_west: 3,
    app_asia_pacific: 3,
    mysql_master: 1,
    mysql_slave_us: 1,
    mysql_slave_eu: 1,
    mysql_slave_ap: 1,
    redis_cluster: 6,
    operator_us_east: 1,
    operator_eu_west: 1,
    operator_asia_pacific: 1,
    cdn_cache: 2,
    prometheus: 1,
    global_loadbalancer: undefined,
  })
  expect(STACK.networks['global']?.name).toBe('wintradesgo_global')
})

it('defines what it uses and uses what it defines', () => {
  expect(usedBy(({ configs = [] }) => configs.map(({ source }) => source))).toEqual(Object.keys(STACK.configs).sort())
  expect(usedBy(({ secrets = [] }) => secrets.map(({ source }) => source))).toEqual(Object.keys(STACK.secrets).sort())
  expect(usedBy(({ volumes = [] }) => volumes.flatMap(({ source }) => source ?? []))).toEqual(
    Object.keys(STACK.volumes).sort(),
  )
  const known = new Set<string>([...FILES.keys(), ...FIXED_FILES])
  expect(Object.values(STACK.configs).filter(({ file }) => !known.has(file.replace('./', '')))).toEqual([])
})

it('has nothing secret in the environment, and every secret under a name that the deploy gives', () => {
  const named = SERVICES.flatMap(([, { environment = {} }]) => Object.entries(environment)).filter(([name]) =>
    /SECRET|PASSWORD|KEY|TOKEN/.test(name),
  )
  expect(named.length).toBeGreaterThan(10)
  for (const [name, value] of named)
    expect([name, value]).toEqual([expect.stringMatching(/_FILE$/), expect.stringMatching(/^\/run\/secrets\//)])
  for (const { name } of secretsOf(TOPOLOGY)) expect(STACK.secrets[name]?.name).toContain(`\${${variableOf(name)}:?`)
})

it('publishes the ports of clients and no other, on the node itself', () => {
  const published = SERVICES.flatMap(([name, { ports = [] }]) => ports.map((port) => ({ name, ...port })))
  expect(published).toEqual([
    { name: 'global_loadbalancer', target: 8880, published: 80, protocol: 'tcp', mode: 'host' },
    { name: 'global_loadbalancer', target: 8443, published: 443, protocol: 'tcp', mode: 'host' },
  ])
})

it('mounts every file that a service is told of', () => {
  for (const [service, { environment = {}, secrets = [], configs = [] }] of SERVICES) {
    const mounted = [...secrets.map(({ target }) => `/run/secrets/${target}`), ...configs.map(({ target }) => target)]
    const told = Object.values(environment).filter((value) => /^\/(run\/secrets|etc\/wintrades)\//.test(value))
    expect([service, told.filter((path) => !mounted.includes(path))]).toEqual([service, []])
  }
})

it('limits every service, tells whether it is well, and gives it time to stop', () => {
  for (const [name, { deploy, healthcheck, stop_grace_period }] of SERVICES) {
    expect([name, deploy.resources.limits]).toEqual([
      name,
      { cpus: expect.any(String), memory: expect.stringMatching(/^\d+M$/) },
    ])
    expect([name, healthcheck.test[0], stop_grace_period]).toEqual([name, 'CMD', expect.stringMatching(/^\d+s$/)])
    expect([name, deploy.endpoint_mode]).toEqual([name, 'dnsrr'])
  }
})

it('starts a new app process before the old one stops, and never two servers on one volume', () => {
  const orders = Object.fromEntries(SERVICES.map(([name, { deploy }]) => [name, deploy.update_config.order]))
  expect(orders).toMatchObject({ app_us_east: 'start-first', mysql_master: 'stop-first', redis_cluster: 'stop-first' })
  expect(SERVICES.filter(([, { deploy }]) => deploy.update_config.failure_action !== 'rollback')).toEqual([])
})

it('places what belongs to a region there, by one label a region', () => {
  expect(STACK.services['app_us_east']?.deploy.placement?.constraints).toEqual([
    'node.labels.wintrades.region.us-east == true',
  ])
  expect(STACK.services['mysql_slave_us']?.deploy.placement?.constraints).toEqual([
    'node.labels.wintrades.region.us-east == true',
    'node.labels.wintrades.server.mysql_slave_us == true',
  ])
})

it('names a config by its content: one that changes changes those who use it, and no other', () => {
  const changed = stackOf(renderExample(TOPOLOGY, (path) => (path.includes('redis') ? 'new' : `<${path}>`)))
  const names = (stack: Stack) => Object.entries(stack.configs).map(([key, { name }]) => `${key} ${name}`)
  expect(names(changed).filter((name) => !names(STACK).includes(name))).toEqual([
    expect.stringMatching(/^redis_entrypoint wintradesgo_redis_entrypoint_[0-9a-f]{12}$/),
  ])
})

it('leaves encryption out where it is not wanted: the option counts by being there', () => {
  const topology = exampleTopology((raw) => Object.assign(raw, { network: { encrypted: false } }))
  expect(STACK.networks['data']?.driver_opts).toEqual({ encrypted: 'true' })
  expect(stackOf(renderExample(topology)).networks['data']).not.toHaveProperty('driver_opts')
})

it('has no name longer than Docker takes, however long those of the topology are', () => {
  const long = (length: number, fill: string) => `a${fill.repeat(length - 1)}`
  const region = long(24, 'r')
  const topology = exampleTopology((raw) => {
    const text = JSON.stringify(raw).replaceAll('us-east', region).replaceAll('mysql_master', long(29, 's'))
    Object.assign(raw, JSON.parse(text), { stack: long(16, 't'), regions: JSON.parse(text).regions })
  }, region)
  const stack = stackOf(renderExample(topology))
  const names = [...Object.values(stack.configs), ...Object.values(stack.networks)].map(({ name }) => name)
  expect(names.filter((name) => name.length > 64)).toEqual([])
  expect(Math.max(...names.map(({ length }) => length))).toBeGreaterThan(60)
})

it('lets the balancer open two files for each connection, and some beside', () => {
  const balancer = STACK.services['global_loadbalancer'] as Service & { readonly ulimits: object }
  expect(balancer.ulimits).toEqual({ nofile: { soft: 22_000, hard: 22_000 } })
})
