// The audit log, for the operator, in pages from the newest on.

import { type AuditCursor, readAudit } from '../audit/audit-reader.ts'
import type { AuditRecord } from '../audit/chain.ts'
import type { AccountsDatabase } from '../auth/database.ts'
import * as schemas from '../schemas/audit.ts'
import { PAGE_LIMIT_DEFAULT, pageOf } from '../schemas/common.ts'
import { answers } from './documentation.ts'
import type { Api } from './http.ts'

export function addAuditRoutes(api: Api, database: AccountsDatabase): void {
  api.get(
    '/operator/audit',
    {
      config: { access: 'operator' },
      schema: {
        tags: ['operator'],
        summary: 'Who did what, newest first',
        description:
          'Each record carries the hash that chains it to the one before; `wintrades audit verify` checks all of them.',
        querystring: schemas.AuditQuery,
        response: answers({ 200: pageOf(schemas.AuditRecordView) }),
      },
    },
    async (request) => {
      const { limit = PAGE_LIMIT_DEFAULT, cursor, accountId } = request.query
      const page = await readAudit(database, {
        limit,
        ...(cursor === undefined ? {} : { before: cursorOf(cursor) }),
        ...(accountId === undefined ? {} : { account: accountId }),
      })
      return { items: page.items.map(auditView), cursor: page.next === null ? null : cursorText(page.next) }
    },
  )
}

function cursorText({ at_ms, stream, seq }: AuditCursor): string {
  return `${at_ms}:${stream}:${seq}`
}

/** The schema has seen to its form. */
function cursorOf(text: string): AuditCursor {
  const [at_ms = '', stream = '', seq = ''] = text.split(':')
  return { at_ms: Number(at_ms), stream, seq: Number(seq) }
}

export function auditView(record: AuditRecord) {
  const { stream, seq, at_ms, principal, account, address, action, target, outcome } = record
  const hash = Buffer.from(record.hash).toString('hex')
  const details = JSON.parse(record.details) as unknown
  return { at: at_ms, principal, accountId: account, address, action, target, outcome, details, stream, seq, hash }
}
