// Why a server cannot be used, in one line that says what to do: its version, its settings, the way in.

import { type Statement, statement } from './packet.ts'
import type { DatabaseAccess, DatabaseServer } from './server.ts'

const VERSION = /^9\.7\./

/** Value by which the promotion's proof stands; any other is refused. */
const REQUIRED: Readonly<Record<string, string>> = {
  gtid_mode: 'ON',
  enforce_gtid_consistency: 'ON',
  log_bin: '1',
  log_replica_updates: '1',
  sync_binlog: '1',
  innodb_flush_log_at_trx_commit: '1',
  relay_log_recovery: '0',
  replica_preserve_commit_order: '1',
  rpl_semi_sync_source_timeout: '4294967295',
  rpl_semi_sync_source_wait_point: 'AFTER_SYNC',
  rpl_semi_sync_source_wait_for_replica_count: '1',
  rpl_semi_sync_source_wait_no_replica: '1',
}

export const VITAL_SETTINGS: Statement =
  statement(`SELECT VERSION() AS version, @@GLOBAL.sync_relay_log AS sync_relay_log,
  @@GLOBAL.gtid_mode AS gtid_mode, @@GLOBAL.enforce_gtid_consistency AS enforce_gtid_consistency, @@GLOBAL.log_bin AS log_bin,
  @@GLOBAL.log_replica_updates AS log_replica_updates, @@GLOBAL.sync_binlog AS sync_binlog,
  @@GLOBAL.innodb_flush_log_at_trx_commit AS innodb_flush_log_at_trx_commit, @@GLOBAL.relay_log_recovery AS relay_log_recovery,
  @@GLOBAL.replica_preserve_commit_order AS replica_preserve_commit_order,
  @@GLOBAL.rpl_semi_sync_source_timeout AS rpl_semi_sync_source_timeout,
  @@GLOBAL.rpl_semi_sync_source_wait_point AS rpl_semi_sync_source_wait_point,
  @@GLOBAL.rpl_semi_sync_source_wait_for_replica_count AS rpl_semi_sync_source_wait_for_replica_count,
  @@GLOBAL.rpl_semi_sync_source_wait_no_replica AS rpl_semi_sync_source_wait_no_replica`)

export function settingsFault(server: DatabaseServer, found: Readonly<Record<string, unknown>>): string | null {
  const version = String(found['version'] ?? '')
  if (!VERSION.test(version)) return wrongVersion(server, version)
  const required = server.role === 'voter' ? { ...REQUIRED, sync_relay_log: '1' } : REQUIRED
  const wrong = Object.entries(required).filter(([name, value]) => String(found[name]) !== value)
  if (wrong.length === 0) return null
  const list = wrong.map(([name, value]) => `${name} = ${value} (it is ${String(found[name])})`).join(', ')
  return `${server.name} must run with ${list}: give it the rendered configuration and restart it`
}

function wrongVersion(server: DatabaseServer, version: string): string {
  return `${server.name} runs MySQL ${version}: WinTrades needs 9.7 LTS; run that version on a copy of its data, or empty the volume and let it be cloned`
}

const UNKNOWN_SETTING = 1193

export function explainFault(error: Error, server: DatabaseServer, access: DatabaseAccess): string {
  const { name, host, port } = server
  const { code, errno, message } = error as NodeJS.ErrnoException & { readonly errno?: number }
  const { user, passwordFile } = access.operator
  if (code === 'ENOENT' || code === 'EACCES') return `${name} cannot be asked: ${message}; the operator needs that file`
  if (errno === 1045)
    return `${name} refuses ${user}: put the password that the server knows into ${passwordFile}, or use the other copy of the account`
  if (errno === 1130) return `${name} lets nobody in from this address: its accounts are not those of initialise.sql`
  if (errno === UNKNOWN_SETTING)
    return `${name} is no MySQL 9.7 with the semi-sync plugins: give it the rendered configuration (${message})`
  if (errno === 1049 || errno === 1146 || errno === 1305) {
    return `${name} was not made by deployment/mysql/entrypoint.sh, or is being cloned: ${message}`
  }
  if (errno === 1142 || errno === 1227 || errno === 1370) {
    return `${name} denies ${user} a right that it needs (${message}): grant what initialise.sql grants`
  }
  if (code === 'CERT_HAS_EXPIRED')
    return `${name} shows an expired certificate: see docs/runbooks/certificate-expired.md`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `${name} shows a certificate that does not name ${host}: make one with that host`
  if (/CERT|UNABLE_TO|HANDSHAKE_SSL|HANDSHAKE_NO_SSL/.test(code ?? '')) {
    return `${name} cannot be believed (${code}): its certificate must come from the authority in ${access.authorityFile}`
  }
  if (code === 'ECONNREFUSED') return `${name} does not run: nothing listens on ${host}:${port}`
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return `${name} cannot be reached at ${host}:${port}`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `${name} has no address: ${host} is not known`
  if (code === 'PROTOCOL_CONNECTION_LOST' || code === 'ECONNRESET') return `${name} has closed the connection`
  return `${name}: ${message}`
}
