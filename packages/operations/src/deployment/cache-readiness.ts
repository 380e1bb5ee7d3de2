// Whether the nodes of the cache have shared out what they serve: a service has all its tasks long before.

import { pause } from '../operator/reconciler.ts'
import type { RedisStatus } from '../operator/redis/operator.ts'
import type { BringUpContext } from './bring-up.ts'
import { readOperatorReport } from './operators.ts'

const LOOK_MS = 1_000

/** Why it is not in order with this many nodes; null: it is. Pure. */
export function lackOfCache(redis: RedisStatus | null | undefined, nodes: number): string | null {
  if (redis === null || redis === undefined) return 'no operator answers'
  if (redis.verdict !== 'steady') return redis.line
  const up = redis.nodes.filter(({ state }) => state === 'up').length
  return up === nodes ? null : `${up} of ${nodes} nodes belong to it`
}

/** Everything works meanwhile, so that it is waited for, and told where it takes too long, but nothing is undone. */
export async function untilCacheIsInOrder(context: BringUpContext, nodes: number): Promise<void> {
  const { topology, timeout_ms, say, signal } = context
  const deadline_ms = performance.now() + timeout_ms
  for (let told = ''; ; ) {
    const lack = lackOfCache((await readOperatorReport(topology))?.parts.redis, nodes)
    if (lack === null) return
    if (performance.now() > deadline_ms) {
      say(`the operators still rearrange the cache: ${lack}; wintrades status tells how far they are`)
      return
    }
    if (lack !== told) say(`  cache: ${lack}`)
    told = lack
    await pause(LOOK_MS, signal)
    signal.throwIfAborted()
  }
}
