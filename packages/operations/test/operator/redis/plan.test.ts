// The planner of the Redis Cluster over a model of it: what it forms, heals, grows and shrinks, and what it leaves alone.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SLOTS } from '../../../src/operator/redis/cluster-nodes.ts'
import { masterCount } from '../../../src/operator/redis/layout.ts'
import { PLAN_SETTINGS, type Plan, plan } from '../../../src/operator/redis/plan.ts'
import { ModelCluster, type ModelNode } from './model.ts'

const REGIONS = ['us-east', 'eu-west', 'asia-pacific']
const ROUNDS_MAX = 200

function empty(count: number): ModelCluster {
  const cluster = new ModelCluster()
  for (let i = 0; i < count; i += 1) cluster.add(`redis-${i + 1}`, REGIONS[i % 3] as string)
  return cluster
}

/** Rounds until nothing is left to do; answers the last plan. */
function reconcile(cluster: ModelCluster, rounds = ROUNDS_MAX): Plan {
  for (let round = 0; round < rounds; round += 1) {
    const next = plan(cluster.observe())
    if (next.verdict === 'steady' || next.verdict === 'refuse') return next
    for (const action of next.actions) cluster.apply(action)
    cluster.settle()
  }
  throw new Error(`not steady after ${rounds} rounds: ${plan(cluster.observe()).line}`)
}

function formed(count: number): ModelCluster {
  const cluster = empty(count)
  reconcile(cluster)
  cluster.fill()
  cluster.moved = 0
  return cluster
}

const members = (cluster: ModelCluster) => cluster.nodes.filter(({ isListed, isUp }) => isListed && isUp)
const masters = (cluster: ModelCluster) => cluster.nodes.filter(({ slots }) => slots.size > 0)

function expectWhole(cluster: ModelCluster): void {
  const counts = masters(cluster).map(({ slots }) => slots.size)
  expect(counts.reduce((sum, count) => sum + count)).toBe(SLOTS)
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  expect(masters(cluster).every(({ isUp, isListed, masterId }) => isUp && isListed && masterId === null)).toBe(true)
  const replicas = members(cluster).filter(({ slots }) => slots.size === 0)
  const of = (master: ModelNode) => replicas.filter(({ masterId }) => masterId === master.id).length
  const perMaster = masters(cluster).map(of)
  expect(perMaster.reduce((sum, count) => sum + count)).toBe(replicas.length)
  expect(Math.max(...perMaster) - Math.min(...perMaster)).toBeLessThanOrEqual(1)
}

function besideMaster(cluster: ModelCluster): string[] {
  return members(cluster)
    .filter((node) => cluster.nodes.some(({ id, region }) => id === node.masterId && region === node.region))
    .map(({ name }) => name)
}

describe('from empty', () => {
  test('six nodes in three regions: a master in each, its replica in another', () => {
    const cluster = formed(6)
    expectWhole(cluster)
    expect(
      masters(cluster)
        .map(({ region }) => region)
        .sort(),
    ).toEqual([...REGIONS].sort())
    expect(besideMaster(cluster)).toEqual([])
  })

  test('it waits for a node that is late, and forms without one that does not come', () => {
    const cluster = empty(6)
    cluster.kill(cluster.node('redis-4'))
    for (let round = 0; round < 5; round += 1) {
      for (const action of plan(cluster.observe()).actions) cluster.apply(action)
      cluster.settle()
    }
    expect(plan(cluster.observe())).toMatchObject({ verdict: 'wait', line: expect.stringContaining('redis-4') })
    for (let round = 0; round < 60; round += 1) cluster.settle()
    expect(plan(cluster.observe()).actions.map(({ kind }) => kind)).toContain('adopt')
  })

  test('forming that is cut short goes on, and nothing is called lost; what only a dead node had is', () => {
    const cluster = empty(6)
    const said: string[] = []
    /** Each is cut short after its first action. */
    const roundsUntil = (isDone: () => boolean) => {
      for (let rounds = 0; rounds < 200; rounds += 1) {
        if (isDone()) return
        for (const action of plan(cluster.observe()).actions.slice(0, 1)) {
          if (action.kind === 'adopt') said.push(action.why)
          cluster.apply(action)
        }
        cluster.settle()
      }
      throw new Error(`not done: ${plan(cluster.observe()).line}`)
    }
    roundsUntil(() => plan(cluster.observe()).verdict === 'steady')
    expect(said.length).toBeGreaterThan(1)
    expect(new Set(said)).toEqual(new Set(['the cluster is formed']))
    const [master] = masters(cluster) as [ModelNode]
    const replica = members(cluster).find(({ masterId }) => masterId === master.id) as ModelNode
    const formed = said.length
    for (const node of [master, replica]) cluster.kill(node)
    roundsUntil(() => said.length > formed)
    expect(said.at(-1)).toBe('nobody serves them any more; what was in them is lost')
  })

  test('a steady cluster is left alone', () => {
    const cluster = formed(6)
    expect(plan(cluster.observe())).toMatchObject({ verdict: 'steady', actions: [] })
  })
})

