// With a primary there: every other server is brought to follow it. Attached where it has nothing that the primary lacks, cloned where it
// has, and cloned only while the primary's term stands on another voter too, as cloning destroys what may be the last copy.

import type { Decision, Guard } from './action.ts'
import { act, refuse, wait } from './decision.ts'
import { contains, formatGtidSet, type GtidSet, isEmpty, subtract, union } from './gtid-set.ts'
import { giveBack, lockVoters } from './locks.ts'
import {
  everything,
  isApplied,
  isClosed,
  isReachable,
  NOTHING_REMEMBERED,
  rowNumber,
  type ServerState,
  type Term,
  type View,
  votersOf,
} from './observation.ts'

export function keep(view: View, primary: ServerState): Decision {
  const others = view.servers
    .filter(isReachable)
    .filter((server) => server !== primary)
    .sort((a, b) => Number(a.role === 'reader') - Number(b.role === 'reader'))
  const needs = [requireAcknowledgements(primary), ...others.map((server) => needOf(view, primary, server))]
  const open = needs.filter((need) => need !== null)
  const todo = open.find((need) => need.action !== null && !isLockedByAnother(view, need))
  if (todo !== undefined) return lockFor(view, todo)
  const pending = open[0] ?? { outcome: 'serving', action: null, memory: NOTHING_REMEMBERED, line: serving(primary) }
  // What another operator's lock keeps from being done is waited for.
  return giveBack(
    view,
    pending.action === null ? pending : wait(NOTHING_REMEMBERED, `${pending.line}; its lock is taken`),
  )
}

function serving(primary: ServerState): string {
  return `${primary.name} is the primary, of term ${rowNumber(primary)}`
}

function targetOf(view: View, need: Decision): ServerState | null {
  const name = need.action !== null && 'server' in need.action ? need.action.server : null
  return view.servers.filter(isReachable).find((server) => server.name === name) ?? null
}

function isLockedByAnother(view: View, need: Decision): boolean {
  return targetOf(view, need)?.lock === 'other'
}

function lockFor(view: View, need: Decision): Decision {
  const locked = lockVoters(view, votersOf(view), NOTHING_REMEMBERED, need.line)
  if (locked !== null) return locked
  const target = targetOf(view, need)
  if (target?.lock !== 'free') return need
  return act(
    NOTHING_REMEMBERED,
    { kind: 'take_lock', server: target.name },
    `${need.line}: take the lock of ${target.name}`,
  )
}

function requireAcknowledgements(primary: ServerState): Decision | null {
  if (primary.semiSync.source) return null
  const line = `${primary.name} is open without waiting for acknowledgements: make it wait`
  return act(NOTHING_REMEMBERED, { kind: 'require_acknowledgements', server: primary.name }, line)
}

/** What is to be done with one server, or waited for, or refused; null: it follows as it should. */
function needOf(view: View, primary: ServerState, server: ServerState): Decision | null {
  const { name, channel, semiSync } = server
  if (server.term === null) return cloneFrom(view, primary, server, `${name} is empty`)
  const guard = guardFor(primary, server)
  if (!isClosed(server)) {
    // It may follow, and have the primary's own row; with a later one it would be the primary of a later term, and is left alone.
    const number = server.role === 'reader' ? Number.MAX_SAFE_INTEGER : rowNumber(primary) + 1
    const action = { kind: 'fence_primary', server: name, guard: { kind: 'row_below', number } } as const
    return act(NOTHING_REMEMBERED, action, `${name} is half open beside the primary ${primary.name}: close it`)
  }
  if (name === view.cloneWanted) return cloneAsWanted(view, primary, server)
  const isFollowing = channel.source === primary.name
  const isFlagged = semiSync.replica === (server.role === 'voter') && !semiSync.source
  if (channel.applier === 'failed') {
    const error = channel.applierError ?? 'no reason given'
    return refuse(
      NOTHING_REMEMBERED,
      `${name} cannot apply what it receives (${error}); mend the cause, or clone it by hand`,
    )
  }
  if (channel.receiver === 'stopped') return reattach(view, primary, server)
  const foreign = foreignTo(primary, server)
  if (!isFollowing || !isFlagged || !isEmpty(foreign)) {
    const why = !isFollowing
      ? `follows ${channel.source}, not the primary ${primary.name}`
      : isFlagged
        ? `has transactions that ${primary.name} lacks (${short(formatGtidSet(foreign))})`
        : 'has the wrong semi-sync role'
    return act(NOTHING_REMEMBERED, { kind: 'fence_replica', server: name, guard }, `${name} ${why}: stop it receiving`)
  }
  if (channel.applier === 'running') return null
  return act(
    NOTHING_REMEMBERED,
    { kind: 'apply_relay_log', server: name, guard },
    `${name} receives but does not apply: start it`,
  )
}

