// The audit log, for the operator, in pages from the newest on.

import { readAudit } from '../audit/audit-reader.ts'
import { auditView, cursorOf, cursorText } from '../audit/audit-view.ts'
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
      // The schema has seen to its form.
      const before = cursor === undefined ? null : cursorOf(cursor)
      const page = await readAudit(database, {
        limit,
        ...(before === null ? {} : { before }),
        ...(accountId === undefined ? {} : { account: accountId }),
      })
      return { items: page.items.map(auditView), cursor: page.next === null ? null : cursorText(page.next) }
    },
  )
}
