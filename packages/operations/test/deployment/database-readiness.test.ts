// When a database server may be taken away: only when those that stay are the primary, or follow it and acknowledge.

import { expect, test } from 'vitest'
import { lackOf } from '../../src/deployment/database-readiness.ts'
import type { DatabaseStatus, ServerStatus } from '../../src/operator/database/reconciler.ts'

const VOTERS = ['mysql_master', 'mysql_slave_eu', 'mysql_slave_ap']

function server(name: string, change: Partial<ServerStatus> = {}): ServerStatus {
  return {
    name,
    region: 'us-east',
    address: `${name}:3306`,
    role: 'voter',
    state: 'replica',
    source: 'mysql_master',
    term: 1,
    row: 1,
    lag_ms: 0,
    acknowledging: null,
    fault: null,
    diskFullAt: null,
    ...change,
  }
}

function database(ap: Partial<ServerStatus> = {}, acknowledging = 2): DatabaseStatus {
  return {
    operator: 'us-east',
    outcome: 'serving',
    line: 'mysql_master is the primary',
    primary: 'mysql_master',
    servers: [
      server('mysql_master', { state: 'primary', source: null, acknowledging }),
      server('mysql_slave_eu'),
      server('mysql_slave_ap', ap),
    ],
  }
}

test('all voters there: one may go', () => {
  expect(lackOf(database(), VOTERS)).toBeNull()
})

test.each<[string, Partial<ServerStatus>, RegExp]>([
  [
    'one that is closed',
    { state: 'closed', source: null },
    /mysql_slave_ap is closed and does not follow mysql_master/,
  ],
  ['one that follows the primary before', { source: 'mysql_slave_eu' }, /does not follow mysql_master/],
  ['one that is gone', { state: 'unreachable', source: null }, /mysql_slave_ap is unreachable/],
  ['one with a fault', { fault: 'Disk is full' }, /mysql_slave_ap: Disk is full/],
])('%s is waited for', (_name, change, lack) => {
  expect(lackOf(database(change), VOTERS)).toMatch(lack)
  // Who is not needed is not waited for.
  expect(lackOf(database(change, 1), ['mysql_master', 'mysql_slave_eu'])).toBeNull()
})

test('who follows and does not acknowledge is waited for', () => {
  expect(lackOf(database({}, 1), VOTERS)).toBe('1 of 2 voters acknowledge what mysql_master commits')
})

test('without a primary, or an operator that says so, nobody may go', () => {
  expect(lackOf({ ...database(), primary: null, line: 'No voter that answers is open' }, VOTERS)).toMatch(/No voter/)
  expect(lackOf(null, VOTERS)).toBe('no operator answers')
  expect(lackOf(database(), ['mysql_slave_xx'])).toMatch(/do not know mysql_slave_xx/)
})