describe('scaling', () => {
  test('from six to nine moves a fourth master’s share and no slot more; back to six, only what it has', () => {
    const cluster = formed(6)
    for (let i = 7; i <= 9; i += 1) cluster.add(`redis-${i}`, REGIONS[i % 3] as string)
    reconcile(cluster)
    expectWhole(cluster)
    expect([masters(cluster).length, cluster.moved]).toEqual([4, SLOTS / 4])
    for (const name of ['redis-7', 'redis-8', 'redis-9']) cluster.node(name).isListed = false
    reconcile(cluster)
    expectWhole(cluster)
    expect([masters(cluster).length, cluster.keys.size]).toEqual([3, SLOTS])
    const left = cluster.nodes.filter(({ isListed }) => !isListed)
    expect(left.map(({ knows }) => knows.size)).toEqual([0, 0, 0])
    expect(members(cluster).every(({ knows }) => knows.size === 5)).toBe(true)
  })
})

describe('nodes that were told to end', () => {
  /** As their entrypoints do: each goes as soon as it serves nothing. */
  const letGo = (cluster: ModelCluster, leaving: readonly ModelNode[]) => {
    for (const node of leaving) node.isLeaving = true
    for (let round = 0; round < 50; round += 1) {
      for (const node of leaving) if (node.slots.size === 0) cluster.kill(node)
      if (leaving.every(({ isUp }) => !isUp)) return
      for (const action of plan(cluster.observe()).actions) cluster.apply(action)
      cluster.settle()
    }
    throw new Error(`not let go: ${plan(cluster.observe()).line}`)
  }

  test('a master ends after its replica has taken over, without a slot moved; back again, it is a replica', () => {
    const cluster = formed(6)
    const [master] = masters(cluster) as [ModelNode]
    letGo(cluster, [master])
    expect([cluster.moved, cluster.keys.size]).toEqual([0, SLOTS])
    master.isLeaving = false
    cluster.start(master, { elsewhere: true })
    reconcile(cluster)
    expectWhole(cluster)
    expect(cluster.keys.size).toBe(SLOTS)
  })

  test.each([0, 1, 2, 3, 4, 5, 6])(
    'any three of nine, number %i of them and two more, end without losing a key',
    (first) => {
      const cluster = formed(9)
      const leaving = [cluster.nodes[first], cluster.nodes[first + 1], cluster.nodes[first + 2]] as ModelNode[]
      letGo(cluster, leaving)
      for (const node of leaving) node.isListed = false
      reconcile(cluster)
      expectWhole(cluster)
      expect([masters(cluster).length, cluster.keys.size]).toEqual([3, SLOTS])
    },
  )

  test('a master and its replica of nine end together: its slots move', () => {
    const cluster = formed(9)
    const [master] = masters(cluster) as [ModelNode]
    letGo(cluster, [master, ...cluster.nodes.filter(({ masterId }) => masterId === master.id)])
    expect(cluster.keys.size).toBe(SLOTS)
    expect(cluster.moved).toBeGreaterThan(0)
  })

  test('when all are told to end, nothing is moved', () => {
    const cluster = formed(6)
    for (const node of cluster.nodes) node.isLeaving = true
    expect(plan(cluster.observe())).toMatchObject({ verdict: 'wait', actions: [] })
  })
})

