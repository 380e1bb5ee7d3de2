// Every action of the promoter as the packet that carries it out on a real server: what must be so, then what is done, on the connection that holds the
// server's lock. While that connection lives nobody else can raise the term, so what was required still holds when it is acted on.

import { MYSQL_LAYOUT } from '@wintrades/topology'
import { type Action, formatGtidSet, type Guard, type Term } from '../promotion/index.ts'
import { type Packet, type Statement, statement } from './packet.ts'
import type { DatabaseServer } from './server.ts'

export const LOCK = 'wintrades_promotion'

/** How long `super_read_only=ON` waits for commits under way; afterwards it has not happened. */
export const LOCK_WAIT_SECONDS = 2
const HEARTBEAT_SECONDS = 0.5

export type OnServer = Exclude<Action, { kind: 'release_locks' }>

export type ReplicationAccess = { readonly user: string; readonly password: string; readonly authorityFile: string }

export type Surroundings = {
  readonly server: DatabaseServer
  readonly find: (name: string) => DatabaseServer
  /** Whether the server's channel leads to its new source already, under the right account. */
  readonly isSameSource: boolean
  readonly replication: ReplicationAccess
  readonly self: string
}

export function packetOf(action: OnServer, around: Surroundings): Packet {
  switch (action.kind) {
    case 'take_lock':
      return [statement(`SELECT GET_LOCK('${LOCK}', 0)`)]
    case 'initialise':
      return [HOLDS_LOCK, ...IS_UNTOUCHED, storeLocalTerm({ number: 0, promoter: '' }, false)]
    case 'raise_term':
      return [HOLDS_LOCK, isAtTerm(action.from), BREAK_OFF, storeLocalTerm(action.to, false)]
    case 'fence_primary':
      return [HOLDS_LOCK, holds(action.guard), BREAK_OFF, statement('SET GLOBAL super_read_only = ON')]
    case 'fence_replica':
      return [HOLDS_LOCK, holds(action.guard), statement(`STOP REPLICA IO_THREAD FOR CHANNEL ''`)]
    case 'kill':
      return [HOLDS_LOCK, holds(action.guard), IS_OPEN, requestKill(around.self)]
    case 'apply_relay_log':
      return [HOLDS_LOCK, IS_CLOSED, holds(action.guard), statement(`START REPLICA SQL_THREAD FOR CHANNEL ''`)]
    case 'write_term':
      return [
        HOLDS_LOCK,
        isAtTerm(action.term),
        ...IS_QUIET,
        IS_APPLIED,
        BREAK_OFF,
        ...writeTerm(action.term, around.server),
      ]
    case 'open':
      return [HOLDS_LOCK, isAtTerm(action.term), ...IS_QUIET, IS_APPLIED, hasRow(action.term), BREAK_OFF, ...OPEN]
    case 'require_acknowledgements':
      return [HOLDS_LOCK, IS_OPEN, SOURCE_ON]
    case 'attach':
      return attach(action, around)
    case 'clone':
      return clone(action, around)
  }
}

/** What follows a clone that failed: it has to run without `super_read_only`. */
export const CLOSE_AGAIN: Packet = [statement('SET GLOBAL super_read_only = ON')]

const SOURCE_ON = statement('SET GLOBAL rpl_semi_sync_source_enabled = ON')
const SOURCE_OFF = statement('SET GLOBAL rpl_semi_sync_source_enabled = OFF')
const REPLICA_ON = statement('SET GLOBAL rpl_semi_sync_replica_enabled = ON')
const REPLICA_OFF = statement('SET GLOBAL rpl_semi_sync_replica_enabled = OFF')
const STOP = statement(`STOP REPLICA FOR CHANNEL ''`)
const START = statement(`START REPLICA FOR CHANNEL ''`)

/**
 * Of a transaction that was received in part, when its source died or the receiver was stopped, the applier has applied what there is and waits for the
 * rest: closing the server would wait for it without end, stopping the applier for a minute. Killed, it rolls that back; a new source sends it whole.
 */
const BREAK_OFF = statement('CALL wintrades_operator.break_off_half()')

const HOLDS_LOCK = statement(
  `CALL wintrades_operator.require(IS_USED_LOCK('${LOCK}') = CONNECTION_ID(), 'the lock is not held')`,
)
const IS_OPEN = statement(`CALL wintrades_operator.require(@@GLOBAL.super_read_only = 0, 'it is closed')`)
/** `super_read_only` is on only when no client's commit is under way any more. */
const IS_CLOSED = statement(`CALL wintrades_operator.require(@@GLOBAL.super_read_only = 1, 'it is not closed')`)
const IS_DEAF = statement(`CALL wintrades_operator.require(NOT EXISTS (
  SELECT 1 FROM performance_schema.replication_connection_status WHERE SERVICE_STATE <> 'OFF'), 'it is receiving')`)
const IS_QUIET = [IS_CLOSED, IS_DEAF]
const IS_APPLIED = statement(`CALL wintrades_operator.require(NOT EXISTS (
  SELECT 1 FROM performance_schema.replication_connection_status
  WHERE NOT GTID_SUBSET(RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed)), 'it has not applied all that it received')`)
const IS_UNTOUCHED = [
  statement(`CALL wintrades_operator.require(@@GLOBAL.gtid_executed = '' AND @@GLOBAL.gtid_purged = '' AND NOT EXISTS (
    SELECT 1 FROM performance_schema.replication_connection_status WHERE RECEIVED_TRANSACTION_SET <> ''), 'it has held data')`),
  statement(
    `CALL wintrades_operator.require(NOT EXISTS (SELECT 1 FROM wintrades_operator.local_term), 'it has a term')`,
  ),
]

