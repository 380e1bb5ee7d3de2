// What differs between two deployments, in words, and in which order that is brought about: with the real topology of the example.

import { readFileSync } from 'node:fs'
import { STACK_FILE, secretsOf, type Topology, variableOf } from '@wintrades/topology'
import { expect, test } from 'vitest'
import { changedNetworks, compareStacks, type StackVersion } from '../../src/deployment/compare-stacks.ts'
import { environmentOf, renderRelease } from '../../src/deployment/kept-releases.ts'
import { describePlan } from '../../src/deployment/plan.ts'
import { stepsOf } from '../../src/deployment/roll-out.ts'
import { inRepository } from '../../src/repository.ts'
import { requireDeployment } from '../../src/topology/read-files.ts'

const topology = requireDeployment(inRepository('topology.example.yml'))
const [usEast, euWest, asiaPacific] = topology.regions as [
  Topology['regions'][number],
  Topology['regions'][number],
  Topology['regions'][number],
]

function version(of: Topology, release = 'r1', secrets: Readonly<Record<string, string>> = {}): StackVersion {
  const names = Object.fromEntries(secretsOf(of).map(({ name }) => [variableOf(name), `${name}_1`]))
  return {
    file: renderRelease(of).get(STACK_FILE) ?? '',
    environment: environmentOf(release, { ...names, ...secrets }),
  }
}

test('the same is the same', () => {
  expect(compareStacks(version(topology), version(topology))).toEqual([])
})

test('where nothing runs, everything is added', () => {
  const changes = compareStacks(null, version(topology))
  expect(new Set(changes.map(({ kind }) => kind))).toEqual(new Set(['added']))
  expect(changes.map(({ service }) => service)).toEqual(
    expect.arrayContaining(['global_loadbalancer', 'app_us_east', 'mysql_master', 'redis_cluster', 'cdn_cache']),
  )
})

test('another release changes the images of its own alone', () => {
  const changes = compareStacks(version(topology), version(topology, 'r2'))
  expect(changes.map(({ service }) => service).toSorted()).toEqual([
    'app_asia_pacific',
    'app_eu_west',
    'app_us_east',
    'operator_asia_pacific',
    'operator_eu_west',
    'operator_us_east',
  ])
  expect(changes[0]?.details).toEqual(['image: wintrades/app:r1 → wintrades/app:r2'])
})

test('numbers, settings, files and secrets are told apart', () => {
  const larger: Topology = {
    ...topology,
    regions: [usEast, { ...euWest, app: { ...euWest.app, replicas: 5 } }, asiaPacific],
    database: { ...topology.database, memory_mb: 4_096 },
  }
  const changes = compareStacks(
    version(topology),
    version(larger, 'r1', { [variableOf('jwt_secret')]: 'jwt_secret_2' }),
  )
  const detailsOf = (name: string) => changes.find(({ service }) => service === name)?.details
  expect(detailsOf('app_eu_west')).toEqual(['secret jwt_secret is another one', 'replicas: 3 → 5'])
  expect(detailsOf('app_us_east')).toEqual(['secret jwt_secret is another one'])
  expect(detailsOf('mysql_master')).toEqual([
    'deployment/mysql/mysql_master.cnf changed',
    `resources.limits.memory: ${topology.database.memory_mb}M → 4096M`,
  ])
  expect(detailsOf('redis_cluster')).toBeUndefined()
})

test('a region that goes takes its services along, and the others’ lists of peers change', () => {
  const smaller: Topology = {
    ...topology,
    regions: [usEast, euWest].map((region) => ({
      ...region,
      next: region.next.filter((name) => name !== 'asia-pacific'),
    })),
  }
  const changes = compareStacks(version(topology), version(smaller))
  const kindOf = (name: string) => changes.find(({ service }) => service === name)?.kind
  expect(kindOf('app_asia_pacific')).toBe('removed')
  expect(kindOf('operator_asia_pacific')).toBe('removed')
  expect(kindOf('app_us_east')).toBe('changed')
  expect(changes.find(({ service }) => service === 'app_us_east')?.details.join('\n')).toContain('LINK_PEERS: ')
})

test('another network is seen: docker would leave the old one', () => {
  const open: Topology = {
    ...topology,
    network: { ...topology.network, encrypted: !topology.network.encrypted },
  }
  expect(changedNetworks(version(topology), version(open)).length).toBeGreaterThan(0)
  expect(changedNetworks(version(topology), version(topology))).toEqual([])
})

test('regions one after another, then database servers, a new region last', () => {
  const fourth = { ...euWest, name: 'af-south', next: ['eu-west', 'us-east', 'asia-pacific'] }
  const larger: Topology = {
    ...topology,
    regions: [
      ...topology.regions.map((region) => ({ ...region, next: [...region.next, 'af-south'] })),
      { ...fourth, continents: [] },
    ],
    database: { ...topology.database, memory_mb: 4_096 },
  }
  const steps = stepsOf(larger, compareStacks(version(topology), version(larger)))
  expect(steps.regions.map(({ region }) => region)).toEqual(['us-east', 'eu-west', 'asia-pacific'])
  expect(steps.newRegions).toEqual(['af-south'])
  expect(steps.servers).toEqual(['mysql_master', 'mysql_slave_eu', 'mysql_slave_ap', 'mysql_slave_us'])
})

test('a plan reads as lines; an obstacle is not to be overlooked', () => {
  const services = compareStacks(version(topology), version(topology, 'r2')).slice(0, 1)
  const lines = describePlan('wintradesgo', {
    release: 'r2',
    faults: ['port 443 is taken'],
    warnings: [],
    preparations: ['image wintrades/app:r2 is built'],
    services,
  })
  expect(lines).toEqual([
    'stack wintradesgo, release r2',
    '  + image wintrades/app:r2 is built',
    '  ~ service app_us_east',
    '      image: wintrades/app:r1 → wintrades/app:r2',
    'OBSTACLE: port 443 is taken',
    'while there is an obstacle, nothing is deployed',
  ])
  expect(describePlan('s', { release: 'r', faults: [], warnings: [], preparations: [], services: [] })).toEqual([
    'stack s, release r',
    'nothing would change',
  ])
})

test('the committed stack file and the example topology are what this is about', () => {
  expect(version(topology).file).toBe(readFileSync(inRepository(STACK_FILE), 'utf8'))
})
