// What keeps a server from being used is said in one line that names what to do.

import { expect, it } from 'vitest'
import type { DatabaseServer } from '../../../src/operator/database/server.ts'
import { explainFault, settingsFault } from '../../../src/operator/database/server-fault.ts'

const SERVER: DatabaseServer = { name: 'mysql_master', region: 'us-east', host: 'db-us', port: 3306, role: 'voter' }
const GOOD = {
  version: '9.7.4-2',
  sync_relay_log: 1,
  gtid_mode: 'ON',
  enforce_gtid_consistency: 'ON',
  log_bin: 1,
  log_replica_updates: 1,
  sync_binlog: 1,
  innodb_flush_log_at_trx_commit: 1,
  relay_log_recovery: 0,
  replica_preserve_commit_order: 1,
  rpl_semi_sync_source_timeout: 4_294_967_295,
  rpl_semi_sync_source_wait_point: 'AFTER_SYNC',
  rpl_semi_sync_source_wait_for_replica_count: 1,
  rpl_semi_sync_source_wait_no_replica: 1,
}
const ACCESS = {
  operator: { user: 'wintrades_operator_a', passwordFile: '/run/secrets/mysql_operator_a' },
  replication: { user: 'wintrades_replication_a', passwordFile: '/run/secrets/mysql_replication_a' },
  authorityFile: '/run/secrets/ca.pem',
  authorityFileOnServers: '/run/mysqld/tls/ca.pem',
}

it('takes a server of the right version with the settings that the proof needs', () => {
  expect(settingsFault(SERVER, GOOD)).toBeNull()
})

it.each(['8.4.6', '9.6.0', '10.0.1'])('refuses version %s and says which is needed', (version) => {
  expect(settingsFault(SERVER, { ...GOOD, version })).toContain(
    `mysql_master runs MySQL ${version}: WinTrades needs 9.7 LTS`,
  )
})

it('names each setting that is wrong, and what it must be', () => {
  const found = { ...GOOD, sync_relay_log: 10_000, rpl_semi_sync_source_timeout: 10_000 }
  expect(settingsFault(SERVER, found)).toBe(
    'mysql_master must run with rpl_semi_sync_source_timeout = 4294967295 (it is 10000), sync_relay_log = 1 (it is 10000): ' +
      'give it the rendered configuration and restart it',
  )
  expect(settingsFault({ ...SERVER, role: 'reader' }, { ...GOOD, sync_relay_log: 10_000 })).toBeNull()
})

it.each([
  [{ errno: 1045 }, /refuses wintrades_operator_a: put the password .* into \/run\/secrets\/mysql_operator_a/],
  [{ errno: 1227 }, /denies wintrades_operator_a a right that it needs .*initialise\.sql/],
  [{ code: 'CERT_HAS_EXPIRED' }, /expired certificate.*runbooks/],
  [{ code: 'ERR_TLS_CERT_ALTNAME_INVALID' }, /does not name db-us/],
  [{ code: 'SELF_SIGNED_CERT_IN_CHAIN' }, /must come from the authority in \/run\/secrets\/ca\.pem/],
  [{ code: 'ECONNREFUSED' }, /does not run: nothing listens on db-us:3306/],
] as const)('explains %j', (parts, line) => {
  expect(explainFault(Object.assign(new Error('as the library says it'), parts), SERVER, ACCESS)).toMatch(line)
})
