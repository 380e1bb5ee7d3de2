// What the promoter sees of the servers: plain values, read by an adapter, one server after the other. No observation is of all servers at
// one instant, and the rules do not need that; within one server the order of reading matters and stands at the fields.

import { contains, type GtidSet, isEmpty, union } from './gtid-set.ts'

export type ServerName = string

/** One life of one operator process: region and a nonce made at its start. Never used again after a restart. */
export type PromoterName = string

/** A server's durable term: the highest attempt that it has been drawn into, and whose. Unreplicated; only ever rises. */
export type Term = { readonly number: number; readonly promoter: PromoterName }

export type Channel = {
  /** The server that it follows or last followed; null: none is set. */
  readonly source: ServerName | null
  /**
   * The IO thread. `connecting`: running without hearing its source (no heartbeat within `replica_net_timeout`); `receiving`: hearing it.
   * `stopped` only where the server confirms it.
   */
  readonly receiver: 'stopped' | 'connecting' | 'receiving'
  /** The SQL threads. `failed`: stopped by an error, which `applierError` tells. */
  readonly applier: 'stopped' | 'running' | 'failed'
  readonly applierError: string | null
}

export type SemiSync = {
  /** `rpl_semi_sync_source_enabled`. */
  readonly source: boolean
  /** `rpl_semi_sync_replica_enabled`. */
  readonly replica: boolean
  /** `Rpl_semi_sync_source_clients`: replicas connected now that acknowledge. */
  readonly clients: number
}

/** A server that answers. Read in the order of the groups below, each in a statement of its own after the one before. */
export type ServerState = {
  readonly name: ServerName
  readonly role: 'voter' | 'reader'
  readonly isReachable: true

  /** Who holds this server's promotion lock: this operator's own connection, another's, nobody. */
  readonly lock: 'mine' | 'other' | 'free'
  /** `server_uuid`. Must be a new one after a clone, or numbers that other servers know are given a second time. */
  readonly uuid: string
  /** Marks one life of the server process, such as its start time. */
  readonly life: string
  /** Null: no term table, as on a server that was wiped or never formed. */
  readonly term: Term | null

  readonly isReadOnly: boolean
  readonly isSuperReadOnly: boolean
  readonly semiSync: SemiSync
  readonly channel: Channel

  /** `gtid_owned`: transactions being committed now; on a primary, those that wait for an acknowledgement. */
  readonly owned: GtidSet
  /** `Retrieved_Gtid_Set` of the relay log. Read before `executed`, so that what moves between the two is never missed. */
  readonly received: GtidSet
  /** `gtid_executed`. Read after everything above: after a fence that the same observation shows. */
  readonly executed: GtidSet
  /** `gtid_purged`: executed, and no longer in the binlogs. */
  readonly purged: GtidSet
  /** The replicated term row as this server shows it: the primary's of that term, and all that its replicas were sent. Null: none yet. */
  readonly row: Term | null
}

export type Unreachable = {
  readonly name: ServerName
  readonly role: 'voter' | 'reader'
  readonly isReachable: false
}

export type ServerObservation = ServerState | Unreachable

/** What one decision is made of. */
export type View = {
  readonly self: PromoterName
  /** Every configured server, in order of preference; voters are locked in this order. */
  readonly servers: readonly ServerObservation[]
  /** The planned promotion that was asked for and not yet given up by who asked (the deadline is theirs); null: none. */
  readonly promoteTo: ServerName | null
  /** A server that a person wants to be a new copy of the primary, whatever it has; null: none. */
  readonly cloneWanted: ServerName | null
}

/** What an operator remembers between decisions. Losing it costs a term, nothing else. */
export type Memory = {
  /** The term of its own attempt. */
  readonly term: Term | null
  /** The one server that may be opened at that term, in the life in which it was chosen. */
  readonly candidate: { readonly server: ServerName; readonly life: string } | null
}

export const NOTHING_REMEMBERED: Memory = { term: null, candidate: null }

export function isReachable(server: ServerObservation): server is ServerState {
  return server.isReachable
}

export function rowNumber(server: ServerState): number {
  return server.row?.number ?? 0
}

/** Everything that the server has, applied or not. */
export function everything(server: ServerState): GtidSet {
  return union(server.received, server.executed)
}

export function isApplied(server: ServerState): boolean {
  return contains(server.executed, server.received)
}

/** Commits nothing, now or later, and takes nothing in: what it has is what it will have. */
export function isFenced(server: ServerState): boolean {
  return isClosed(server) && server.channel.receiver === 'stopped'
}

export function isClosed(server: ServerState): boolean {
  return server.isSuperReadOnly && isEmpty(server.owned)
}

/** Open, with commits that wait for an acknowledgement that nobody is there to send: closing it would wait too. */
export function isBlocked(server: ServerState): boolean {
  return !server.isSuperReadOnly && !isEmpty(server.owned) && server.semiSync.clients === 0
}

export function isSameTerm(a: Term | null, b: Term | null): boolean {
  return a !== null && b !== null && a.number === b.number && a.promoter === b.promoter
}

/** The voter that clients may write to; of several the one of the highest term. Null too where two are of one term: neither is to be believed. */
export function primaryOf(view: View): ServerState | null {
  const open = votersOf(view).filter((voter) => !voter.isReadOnly)
  const highest = Math.max(...open.map(rowNumber))
  const first = open.filter((voter) => rowNumber(voter) === highest)
  return first.length === 1 ? (first[0] as ServerState) : null
}

/** The voters that answer. */
export function votersOf(view: View): readonly ServerState[] {
  return view.servers.filter(isReachable).filter((server) => server.role === 'voter')
}

/** How many voters make a quorum, of all that are configured. */
export function quorumOf(view: View): number {
  return Math.floor(view.servers.filter((server) => server.role === 'voter').length / 2) + 1
}

export function stateOf(view: View, name: ServerName | null): ServerState | null {
  return view.servers.filter(isReachable).find((server) => server.name === name) ?? null
}
