// What a server says of itself, read in one packet in the order that the promoter's rules need (observation.ts): flags, then the channel, then what is being
// committed, received, executed; and turned into the plain values that those rules are about.

import { EMPTY, type GtidSet, parseGtidSet, type ServerState, type Term } from '../promotion/index.ts'
import { LOCK } from './actions.ts'
import { type Packet, statement } from './packet.ts'
import type { DatabaseServer } from './server.ts'

/** A source that was heard of longer ago counts as not heard: heartbeats come twice a second. */
const HEARD_MS_MAX = 1_200

/** ER_MTA_INCONSISTENT_DATA: the applier was killed within a transaction, and goes on when it is started again (actions.ts, BREAK_OFF). */
const BROKEN_OFF = 1_756

export const OBSERVE: Packet = [
  statement(`SELECT IS_USED_LOCK('${LOCK}') AS holder, CONNECTION_ID() AS me, @@GLOBAL.server_uuid AS uuid`),
  statement('SELECT number, promoter FROM wintrades_operator.local_term'),
  statement(`SELECT @@GLOBAL.read_only AS isReadOnly, @@GLOBAL.super_read_only AS isSuperReadOnly,
    @@GLOBAL.rpl_semi_sync_source_enabled AS isSource, @@GLOBAL.rpl_semi_sync_replica_enabled AS isReplica,
    (SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_clients') AS clients`),
  statement(`SELECT c.HOST AS host, c.PORT AS port, c.USER AS user, s.SERVICE_STATE AS receiver, a.SERVICE_STATE AS applier,
    s.LAST_ERROR_MESSAGE AS receiverError,
    TIMESTAMPDIFF(MICROSECOND, GREATEST(s.LAST_HEARTBEAT_TIMESTAMP, s.LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP,
      s.QUEUEING_TRANSACTION_START_QUEUE_TIMESTAMP), NOW(6)) DIV 1000 AS heard_ms,
    (SELECT MAX(LAST_ERROR_MESSAGE) FROM (
      SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_coordinator WHERE LAST_ERROR_NUMBER NOT IN (0, ${BROKEN_OFF})
      UNION ALL SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER NOT IN (0, ${BROKEN_OFF})
    ) errors) AS applierError,
    (SELECT MAX(TIMESTAMPDIFF(MICROSECOND, APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, NOW(6))) DIV 1000
      FROM performance_schema.replication_applier_status_by_worker WHERE APPLYING_TRANSACTION <> '') AS lag_ms
    FROM performance_schema.replication_connection_configuration c
    JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME)
    JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME)
    WHERE c.CHANNEL_NAME = ''`),
  statement('SELECT @@GLOBAL.gtid_owned AS owned'),
  statement(
    `SELECT RECEIVED_TRANSACTION_SET AS received FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''`,
  ),
  statement('SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged'),
  statement('SELECT number, promoter FROM wintrades_operator.primary_term'),
]

type Row = Readonly<Record<string, unknown>>

/** What is of use to people and to the adapter, and nothing to the rules. */
export type Details = {
  readonly lag_ms: number
  readonly receiverError: string | null
  readonly replicationUser: string | null
}

export type Reading = { readonly state: ServerState; readonly details: Details }

export type ReadingContext = {
  readonly server: DatabaseServer
  /** Names this connection, which cannot outlive the server's process. */
  readonly life: string
  readonly nameAt: (host: string, port: number) => string
}

export function readObservation(results: readonly (readonly Row[])[], context: ReadingContext): Reading {
  const [identity, term, flags, channels, owned, received, sets, row] = results as [
    Row[],
    Row[],
    Row[],
    Row[],
    Row[],
    Row[],
    Row[],
    Row[],
  ]
  const { holder, me, uuid } = one(identity)
  const { isReadOnly, isSuperReadOnly, isSource, isReplica, clients } = one(flags)
  const isClosed = Number(isSuperReadOnly) === 1
  const channel = channels[0]
  const state: ServerState = {
    name: context.server.name,
    role: context.server.role,
    isReachable: true,
    lock: holder === null ? 'free' : Number(holder) === Number(me) ? 'mine' : 'other',
    uuid: String(uuid),
    life: context.life,
    term: termOf(term[0]),
    isReadOnly: Number(isReadOnly) === 1,
    isSuperReadOnly: isClosed,
    semiSync: { source: Number(isSource) === 1, replica: Number(isReplica) === 1, clients: Number(clients ?? 0) },
    channel: channelOf(channel, context),
    // On a closed server only what it applies can be under way, perhaps received in part: no commit of a client's.
    owned: isClosed ? EMPTY : parseOwned(String(one(owned)['owned'])),
    received: parseGtidSet(String(received[0]?.['received'] ?? '')),
    executed: parseGtidSet(String(one(sets)['executed'])),
    purged: parseGtidSet(String(one(sets)['purged'])),
    row: termOf(row[0]),
  }
  const details: Details = {
    lag_ms: Math.max(0, Number(channel?.['lag_ms'] ?? 0)),
    receiverError: textOf(channel?.['receiverError']),
    replicationUser: textOf(channel?.['user']),
  }
  return { state, details }
}

function channelOf(row: Row | undefined, context: ReadingContext): ServerState['channel'] {
  if (row === undefined || row['host'] === '') {
    return { source: null, receiver: 'stopped', applier: 'stopped', applierError: null }
  }
  const { receiver, applier, heard_ms } = row
  const isHeard = receiver === 'ON' && heard_ms !== null && Number(heard_ms) <= HEARD_MS_MAX
  const applierError = textOf(row['applierError'])
  return {
    source: context.nameAt(String(row['host']), Number(row['port'])),
    receiver: receiver === 'OFF' ? 'stopped' : isHeard ? 'receiving' : 'connecting',
    applier: applier === 'ON' ? 'running' : applierError === null ? 'stopped' : 'failed',
    applierError,
  }
}

/** `uuid:7#3:8#4`: after each number the thread that commits it. */
function parseOwned(text: string): GtidSet {
  return text === '' ? EMPTY : parseGtidSet(text.replace(/#\d+/g, ''))
}

function termOf(row: Row | undefined): Term | null {
  return row === undefined ? null : { number: Number(row['number']), promoter: String(row['promoter']) }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function one(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('the server answered without a row')
  return row
}
