// The loss of the Redis Cluster while clients trade: every node is emptied, every connection to it cut, and none answers for some seconds. It
// is done through the nodes' own protocol, so that it works wherever they run; a frozen node thaws by itself, even if the drill dies.

import { setTimeout as pause } from 'node:timers/promises'
import { NodeConnection, type RedisConfiguration, redisAccess } from '../operator/redis/index.ts'
import type { DrillFault, FaultGround } from './trading-drill.ts'
import { until } from './watch.ts'

const FROZEN_MS = 5_000
/** Trading needs nothing of Redis: no shard may be silent for longer than a busy machine makes it. */
const SILENCE_SECONDS_MAX = 1
const ANSWER_TIMEOUT_MS = 30_000
const APP_CLIENT = / name=wintrades-app-/

/** Throws when the drill cannot be carried out: a node that does not answer, or a platform that does not use these nodes. */
export function cacheFault(configuration: RedisConfiguration): DrillFault {
  return {
    name: 'cache_loss',
    silence_seconds_max: SILENCE_SECONDS_MAX,
    make: async (ground) => {
      const access = { ...redisAccess(configuration), clientName: 'wintrades-drill' }
      const nodes = configuration.nodes.map(({ host, port }) => new NodeConnection(host, port, access))
      try {
        await loseAll(nodes, ground)
      } finally {
        for (const node of nodes) node.close()
      }
      return ground.markets.shards
    },
  }
}

async function loseAll(nodes: readonly NodeConnection[], { timeline, signal }: FaultGround): Promise<void> {
  const clients = await Promise.all(nodes.map(async (node) => String(await node.call('CLIENT', 'LIST'))))
  const connected = clients.flatMap((list) => list.split('\n')).filter((line) => APP_CLIENT.test(line)).length
  if (connected === 0) {
    throw new Error('no process of the platform is connected to these Redis nodes: start it with CACHE_DRIVER=redis')
  }
  const masters = (await Promise.all(nodes.map(isMaster))).flatMap((yes, index) =>
    yes ? [nodes[index] as NodeConnection] : [],
  )
  const keys = await Promise.all(masters.map(async (node) => Number(await node.call('DBSIZE'))))
  await Promise.all(masters.map((node) => node.call('FLUSHALL')))
  await Promise.all(
    nodes.map((node) =>
      node.all([
        ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'],
        ['CLIENT', 'PAUSE', FROZEN_MS, 'ALL'],
      ]),
    ),
  )
  const lost = keys.reduce((sum, count) => sum + count, 0)
  timeline.note(
    `${nodes.length} Redis nodes: ${lost} keys lost, ${connected} connections cut, none answers for ${FROZEN_MS / 1_000} s`,
  )
  await pause(FROZEN_MS, undefined, { signal })
  const back = await until(async () => {
    const answers = await Promise.all(nodes.map(answersAgain))
    return answers.every(Boolean) ? true : null
  }, ANSWER_TIMEOUT_MS)
  if (back === null) throw new Error(`not every Redis node answers ${ANSWER_TIMEOUT_MS / 1_000} s after it was to`)
  timeline.note('every Redis node answers again')
}

async function isMaster(node: NodeConnection): Promise<boolean> {
  return String(await node.call('INFO', 'replication')).includes('role:master')
}

async function answersAgain(node: NodeConnection): Promise<boolean> {
  try {
    return (await node.call('PING')) === 'PONG'
  } catch {
    return false // Not yet.
  }
}
