// One operator process of the model: looks at the servers one after the other, decides, sends. It may die between any two of these.

import {
  type Action,
  type Decision,
  decide,
  EMPTY,
  type GtidSet,
  type Memory,
  NOTHING_REMEMBERED,
  type ServerName,
  type ServerObservation,
  type ServerState,
  subtract,
} from '@wintrades/operations/promotion'
import type { PlantedFaults } from './faults.ts'
import type { ModelServer } from './server.ts'

export type Surroundings = {
  readonly servers: readonly ModelServer[]
  readonly faults: PlantedFaults
  readonly canReach: (promoter: ModelPromoter, server: ModelServer) => boolean
  readonly isConnected: (a: ModelServer, b: ModelServer) => boolean
  readonly serverOf: (name: string) => ModelServer
}

type Sets = { readonly received: GtidSet; readonly executed: GtidSet }

export class ModelPromoter {
  readonly region: string
  isUp = true
  #lives = 0
  promoteTo: ServerName | null = null
  #memory: Memory = NOTHING_REMEMBERED
  /** States seen so far in the look under way; the sets of them are read after the last. */
  #states: ServerObservation[] = []
  /** Everything that a server had when its lock was taken: for the planted fault. */
  #cached = new Map<string, GtidSet>()
  /** What it believes to have fenced, by server and life: for the planted fault. */
  #believed = new Set<string>()
  lastLine = ''

  constructor(region: string) {
    this.region = region
  }

  get id(): string {
    return `${this.region}/${this.#lives}`
  }

  crash(): void {
    this.isUp = false
    this.#memory = NOTHING_REMEMBERED
    this.#states = []
    this.#cached.clear()
    this.#believed.clear()
    this.promoteTo = null
  }

  start(): void {
    this.#lives += 1
    this.isUp = true
  }

  /** Looks at up to `count` servers more; after the last one decides. Null: still looking. */
  look(around: Surroundings, count: number): Decision | null {
    const { servers } = around
    const from = this.#states.length
    if (from < servers.length) {
      for (const server of servers.slice(from, from + count)) this.#states.push(this.#stateOf(server, around))
      return null
    }
    const seen = this.#states.map((state) => this.#withSets(state, around))
    this.#states = []
    const decision = decide(
      { self: this.id, servers: seen, promoteTo: this.promoteTo, cloneWanted: null },
      this.#memory,
    )
    this.#memory = decision.memory
    this.lastLine = decision.line
    return decision
  }

  /** Notes what it sent, as a careless adapter would. */
  noteSent(action: Action, around: Surroundings): void {
    if (action.kind === 'release_locks') {
      this.#cached.clear()
      return
    }
    const server = around.serverOf(action.server)
    const isFence = action.kind === 'fence_primary' || action.kind === 'fence_replica'
    if (isFence) this.#believed.add(`${server.name} ${server.life} ${action.kind}`)
    else if (action.kind === 'attach' || action.kind === 'open') {
      this.#believed.delete(`${server.name} ${server.life} fence_primary`)
      this.#believed.delete(`${server.name} ${server.life} fence_replica`)
    }
  }

  #stateOf(server: ModelServer, around: Surroundings): ServerObservation {
    const { name, role } = server
    if (!around.canReach(this, server)) return { name, role, isReachable: false }
    const { faults } = around
    const believed = (what: string) => faults.skipFence && this.#believed.has(`${name} ${server.life} ${what}`)
    const source = around.servers.find((other) => other.name === server.source)
    const isHearing = source?.isUp === true && around.isConnected(server, source)
    const receiver =
      !server.isReceiving || believed('fence_replica') ? 'stopped' : isHearing ? 'receiving' : 'connecting'
    return {
      name,
      role,
      isReachable: true,
      lock: server.lock === this.id ? 'mine' : server.lock === null ? 'free' : 'other',
      uuid: server.uuid,
      life: `${server.life}`,
      term: server.term,
      isReadOnly: server.isReadOnly || believed('fence_primary'),
      isSuperReadOnly: server.isSuperReadOnly || believed('fence_primary'),
      semiSync: {
        source: server.isSource,
        replica: server.isReplica && !faults.readerAcknowledges ? true : role === 'voter' && server.isReplica,
        clients: around.servers.filter((other) => isStreaming(other, server, around)).length,
      },
      channel: {
        source: server.source,
        receiver,
        applier: server.isApplying ? 'running' : 'stopped',
        applierError: null,
      },
      owned: EMPTY,
      received: EMPTY,
      executed: EMPTY,
      purged: EMPTY,
      row: null,
    }
  }

  #withSets(state: ServerObservation, around: Surroundings): ServerObservation {
    if (!state.isReachable) return state
    const server = around.serverOf(state.name)
    if (!around.canReach(this, server) || `${server.life}` !== state.life) {
      return { name: state.name, role: state.role, isReachable: false }
    }
    const sets = this.#setsOf(server, state, around.faults)
    const isBelieved = around.faults.skipFence && state.isSuperReadOnly
    return { ...state, owned: isBelieved ? EMPTY : server.ownedSet, ...sets, row: server.row }
  }

  #setsOf(server: ModelServer, state: ServerState, faults: PlantedFaults): Sets {
    const sets = { received: server.relayed, executed: server.executed }
    if (!faults.setsBeforeFence || state.lock !== 'mine') return sets
    const before = this.#cached.get(server.name) ?? server.everything
    this.#cached.set(server.name, before)
    if (!state.isSuperReadOnly || state.channel.receiver !== 'stopped') return sets
    return { received: intersect(sets.received, before), executed: intersect(sets.executed, before) }
  }
}

function intersect(a: GtidSet, b: GtidSet): GtidSet {
  return subtract(a, subtract(a, b))
}

/** Whether `replica` is connected to `source` now and acknowledges. */
export function isStreaming(replica: ModelServer, source: ModelServer, around: Surroundings): boolean {
  if (!replica.isUp || !replica.isReceiving || replica.source !== source.name) return false
  return replica.isReplica && around.isConnected(replica, source)
}
