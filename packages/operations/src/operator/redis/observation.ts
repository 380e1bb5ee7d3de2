// What a round of the operator saw of the Redis nodes, as values: the planner decides on nothing else.

import type { NodeId, NodeView } from './cluster-nodes.ts'

/** What a node that answers says of itself and of the others. */
export type NodeState = {
  readonly id: NodeId
  readonly view: readonly NodeView[]
  readonly keys: number
  /** Of a replica: whether it follows its master, and where it looks for it, as `ip:port`. */
  readonly isFollowing: boolean
  readonly follows: string | null
  /** How much of the stream of changes it has. */
  readonly replicationOffset: number
}

export type ObservedNode = {
  readonly name: string
  /** Empty for a node that is not listed. */
  readonly region: string
  /** Whether the operator's file names it; another one is to leave the cluster. */
  readonly isListed: boolean
  /** It was told to end and waits to be relieved of its slots. */
  readonly isLeaving: boolean
  /** Where it answers, or last did. */
  readonly ip: string
  readonly port: number
  /** null: it does not answer, or is loading. */
  readonly state: NodeState | null
  /** Reads its data from disk: it answers, and serves nothing yet. */
  readonly isLoading: boolean
  /** For how long it has not answered. */
  readonly silent_ms: number
  /** Who it was when it last answered; null: it never did since this operator started. */
  readonly lastId: NodeId | null
}

export type Observation = { readonly nodes: readonly ObservedNode[] }

export type LiveNode = ObservedNode & { readonly state: NodeState }

export function isLive(node: ObservedNode): node is LiveNode {
  return node.state !== null
}

/** How a node sees itself. */
export function ownView({ state }: LiveNode): NodeView {
  const own = state.view.find(({ isMyself }) => isMyself)
  if (own === undefined) throw new RangeError('CLUSTER NODES has no line of the node itself')
  return own
}