describe('faults', () => {
  test('all restart elsewhere: they meet again, and no slot moves', () => {
    const cluster = formed(6)
    for (const node of cluster.nodes) cluster.start(node, { elsewhere: true })
    const first = plan(cluster.observe())
    expect(new Set(first.actions.map(({ kind }) => kind))).toEqual(new Set(['meet']))
    reconcile(cluster)
    expectWhole(cluster)
    expect([cluster.moved, cluster.keys.size]).toEqual([0, SLOTS])
  })

  test('a master that comes back gets its region’s place again, without moving a key', () => {
    const cluster = formed(6)
    const master = masters(cluster)[0] as ModelNode
    cluster.kill(master)
    for (let round = 0; round < 10; round += 1) cluster.settle()
    expect(plan(cluster.observe())).toMatchObject({ verdict: 'wait', line: expect.stringContaining(master.name) })
    cluster.start(master)
    reconcile(cluster)
    expectWhole(cluster)
    expect(new Set(masters(cluster).map(({ region }) => region)).size).toBe(3)
    expect([cluster.moved, cluster.keys.size]).toEqual([0, SLOTS])
  })

  test('a replica that looks for its master where that was before is told again', () => {
    const cluster = formed(6)
    const { nodes } = cluster.observe()
    const lost = nodes.map((node) => {
      if (node.state === null || node.state.follows === null) return node
      return { ...node, state: { ...node.state, isFollowing: false, follows: '10.0.0.9:1' } }
    })
    expect(plan({ nodes: lost }).actions.map(({ kind }) => kind)).toEqual(['replicate', 'replicate', 'replicate'])
  })

  test('two of three masters lost: nobody can vote, the operator promotes their replicas', () => {
    const cluster = formed(6)
    const [one, other] = masters(cluster) as [ModelNode, ModelNode]
    cluster.kill(one)
    cluster.kill(other)
    expect(plan(cluster.observe())).toMatchObject({ verdict: 'wait', actions: [] })
    for (let round = 0; round < 6; round += 1) cluster.settle()
    const { actions } = plan(cluster.observe())
    expect(actions.map((action) => action.kind === 'promote' && action.how)).toEqual(['takeover', 'takeover'])
    for (const action of actions) cluster.apply(action)
    expect([masters(cluster).every(({ isUp }) => isUp), cluster.keys.size]).toEqual([true, SLOTS])
  })

  test('less than a majority answers: nothing is done', () => {
    const cluster = formed(6)
    for (const node of cluster.nodes.slice(0, 3)) cluster.kill(node)
    for (let round = 0; round < 1_000; round += 100) cluster.settle()
    expect(plan(cluster.observe())).toMatchObject({ verdict: 'refuse', actions: [] })
  })

  test('a master and its replica lost: its slots are given up only after a minute, and only its', () => {
    const cluster = formed(9)
    const master = masters(cluster)[0] as ModelNode
    for (const node of cluster.nodes) if (node === master || node.masterId === master.id) cluster.kill(node)
    for (let round = 0; round < 59; round += 1) cluster.settle()
    expect(plan(cluster.observe())).toMatchObject({ verdict: 'wait', actions: [] })
    const lost = master.slots.size
    for (let round = 0; round < 2; round += 1) cluster.settle()
    for (const action of plan(cluster.observe()).actions) cluster.apply(action)
    expect(masters(cluster).reduce((sum, { slots }) => sum + slots.size, 0)).toBe(SLOTS)
    expect(cluster.keys.size).toBe(SLOTS - lost)
  })

  test('a node that the others were told to forget meets them when it is back', () => {
    const cluster = formed(6)
    const [node] = cluster.nodes.filter(({ slots }) => slots.size === 0) as [ModelNode]
    for (const other of cluster.nodes) other.knows.delete(node.id)
    // Of its own word it belongs to them, and nobody is new to it.
    expect(plan(cluster.observe()).actions).toEqual([expect.objectContaining({ kind: 'meet', other: node.name })])
    reconcile(cluster)
    expectWhole(cluster)
    for (const { id, knows } of cluster.nodes) expect(knows.has(node.id) || id === node.id).toBe(true)
  })

  test('one that is silent and not listed any more is forgotten after a minute', () => {
    const cluster = formed(6)
    const [node] = cluster.nodes.filter(({ slots }) => slots.size === 0) as [ModelNode]
    const { nodes } = cluster.observe()
    const silentFor = (silent_ms: number) =>
      plan({
        nodes: nodes.map((one) => (one.name === node.name ? { ...one, isListed: false, state: null, silent_ms } : one)),
      })
    expect(silentFor(30_000).actions.filter(({ kind }) => kind === 'forget')).toEqual([])
    expect(silentFor(61_000).actions).toContainEqual(expect.objectContaining({ kind: 'forget', id: node.id }))
  })

  test('a wiped node joins as a new one, and who it was is forgotten', () => {
    const cluster = formed(6)
    const node = cluster.nodes.find(({ slots }) => slots.size === 0) as ModelNode
    const was = node.id
    cluster.start(node, { wiped: true })
    reconcile(cluster)
    expectWhole(cluster)
    expect(cluster.nodes.some(({ knows }) => knows.has(was))).toBe(false)
  })

  test('a node of another cluster is not let in, and named', () => {
    const cluster = formed(6)
    const stranger = cluster.add('redis-7', 'us-east')
    for (let slot = 0; slot < 100; slot += 1) stranger.slots.add(slot)
    expect(plan(cluster.observe())).toMatchObject({
      verdict: 'refuse',
      line: expect.stringContaining('redis-7'),
      actions: [],
    })
  })
})

