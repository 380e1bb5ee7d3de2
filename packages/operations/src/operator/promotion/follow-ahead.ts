// Before a planned promotion: every other voter follows the target while that is still a replica. The first connection of a replica takes many round trips,
// and nothing could be acknowledged meanwhile; this way the target acknowledges for the old primary until the others are connected. Nothing is at risk:
// such a voter takes in only what the target has, and the two that are fenced then, the old primary and the target, are a majority.

import type { Decision } from './action.ts'
import { act, because, wait } from './decision.ts'
import { contains } from './gtid-set.ts'
import {
  everything,
  isApplied,
  isClosed,
  type Memory,
  primaryOf,
  rowNumber,
  type ServerState,
  stateOf,
  type Term,
  type View,
  votersOf,
} from './observation.ts'

/** Whether this voter follows the target of a planned promotion ahead of it. */
export function isAhead(view: View, voter: ServerState): boolean {
  return view.promoteTo !== null && voter.name !== view.promoteTo && voter.channel.source === view.promoteTo
}

/** Null when nobody is left who should, or the primary is closed already. */
export function followAhead(view: View, memory: Memory, reason: string): Decision | null {
  const primary = primaryOf(view)
  const target = stateOf(view, view.promoteTo)
  if (primary === null || target === null || target === primary) return null
  for (const voter of votersOf(view)) {
    if (voter === primary || voter === target) continue
    const decision = moveBehind(voter, primary, target, memory, reason)
    if (decision !== null) return decision
  }
  return null
}

function moveBehind(
  voter: ServerState,
  primary: ServerState,
  target: ServerState,
  memory: Memory,
  reason: string,
): Decision | null {
  const { name, channel } = voter
  if (channel.source === target.name && channel.receiver === 'receiving') return null
  const isTermLow = voter.term !== null && voter.term.number <= rowNumber(primary)
  if (voter.lock !== 'mine' || !isTermLow || !isClosed(voter) || channel.applier === 'failed') return null
  if (channel.source === target.name && channel.receiver === 'connecting') {
    return wait(memory, `${reason}; ${name} is connecting to ${target.name}, while ${target.name} acknowledges`)
  }
  const guard = { kind: 'term_at_most', number: rowNumber(primary) } as const
  // A voter that does not hear the primary is not made to wait for.
  if (channel.receiver === 'connecting') return null
  if (channel.receiver === 'receiving') {
    const line = `${name} shall follow ${target.name} already: stop it receiving from ${channel.source}`
    return act(memory, { kind: 'fence_replica', server: name, guard }, because(reason, line))
  }
  if (!isApplied(voter)) {
    if (channel.applier === 'running') return wait(memory, `${reason}; ${name} is applying what it received`)
    const line = `${name} must apply what it received before it follows ${target.name}`
    return act(memory, { kind: 'apply_relay_log', server: name, guard }, because(reason, line))
  }
  if (!contains(target.executed, everything(voter)))
    return wait(memory, `${reason}; ${target.name} is applying what ${name} has`)
  const action = {
    kind: 'attach',
    server: name,
    source: target.name,
    term: primary.row as Term,
    within: target.executed,
  } as const
  return act(memory, action, because(reason, `let ${name} follow ${target.name}, which is a replica still`))
}
