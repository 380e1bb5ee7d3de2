// From what was seen of the Redis nodes to what to do next. Pure. One concern after the other, and the first that wants something done ends
// the round: nodes know each other; lost masters are replaced; every slot is served; masters, slots and replicas are where the layout wants
// them; who left is forgotten. Promises to do nothing while less than a majority of the listed nodes answers, never to take a slot from a
// node that may still serve it, and to move nothing because of a node that is away for a moment.

import type { Action } from './action.ts'
import { type NodeId, type NodeView, SLOTS } from './cluster-nodes.ts'
import { type Layout, layout, MASTERS_MIN, slotMoves } from './layout.ts'
import { isLive, type LiveNode, type Observation, type ObservedNode, ownView } from './observation.ts'

export type PlanSettings = {
  readonly replicasPerMaster: number
  /** A silent master is replaced by the operator after this, if Redis itself cannot (or, after three times as long, did not). */
  readonly takeover_ms: number
  /** Slots whose master and replicas are all silent are given to others after this: what was in them is given up. */
  readonly adopt_ms: number
  /** A silent node keeps its place in the layout for this long. */
  readonly replace_ms: number
  /** One that is silent and not listed is known for this long: a service's task that starts again is not found by name meanwhile. */
  readonly forget_ms: number
}

export const PLAN_SETTINGS: PlanSettings = {
  replicasPerMaster: 1,
  takeover_ms: 6_000,
  adopt_ms: 60_000,
  replace_ms: 300_000,
  forget_ms: 60_000,
}

/** `line` says in one sentence what was seen and why this follows. */
export type Plan = {
  readonly verdict: 'steady' | 'act' | 'wait' | 'refuse'
  readonly line: string
  readonly actions: readonly Action[]
}

/** Slots of one `move`: what a round can be cut short after. */
const MOVE_SLOTS_MAX = 256
const FORCE_AFTER_TIMES = 3

export function plan(observation: Observation, settings: PlanSettings = PLAN_SETTINGS): Plan {
  const listed = observation.nodes.filter(({ isListed }) => isListed)
  const answering = listed.filter((node) => isLive(node) || node.isLoading)
  if (answering.length * 2 <= listed.length) {
    return refuse(`${answering.length} of ${listed.length} redis nodes answer: less than a majority, nothing is done`)
  }
  const scene = see(observation, settings)
  if ('verdict' in scene) return scene
  return (
    join(scene) ??
    replaceMasters(scene) ??
    agree(scene) ??
    serveSlots(scene) ??
    finishMigrations(scene) ??
    followMasters(scene) ??
    relieve(scene) ??
    beforeRearranging(scene) ??
    promoteMasters(scene) ??
    placeReplicas(scene) ??
    balanceSlots(scene) ??
    forgetStrangers(scene) ??
    steady(scene)
  )
}

type Scene = {
  readonly settings: PlanSettings
  readonly nodes: readonly ObservedNode[]
  /** Belongs to the cluster that counts; the others are brought to it. */
  readonly anchor: LiveNode
  /** Everybody of this cluster who answers, listed or not. */
  readonly live: readonly LiveNode[]
  readonly byId: ReadonlyMap<NodeId, LiveNode>
  /** Nodes of the anchor's view, itself included. */
  readonly known: ReadonlyMap<NodeId, NodeView>
  /** Slots by who serves them: live nodes by their own word, silent ones by the anchor's. */
  readonly owned: ReadonlyMap<NodeId, readonly number[]>
  /** Names of nodes that belong to some other cluster. */
  readonly foreign: readonly string[]
  readonly target: Layout
}

function see(observation: Observation, settings: PlanSettings): Scene | Plan {
  const all = observation.nodes.filter(isLive)
  const anchor = chooseAnchor(all)
  if (anchor === null) return wait('every redis node that answers is still loading its data')
  const known = new Map(anchor.state.view.map((one) => [one.id, one]))
  const foreign = all.filter((node) => isForeign(node, anchor, known))
  const live = all.filter((node) => !foreign.includes(node))
  const byId = new Map(live.map((node) => [node.state.id, node]))
  const owned = owners(live, byId, known)
  const members = live
    .filter(({ isListed }) => isListed)
    .map((node) => ({
      id: node.state.id,
      region: node.region,
      slotCount: owned.get(node.state.id)?.length ?? 0,
      masterId: ownView(node).masterId,
    }))
  if (members.length === 0) return refuse('no listed redis node belongs to the cluster')
  const target = layout(members, settings.replicasPerMaster)
  const names = foreign.map(({ name }) => name)
  return { settings, nodes: observation.nodes, anchor, live, byId, known, owned, foreign: names, target }
}