test('whatever happens to whichever nodes, it ends whole, even, spread over regions, with no key moved away from', () => {
  const event = fc.record({
    kind: fc.constantFrom('kill', 'end', 'move', 'wipe-replica', 'add', 'remove', 'wait'),
    node: fc.nat(20),
    rounds: fc.nat(8),
  })
  const run = (count: number, events: { kind: string; node: number; rounds: number }[]) => {
    const cluster = formed(count)
    for (const { kind, node: index, rounds } of events) {
      const listed = cluster.nodes.filter(({ isListed }) => isListed)
      const node = listed[index % listed.length] as ModelNode
      const isAnyDown = listed.some(({ isUp }) => !isUp)
      if (kind === 'kill' && !isAnyDown) cluster.kill(node)
      else if (kind === 'end' && !isAnyDown) node.isLeaving = true
      else if (kind === 'move') cluster.start(node, { elsewhere: true })
      else if (kind === 'wipe-replica' && node.isUp && node.slots.size === 0) cluster.start(node, { wiped: true })
      else if (kind === 'add' && listed.length < 12)
        cluster.add(`redis-${cluster.nodes.length + 1}`, REGIONS[index % 3] as string)
      else if (kind === 'remove' && listed.length > 6 && node.isUp) node.isListed = false
      for (let round = 0; round < rounds; round += 1) {
        for (const action of plan(cluster.observe()).actions) cluster.apply(action)
        cluster.settle()
        for (const one of cluster.nodes) if (one.isLeaving && one.slots.size === 0) cluster.kill(one)
      }
    }
    for (const node of cluster.nodes) {
      node.isLeaving = false
      if (!node.isUp) cluster.start(node)
    }
    expect(reconcile(cluster).verdict).toBe('steady')
    expectWhole(cluster)
    expect(cluster.keys.size).toBe(SLOTS)
    const perRegion = REGIONS.map((region) => masters(cluster).filter((one) => one.region === region).length)
    const possible = REGIONS.map((region) => members(cluster).filter((one) => one.region === region).length)
    const wanted = masterCount(members(cluster).length, PLAN_SETTINGS.replicasPerMaster)
    if (possible.every((nodes) => nodes >= Math.ceil(wanted / 3))) {
      expect(Math.max(...perRegion) - Math.min(...perRegion)).toBeLessThanOrEqual(1)
    }
  }
  fc.assert(
    fc.property(fc.integer({ min: 6, max: 9 }), fc.array(event, { maxLength: 6 }), (count, events) =>
      run(count, events),
    ),
    { numRuns: 25 },
  )
}, 240_000)
