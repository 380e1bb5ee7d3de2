// topology.yml: the annotated example is valid as it stands and with all that is commented out; whatever is wrong is told with its line and what to
// write instead.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatFileFault } from '@wintrades/platform'
import type { Topology } from '@wintrades/topology'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { inRepository } from '../../src/repository.ts'
import { readDeployment } from '../../src/topology/read-files.ts'

const EXAMPLE = readFileSync(inRepository('topology.example.yml'), 'utf8')
const MARKETS = inRepository('markets.yml')
/** Lines that show what holds without them. */
const COMMENTED = /^( *)# ( *)(?=[a-z_]+:( (\S+|".*"|\[.*\]))?$|- \{ .* \}$)/gm
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wintrades-topology-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function read(text: string, markets = MARKETS) {
  const file = join(directory, 'topology.yml')
  writeFileSync(file, text)
  return readDeployment(file, markets)
}

function topologyOf(text: string): Topology {
  const result = read(text)
  if (!result.ok) throw new Error(result.faults.map(formatFileFault).join('\n'))
  return result.topology
}

/** The faults of the example after a change, with `LINE` for the line where the changed text begins. */
function faultsOf(from: string, to: string): readonly string[] {
  expect(EXAMPLE).toContain(from)
  const result = read(EXAMPLE.replace(from, to))
  return result.ok ? [] : result.faults.map(formatFileFault).map((text) => text.slice(directory.length + 1))
}

function lineOf(text: string): number {
  return EXAMPLE.slice(0, EXAMPLE.indexOf(text)).split('\n').length
}

it('accepts the example, and what is commented out in it is what holds without it', () => {
  const { networks, ...first } = topologyOf(EXAMPLE.replaceAll(COMMENTED, '$1$2')).regions[0] ?? {}
  expect(networks).toEqual(['192.0.2.0/24', '2001:db8::/32'])
  const plain = topologyOf(EXAMPLE)
  const { followTheSun } = topologyOf(EXAMPLE.replaceAll(COMMENTED, '$1$2')).database
  expect(followTheSun).toHaveLength(3)
  expect(topologyOf(EXAMPLE.replaceAll(COMMENTED, '$1$2'))).toEqual({
    ...plain,
    regions: [{ ...first, networks }, ...plain.regions.slice(1)],
    database: { ...plain.database, followTheSun },
  })
  expect({ ...first, networks: [] }).toEqual(plain.regions[0])
})

it('shows every key there is', () => {
  const commented = EXAMPLE.replaceAll(COMMENTED, '$1$2')
  const result = read(`${commented}\nnonsense: 1\n`)
  const message = result.ok ? '' : (result.faults[0]?.message ?? '')
  const known = message.replace(/.*known are /, '').split(', ')
  expect(known.length).toBeGreaterThan(15)
  for (const key of known) expect(commented).toMatch(new RegExp(`^${key}:`, 'm'))
})

it('names an unknown key, its line, and the keys there are', () => {
  expect(faultsOf('    label: EU West', '    lable: EU West')).toEqual([
    `topology.yml:${lineOf('  - name: eu-west')}: regions[1].label must be a name for people such as US East; it is missing`,
    `topology.yml:${lineOf('    label: EU West')}: regions[1].lable is not known here; known are app, name, label, continents, next, networks`,
  ])
})

it.each([
  [
    'a region that markets.yml does not know',
    '- name: eu-west',
    '- name: eu-north',
    /regions must have eu-west, which may lead the shard us-east of markets\.yml/,
  ],
  [
    'a region without an order of all others',
    'next: [us-east, asia-pacific]',
    'next: [us-east]',
    /regions\[1\]\.next must be every other region, nearest first: us-east, asia-pacific in some order/,
  ],
  [
    'a continent of two regions',
    '[europe, africa]',
    '[europe, africa, asia]',
    /continents must not have asia, which is eu-west's/,
  ],
  [
    'a continent of none',
    '[europe, africa]',
    '[europe]',
    /regions must have africa among the continents of one of them/,
  ],
  [
    'too few voters',
    'eu-west, role: voter',
    'eu-west, role: reader',
    /database\.servers must have exactly 3 voters, .*; it has 2/,
  ],
  [
    'two voters in one region',
    'asia-pacific, role: voter',
    'us-east, role: voter',
    /must have its voters in different regions/,
  ],
  [
    'operations ports for everybody',
    '# operations:\n#   address: 127.0.0.1',
    'operations:\n  address: 0.0.0.0',
    /operations\.address must be one address of the nodes/,
  ],
  [
    'a port twice',
    '# ports:\n#   http: 80',
    'ports:\n  http: 443',
    /ports\.https must differ from ports\.http: both are 443/,
  ],
  [
    'networks that overlap',
    '# network:',
    'network: { data_subnet: 10.80.8.0/21 }\n#',
    /network\.data_subnet overlaps with network\.global_subnet/,
  ],
  [
    'a network with bits behind its prefix',
    '# networks: [192.0.2.0/24',
    'networks: [192.0.2.1/24]\n    # [',
    /networks\[0\] must be a network whose bits behind the prefix are zero/,
  ],
  [
    'a Redis Cluster that cannot be',
    '# cache:\n#   nodes: 6',
    'cache:\n  nodes: 5',
    /cache\.nodes must be at least 6: 3 masters, each with 1 replicas; it is 5/,
  ],
  [
    'a server with the name of a service',
    'name: mysql_slave_us',
    'name: redis_cluster',
    /database\.servers\[3\]\.name is the name of another service or volume/,
  ],
  [
    'an image that is none',
    '# images:',
    'images: { mysql: "mysql 9.7" }\n#',
    /images\.mysql must be an image such as mysql:9\.7/,
  ],
  [
    'memory as text',
    '# cache:\n#   nodes: 6',
    'cache:\n  memory_mb: 256M',
    /cache\.memory_mb must be a whole number from 16 to \d+; it is "256M"/,
  ],
  [
    'a time without quotes that YAML reads as one',
    'region: eu-west\n  # at: "03:15"',
    'region: eu-west\n  at: 3',
    /backups\.at must be a time in UTC such as "03:15", in quotes; it is 3/,
  ],
  [
    'backups in a region that is none',
    'backups:\n  region: eu-west',
    'backups:\n  region: europe',
    /backups\.region must be a region of this file: us-east, eu-west, asia-pacific; it is europe/,
  ],
])('refuses %s', (_what, from, to, message) => {
  expect(faultsOf(from, to).join('\n')).toMatch(message)
})

it('refuses a file that is not YAML, and one that is missing, in one line', () => {
  expect(faultsOf('domains:\n  - localhost', 'domains:\n  - localhost\n :')).toHaveLength(1)
  const missing = readDeployment(join(directory, 'none.yml'), MARKETS)
  expect(missing.ok ? [] : missing.faults.map(formatFileFault)).toEqual([
    `${join(directory, 'none.yml')}: does not exist`,
  ])
})