/**
 * The cluster that counts is the one that serves the most slots; then the one that knows the most nodes. Of those who belong to it, whoever most others
 * know: one that was forgotten and came back knows them all, and what it says of new nodes is heard by nobody.
 */
function chooseAnchor(live: readonly LiveNode[]): LiveNode | null {
  const served = ({ state }: LiveNode) => state.view.reduce((sum, { slots }) => sum + slots.length, 0)
  const fame = ({ state: { id } }: LiveNode) =>
    live.filter(({ state }) => state.view.some((one) => one.id === id && !one.isHandshake)).length
  return live.reduce<LiveNode | null>((best, one) => {
    if (best === null) return one
    const difference =
      served(one) - served(best) || fame(one) - fame(best) || one.state.view.length - best.state.view.length
    return difference > 0 || (difference === 0 && one.name < best.name) ? one : best
  }, null)
}

/** Has a history of its own, of which nobody in the anchor's cluster is a part. */
function isForeign(node: LiveNode, anchor: LiveNode, known: ReadonlyMap<NodeId, NodeView>): boolean {
  if (node === anchor || known.has(node.state.id)) return false
  const others = node.state.view.filter(({ isMyself, isHandshake }) => !isMyself && !isHandshake)
  const hasHistory = others.length > 0 || ownView(node).slots.length > 0
  return hasHistory && !others.some(({ id }) => known.has(id))
}

function owners(
  live: readonly LiveNode[],
  byId: ReadonlyMap<NodeId, LiveNode>,
  known: ReadonlyMap<NodeId, NodeView>,
): Map<NodeId, number[]> {
  const claims = new Map<number, NodeView>()
  const silent = [...known.values()].filter(({ id }) => !byId.has(id))
  for (const view of [...live.map(ownView), ...silent]) {
    for (const slot of view.slots) {
      const other = claims.get(slot)
      if (other === undefined || other.configEpoch < view.configEpoch) claims.set(slot, view)
    }
  }
  const owned = new Map<NodeId, number[]>()
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const owner = claims.get(slot)?.id
    if (owner === undefined) continue
    const slots = owned.get(owner)
    if (slots === undefined) owned.set(owner, [slot])
    else slots.push(slot)
  }
  return owned
}

function join({ anchor, live, known }: Scene): Plan | null {
  const strangers = live.filter((node) => {
    if (node === anchor) return false
    const seen = known.get(node.state.id)
    return seen === undefined || seen.isHandshake || !seen.isLinked || seen.failed === 'fail'
  })
  return act(
    strangers.map((node) => ({
      kind: 'meet',
      node: anchor.name,
      other: node.name,
      why: known.has(node.state.id) ? `it is not reached at the address it had` : 'it is new',
    })),
  )
}

function replaceMasters(scene: Scene): Plan | null {
  const { owned, byId, nodes, settings, live } = scene
  const masters = [...owned.keys()]
  const silent = masters.filter((id) => !byId.has(id))
  if (silent.length === 0) return null
  const haveMajority = (masters.length - silent.length) * 2 > masters.length
  const patience_ms = settings.takeover_ms * (haveMajority ? FORCE_AFTER_TIMES : 1)
  const actions: Action[] = []
  const waiting: string[] = []
  for (const id of silent) {
    const silent_ms = silence(nodes, id)
    const heir = heirOf(id, live)
    const name = nameOf(scene, id)
    const seconds = lapse(silent_ms)
    if (heir === null) {
      if (silent_ms < settings.adopt_ms) waiting.push(`${name} and its replicas have been silent for ${seconds}`)
    } else if (silent_ms < patience_ms) waiting.push(`${name} has been silent for ${seconds}`)
    else if (hears(heir, id)) waiting.push(`${name} does not answer the operator, but ${heir.name} hears it`)
    else {
      const how = haveMajority ? 'forced' : 'takeover'
      const lost = haveMajority
        ? ''
        : `, and with it ${silent.length} of ${masters.length} masters: no majority can vote`
      actions.push({ kind: 'promote', node: heir.name, how, why: `${name} has been silent for ${seconds}${lost}` })
    }
  }
  return act(actions) ?? (waiting.length > 0 ? wait(waiting.join('; ')) : null)
}

function hears({ state }: LiveNode, id: NodeId): boolean {
  return state.view.some((one) => one.id === id && one.isLinked && one.failed === 'no')
}

