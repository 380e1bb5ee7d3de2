// Which node carries what: every region somewhere, what has data where it was, nothing taken away.

import { readFileSync } from 'node:fs'
import { readTopology, type Topology } from '@wintrades/topology'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { planLabels } from '../../src/deployment/node-labels.ts'
import { processorFaults } from '../../src/deployment/preflight.ts'
import type { Node } from '../../src/deployment/swarm.ts'

function topology(): Topology {
  const raw = parse(readFileSync(new URL('../../../../topology.example.yml', import.meta.url), 'utf8'))
  const names = ['us-east', 'eu-west', 'asia-pacific']
  const shards = names.map((name) => ({ name, regions: [name, ...names.filter((other) => other !== name)] }))
  const read = readTopology(raw, shards)
  if (!read.ok) throw new Error(JSON.stringify(read.faults))
  return read.topology
}

const TOPOLOGY = topology()

function node(hostname: string, labels: readonly string[] = [], change: Partial<Node> = {}): Node {
  return {
    id: `id-${hostname}`,
    hostname,
    isReady: true,
    isActive: true,
    labels: Object.fromEntries(labels.map((label) => [label, 'true'])),
    memory_bytes: 2 ** 34,
    cpus: 4,
    ...change,
  }
}

function plan(
  nodes: readonly Node[],
  wishes: readonly (readonly [string, string])[] = [],
): Record<string, readonly string[]> {
  const { changes, faults } = planLabels(TOPOLOGY, nodes, new Map(wishes))
  expect(faults).toEqual([])
  return Object.fromEntries(changes.map(({ node: { hostname }, labels }) => [hostname, labels]))
}

function faultsOf(nodes: readonly Node[], wishes: readonly (readonly [string, string])[] = []): string {
  return planLabels(TOPOLOGY, nodes, new Map(wishes)).faults.join('\n')
}

describe('a swarm of one node', () => {
  test('carries everything', () => {
    const labels = plan([node('alone')])['alone'] ?? []
    for (const label of [
      'region.us-east',
      'region.eu-west',
      'region.asia-pacific',
      'server.mysql_master',
      'server.mysql_slave_ap',
      'edge',
      'backups',
      'monitoring',
    ])
      expect(labels).toContain(`wintrades.${label}`)
  })

  test('that carries it already is left as it is', () => {
    const labels = plan([node('alone')])['alone'] ?? []
    expect(plan([node('alone', labels)])).toEqual({})
  })
})

describe('a swarm of three nodes', () => {
  const three = [node('a'), node('b'), node('c')]

  test('carries one region each, with the servers of that region', () => {
    const labels = plan(three)
    const regions = Object.values(labels).map((all) => all.filter((label) => label.startsWith('wintrades.region.')))
    expect(regions.map((all) => all.length)).toEqual([1, 1, 1])
    expect(new Set(regions.flat()).size).toBe(3)
    for (const [label, region] of [
      ['wintrades.server.mysql_slave_eu', 'wintrades.region.eu-west'],
      ['wintrades.server.mysql_slave_us', 'wintrades.region.us-east'],
    ] as const) {
      const [holder] = Object.values(labels).filter((all) => all.includes(label))
      expect(holder).toContain(region)
    }
  })

  test('places a region where a person wants it', () => {
    expect(plan(three, [['eu-west', 'c']])['c']).toContain('wintrades.region.eu-west')
  })

  test('gives a new region to the node that carries least', () => {
    const busy = [node('a', ['wintrades.region.us-east', 'wintrades.region.eu-west']), node('b')]
    expect(plan(busy)['b']).toContain('wintrades.region.asia-pacific')
  })
})

describe('refuses', () => {
  test('a node that is not there', () => {
    expect(faultsOf([node('a')], [['eu-west', 'z']])).toContain(
      'eu-west shall be on z, which is no node that is ready; nodes are a',
    )
  })

  test('to put a server where its data is not', () => {
    const down = node('b', ['wintrades.region.eu-west', 'wintrades.server.mysql_slave_eu'], { isReady: false })
    const faults = faultsOf([node('a'), down])
    expect(faults).toContain('every node of region eu-west is down')
    expect(faults).toContain('mysql_slave_eu has its data on b, which is down')
  })

  test('to promise more processors than a node has', () => {
    expect(processorFaults(TOPOLOGY, [node('small', [], { cpus: 1 })]).join('\n')).toContain(
      'database.cpus is 2, and node small has 1: write 1 or less in topology.yml',
    )
    expect(processorFaults(TOPOLOGY, [node('large')])).toEqual([])
  })

  test('a swarm without a node that may be used', () => {
    expect(faultsOf([node('a', [], { isActive: false })])).toContain('no node is ready and active')
  })
})
