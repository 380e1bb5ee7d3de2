// One attempt at having a primary: locks, a term of its own, fences, then and only then the choice, the term row, and the opening. Every
// step follows from what is observed, so any operator can go on, under a term of its own, where another one died.

import type { Decision } from './action.ts'
import { chooseCandidate } from './candidate.ts'
import { act, because, refuse, wait } from './decision.ts'
import { followAhead, isAhead } from './follow-ahead.ts'
import { contains, isEmpty } from './gtid-set.ts'
import { giveBack, lockVoters } from './locks.ts'
import {
  everything,
  isApplied,
  isBlocked,
  isClosed,
  isFenced,
  isReachable,
  isSameTerm,
  type Memory,
  NOTHING_REMEMBERED,
  quorumOf,
  rowNumber,
  type ServerState,
  stateOf,
  type Term,
  type View,
  votersOf,
} from './observation.ts'

/** `isPlanned`: the primary serves, and another voter shall. */
export function attempt(view: View, memory: Memory, reason: string, isPlanned = false): Decision {
  const voters = votersOf(view)
  const hearing = voters.find((voter) => voter.channel.receiver === 'receiving' && !isAnswering(view, voter))
  if (hearing !== undefined) {
    const line = `${reason}, but ${hearing.name} still hears ${hearing.channel.source}, which may be unreachable only from here`
    return giveBack(view, wait(NOTHING_REMEMBERED, line))
  }
  const formed = voters.filter((voter) => voter.term !== null)
  return (
    form(view, memory) ??
    refuseTooFew(view, memory, formed) ??
    refuseApart(view, memory, formed) ??
    lockVoters(view, formed, memory, reason) ??
    (isPlanned ? followAhead(view, memory, reason) : null) ??
    promote(view, memory, reason)
  )
}

function isAnswering(view: View, voter: ServerState): boolean {
  return stateOf(view, voter.channel.source) !== null
}

/** Empty servers become a database only all together: where one server has ever held anything, empty ones are wiped ones. */
function form(view: View, memory: Memory): Decision | null {
  const all = view.servers.filter(isReachable)
  const isComplete = view.servers.every((server) => server.role === 'reader' || server.isReachable)
  const isUntouched = all.every((server) => isEmpty(everything(server)) && server.row === null)
  const blank = votersOf(view).find((voter) => voter.term === null)
  if (!isComplete || !isUntouched || blank === undefined) return null
  const reason = 'Every server is empty, a new database'
  const locked = lockVoters(view, votersOf(view), memory, reason)
  if (locked !== null) return locked
  if (blank.lock !== 'mine') return wait(memory, `${reason}; another operator holds the lock of ${blank.name}`)
  return act(memory, { kind: 'initialise', server: blank.name }, because(reason, `initialise ${blank.name}`))
}

function refuseTooFew(view: View, memory: Memory, formed: readonly ServerState[]): Decision | null {
  if (formed.length >= quorumOf(view)) return null
  const wiped = votersOf(view).filter((voter) => voter.term === null)
  const silent = view.servers.filter((server) => server.role === 'voter' && !server.isReachable)
  const parts = [
    `${formed.length} of ${quorumOf(view)} voters needed can be fenced`,
    formed.length > 0 ? `answering: ${names(formed)}` : null,
    silent.length > 0 ? `silent: ${names(silent)}` : null,
    wiped.length > 0 ? `empty, so no witness: ${names(wiped)}` : null,
    'start a silent voter with its data',
  ]
  const line = parts.filter((part) => part !== null).join('; ')
  return giveBack(view, refuse(memory, line))
}

/** Before touching anything: where all that answer stand still and no two agree, no attempt can end well. */
function refuseApart(view: View, memory: Memory, formed: readonly ServerState[]): Decision | null {
  if (!formed.every(isFenced) || chooseCandidate(formed, view, memory) !== null) return null
  const line = `the transactions of ${names(formed)} diverge: no voter has everything of another; bring the third voter back, or choose by hand`
  return giveBack(view, refuse(memory, line))
}

function promote(view: View, memory: Memory, reason: string): Decision {
  const held = votersOf(view).filter((voter) => voter.term !== null && voter.lock === 'mine')
  const remembered = isOvertaken(view, memory.term) ? newTerm(view) : memory
  const term = remembered.term as Term
  const below = held.find((voter) => !isSameTerm(voter.term, term))
  if (below !== undefined) {
    const action = { kind: 'raise_term', server: below.name, from: below.term as Term, to: term } as const
    return act(remembered, action, because(reason, `raise the term of ${below.name} to ${term.number}`))
  }
  return fence(view, remembered, term, held, reason) ?? choose(view, remembered, term, held.filter(isFenced), reason)
}