/** The replica that has the most of what its master had. */
function heirOf(masterId: NodeId, live: readonly LiveNode[]): LiveNode | null {
  const replicas = live.filter((node) => ownView(node).masterId === masterId)
  return replicas.reduce<LiveNode | null>((best, one) => {
    if (best === null) return one
    const difference =
      Number(isToStay(one)) - Number(isToStay(best)) || one.state.replicationOffset - best.state.replicationOffset
    return difference > 0 || (difference === 0 && one.name < best.name) ? one : best
  }, null)
}

function isToStay({ isListed, isLeaving }: LiveNode): boolean {
  return isListed && !isLeaving
}

/** While nodes tell each other who owns what, nothing is decided on it. */
function agree({ live, owned, known, anchor }: Scene): Plan | null {
  for (const node of live) {
    const own = ownView(node)
    const ownedCount = owned.get(own.id)?.length ?? 0
    if (own.slots.length !== ownedCount) {
      return wait(`${node.name} claims ${own.slots.length} slots, of which others own some: the nodes are settling it`)
    }
    const seen = known.get(own.id)
    if (node !== anchor && seen !== undefined && !isSame(seen.slots, own.slots)) {
      return wait(`${anchor.name} does not know yet which slots ${node.name} serves`)
    }
    if (seen !== undefined && seen.masterId !== own.masterId) {
      return wait(`${anchor.name} does not know yet whose replica ${node.name} is`)
    }
  }
  return null
}

function serveSlots(scene: Scene): Plan | null {
  const { owned, byId, target, nodes, settings } = scene
  const served = new Set([...owned].flatMap(([id, slots]) => (byId.has(id) ? slots : [])))
  const lost = new Set([...owned].flatMap(([id, slots]) => (byId.has(id) ? [] : slots)))
  const free = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => !served.has(slot))
  if (free.length === 0) return null
  // Nobody has ever had them, as far as anybody knows: before the cluster is formed, or where its forming was cut short.
  const isForming = lost.size < free.length
  if (isForming) {
    const missing = nodes.filter((node) => node.isListed && !isLive(node) && node.silent_ms < settings.adopt_ms)
    if (missing.length > 0) return wait(`the cluster is formed when ${names(missing)} answers too`)
  }
  // What the layout gives each; nobody gives anything away yet.
  const actions: Action[] = []
  for (const [id, count] of target.slotCounts) {
    const slots = free.splice(0, Math.max(0, count - (owned.get(id)?.length ?? 0)))
    const formed = slots.filter((slot) => !lost.has(slot))
    const adopted = slots.filter((slot) => lost.has(slot))
    const node = nameOf(scene, id)
    if (formed.length > 0) actions.push({ kind: 'adopt', node, slots: formed, why: 'the cluster is formed' })
    if (adopted.length > 0) {
      const why = 'nobody serves them any more; what was in them is lost'
      actions.push({ kind: 'adopt', node, slots: adopted, why })
    }
  }
  return act(actions)
}

function finishMigrations(scene: Scene): Plan | null {
  const { live, byId } = scene
  const actions: Action[] = []
  for (const node of live) {
    const own = ownView(node)
    const dead: number[] = []
    const going = new Map<LiveNode, number[]>()
    for (const [slot, to] of own.migrating) {
      const receiver = byId.get(to)
      const canTake = receiver !== undefined && isToStay(receiver) && ownView(receiver).isMaster
      if (canTake) going.set(receiver, [...(going.get(receiver) ?? []), slot])
      else dead.push(slot)
    }
    for (const [slot, from] of own.importing) {
      const giver = byId.get(from)
      if (giver === undefined || ownView(giver).migrating.get(slot) !== own.id) dead.push(slot)
    }
    const why = 'it was begun and not finished'
    for (const [receiver, slots] of going) {
      for (const part of parts(slots)) {
        actions.push({ kind: 'move', from: node.name, to: receiver.name, slots: part, why })
      }
    }
    if (dead.length > 0) actions.push({ kind: 'settle', node: node.name, slots: dead, why: 'its other end is gone' })
  }
  return act(actions)
}

/** A node that learned its master's new address from others goes on looking for it at the old one until it is told again. */
function followMasters({ live, byId }: Scene): Plan | null {
  const actions: Action[] = []
  for (const node of live) {
    const { masterId } = ownView(node)
    const master = node.state.view.find(({ id }) => id === masterId)
    if (master === undefined || node.state.isFollowing || !byId.has(master.id)) continue
    if (node.state.follows === `${master.ip}:${master.port}`) continue
    const why = `it looks for its master at ${node.state.follows ?? 'no address'}`
    actions.push({ kind: 'replicate', node: node.name, masterId: master.id, hasLeftovers: false, why })
  }
  return act(actions)
}

