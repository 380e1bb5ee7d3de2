// The promoter: what is seen of the servers → the one next action, and why. Pure: no clock, no chance, no I/O. The rules are those of
// docs/adr/0010; how long to wait before a server counts as unreachable, and how often to ask, is the caller's.

import type { Decision } from './action.ts'
import { attempt } from './attempt.ts'
import { act, refuse, wait } from './decision.ts'
import { isAhead } from './follow-ahead.ts'
import { keep, needsClone, strayVoters } from './keep.ts'
import {
  isBlocked,
  isReachable,
  type Memory,
  NOTHING_REMEMBERED,
  primaryOf,
  rowNumber,
  type ServerState,
  stateOf,
  type View,
  votersOf,
} from './observation.ts'

export function decide(view: View, memory: Memory): Decision {
  const primary = primaryOf(view)
  if (primary === null) return attempt(view, memory, 'No voter that answers is open')
  const other = view.servers.filter(isReachable).find((server) => server !== primary && !server.isReadOnly)
  if (other !== undefined) return closeOther(primary, other)
  const obstacle = obstacleToPlan(view, primary)
  const stranded = strandedVoter(view, primary, obstacle === null)
  if (stranded !== null) {
    const line = `${stranded.name} belongs to term ${stranded.term?.number}, later than ${rowNumber(primary)} of ${primary.name}`
    return attempt(view, memory, line)
  }
  if (obstacle === null) return attempt(view, memory, `Promotion of ${view.promoteTo} was asked for`, true)
  const decision = keep(view, primary)
  if (obstacle === 'none asked for' || decision.outcome === 'act') return decision
  return refuse(NOTHING_REMEMBERED, `${view.promoteTo} cannot be promoted now: ${obstacle}`)
}

/** Two are open: the higher term wins, the other is closed at once. Its own lock is enough: closing never endangers anything. */
function closeOther(primary: ServerState, other: ServerState): Decision {
  const number = other.role === 'reader' ? Number.MAX_SAFE_INTEGER : rowNumber(primary)
  const guard = { kind: 'row_below', number } as const
  const line = `${other.name} is open beside ${primary.name}, the primary of term ${rowNumber(primary)}`
  const { name: server } = other
  if (other.lock === 'other') return wait(NOTHING_REMEMBERED, `${line}; another operator holds its lock`)
  if (other.lock === 'free') return act(NOTHING_REMEMBERED, { kind: 'take_lock', server }, `${line}: take its lock`)
  if (isBlocked(other))
    return act(NOTHING_REMEMBERED, { kind: 'kill', server, guard }, `${line}; its commits wait for ever: kill it`)
  return act(NOTHING_REMEMBERED, { kind: 'fence_primary', server, guard }, `${line}: close it`)
}

/**
 * A voter that a later, unfinished attempt has drawn in and that no longer follows the primary; or any such voter, while another one
 * needs a clone. Only a new term can bring it back. Who follows the target of a planned promotion ahead is where it should be.
 */
function strandedVoter(view: View, primary: ServerState, isPlanned: boolean): ServerState | null {
  const strays = strayVoters(view, primary)
  const isCloneNeeded = votersOf(view).some((voter) => voter !== primary && needsClone(primary, voter))
  if (isCloneNeeded) return strays[0] ?? null
  const isFollowing = ({ channel }: ServerState) => channel.source === primary.name && channel.receiver !== 'stopped'
  const isPlace = (voter: ServerState) => isFollowing(voter) || (isPlanned && isAhead(view, voter))
  return strays.find((voter) => voter !== primary && !isPlace(voter)) ?? null
}

/** Why the promotion asked for cannot be begun; null: it can. */
function obstacleToPlan(view: View, primary: ServerState): string | null {
  if (view.promoteTo === null || view.promoteTo === primary.name) return 'none asked for'
  const target = stateOf(view, view.promoteTo)
  if (target === null || target.role !== 'voter') return 'it does not answer, or is no voter'
  if (target.term === null) return 'it is empty'
  const { source, receiver, applier } = target.channel
  if (source !== primary.name || receiver !== 'receiving') return `it does not follow ${primary.name}`
  if (applier !== 'running') return 'it does not apply what it receives'
  return votersOf(view).length < 2 ? 'too few voters answer' : null
}
