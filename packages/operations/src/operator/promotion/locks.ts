// Locks: a majority of the voters', taken in the configured order and given back where the majority cannot be had, so that two operators
// never wait for each other. They keep operators from duelling; what keeps the data safe are the fences and the terms.

import type { Decision } from './action.ts'
import { act, because, wait } from './decision.ts'
import { isReachable, type Memory, quorumOf, type ServerState, type View } from './observation.ts'

/** Null when this operator holds the locks of a majority and none of the others' is free to take. */
export function lockVoters(
  view: View,
  voters: readonly ServerState[],
  memory: Memory,
  reason: string,
): Decision | null {
  const quorum = quorumOf(view)
  const mine = voters.filter((voter) => voter.lock === 'mine')
  const free = voters.filter((voter) => voter.lock === 'free')
  if (mine.length + free.length < quorum) {
    const others = voters.filter((voter) => voter.lock === 'other').map((voter) => voter.name)
    return giveBack(view, wait(memory, `${reason}; another operator holds the lock of ${others.join(', ')}`))
  }
  const [next] = free
  if (next === undefined) return null
  return act(memory, { kind: 'take_lock', server: next.name }, because(reason, `take the lock of ${next.name}`))
}

/** The decision as it is, or giving back the locks first where any is held. */
export function giveBack(view: View, decision: Decision): Decision {
  const isHolding = view.servers.some((server) => isReachable(server) && server.lock === 'mine')
  if (!isHolding) return decision
  const action = { kind: 'release_locks' } as const
  return decision.outcome === 'refuse' ? { ...decision, action } : { ...decision, outcome: 'act', action }
}
