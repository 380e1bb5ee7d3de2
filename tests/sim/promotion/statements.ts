// What a modelled server does with the promoter's actions: the check and the effect together, as the real adapter must do them.

import type { Action, Guard } from '@wintrades/operations/promotion'
import { contains, isSameTerm } from '@wintrades/operations/promotion'
import type { PlantedFaults } from './faults.ts'
import type { ModelServer } from './server.ts'

export type Statement = Exclude<Action, { kind: 'release_locks' | 'take_lock' }>

export type Effects = {
  readonly faults: PlantedFaults
  readonly nextId: () => number
  readonly serverOf: (name: string) => ModelServer
  readonly onOpen: (server: ModelServer) => void
}

/** Carries a statement out on `server`, now; does nothing where what it relies on is no longer so. */
export function carryOut(server: ModelServer, statement: Statement, effects: Effects): void {
  const { faults } = effects
  switch (statement.kind) {
    case 'initialise':
      if (server.term === null && server.isEmpty) server.term = { number: 0, promoter: '' }
      return
    case 'raise_term':
      if (isSameTerm(server.term, statement.from)) server.term = statement.to
      return
    case 'fence_primary':
      if (faults.skipFence || !holds(server, statement.guard, faults)) return
      server.isClosing = true
      server.settle()
      return
    case 'fence_replica':
      if (!faults.skipFence && holds(server, statement.guard, faults)) server.isReceiving = false
      return
    case 'kill':
      if (server.isOpen && holds(server, statement.guard, faults)) server.crash()
      return
    case 'apply_relay_log':
      if (server.isSuperReadOnly && holds(server, statement.guard, faults)) server.isApplying = true
      return
    case 'write_term':
      if (!isAllowed(server, statement.term, faults) || !isQuiet(server, faults)) return
      if (server.relay.length > 0 && !faults.setsBeforeFence) return
      server.isSource = false
      if (!isSameTerm(server.row, statement.term)) server.write(effects.nextId(), statement.term)
      return
    case 'open':
      if (!isAllowed(server, statement.term, faults) || !isQuiet(server, faults)) return
      if (!isSameTerm(server.row, statement.term)) return
      server.isReceiving = false
      server.isReplica = false
      server.isSource = !faults.openWithoutSemiSync
      server.isApplying = false
      server.source = null
      server.isReadOnly = false
      server.isSuperReadOnly = false
      effects.onOpen(server)
      return
    case 'require_acknowledgements':
      if (server.isOpen) server.isSource = true
      return
    case 'attach':
      attach(server, statement, faults)
      return
    case 'clone':
      if (!mayBeTakenIn(server, statement.term.number, faults)) return
      server.uuidBeforeClone = server.uuid
      server.wipe()
      server.cloningFrom = effects.serverOf(statement.donor)
  }
}

function holds(server: ModelServer, guard: Guard, faults: PlantedFaults): boolean {
  if (guard.kind === 'row_below') return (server.row?.number ?? 0) < guard.number
  if (faults.ignoreTerm) return true
  if (guard.kind === 'term') return server.isAtTerm(guard.term)
  return (server.term?.number ?? 0) <= guard.number
}

function isAllowed(server: ModelServer, term: Parameters<ModelServer['isAtTerm']>[0], faults: PlantedFaults): boolean {
  return faults.ignoreTerm || server.isAtTerm(term)
}

function mayBeTakenIn(server: ModelServer, number: number, faults: PlantedFaults): boolean {
  const isTermLow = faults.ignoreTerm || server.role === 'reader' || (server.term?.number ?? 0) <= number
  return isTermLow && isQuiet(server, faults)
}

function isQuiet(server: ModelServer, faults: PlantedFaults): boolean {
  return server.isQuiet || faults.skipFence
}

function attach(server: ModelServer, statement: Extract<Action, { kind: 'attach' }>, faults: PlantedFaults): void {
  if (!mayBeTakenIn(server, statement.term.number, faults)) return
  if (!faults.attachUnchecked && !contains(statement.within, server.everything)) return
  if (server.source !== statement.source) {
    if (server.relay.length > 0 && !faults.attachUnchecked) return
    server.relay = []
    server.relayed = new Map()
  }
  if (server.role === 'reader' || (server.term?.number ?? 0) < statement.term.number) server.term = statement.term
  server.isSource = false
  server.isReplica = server.role === 'voter' || faults.readerAcknowledges
  server.source = statement.source
  server.isReceiving = true
  server.isApplying = true
  server.cursor = 0
}
