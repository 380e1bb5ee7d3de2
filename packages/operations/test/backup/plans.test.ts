// What is due when, and which binlogs a server may lose.

import { expect, test } from 'vitest'
import { planPurge, type ServerLog } from '../../src/backup/binlog/purge.ts'
import { isBackupDue, isVerificationDue, lastTime } from '../../src/backup/schedule.ts'
import type { FullBackup, Verification } from '../../src/backup/store/catalogue.ts'
import { parseGtidSet } from '../../src/operator/promotion/gtid-set.ts'
import { SERVER_A } from './support/binlog.ts'

const at = (text: string) => new Date(`2026-11-${text}Z`)
const NIGHT = { hour: 3, minute: 15 }
const begun = (text: string) => ({ startedAt: at(text).toISOString() }) as FullBackup
const set = (last: number) => parseGtidSet(last === 0 ? '' : `${SERVER_A}:1-${last}`)

test('the last night is today’s once it has passed', () => {
  expect(lastTime(at('25T03:14:59'), NIGHT)).toEqual(at('24T03:15:00'))
  expect(lastTime(at('25T03:15:00'), NIGHT)).toEqual(at('25T03:15:00'))
})

test('a backup is due without any, and once a night', () => {
  expect(isBackupDue(at('25T12:00:00'), null, NIGHT, null)).toBe(true)
  expect(isBackupDue(at('25T12:00:00'), begun('25T03:15:10'), NIGHT, null)).toBe(false)
  expect(isBackupDue(at('26T03:15:00'), begun('25T03:15:10'), NIGHT, null)).toBe(true)
  // Made by hand at noon: the night's is made all the same.
  expect(isBackupDue(at('26T03:16:00'), begun('25T12:00:00'), NIGHT, null)).toBe(true)
})

test('what failed is tried again after a while', () => {
  expect(isBackupDue(at('26T03:20:00'), begun('25T03:15:10'), NIGHT, at('26T03:15:30'))).toBe(false)
  expect(isBackupDue(at('26T03:31:00'), begun('25T03:15:10'), NIGHT, at('26T03:15:30'))).toBe(true)
})

test('a check is due when there is a backup and none was checked for so long, sooner after a failure', () => {
  const checked = (text: string, passed: boolean) => ({ at: at(text).toISOString(), passed }) as Verification
  const newest = begun('25T03:15:00')
  expect(isVerificationDue(at('25T04:00:00'), null, null, 24)).toBe(false)
  expect(isVerificationDue(at('25T04:00:00'), newest, null, 24)).toBe(true)
  expect(isVerificationDue(at('25T04:00:00'), newest, checked('24T05:00:00', true), 24)).toBe(false)
  expect(isVerificationDue(at('25T05:00:00'), newest, checked('24T05:00:00', true), 24)).toBe(true)
  expect(isVerificationDue(at('25T05:00:00'), newest, checked('25T04:30:00', false), 24)).toBe(true)
})

const logs: readonly ServerLog[] = [0, 10, 20, 30, 40].map((last, i) => ({
  name: `binlog.${i + 1}`,
  bytes: 100,
  before: set(last),
}))

test('the oldest binlogs go until the rest is small enough, the newest always stays', () => {
  expect(planPurge(logs, set(40), set(40), { bytes_max: 500 })).toBeNull()
  expect(planPurge(logs, set(40), set(40), { bytes_max: 400 })).toBe('binlog.2')
  expect(planPurge(logs, set(40), set(40), { bytes_max: 250 })).toBe('binlog.4')
  expect(planPurge(logs, set(40), set(40), { bytes_max: 1 })).toBe('binlog.5')
})

test('nothing goes that is not archived, whatever its size', () => {
  expect(planPurge(logs, set(25), set(40), { bytes_max: 1 })).toBe('binlog.3')
  expect(planPurge(logs, set(9), set(40), { bytes_max: 1 })).toBeNull()
})

test('nothing goes that a server has not received, unless the size leaves no choice', () => {
  expect(planPurge(logs, set(40), set(15), { bytes_max: 400 })).toBe('binlog.2')
  expect(planPurge(logs, set(40), set(5), { bytes_max: 400 })).toBeNull()
  expect(planPurge(logs, set(40), null, { bytes_max: 400 })).toBeNull()
  // More than twice the limit: down to that, and no further.
  expect(planPurge(logs, set(40), null, { bytes_max: 150 })).toBe('binlog.3')
})
