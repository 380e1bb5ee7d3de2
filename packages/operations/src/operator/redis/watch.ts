// Looks at every Redis node once a round: those that are listed, and those that only the cluster knows. Promises an observation in bounded
// time, whatever does not answer; remembers who a node was and since when it has been silent.

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type NodeId, type NodeView, parseClusterNodes } from './cluster-nodes.ts'
import { NodeConnection, type RedisAccess } from './node-connection.ts'
import type { NodeState, Observation, ObservedNode } from './observation.ts'

export type ListedNode = {
  readonly name: string
  readonly region: string
  /** A name with several addresses stands for a node at each, as a service of several tasks. */
  readonly host: string
  readonly port: number
}

/** `operators`: which operators are connected to the node. */
export type Seen = { readonly observation: Observation; readonly operators: ReadonlyMap<string, ReadonlySet<string>> }

type Place = {
  readonly name: string
  readonly region: string
  readonly isListed: boolean
  readonly ip: string
  readonly port: number
}
type Memory = { lastId: NodeId | null; answeredAt_ms: number }
type Look = {
  readonly state: NodeState | null
  readonly isLoading: boolean
  readonly isLeaving: boolean
  readonly operators: ReadonlySet<string>
}

const LOOKUP_TIMEOUT_MS = 1_500
const NODES_MAX = 256
/** Whose connection has been idle for longer is not there any more, or is stuck. */
const CLIENT_IDLE_SECONDS_MAX = 15
export const OPERATOR_CLIENT_PREFIX = 'wintrades-operator:'
/** The connection that a node's entrypoint (deployment/redis/entrypoint.sh) has to it while it waits to be let go. */
const LEAVING_CLIENT = 'wintrades-leaving'

export class NodeWatch {
  readonly #listed: () => readonly ListedNode[]
  readonly #access: RedisAccess
  readonly #resolve: (host: string) => Promise<readonly string[]>
  readonly #connections = new Map<string, NodeConnection>()
  readonly #addresses = new Map<string, readonly string[]>()
  readonly #memories = new Map<string, Memory>()

  constructor(
    listed: () => readonly ListedNode[],
    access: RedisAccess,
    resolve: (host: string) => Promise<readonly string[]> = addressesOf,
  ) {
    this.#listed = listed
    this.#access = access
    this.#resolve = resolve
  }

  async look(): Promise<Seen> {
    const places = await this.#places()
    const listed = await Promise.all(places.map((place) => this.#lookAt(place)))
    const seen = new Set(listed.flatMap(({ node }) => (node.state === null ? [] : [node.state.id])))
    const strangers = unlisted(
      listed.map(({ node }) => node),
      seen,
      places,
    )
    const others = await Promise.all(strangers.map((view) => this.#lookAtStranger(view)))
    const all = [...listed, ...others].slice(0, NODES_MAX)
    this.#forgetOthers(all.map(({ node }) => node))
    return {
      observation: { nodes: all.map(({ node }) => node) },
      operators: new Map(listed.map(({ node, operators }) => [node.name, operators])),
    }
  }

  /** To a node that was observed. */
  connection({ ip, port }: Pick<ObservedNode, 'ip' | 'port'>): NodeConnection {
    const key = `${ip}:${port}`
    let connection = this.#connections.get(key)
    if (connection === undefined) {
      connection = new NodeConnection(ip, port, this.#access)
      this.#connections.set(key, connection)
    }
    return connection
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
    this.#connections.clear()
  }

  async #places(): Promise<Place[]> {
    const groups = await Promise.all(
      this.#listed().map(async ({ name, region, host, port }) => {
        const ips = await this.#ipsOf(host)
        const nameOf = (ip: string) => (ips.length <= 1 ? name : `${name}/${ip}`)
        // One whose name is not known is a node that does not answer.
        return (ips.length === 0 ? [''] : ips).map((ip) => ({ name: nameOf(ip), region, isListed: true, ip, port }))
      }),
    )
    return groups.flat().slice(0, NODES_MAX)
  }

  /** Where it was, if the names cannot be asked: they often fail just when nodes do. */
  async #ipsOf(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host]
    try {
      const ips = await inTime(this.#resolve(host), LOOKUP_TIMEOUT_MS)
      this.#addresses.set(host, [...ips].sort())
    } catch {
      // Said by the node's silence if it is not where it was.
    }
    return this.#addresses.get(host) ?? []
  }

  async #lookAtStranger(view: NodeView): Promise<{ node: ObservedNode; operators: ReadonlySet<string> }> {
    const name = view.ip === '' ? view.id.slice(0, 8) : `${view.ip}:${view.port}`
    const place = { name, region: '', isListed: false, ip: view.ip, port: view.port }
    const memory = this.#memoryOf(name)
    memory.lastId = view.id
    const look = await this.#lookAt(place)
    // Somebody else may live at that address by now.
    if (look.node.state !== null && look.node.state.id !== view.id) {
      memory.lastId = view.id
      const node = { ...look.node, state: null, lastId: view.id, silent_ms: performance.now() - memory.answeredAt_ms }
      return { node, operators: look.operators }
    }
    return look
  }

  async #lookAt(place: Place): Promise<{ node: ObservedNode; operators: ReadonlySet<string> }> {
    const look = place.ip === '' ? NOTHING : await this.#ask(place)
    const memory = this.#memoryOf(place.name)
    const now_ms = performance.now()
    if (look.state !== null || look.isLoading) memory.answeredAt_ms = now_ms
    if (look.state !== null) memory.lastId = look.state.id
    const { operators, ...seen } = look
    const silent_ms = now_ms - memory.answeredAt_ms
    return { node: { ...place, ...seen, silent_ms, lastId: memory.lastId }, operators }
  }

