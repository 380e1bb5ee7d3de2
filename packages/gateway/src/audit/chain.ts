// The records of the audit log, and the chain that ties each to the one before. Promises that no record can be changed, taken out or put in
// without the key that the platform keeps: what is chained is a keyed hash.

import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { AUDIT_CHARS } from '../auth/schema.ts'

/** What somebody did, or tried to. Never with a secret in it: who writes one says what the target is, not what was shown. */
export type AuditEntry = {
  /** `operator`, `user`, `api-key 3`, `nobody`, `platform`. */
  readonly principal: string
  /** Whose account it is about, or who did it. */
  readonly account: number | null
  /** The client's, or `-`. */
  readonly address: string
  /** `log in`, `make API key`, `operator: kill-switch`. */
  readonly action: string
  readonly target: string
  /** `done`, or the code that it was refused with. */
  readonly outcome: string
  readonly details: Readonly<Record<string, unknown>>
}

/** An entry in its place: records of a stream are numbered from 1 on without gaps. */
export type AuditRecord = {
  readonly stream: string
  readonly seq: number
  readonly at_ms: number
  readonly principal: string
  readonly account: number | null
  readonly address: string
  readonly action: string
  readonly target: string
  readonly outcome: string
  /** JSON. */
  readonly details: string
  readonly previous_hash: Uint8Array
  readonly hash: Uint8Array
}

/** The last record of a stream. */
export type Head = { readonly seq: number; readonly hash: Uint8Array }

export const NO_HEAD: Head = { seq: 0, hash: new Uint8Array(32) }
/** Of the JSON; what is longer is left out, and said to be. */
const DETAILS_CHARS_MAX = 2_048
const KEY_PURPOSE = 'wintrades audit chain'
const SECRET_NAME = /secret|password|token|signature|authorization/i

/** The chain's key, from ENCRYPTION_KEY. */
export function auditKey(encryptionKey: Uint8Array): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', encryptionKey, new Uint8Array(), KEY_PURPOSE, 32)))
}

export function chained(key: KeyObject, stream: string, head: Head, at_ms: number, entry: AuditEntry): AuditRecord {
  const content = {
    stream,
    seq: head.seq + 1,
    at_ms,
    principal: ascii(entry.principal, AUDIT_CHARS.principal),
    account: entry.account,
    address: ascii(entry.address, AUDIT_CHARS.address),
    action: ascii(entry.action, AUDIT_CHARS.action),
    target: text(entry.target, AUDIT_CHARS.target),
    outcome: ascii(entry.outcome, AUDIT_CHARS.outcome),
    details: detailsText(entry.details),
    previous_hash: head.hash,
  }
  return { ...content, hash: hashOf(key, content) }
}

export function hashOf(key: KeyObject, record: Omit<AuditRecord, 'hash'>): Buffer {
  const { stream, seq, at_ms, principal, account, address, action, target, outcome, details } = record
  // JSON, because it says where each text ends.
  const content = JSON.stringify([stream, seq, at_ms, principal, account, address, action, target, outcome, details])
  return createHmac('sha256', key).update(record.previous_hash).update(content).digest()
}

function detailsText(details: AuditEntry['details']): string {
  const whole = JSON.stringify(details, (name, value: unknown) => (SECRET_NAME.test(name) ? '(not kept)' : value))
  if (whole.length <= DETAILS_CHARS_MAX) return whole
  const names = Object.keys(details).slice(0, 20)
  return JSON.stringify({ tooLong: whole.length, names: names.map((name) => name.slice(0, 40)) })
}

function text(value: string, chars_max: number): string {
  // Control characters and halves of characters would not come back from a database as they went in.
  const clean = value.toWellFormed().replace(/\p{Cc}/gu, '?')
  return clean.length <= chars_max ? clean : `${clean.slice(0, chars_max - 1).toWellFormed()}…`
}

function ascii(value: string, chars_max: number): string {
  return value.replace(/[^\x20-\x7e]/g, '?').slice(0, chars_max)
}
