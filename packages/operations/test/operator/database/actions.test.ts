// The packets that actions become: each first requires the lock and its guard, and no value is ever part of a statement's text.

import { describe, expect, it } from 'vitest'
import { type OnServer, packetOf, type Surroundings } from '../../../src/operator/database/actions.ts'
import { type Packet, textOf } from '../../../src/operator/database/packet.ts'
import type { DatabaseServer } from '../../../src/operator/database/server.ts'
import { parseGtidSet } from '../../../src/operator/promotion/index.ts'

const MASTER: DatabaseServer = { name: 'mysql_master', region: 'us-east', host: 'db-us', port: 3306, role: 'voter' }
const EU: DatabaseServer = { name: 'mysql_slave_eu', region: 'eu-west', host: 'db-eu', port: 3307, role: 'voter' }
const READER: DatabaseServer = { name: 'mysql_slave_us', region: 'us-east', host: 'db-us', port: 3308, role: 'reader' }
const SERVERS = [MASTER, EU, READER]
const TERM = { number: 7, promoter: 'eu-west/abc' }
const WITHIN = parseGtidSet('11111111-0000-0000-0000-000000000000:1-9')

function packet(action: OnServer, isSameSource = false): Packet {
  const find = (name: string) => SERVERS.find((one) => one.name === name) ?? MASTER
  const around: Surroundings = {
    server: find(action.server),
    find,
    isSameSource,
    replication: { user: 'wintrades_replication_a', password: `it's "secret"`, authorityFile: '/run/ca.pem' },
    self: 'eu-west/abc',
  }
  return packetOf(action, around)
}

const steps = (of: Packet) => of.map(({ sql }) => sql.replace(/\s+/g, ' '))
const server = 'mysql_slave_eu'
const guard = { kind: 'term', term: TERM } as const
const GUARDED: readonly OnServer[] = [
  { kind: 'initialise', server },
  { kind: 'raise_term', server, from: { number: 6, promoter: '' }, to: TERM },
  { kind: 'fence_primary', server, guard },
  { kind: 'fence_replica', server, guard },
  { kind: 'kill', server, guard: { kind: 'row_below', number: 7 } },
  { kind: 'apply_relay_log', server, guard },
  { kind: 'write_term', server, term: TERM },
  { kind: 'open', server, term: TERM },
  { kind: 'require_acknowledgements', server },
  { kind: 'attach', server, source: 'mysql_master', term: TERM, within: WITHIN },
  { kind: 'clone', server, donor: 'mysql_master', term: TERM },
]

describe.each(GUARDED.map((action) => [action.kind, action] as const))('%s', (_kind, action) => {
  it('begins with requiring the lock', () => {
    expect(steps(packet(action))[0]).toContain(`require(IS_USED_LOCK('wintrades_promotion') = CONNECTION_ID()`)
  })

  it('has as many values as places for them', () => {
    const { sql, values } = textOf(packet(action))
    expect(sql.split('?')).toHaveLength(values.length + 1)
  })
})

it('opens in the order in which nobody can write before every commit needs an acknowledgement', () => {
  const effects = steps(packet({ kind: 'open', server, term: TERM })).filter((sql) => !sql.includes('require('))
  expect(effects).toEqual([
    'CALL wintrades_operator.break_off_half()',
    'SET GLOBAL rpl_semi_sync_replica_enabled = OFF',
    'SET GLOBAL rpl_semi_sync_source_enabled = ON',
    `STOP REPLICA FOR CHANNEL ''`,
    `RESET REPLICA ALL FOR CHANNEL ''`,
    'SET GLOBAL super_read_only = OFF',
    'SET GLOBAL read_only = OFF',
  ])
})

it.each(['raise_term', 'fence_primary', 'write_term', 'open', 'attach', 'clone'])(
  '%s: half a transaction is broken off before anything waits for its rest',
  (kind) => {
    const action = GUARDED.find((one) => one.kind === kind) as OnServer
    const all = steps(packet(action))
    const waits = all.findIndex((sql) => /super_read_only = ON|STOP REPLICA FOR|store_(local|primary)_term/.test(sql))
    const broken = all.indexOf('CALL wintrades_operator.break_off_half()')
    expect(broken).toBeGreaterThan(0)
    expect(waits).toBeGreaterThan(broken)
  },
)

it('changes a source only when the relay log is applied, and keeps the relay log where the source stays', () => {
  const attach = { kind: 'attach', server, source: 'mysql_master', term: TERM, within: WITHIN } as const
  const changed = steps(packet(attach)).join('\n')
  expect(changed).toMatch(/not applied all[\s\S]*CHANGE REPLICATION SOURCE/)
  const same = steps(packet(attach, true)).join('\n')
  expect(same).not.toContain('CHANGE REPLICATION SOURCE')
  expect(same).toContain('its channel leads elsewhere')
})

it('never lets a reader acknowledge, and always follows under TLS that is verified', () => {
  const attach = {
    kind: 'attach',
    server: 'mysql_slave_us',
    source: 'mysql_master',
    term: TERM,
    within: WITHIN,
  } as const
  const text = steps(packet(attach)).join('\n')
  expect(text).toContain('SET GLOBAL rpl_semi_sync_replica_enabled = OFF')
  expect(text).toContain('SOURCE_SSL_VERIFY_SERVER_CERT = 1')
})
