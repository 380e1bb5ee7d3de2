// Carries out what the planner wants, with Redis's own commands. Promises that each action may be cut short anywhere and repeated, and that a
// slot is moved with all of its keys while it is used: https://redis.io/docs/latest/commands/cluster-setslot/.

import { pause } from '../reconciler.ts'
import type { Action } from './action.ts'
import { type NodeId, slotRanges } from './cluster-nodes.ts'
import type { Argument, NodeConnection, RedisAccess } from './node-connection.ts'
import { isLive, type LiveNode, type Observation, ownView } from './observation.ts'

export type PerformParts = {
  readonly observation: Observation
  readonly connection: (node: LiveNode) => NodeConnection
  readonly access: Pick<RedisAccess, 'user' | 'password'>
  readonly signal: AbortSignal
}

const KEYS_PER_MIGRATE = 50
const MIGRATE_TIMEOUT_MS = 1_000
/** A node does nothing else while it migrates keys: after a slow one it gets as much time for its clients. */
const SLOW_MIGRATE_MS = 50
const PROMOTION_TIMEOUT_MS = 5_000
const PROMOTION_LOOK_MS = 50

/** Throws an error that says what the node answered. */
export async function perform(action: Action, parts: PerformParts): Promise<void> {
  const live = parts.observation.nodes.filter(isLive)
  const named = (name: string): LiveNode => {
    const node = live.find((one) => one.name === name)
    if (node === undefined) throw new Error(`${name} does not answer any more`)
    return node
  }
  switch (action.kind) {
    case 'meet': {
      const { ip, port } = named(action.other)
      return void (await parts.connection(named(action.node)).call('CLUSTER', 'MEET', ip, port))
    }
    case 'adopt':
      return await adopt(named(action.node), action.slots, parts)
    case 'promote':
      return await promote(parts.connection(named(action.node)), action.how, parts.signal)
    case 'replicate':
      return await replicate(parts.connection(named(action.node)), action.masterId, action.hasLeftovers)
    case 'move':
      return await move(named(action.from), named(action.to), action.slots, live, parts)
    case 'settle':
      return throwFirst(await setSlots(parts.connection(named(action.node)), action.slots, 'STABLE'))
    case 'reset':
      return await reset(named(action.node), parts)
    case 'forget':
      return await forget(action.id, live, parts)
  }
}

/** First away from whoever it thinks had them; then its word counts, because its epoch is the newest. */
async function adopt(node: LiveNode, slots: readonly number[], { connection }: PerformParts): Promise<void> {
  const redis = connection(node)
  const own = ownView(node)
  const others = new Set(node.state.view.flatMap(({ id, slots: theirs }) => (id === own.id ? [] : theirs)))
  const taken = slots.filter((slot) => others.has(slot))
  if (taken.length > 0) await redis.call('CLUSTER', 'DELSLOTSRANGE', ...slotRanges(taken).flat())
  await redis.call('CLUSTER', 'ADDSLOTSRANGE', ...slotRanges(slots).flat())
  await redis.call('CLUSTER', 'BUMPEPOCH')
}

async function promote(
  redis: NodeConnection,
  how: 'planned' | 'forced' | 'takeover',
  signal: AbortSignal,
): Promise<void> {
  const options = { planned: [], forced: ['FORCE'], takeover: ['TAKEOVER'] } as const
  await redis.call('CLUSTER', 'FAILOVER', ...options[how])
  const deadline_ms = performance.now() + PROMOTION_TIMEOUT_MS
  while (performance.now() < deadline_ms && !signal.aborted) {
    if (String(await redis.call('INFO', 'replication')).includes('role:master')) return
    await pause(PROMOTION_LOOK_MS, signal)
  }
  throw new Error(`it was not a master after ${PROMOTION_TIMEOUT_MS} ms`)
}

async function replicate(redis: NodeConnection, masterId: NodeId, hasLeftovers: boolean): Promise<void> {
  if (hasLeftovers) await redis.call('FLUSHALL')
  await redis.call('CLUSTER', 'REPLICATE', masterId)
}

