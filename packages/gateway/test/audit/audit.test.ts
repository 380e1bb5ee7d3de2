// The audit log on a real database: what is recorded, that every change of it shows, and that failures cannot fill it.

import { openSqlite } from '@wintrades/platform'
import { describe, expect, test } from 'vitest'
import { readAudit, verifyAudit } from '../../src/audit/audit-reader.ts'
import { type AuditEntry, auditKey } from '../../src/audit/chain.ts'
import { FailureBudget } from '../../src/audit/failure-budget.ts'
import { accountsPath } from '../../src/auth/sqlite-accounts.ts'
import { codeOf, isEmbedded, MINUTE_MS, type Opened, opened, PASSWORD, tamper } from '../auth/parts.ts'

const KEY = auditKey(new Uint8Array(32).fill(7))

function entry(action: string, more: Partial<AuditEntry> = {}): AuditEntry {
  const base = { principal: 'operator', account: null, address: '192.0.2.1', target: 'platform', outcome: 'done' }
  return { ...base, action, details: {}, ...more }
}

const actionsOf = async (auth: Opened) =>
  (await readAudit(auth.database, { limit: 1_000 })).items.map(({ action, outcome }) => `${action}: ${outcome}`)

describe('what is recorded', () => {
  test('what changes an account is, together with the change', async () => {
    const auth = await opened()
    const account = await auth.accounts.register('ada@example.com', PASSWORD, '192.0.2.7')
    const session = await auth.sessions.open(account, '192.0.2.7')
    const key = await auth.apiKeys.create(account.accountId, { label: 'bot', scopes: ['read'] }, '192.0.2.7')
    await auth.apiKeys.delete(account.accountId, key.keyId, '192.0.2.7')
    const next = await auth.sessions.refresh(session.refreshToken, '192.0.2.7')
    expect(await codeOf(() => auth.sessions.refresh(session.refreshToken, '192.0.2.8'))).toBe('TOKEN_REUSED')
    const again = await auth.sessions.open(account, '192.0.2.7')
    await auth.sessions.close(again.refreshToken, '192.0.2.7')
    const { items } = await readAudit(auth.database, { limit: 1_000, account: account.accountId })
    expect(items.map(({ action, address, outcome }) => [action, address, outcome]).toReversed()).toEqual([
      ['register', '192.0.2.7', 'done'],
      ['log in', '192.0.2.7', 'done'],
      ['make API key', '192.0.2.7', 'done'],
      ['delete API key', '192.0.2.7', 'done'],
      ['refresh session', '192.0.2.8', 'TOKEN_REUSED'],
      ['log in', '192.0.2.7', 'done'],
      ['log out', '192.0.2.7', 'done'],
    ])
    const texts = JSON.stringify(items)
    for (const secret of [PASSWORD, key.secret, session.refreshToken, next.refreshToken, 'ada@example.com']) {
      expect(texts).not.toContain(secret)
    }
    expect(await verifyAudit(auth.database, KEY)).toMatchObject({ faults: [], records: items.length + 1 })
  })

  test('what was refused changes nothing and records no success', async () => {
    const auth = await opened()
    await auth.accounts.register('ada@example.com', PASSWORD)
    expect(await codeOf(() => auth.accounts.register('ADA@example.com', PASSWORD))).toBe('EMAIL_TAKEN')
    expect(await codeOf(() => auth.accounts.verify('ada@example.com', 'wrong password'))).toBe('CREDENTIALS_INVALID')
    expect(await codeOf(() => auth.accounts.verify(PASSWORD, PASSWORD))).toBe('CREDENTIALS_INVALID')
    await auth.audit.record(entry('last'))
    const actions = (await actionsOf(auth)).filter((line) => !line.startsWith('open audit stream'))
    expect(actions.sort()).toEqual(['last: done', 'log in: CREDENTIALS_INVALID', 'register: done'])
  })

  test('texts of any length and content are kept in bounds, and details that name secrets are not kept', async () => {
    const auth = await opened()
    await auth.audit.record(
      entry('x'.repeat(500), {
        target: `${'🔑'.repeat(300)}\n`,
        address: 'ﬂoat',
        details: { password: 'hunter2', nested: { apiSecret: 'hunter2' }, note: 'ok' },
      }),
    )
    await auth.audit.record(entry('long', { details: { note: 'y'.repeat(10_000) } }))
    const { items } = await readAudit(auth.database, { limit: 10 })
    expect(items.every((item) => item.target.length <= 160 && item.action.length <= 64)).toBe(true)
    expect(JSON.stringify(items)).not.toContain('hunter2')
    expect(items[0]?.details).toBe('{"tooLong":10011,"names":["note"]}')
    expect((await verifyAudit(auth.database, KEY)).faults).toEqual([])
  })

  test('many writers at once have chains of their own, none with a gap', async () => {
    const here = await opened()
    const there = await opened({ directory: here.directory })
    await Promise.all(
      [here, there].flatMap((auth) => Array.from({ length: 50 }, (_, i) => auth.audit.record(entry(`act ${i}`)))),
    )
    const report = await verifyAudit(here.database, KEY)
    expect(report.faults).toEqual([])
    expect(report.records).toBe(100 + report.streams)
  })

  test.runIf(isEmbedded())('while the file is locked a record waits, and is there afterwards', async () => {
    const auth = await opened()
    const other = openSqlite(accountsPath(auth.directory))
    other.exec('begin immediate')
    const written = auth.audit.record(entry('later'))
    other.exec('commit')
    other.close()
    await written
    expect(await actionsOf(auth)).toContain('later: done')
  })
})

