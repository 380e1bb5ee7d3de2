// A record of the audit log as people and programs get it, and the place of a page as text.

import type { AuditCursor } from './audit-reader.ts'
import type { AuditRecord } from './chain.ts'

export function auditView(record: AuditRecord) {
  const { stream, seq, at_ms, principal, account, address, action, target, outcome } = record
  const hash = Buffer.from(record.hash).toString('hex')
  const details = JSON.parse(record.details) as unknown
  return { at: at_ms, principal, accountId: account, address, action, target, outcome, details, stream, seq, hash }
}

export const AUDIT_CURSOR_PATTERN = '^[0-9]{1,15}:[A-Za-z0-9_-]{1,40}:[0-9]{1,15}$'

export function cursorText({ at_ms, stream, seq }: AuditCursor): string {
  return `${at_ms}:${stream}:${seq}`
}

/** Null: it is not one. */
export function cursorOf(text: string): AuditCursor | null {
  if (!new RegExp(AUDIT_CURSOR_PATTERN).test(text)) return null
  const [at_ms = '', stream = '', seq = ''] = text.split(':')
  return { at_ms: Number(at_ms), stream, seq: Number(seq) }
}