/** In this order: nobody may write before every commit needs an acknowledgement. */
const OPEN: Packet = [
  REPLICA_OFF,
  SOURCE_ON,
  STOP,
  statement(`RESET REPLICA ALL FOR CHANNEL ''`),
  statement('SET GLOBAL super_read_only = OFF'),
  statement('SET GLOBAL read_only = OFF'),
]

function isAtTerm({ number, promoter }: Term): Statement {
  return statement(
    `CALL wintrades_operator.require(EXISTS (
      SELECT 1 FROM wintrades_operator.local_term WHERE number = ? AND promoter = ?), 'its term is another')`,
    number,
    promoter,
  )
}

function hasRow({ number, promoter }: Term): Statement {
  return statement(
    `CALL wintrades_operator.require(EXISTS (
      SELECT 1 FROM wintrades_operator.primary_term WHERE number = ? AND promoter = ?), 'it has not the row of this term')`,
    number,
    promoter,
  )
}

function holds(guard: Guard): Statement {
  switch (guard.kind) {
    case 'term':
      return isAtTerm(guard.term)
    case 'term_at_most':
      return statement(
        `CALL wintrades_operator.require(NOT EXISTS (
          SELECT 1 FROM wintrades_operator.local_term WHERE number > ?), 'its term is higher')`,
        guard.number,
      )
    case 'row_below':
      return statement(
        `CALL wintrades_operator.require(NOT EXISTS (
          SELECT 1 FROM wintrades_operator.primary_term WHERE number >= ?), 'it is the primary of that term or a later one')`,
        guard.number,
      )
  }
}

function storeLocalTerm({ number, promoter }: Term, onlyIfHigher: boolean): Statement {
  return statement('CALL wintrades_operator.store_local_term(?, ?, ?)', number, promoter, onlyIfHigher)
}

function writeTerm({ number, promoter }: Term, server: DatabaseServer): Packet {
  return [SOURCE_OFF, statement('CALL wintrades_operator.store_primary_term(?, ?, ?)', number, promoter, server.name)]
}

/** The entrypoint sees the file and sends SIGKILL (ADR 0012). */
function requestKill(self: string): Statement {
  return statement('SELECT ? INTO OUTFILE ?', `asked for by ${self}`, `${MYSQL_LAYOUT.requestsDirectory}/kill`)
}

function attach(action: Extract<Action, { kind: 'attach' }>, around: Surroundings): Packet {
  const source = around.find(action.source)
  const isVoter = around.server.role === 'voter'
  const within = formatGtidSet(action.within)
  return [
    HOLDS_LOCK,
    ...IS_QUIET,
    ...(isVoter ? [holds({ kind: 'term_at_most', number: action.term.number })] : []),
    statement(
      `CALL wintrades_operator.require(GTID_SUBSET(@@GLOBAL.gtid_executed, ?) AND NOT EXISTS (
        SELECT 1 FROM performance_schema.replication_connection_status WHERE NOT GTID_SUBSET(RECEIVED_TRANSACTION_SET, ?)),
        'it has what its source lacks')`,
      within,
      within,
    ),
    around.isSameSource ? leadsTo(source, around.replication) : IS_APPLIED,
    BREAK_OFF,
    storeLocalTerm(action.term, isVoter),
    SOURCE_OFF,
    isVoter ? REPLICA_ON : REPLICA_OFF,
    ...(around.isSameSource ? [] : [STOP, follow(source, around.replication)]),
    START,
  ]
}

function leadsTo({ host, port }: DatabaseServer, { user }: ReplicationAccess): Statement {
  return statement(
    `CALL wintrades_operator.require(EXISTS (
      SELECT 1 FROM performance_schema.replication_connection_configuration
      WHERE CHANNEL_NAME = '' AND HOST = ? AND PORT = ? AND USER = ?), 'its channel leads elsewhere')`,
    host,
    port,
    user,
  )
}

function follow({ host, port }: DatabaseServer, { user, password, authorityFile }: ReplicationAccess): Statement {
  return statement(
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = ?, SOURCE_PASSWORD = ?, SOURCE_AUTO_POSITION = 1,
      SOURCE_SSL = 1, SOURCE_SSL_CA = ?, SOURCE_SSL_VERIFY_SERVER_CERT = 1,
      SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 0, SOURCE_HEARTBEAT_PERIOD = ? FOR CHANNEL ''`,
    host,
    port,
    user,
    password,
    authorityFile,
    HEARTBEAT_SECONDS,
  )
}

function clone(action: Extract<Action, { kind: 'clone' }>, around: Surroundings): Packet {
  const donor = around.find(action.donor)
  const { user, password } = around.replication
  const isVoter = around.server.role === 'voter'
  return [
    HOLDS_LOCK,
    ...IS_QUIET,
    ...(isVoter ? [holds({ kind: 'term_at_most', number: action.term.number })] : []),
    BREAK_OFF,
    STOP,
    statement('SET GLOBAL clone_valid_donor_list = ?', `${donor.host}:${donor.port}`),
    // A clone is refused under it; `read_only` stays, so that no client writes.
    statement('SET GLOBAL super_read_only = OFF'),
    statement('CLONE INSTANCE FROM ?@?:? IDENTIFIED BY ? REQUIRE SSL', user, donor.host, donor.port, password),
  ]
}