describe('verifying finds', () => {
  async function written(): Promise<Opened> {
    const auth = await opened()
    for (const action of ['one', 'two', 'three', 'four']) await auth.audit.record(entry(action))
    return auth
  }

  test.each([
    ['a changed text', "update audit set outcome = 'failed' where action = 'two'", 'record 3: it was changed'],
    ['a changed time', "update audit set at_ms = at_ms - 1 where action = 'two'", 'record 3: it was changed'],
    ['a record taken out', "delete from audit where action = 'two'", 'record 3: missing; the next there is is 4'],
    [
      'records exchanged',
      "update audit set seq = 99 where action = 'two'; update audit set seq = 3 where action = 'three'; update audit set seq = 4 where action = 'two'",
      'record 3: it does not follow',
    ],
    ['a stream that is gone from its list', 'delete from audit_streams', 'it is not in the list of streams'],
    ['a stream whose records are gone', 'delete from audit', 'every record is missing'],
  ])('%s', async (_what, statement, fault) => {
    const auth = await written()
    await tamper(auth.directory, ...statement.split('; '))
    const { faults } = await verifyAudit(auth.database, KEY)
    expect(faults.join('\n')).toContain(fault)
  })

  test('a tail that was cut off before another process began', async () => {
    const auth = await written()
    const later = await opened({ directory: auth.directory })
    await later.audit.record(entry('five'))
    expect((await verifyAudit(auth.database, KEY)).faults).toEqual([])
    await tamper(auth.directory, "delete from audit where action = 'four'")
    const { faults } = await verifyAudit(auth.database, KEY)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/it ends at record 4; a later stream vouches for record 5/)
  })

  test('another key than it was written with', async () => {
    const auth = await written()
    const { faults } = await verifyAudit(auth.database, auditKey(new Uint8Array(32).fill(8)))
    expect(faults.join()).toContain('ENCRYPTION_KEY is not the one')
  })
})

describe('failures', () => {
  test('of one kind and address are recorded once a minute, with their number', async () => {
    const auth = await opened()
    const failed = entry('log in', { outcome: 'CREDENTIALS_INVALID' })
    for (let i = 0; i < 500; i++) auth.audit.failure(failed)
    auth.clock.ms += MINUTE_MS
    auth.audit.sweep()
    await auth.audit.record(entry('last'))
    const { items } = await readAudit(auth.database, { limit: 100 })
    expect(items.filter(({ action }) => action === 'log in').map(({ details }) => details)).toEqual([
      '{"more":499}',
      '{}',
    ])
  })

  test('from everywhere at once cost a bounded number of records, and none is uncounted', () => {
    let now_ms = 0
    const budget = new FailureBudget(() => now_ms)
    let records = 0
    let counted = 0
    const minutes = 24 * 60
    for (let minute = 0; minute < minutes; minute++) {
      for (let i = 0; i < 200; i++) {
        const kind = { action: 'log in', outcome: 'CREDENTIALS_INVALID', address: `192.0.${minute}.${i}` }
        if (budget.admit(kind)) records += 1
      }
      now_ms += MINUTE_MS
      for (const { count } of budget.sweep()) {
        records += 1
        counted += count
      }
    }
    // 100 at once, one each five seconds, and one line a minute for all the others.
    expect(records).toBeLessThanOrEqual(100 + (24 * 60 * 60) / 5 + minutes)
    expect(counted + (records - minutes)).toBeGreaterThanOrEqual(200 * minutes - 1)
  })
})
