// What the promoter may do: one action at a time, on one server. Each carries what must still be true on that server; the adapter checks
// that and acts in one call on the connection that holds the server's lock, so that a late or repeated action does nothing or no harm.

import type { GtidSet } from './gtid-set.ts'
import type { Memory, ServerName, Term } from './observation.ts'

export type Guard =
  /** The server's durable term is exactly this attempt's. */
  | { readonly kind: 'term'; readonly term: Term }
  /** The server's durable term is no higher. */
  | { readonly kind: 'term_at_most'; readonly number: number }
  /** The server's replicated term row is lower: it is not the primary of this number. */
  | { readonly kind: 'row_below'; readonly number: number }

export type Action =
  /** `GET_LOCK` with no waiting, on a connection kept for this server. */
  | { readonly kind: 'take_lock'; readonly server: ServerName }
  /** Gives up every lock held. */
  | { readonly kind: 'release_locks' }
  /** Makes the term table, with term 0, on a server that has executed and received nothing. Unreplicated. */
  | { readonly kind: 'initialise'; readonly server: ServerName }
  /** Compare-and-set of the durable term, unreplicated, under the lock; the server stays closed to clients. */
  | { readonly kind: 'raise_term'; readonly server: ServerName; readonly from: Term; readonly to: Term }
  /** `super_read_only=ON`. Blocks new commits at once; is confirmed only when none is still waiting for an acknowledgement. */
  | { readonly kind: 'fence_primary'; readonly server: ServerName; readonly guard: Guard }
  /** Stops the IO thread. The server does not start it by itself, whatever happens to it. */
  | { readonly kind: 'fence_replica'; readonly server: ServerName; readonly guard: Guard }
  /**
   * Kills a server that is open and whose commits wait for ever, as nothing acknowledges them. SIGKILL through the service manager, never
   * a clean shutdown, which ends the wait and tells clients OK. It comes back closed.
   */
  | { readonly kind: 'kill'; readonly server: ServerName; readonly guard: Guard }
  /** Starts the SQL threads alone; does nothing on a server that is open. */
  | { readonly kind: 'apply_relay_log'; readonly server: ServerName; readonly guard: Guard }
  /**
   * Writes the replicated term row on a closed, fenced candidate whose relay log is applied and whose semi-sync source is off (it serves
   * nobody yet, and its replicas must find the row before any commit of the term).
   */
  | { readonly kind: 'write_term'; readonly server: ServerName; readonly term: Term }
  /**
   * Semi-sync replica off, semi-sync source on, channel removed, and only then `super_read_only` and `read_only` off: in that order, on a
   * server that shows the row of this term and whose IO thread is stopped.
   */
  | { readonly kind: 'open'; readonly server: ServerName; readonly term: Term }
  /** `rpl_semi_sync_source_enabled=ON` on a server that is open. */
  | { readonly kind: 'require_acknowledgements'; readonly server: ServerName }
  /**
   * Raises a voter's term to `term`, and refuses one whose term is higher (a reader's binds nobody and is set); then semi-sync source off, semi-sync replica on for a voter and off for a reader,
   * then follows `source` by auto-position. Only on a server that is closed, commits nothing and has its IO thread stopped; its set must
   * still be within `within`, and where the source changes the relay log applied, as changing it discards the log.
   */
  | {
      readonly kind: 'attach'
      readonly server: ServerName
      readonly source: ServerName
      readonly term: Term
      readonly within: GtidSet
    }
  /** Replaces everything on the server by a copy of `donor`, its term included, under the same conditions. It restarts closed. */
  | { readonly kind: 'clone'; readonly server: ServerName; readonly donor: ServerName; readonly term: Term }

export type Outcome =
  /** There is a primary and nothing to do. */
  | 'serving'
  /** `action` is to be done. */
  | 'act'
  /** Something under way must end, or another operator is at it. Observe again. */
  | 'wait'
  /** Nothing may be done: `line` says why and what a person can do. */
  | 'refuse'

export type Decision = {
  readonly outcome: Outcome
  /** Null but for `act`, and for `refuse` where locks are to be given back. */
  readonly action: Action | null
  /** What was seen, done or refused, and why, in one line for a person. */
  readonly line: string
  readonly memory: Memory
}
