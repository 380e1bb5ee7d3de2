// Which node carries what: a pure plan of the labels that a deploy sets. What a node has is never taken away: a label says where the data of a server is.

import { NODE_LABELS, type Topology } from '@wintrades/topology'
import type { Node } from './swarm.ts'

export type LabelPlan = {
  readonly changes: readonly { readonly node: Node; readonly labels: readonly string[] }[]
  readonly faults: readonly string[]
}

/** `wishes`: region → host name of a node, as a person wants it. */
export function planLabels(
  topology: Topology,
  nodes: readonly Node[],
  wishes: ReadonlyMap<string, string> = new Map(),
): LabelPlan {
  const able = nodes.filter(({ isReady, isActive }) => isReady && isActive)
  const faults: string[] = []
  const added = new Map<Node, string[]>()
  const add = (node: Node, label: string) => {
    if (node.labels[label] === 'true' || added.get(node)?.includes(label) === true) return
    added.set(node, [...(added.get(node) ?? []), label])
  }
  const has = (node: Node, label: string) => node.labels[label] === 'true' || added.get(node)?.includes(label) === true
  if (able.length === 0) return { changes: [], faults: ['no node is ready and active: docker node ls says why'] }

  for (const [i, { name }] of topology.regions.entries()) {
    const label = NODE_LABELS.region(name)
    const wish = wishes.get(name)
    const wished = able.find(({ hostname }) => hostname === wish)
    if (wish !== undefined && wished === undefined) {
      faults.push(
        `region ${name} shall be on ${wish}, which is no node that is ready; nodes are ${able.map((one) => one.hostname).join(', ')}`,
      )
    } else if (wished !== undefined) add(wished, label)
    else if (nodes.some((node) => node.labels[label] === 'true')) {
      if (!able.some((node) => has(node, label)))
        faults.push(`every node of region ${name} is down or drained: docker node ls`)
    } else add(leastLoaded(able, topology, has, i), label)
  }
  for (const { name, region } of topology.database.servers) {
    const label = NODE_LABELS.server(name)
    const holder = nodes.find((node) => node.labels[label] === 'true')
    const there = able.find((node) => has(node, NODE_LABELS.region(region)))
    if (holder !== undefined) {
      if (!holder.isReady)
        faults.push(
          `${name} has its data on ${holder.hostname}, which is down: start it, or give ${name} up with docker node rm`,
        )
    } else if (there !== undefined) add(there, label)
  }
  const first = (region: string) => able.find((node) => has(node, NODE_LABELS.region(region)))
  for (const [label, region] of [
    [NODE_LABELS.backups, topology.backups?.region],
    [NODE_LABELS.monitoring, topology.monitoring?.region],
  ] as const) {
    const node = region === undefined ? undefined : first(region)
    if (node !== undefined && !nodes.some((one) => one.labels[label] === 'true')) add(node, label)
  }
  if (!nodes.some((node) => node.labels[NODE_LABELS.edge] === 'true')) {
    for (const node of able)
      if (topology.regions.some(({ name }) => has(node, NODE_LABELS.region(name)))) add(node, NODE_LABELS.edge)
  }
  return { changes: [...added].map(([node, labels]) => ({ node, labels })), faults }
}

/** The node that carries fewest regions; among equals the next in turn. */
function leastLoaded(
  nodes: readonly Node[],
  topology: Topology,
  has: (node: Node, label: string) => boolean,
  turn: number,
): Node {
  const count = (node: Node) => topology.regions.filter(({ name }) => has(node, NODE_LABELS.region(name))).length
  const least = Math.min(...nodes.map(count))
  const candidates = nodes.filter((node) => count(node) === least)
  return candidates[turn % candidates.length] as Node
}