function cloneAsWanted(view: View, primary: ServerState, server: ServerState): Decision {
  const { name } = server
  const guard = guardFor(primary, server)
  const why = `A clone of ${name} was asked for`
  const decision = cloneFrom(view, primary, server, why)
  if (decision.outcome !== 'act' || server.channel.receiver === 'stopped') return decision
  return act(NOTHING_REMEMBERED, { kind: 'fence_replica', server: name, guard }, `${why}: stop it receiving`)
}

/**
 * What a running follower has from elsewhere and the primary lacks. A channel finds its source again by itself, even one that was replaced by
 * a clone meanwhile. The primary's own transactions are left out: the follower may have been asked after the primary was.
 */
function foreignTo(primary: ServerState, follower: ServerState): GtidSet {
  const errant = subtract(everything(follower), union(primary.executed, primary.owned))
  return new Map([...errant].filter(([origin]) => origin !== primary.uuid && !origin.startsWith(`${primary.uuid}:`)))
}

/** `server` receives nothing. Both ways: all that it has must be in the primary, and all that it lacks must still be in the primary's binlogs. */
function reattach(view: View, primary: ServerState, server: ServerState): Decision {
  const { name } = server
  if (isStray(primary, server)) {
    return wait(NOTHING_REMEMBERED, `${name} belongs to a later attempt than ${primary.name}`)
  }
  const within = union(primary.executed, primary.owned)
  const errant = subtract(everything(server), within)
  if (!isEmpty(errant)) {
    return cloneFrom(
      view,
      primary,
      server,
      `${name} has transactions that ${primary.name} lacks (${short(formatGtidSet(errant))})`,
    )
  }
  if (!contains(everything(server), primary.purged)) {
    return cloneFrom(view, primary, server, `${name} needs transactions that ${primary.name} has purged`)
  }
  if (server.channel.source !== primary.name && !isApplied(server)) {
    const guard = guardFor(primary, server)
    if (server.channel.applier === 'running') return wait(NOTHING_REMEMBERED, `${name} is applying what it received`)
    const line = `${name} must apply what it received before it follows ${primary.name}`
    return act(NOTHING_REMEMBERED, { kind: 'apply_relay_log', server: name, guard }, line)
  }
  const action = { kind: 'attach', server: name, source: primary.name, term: primary.row as Term, within } as const
  return act(NOTHING_REMEMBERED, action, `${name} has nothing that ${primary.name} lacks: attach it`)
}

function cloneFrom(view: View, primary: ServerState, server: ServerState, why: string): Decision {
  const witness = votersOf(view).find((voter) => voter !== server && isWitness(primary, voter))
  const isTermSafe = server.role === 'reader' || strayVoters(view, primary).length === 0
  if (witness === undefined || !isTermSafe) {
    const line = `${why}, but it is not cloned while no other voter follows ${primary.name} in term ${rowNumber(primary)}`
    return refuse(NOTHING_REMEMBERED, line)
  }
  const action = { kind: 'clone', server: server.name, donor: primary.name, term: primary.row as Term } as const
  return act(NOTHING_REMEMBERED, action, `${why}: clone it from ${primary.name}, whose term ${witness.name} confirms`)
}

/** Whether `voter` is the second of the quorum on which the primary's term stands: it follows, and has the term's row. */
function isWitness(primary: ServerState, voter: ServerState): boolean {
  const { source, receiver } = voter.channel
  return source === primary.name && receiver === 'receiving' && rowNumber(voter) === rowNumber(primary)
}

/** A later attempt must find nothing changed on a voter that it has drawn in. A reader's term binds nobody. */
function guardFor(primary: ServerState, server: ServerState): Guard {
  const number = server.role === 'reader' ? Number.MAX_SAFE_INTEGER : rowNumber(primary)
  return { kind: 'term_at_most', number }
}

function isStray(primary: ServerState, voter: ServerState): boolean {
  return voter.role === 'voter' && voter.term !== null && voter.term.number > rowNumber(primary)
}

/** Voters whose durable term is above the primary's, itself too: nothing may be attached or cloned over a later attempt. */
export function strayVoters(view: View, primary: ServerState): readonly ServerState[] {
  return votersOf(view).filter((voter) => isStray(primary, voter))
}

/** Whether what a voter needs can be had only by cloning. */
export function needsClone(primary: ServerState, voter: ServerState): boolean {
  if (voter.term === null) return true
  if (voter.channel.receiver !== 'stopped') return false
  const within = union(primary.executed, primary.owned)
  return !contains(within, everything(voter)) || !contains(everything(voter), primary.purged)
}

function short(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`
}
