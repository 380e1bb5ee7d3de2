// A Redis Cluster as far as the planner can tell: nodes that know each other, own slots, follow, fail and come back. Gossip is immediate
// within what is connected; Redis's own fail-over happens in `settle`, when a majority of the masters can vote.

import type { Action } from '../../../src/operator/redis/action.ts'
import { type NodeId, type NodeView, SLOTS } from '../../../src/operator/redis/cluster-nodes.ts'
import type { Observation, ObservedNode } from '../../../src/operator/redis/observation.ts'

export type ModelNode = {
  readonly name: string
  readonly region: string
  id: NodeId
  isUp: boolean
  isListed: boolean
  isLeaving: boolean
  /** Changes with a restart elsewhere; others reach it only where they last knew it. */
  address: number
  silent_ms: number
  masterId: NodeId | null
  epoch: number
  readonly slots: Set<number>
  /** Other nodes, and at which address. */
  readonly knows: Map<NodeId, number>
}

const NO_SLOTS: ReadonlyMap<number, NodeId> = new Map()

export class ModelCluster {
  readonly nodes: ModelNode[] = []
  /** Slots with a key, and whether it is still there. */
  readonly keys = new Set<number>()
  moved = 0
  #ids = 0
  #addresses = 0
  #epoch = 0

  add(name: string, region: string): ModelNode {
    const node: ModelNode = {
      name,
      region,
      id: this.#newId(),
      isUp: true,
      isListed: true,
      isLeaving: false,
      address: this.#newAddress(),
      silent_ms: 0,
      masterId: null,
      epoch: 0,
      slots: new Set(),
      knows: new Map(),
    }
    this.nodes.push(node)
    return node
  }