async function reset(node: LiveNode, { connection }: PerformParts): Promise<void> {
  const redis = connection(node)
  const own = ownView(node)
  if (own.slots.length > 0) throw new Error(`${node.name} serves ${own.slots.length} slots`)
  if (own.isMaster && node.state.keys > 0) await redis.call('FLUSHALL')
  await redis.call('CLUSTER', 'RESET', 'HARD')
}

async function forget(id: NodeId, live: readonly LiveNode[], { connection }: PerformParts): Promise<void> {
  const knowing = live.filter((node) => node.state.id !== id && node.state.view.some((one) => one.id === id))
  await Promise.all(knowing.map((node) => connection(node).call('CLUSTER', 'FORGET', id)))
}

/**
 * The receiver is told first, so that no client is sent to where it is refused; it owns a slot before the giver gives it up. Whatever is cut
 * short in between stands in both nodes as an open migration, and is gone on with.
 */
async function move(
  from: LiveNode,
  to: LiveNode,
  slots: readonly number[],
  live: readonly LiveNode[],
  parts: PerformParts,
): Promise<void> {
  const giver = parts.connection(from)
  const receiver = parts.connection(to)
  // One that was cut short between the last two steps: the receiver has it already.
  throwFirst((await setSlots(receiver, slots, 'IMPORTING', from.state.id)).filter((answer) => !isOwnAlready(answer)))
  throwFirst(await setSlots(giver, slots, 'MIGRATING', to.state.id))
  await migrateKeys(slots, giver, to, parts)
  if (parts.signal.aborted) return
  // A key that came meanwhile went to the receiver: the giver asks for one that it lacks to be sent there.
  throwFirst(await setSlots(receiver, slots, 'NODE', to.state.id))
  throwFirst(await setSlots(giver, slots, 'NODE', to.state.id))
  // The others learn it by themselves; this is only sooner.
  const others = live.filter((node) => node !== from && node !== to && ownView(node).isMaster)
  await Promise.allSettled(
    others.map(async (node) => await setSlots(parts.connection(node), slots, 'NODE', to.state.id)),
  )
}

async function migrateKeys(
  slots: readonly number[],
  giver: NodeConnection,
  to: LiveNode,
  { access, signal }: PerformParts,
): Promise<void> {
  let left = slots
  while (!signal.aborted) {
    const counts = await giver.all(left.map((slot) => ['CLUSTER', 'COUNTKEYSINSLOT', slot] as const))
    throwFirst(counts)
    left = left.filter((_, index) => Number(counts[index]) > 0)
    if (left.length === 0) return
    const keys = await giver.allBytes(left.map((slot) => ['CLUSTER', 'GETKEYSINSLOT', slot, KEYS_PER_MIGRATE] as const))
    throwFirst(keys)
    for (const some of keys as Buffer[][]) {
      if (some.length === 0 || signal.aborted) continue
      const begun_ms = performance.now()
      // REPLACE: a copy over there is what an earlier try left; this one is the truth until it is gone from here.
      const options = ['REPLACE', 'AUTH2', access.user, access.password(), 'KEYS', ...some]
      await giver.call('MIGRATE', to.ip, to.port, '', 0, MIGRATE_TIMEOUT_MS, ...options)
      const took_ms = performance.now() - begun_ms
      if (took_ms > SLOW_MIGRATE_MS) await pause(took_ms, signal)
    }
  }
}

async function setSlots(
  redis: NodeConnection,
  slots: readonly number[],
  state: 'IMPORTING' | 'MIGRATING' | 'NODE' | 'STABLE',
  ...id: readonly NodeId[]
): Promise<unknown[]> {
  return await redis.all(
    slots.map((slot) => ['CLUSTER', 'SETSLOT', slot, state, ...(id as readonly Argument[])] as const),
  )
}

function isOwnAlready(answer: unknown): boolean {
  return answer instanceof Error && answer.message.includes('already the owner of hash slot')
}

function throwFirst(answers: readonly unknown[]): void {
  const error = answers.find((answer) => answer instanceof Error)
  if (error !== undefined) throw error
}