  async #ask(place: Place): Promise<Look> {
    try {
      const connection = this.connection(place)
      const [nodes, info, keys, clients] = await connection.all([
        ['CLUSTER', 'NODES'],
        ['INFO', 'replication'],
        ['DBSIZE'],
        ['CLIENT', 'LIST', 'TYPE', 'normal'],
      ])
      if (nodes instanceof Error) return nodes.message.startsWith('LOADING') ? { ...NOTHING, isLoading: true } : NOTHING
      const view = parseClusterNodes(String(nodes))
      const own = view.find(({ isMyself }) => isMyself)
      if (own === undefined || info instanceof Error) return NOTHING
      const fields = infoFields(String(info))
      const isFollowing = fields.get('role') === 'slave' && fields.get('master_link_status') === 'up'
      const offset = fields.get(own.isMaster ? 'master_repl_offset' : 'slave_repl_offset')
      const follows = fields.has('master_host') ? `${fields.get('master_host')}:${fields.get('master_port')}` : null
      const replicationOffset = Number(offset ?? 0)
      const state = { id: own.id, view, keys: Number(keys), isFollowing, follows, replicationOffset }
      const names = clients instanceof Error ? [] : clientsIn(String(clients))
      return { state, isLoading: false, isLeaving: names.includes(LEAVING_CLIENT), operators: operatorsOf(names) }
    } catch {
      return NOTHING // It does not answer: that is the observation.
    }
  }

  #memoryOf(name: string): Memory {
    let memory = this.#memories.get(name)
    if (memory === undefined) {
      memory = { lastId: null, answeredAt_ms: performance.now() }
      this.#memories.set(name, memory)
    }
    return memory
  }

  #forgetOthers(nodes: readonly ObservedNode[]): void {
    const names = new Set(nodes.map(({ name }) => name))
    const addresses = new Set(nodes.map(({ ip, port }) => `${ip}:${port}`))
    for (const name of this.#memories.keys()) if (!names.has(name)) this.#memories.delete(name)
    for (const [address, connection] of this.#connections) {
      if (addresses.has(address)) continue
      connection.close()
      this.#connections.delete(address)
    }
  }
}

const NOTHING: Look = { state: null, isLoading: false, isLeaving: false, operators: new Set() }

/** Nodes that only the cluster knows: neither a listed one that answers, nor who a silent listed one was. */
function unlisted(listed: readonly ObservedNode[], seen: ReadonlySet<NodeId>, places: readonly Place[]): NodeView[] {
  const silent = new Set(listed.filter(({ state }) => state === null).map(({ lastId }) => lastId))
  const silentAddresses = new Set(listed.filter(({ state }) => state === null).map(({ ip, port }) => `${ip}:${port}`))
  const strangers = new Map<NodeId, NodeView>()
  for (const view of listed.flatMap(({ state }) => state?.view ?? [])) {
    const isSilentListed = silent.has(view.id) || silentAddresses.has(`${view.ip}:${view.port}`)
    if (view.isHandshake || seen.has(view.id) || isSilentListed) continue
    const known = strangers.get(view.id)
    if (known === undefined || known.ip === '') strangers.set(view.id, view)
  }
  return [...strangers.values()].slice(0, Math.max(0, NODES_MAX - places.length))
}

function infoFields(text: string): Map<string, string> {
  const pairs = text.split('\r\n').flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)]] : []
  })
  return new Map(pairs)
}

/** Names of those that have asked something lately. */
function clientsIn(list: string): string[] {
  return list.split('\n').flatMap((line) => {
    const name = / name=(\S+)/.exec(line)?.[1]
    const idle_seconds = Number(/ idle=(\d+)/.exec(line)?.[1] ?? 0)
    return name === undefined || idle_seconds > CLIENT_IDLE_SECONDS_MAX ? [] : [name]
  })
}

function operatorsOf(names: readonly string[]): Set<string> {
  const operators = names.filter((name) => name.startsWith(OPERATOR_CLIENT_PREFIX))
  return new Set(operators.map((name) => name.slice(OPERATOR_CLIENT_PREFIX.length)))
}

async function addressesOf(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

async function inTime<Value>(work: Promise<Value>, time_ms: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${time_ms} ms`)), time_ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