  node(name: string): ModelNode {
    const node = this.nodes.find((one) => one.name === name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  kill(node: ModelNode): void {
    node.isUp = false
  }

  start(node: ModelNode, more: { readonly elsewhere?: boolean; readonly wiped?: boolean } = {}): void {
    node.isUp = true
    node.silent_ms = 0
    if (more.elsewhere) node.address = this.#newAddress()
    if (more.wiped) {
      node.id = this.#newId()
      node.masterId = null
      node.epoch = 0
      node.slots.clear()
      node.knows.clear()
    }
  }

  observe(): Observation {
    const nodes = this.nodes
      .filter((node) => node.isListed || (node.isUp && this.nodes.some((other) => other.knows.has(node.id))))
      .map((node): ObservedNode => {
        const view = node.isUp ? this.#viewOf(node) : null
        const master = this.#byId(node.masterId)
        return {
          name: node.name,
          region: node.isListed ? node.region : '',
          isListed: node.isListed,
          isLeaving: node.isLeaving,
          ip: '10.0.0.1',
          port: node.address,
          silent_ms: node.silent_ms,
          lastId: node.id,
          isLoading: false,
          state:
            view === null
              ? null
              : {
                  id: node.id,
                  view,
                  keys: 0,
                  follows: master === undefined ? null : `10.0.0.1:${node.knows.get(master.id)}`,
                  isFollowing: master !== undefined && this.#reaches(node, master),
                  replicationOffset: 0,
                },
        }
      })
    return { nodes }
  }

  apply(action: Action): void {
    switch (action.kind) {
      case 'meet':
        this.#meet(this.node(action.node), this.node(action.other))
        return
      case 'adopt':
        this.#take(this.node(action.node), action.slots)
        return
      case 'promote':
        this.#promote(this.node(action.node))
        return
      case 'replicate': {
        const node = this.node(action.node)
        if (node.slots.size > 0) throw new Error(`${node.name} has slots and cannot become a replica`)
        node.masterId = action.masterId
        return
      }
      case 'move': {
        const from = this.node(action.from)
        for (const slot of action.slots) if (!from.slots.has(slot)) throw new Error(`${from.name} lacks slot ${slot}`)
        if (!this.node(action.to).isUp || !from.isUp) throw new Error('a move needs both ends')
        this.moved += action.slots.length
        this.#take(this.node(action.to), action.slots, true)
        return
      }
      case 'settle':
        return
      case 'reset': {
        const node = this.node(action.node)
        if (node.slots.size > 0) throw new Error(`${node.name} has slots and cannot be reset`)
        node.masterId = null
        node.knows.clear()
        return
      }
      case 'forget':
        for (const node of this.nodes) if (node.isUp) node.knows.delete(action.id)
    }
  }

  /** A second passes: gossip spreads, stale claims yield, Redis replaces masters if a majority can vote. */
  settle(): void {
    for (const node of this.nodes) node.silent_ms = node.isUp ? 0 : node.silent_ms + 1_000
    this.#gossip()
    const masters = this.nodes.filter(({ slots }) => slots.size > 0)
    const voting = masters.filter(({ isUp }) => isUp)
    if (voting.length * 2 > masters.length) {
      for (const lost of masters.filter((node) => !node.isUp && node.silent_ms >= 4_000)) {
        const heir = this.nodes.find((one) => one.isUp && one.masterId === lost.id)
        if (heir !== undefined) this.#promote(heir)
      }
    }
    // An old master that lost its slots follows who has them, as Redis does by itself.
    for (const node of this.nodes) {
      if (node.isUp && node.masterId !== null) {
        const master = this.#byId(node.masterId)
        if (master !== undefined && master.masterId !== null && master.masterId !== node.id)
          node.masterId = master.masterId
      }
    }
  }

  #gossip(): void {
    for (let spread = true; spread; ) {
      spread = false
      for (const node of this.nodes) {
        for (const other of this.nodes) {
          if (!this.#reaches(node, other)) continue
          if (other.knows.get(node.id) !== node.address) {
            other.knows.set(node.id, node.address)
            spread = true
          }
          for (const id of node.knows.keys()) {
            const third = this.#byId(id)
            // What is known at a stale address is corrected by who reaches it.
            if (third === undefined || third === other || !third.isUp || !this.#reaches(node, third)) continue
            if (other.knows.get(id) === third.address) continue
            other.knows.set(id, third.address)
            spread = true
          }
        }
      }
    }
  }

  #viewOf(node: ModelNode): NodeView[] {
    const ghosts = [...node.knows.keys()].filter((id) => this.#byId(id) === undefined).map(ghost)
    const seen = this.nodes.filter((one) => one === node || node.knows.has(one.id))
    const views = seen.map((one): NodeView => {
      const isLinked = one === node || this.#reaches(node, one)
      return {
        id: one.id,
        ip: '10.0.0.1',
        port: one.address,
        isMyself: one === node,
        isMaster: one.masterId === null,
        masterId: one.masterId,
        failed: isLinked ? 'no' : 'maybe',
        isHandshake: false,
        isLinked,
        configEpoch: one.epoch,
        slots: [...one.slots].sort((a, b) => a - b),
        migrating: NO_SLOTS,
        importing: NO_SLOTS,
      }
    })
    return [...views, ...ghosts]
  }

  #reaches(node: ModelNode, other: ModelNode): boolean {
    return node.isUp && other.isUp && node !== other && node.knows.get(other.id) === other.address
  }

  #meet(node: ModelNode, other: ModelNode): void {
    node.knows.set(other.id, other.address)
    other.knows.set(node.id, node.address)
    this.#gossip()
  }

  #promote(heir: ModelNode): void {
    const master = this.#byId(heir.masterId)
    if (master === undefined) throw new Error(`${heir.name} is nobody's replica`)
    heir.masterId = null
    this.#take(heir, [...master.slots], true)
    master.masterId = heir.id
    for (const node of this.nodes) if (node !== heir && node.masterId === master.id) node.masterId = heir.id
  }

  #take(node: ModelNode, slots: readonly number[], withKeys = false): void {
    node.epoch = ++this.#epoch
    for (const one of this.nodes) for (const slot of slots) one.slots.delete(slot)
    for (const slot of slots) {
      node.slots.add(slot)
      if (!withKeys) this.keys.delete(slot)
    }
  }

  #byId(id: NodeId | null): ModelNode | undefined {
    return this.nodes.find((one) => one.id === id)
  }

  #newId(): NodeId {
    this.#ids += 1
    return this.#ids.toString(16).padStart(40, '0') as NodeId
  }

  #newAddress(): number {
    this.#addresses += 1
    return this.#addresses
  }

  /** A key in every slot. */
  fill(): void {
    for (let slot = 0; slot < SLOTS; slot += 1) this.keys.add(slot)
  }
}

/** Who a node was before it was wiped. */
function ghost(id: NodeId): NodeView {
  const place = { ip: '', port: 0, isMyself: false, isHandshake: false, isLinked: false }
  const role = { isMaster: true, masterId: null, failed: 'fail', configEpoch: 0, slots: [] } as const
  return { id, ...place, ...role, migrating: NO_SLOTS, importing: NO_SLOTS }
}