/**
 * Who was told to end gives what it serves to its replica, or, where that ends too, to the other masters. Where too few would stay nobody is relieved:
 * they end with their slots, and come back with them.
 */
function relieve(scene: Scene): Plan | null {
  const { live, owned } = scene
  const staying = live.filter(isToStay)
  const receivers = staying.filter(({ state }) => owned.has(state.id))
  if (staying.length < MASTERS_MIN || receivers.length === 0) return null
  const actions: Action[] = []
  const waiting: string[] = []
  for (const node of live) {
    const slots = owned.get(node.state.id)
    if (slots === undefined || !node.isLeaving) continue
    const why = `${node.name} ends`
    const replicas = staying.filter((one) => ownView(one).masterId === node.state.id)
    const heir = replicas.find(({ state }) => state.isFollowing)
    if (heir !== undefined) actions.push({ kind: 'promote', node: heir.name, how: 'planned', why })
    else if (replicas.length > 0) waiting.push(`${why}, and waits until ${names(replicas)} follows it`)
    else actions.push(...sharedOut(slots, node, receivers, why))
  }
  return act(actions) ?? (waiting.length > 0 ? wait(waiting.join('; ')) : null)
}

function sharedOut(slots: readonly number[], from: LiveNode, receivers: readonly LiveNode[], why: string): Action[] {
  const each = Math.ceil(slots.length / receivers.length)
  return receivers.flatMap(({ name }, index) =>
    parts(slots.slice(index * each, (index + 1) * each)).map(
      (part): Action => ({ kind: 'move', from: from.name, to: name, slots: part, why }),
    ),
  )
}

function beforeRearranging({ nodes, settings }: Scene): Plan | null {
  const listed = nodes.filter(({ isListed }) => isListed)
  const away = listed.filter((node) => !isLive(node) && node.silent_ms < settings.replace_ms)
  const ending = listed.filter((node) => isLive(node) && node.isLeaving)
  if (away.length === 0 && ending.length === 0) return null
  const most_ms = Math.max(0, ...away.map(({ silent_ms }) => silent_ms))
  const seen = [
    ...(ending.length === 0 ? [] : [`${names(ending)} ends`]),
    ...(away.length === 0 ? [] : [`${names(away)} silent for ${lapse(most_ms)}`]),
  ]
  const until = `nothing is rearranged for that before ${Math.round(settings.replace_ms / 1_000)} s`
  return wait(`every slot is served; ${seen.join(', ')}, ${until}`)
}

function promoteMasters(scene: Scene): Plan | null {
  const { target, byId } = scene
  const actions: Action[] = []
  const waiting: string[] = []
  const leaving = new Set<NodeId>()
  for (const id of target.masters) {
    const node = byId.get(id)
    const masterId = node === undefined ? null : ownView(node).masterId
    if (node === undefined || masterId === null) continue
    if (target.masters.has(masterId) || leaving.has(masterId) || !byId.has(masterId)) {
      actions.push({ kind: 'reset', node: node.name, why: 'it is to be a master of its own' })
      continue
    }
    leaving.add(masterId)
    const why = `${node.region} is to have the master instead of ${nameOf(scene, masterId)}`
    if (node.state.isFollowing) actions.push({ kind: 'promote', node: node.name, how: 'planned', why })
    else waiting.push(`${node.name} follows its master before it takes over`)
  }
  return act(actions) ?? (waiting.length > 0 ? wait(waiting.join('; ')) : null)
}

function placeReplicas(scene: Scene): Plan | null {
  const { target, byId, owned } = scene
  const actions: Action[] = []
  for (const [id, masterId] of target.masterOf) {
    const node = byId.get(id)
    if (node === undefined || owned.has(id) || ownView(node).masterId === masterId) continue
    if (!node.state.view.some((one) => one.id === masterId && one.isLinked && one.isMaster)) {
      return wait(`${node.name} does not know ${nameOf(scene, masterId)} yet, whose replica it is to be`)
    }
    const hasLeftovers = ownView(node).isMaster && node.state.keys > 0
    const why = `${nameOf(scene, masterId)} is to have a replica in ${node.region}`
    actions.push({ kind: 'replicate', node: node.name, masterId, hasLeftovers, why })
  }
  return act(actions)
}