/** A term is no longer one's own to use when any voter shows a higher one, or the same number by another operator. */
function isOvertaken(view: View, term: Term | null): boolean {
  if (term === null) return true
  return votersOf(view).some((voter) => {
    if (voter.term === null) return false
    return voter.term.number > term.number || (voter.term.number === term.number && !isSameTerm(voter.term, term))
  })
}

function newTerm(view: View): Memory {
  const seen = view.servers.filter(isReachable).flatMap((server) => [server.term?.number ?? 0, rowNumber(server)])
  return { term: { number: Math.max(0, ...seen) + 1, promoter: view.self }, candidate: null }
}

/** Null when two voters or more are fenced and no further one can be. Primaries first: what they still commit needs their replicas. */
function fence(view: View, memory: Memory, term: Term, held: readonly ServerState[], reason: string): Decision | null {
  const guard = { kind: 'term', term } as const
  const isEnoughWithout = (voter: ServerState) =>
    held.filter((other) => other !== voter && isClosed(other)).length >= quorumOf(view)
  for (const voter of held) {
    if (isClosed(voter)) continue
    if (!isBlocked(voter)) {
      return act(memory, { kind: 'fence_primary', server: voter.name, guard }, because(reason, `close ${voter.name}`))
    }
    if (isEnoughWithout(voter)) continue
    const line = `${voter.name} is open and its commits wait for ever: kill it`
    return act(memory, { kind: 'kill', server: voter.name, guard }, because(reason, line))
  }
  const target = held.find((voter) => voter.name === view.promoteTo)
  if (target !== undefined && isCatchingUp(view, target)) {
    return wait(memory, `${reason}; ${target.name} is receiving the last transactions of ${target.channel.source}`)
  }
  const runners = held.filter((voter) => isClosed(voter) && voter.channel.receiver !== 'stopped')
  const isFencedEnough = held.filter(isFenced).length >= quorumOf(view)
  // Who follows the target ahead has nothing that the target lacks, and is stopped only where the quorum needs it.
  const running = runners.find((voter) => !isAhead(view, voter)) ?? (isFencedEnough ? undefined : runners[0])
  if (running !== undefined) {
    const line = `stop ${running.name} receiving from ${running.channel.source ?? 'nobody'}`
    return act(memory, { kind: 'fence_replica', server: running.name, guard }, because(reason, line))
  }
  if (isFencedEnough) return null
  return wait(memory, `${reason}; fewer than ${quorumOf(view)} voters are fenced yet`)
}

/** In a planned promotion: the target is about to have all that the closed primary has. */
function isCatchingUp(view: View, target: ServerState): boolean {
  const source = stateOf(view, target.channel.source)
  if (source === null || !isClosed(source) || target.channel.receiver !== 'receiving') return false
  return !contains(everything(target), source.executed)
}

function choose(view: View, memory: Memory, term: Term, fenced: readonly ServerState[], reason: string): Decision {
  const candidate = chooseCandidate(fenced, view, memory)
  if (candidate === null) {
    const line = `the transactions of ${names(fenced)} diverge: no voter has everything of another; bring the third voter back, or choose by hand`
    return giveBack(view, refuse(memory, line))
  }
  const { candidate: before } = memory
  if (before !== null && (before.server !== candidate.name || before.life !== candidate.life)) {
    // A term opens one server in one life of it, whatever else was sent and may still arrive.
    return promote(view, NOTHING_REMEMBERED, reason)
  }
  if (!isApplied(candidate)) return applyFirst(memory, term, candidate, reason)
  const chosen: Memory = { term, candidate: { server: candidate.name, life: candidate.life } }
  if (!isSameTerm(candidate.row, term)) {
    const without = fenced.filter((voter) => voter !== candidate && !contains(everything(candidate), everything(voter)))
    const apart = without.length > 0 ? ` (${names(without)} has transactions of its own, never acknowledged)` : ''
    const line = `${candidate.name} has everything of ${names(fenced.filter((v) => v !== candidate && !without.includes(v)))}${apart}`
    const action = { kind: 'write_term', server: candidate.name, term } as const
    return act(chosen, action, because(reason, `${line}: write term ${term.number} there`))
  }
  const action = { kind: 'open', server: candidate.name, term } as const
  return act(chosen, action, because(reason, `open ${candidate.name} as the primary of term ${term.number}`))
}

function applyFirst(memory: Memory, term: Term, candidate: ServerState, reason: string): Decision {
  const { applier, applierError } = candidate.channel
  if (applier === 'running') return wait(memory, `${reason}; ${candidate.name} is applying what it received`)
  if (applier === 'failed') {
    return refuse(memory, `${candidate.name} has the most but cannot apply it: ${applierError ?? 'no reason given'}`)
  }
  const action = { kind: 'apply_relay_log', server: candidate.name, guard: { kind: 'term', term } } as const
  return act(memory, action, because(reason, `let ${candidate.name} apply what it received`))
}

function names(servers: readonly { readonly name: string }[]): string {
  return servers.map((server) => server.name).join(', ')
}
