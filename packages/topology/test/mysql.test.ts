// What a MySQL server's configuration must say, whatever else it says: the settings that the promotion's proof rests on.

import { expect, it } from 'vitest'
import { type MysqlServer, renderMysqlConfiguration } from '../src/index.ts'

const SERVER: MysqlServer = {
  name: 'mysql_master',
  serverId: 1,
  role: 'voter',
  region: 'us-east',
  port: 3306,
  memory_mb: 4_096,
}

function settingsOf(server: MysqlServer): Map<string, string> {
  const lines = renderMysqlConfiguration(server)
    .split('\n')
    .filter((line) => /^[a-z]/.test(line))
  return new Map(lines.map((line) => line.split(' = ') as [string, string]))
}

it('starts closed and follows nobody', () => {
  const settings = settingsOf(SERVER)
  expect(settings.get('super_read_only')).toBe('ON')
  expect(settings.get('skip_replica_start')).toBe('ON')
  expect(settings.get('relay_log_recovery')).toBe('OFF')
  expect(settings.get('loose_rpl_semi_sync_source_enabled')).toBe('OFF')
})

it('has on the disk of a voter what it acknowledges, and waits for ever for an acknowledgement', () => {
  const settings = settingsOf(SERVER)
  expect(settings.get('sync_binlog')).toBe('1')
  expect(settings.get('sync_relay_log')).toBe('1')
  expect(settings.get('loose_rpl_semi_sync_source_timeout')).toBe('4294967295')
  expect(settings.get('loose_rpl_semi_sync_replica_enabled')).toBe('ON')
})

it('lets a reader acknowledge nothing', () => {
  expect(settingsOf({ ...SERVER, role: 'reader' }).get('loose_rpl_semi_sync_replica_enabled')).toBe('OFF')
})

it('talks TLS alone', () => {
  expect(settingsOf(SERVER).get('require_secure_transport')).toBe('ON')
  expect(settingsOf(SERVER).get('tls_version')).toBe('TLSv1.3')
})

it('refuses what would make a file of another meaning', () => {
  const wrong = { ...SERVER, name: 'a\nread_only = OFF', serverId: 0 }
  expect(() => renderMysqlConfiguration(wrong)).toThrow(/name .* must be a host name.*serverId must be a whole number/s)
})