function balanceSlots(scene: Scene): Plan | null {
  const { target, owned } = scene
  const moves = slotMoves(owned, target.slotCounts)
  return act(
    moves.flatMap(({ from, to, slots }) =>
      parts(slots).map((part): Action => {
        const why = target.masters.has(from) ? 'masters have equally many' : `${nameOf(scene, from)} is to have none`
        return { kind: 'move', from: nameOf(scene, from), to: nameOf(scene, to), slots: part, why }
      }),
    ),
  )
}

function forgetStrangers(scene: Scene): Plan | null {
  const { live, byId, nodes, owned, settings } = scene
  // Who is listed and silent comes back as who it was. One whose id is not known could be any of the silent ones.
  const silentListed = nodes.filter((node) => node.isListed && !isLive(node))
  const kept = new Set(silentListed.map(({ lastId }) => lastId))
  const isAnyUnknown = silentListed.some(({ lastId }) => lastId === null)
  const masters = new Set(live.map((node) => ownView(node).masterId))
  const actions = new Map<NodeId, Action>()
  for (const { id, isHandshake } of live.flatMap(({ state }) => state.view)) {
    const node = byId.get(id)
    if (isHandshake || node?.isListed || kept.has(id) || owned.has(id) || masters.has(id) || actions.has(id)) continue
    const silent = nodes.find((one) => !isLive(one) && one.lastId === id)
    if (node === undefined && (isAnyUnknown || (silent?.silent_ms ?? Number.POSITIVE_INFINITY) < settings.forget_ms))
      continue
    const why = node === undefined ? 'it is gone, or came back as another' : `${node.name} is not listed any more`
    actions.set(id, { kind: 'forget', id, why })
  }
  const resets = [...actions.keys()].flatMap((id): Action[] => {
    const node = byId.get(id)
    return node === undefined ? [] : [{ kind: 'reset', node: node.name, why: 'it is not listed any more' }]
  })
  return act([...actions.values(), ...resets])
}

function steady({ target, byId, foreign, live }: Scene): Plan {
  const behind = live.filter((node) => !ownView(node).isMaster && !node.state.isFollowing)
  if (behind.length > 0) return wait(`every slot is served; ${names(behind)} does not follow its master yet`)
  const regions = [...target.masters].map((id) => byId.get(id)?.region ?? '?')
  const complaint = foreign.length === 0 ? '' : `; ${foreign.join(', ')} of another cluster: empty it to let it join`
  const line = `${live.length} redis nodes, masters in ${regions.sort().join(', ')}, every slot served${complaint}`
  return { verdict: foreign.length === 0 ? 'steady' : 'refuse', line, actions: [] }
}

function act(actions: readonly Action[]): Plan | null {
  const [first] = actions
  return first === undefined ? null : { verdict: 'act', line: first.why, actions }
}

function wait(line: string): Plan {
  return { verdict: 'wait', line, actions: [] }
}

function refuse(line: string): Plan {
  return { verdict: 'refuse', line, actions: [] }
}

const LAPSES_SECONDS = [300, 120, 60, 30, 10, 5]

/** Coarse, so that it is no news every second. */
function lapse(time_ms: number): string {
  const seconds = LAPSES_SECONDS.find((one) => time_ms >= one * 1_000)
  return seconds === undefined ? 'a moment' : `${seconds} s or more`
}

function silence(nodes: readonly ObservedNode[], id: NodeId): number {
  // One that was never seen by this operator is judged from when it began to look.
  const silent = nodes.filter((node) => !isLive(node))
  const same = silent.find(({ lastId }) => lastId === id)
  if (same !== undefined) return same.silent_ms
  const unknown = silent.filter(({ lastId }) => lastId === null)
  return Math.max(0, ...unknown.map(({ silent_ms }) => silent_ms))
}

function nameOf({ byId, nodes }: Pick<Scene, 'byId' | 'nodes'>, id: NodeId): string {
  return byId.get(id)?.name ?? nodes.find(({ lastId }) => lastId === id)?.name ?? id.slice(0, 8)
}

function names(nodes: readonly ObservedNode[]): string {
  return nodes.map(({ name }) => name).join(', ')
}

function parts(slots: readonly number[]): number[][] {
  const count = Math.ceil(slots.length / MOVE_SLOTS_MAX)
  return Array.from({ length: count }, (_, index) => slots.slice(index * MOVE_SLOTS_MAX, (index + 1) * MOVE_SLOTS_MAX))
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((slot, index) => slot === other[index])
}
