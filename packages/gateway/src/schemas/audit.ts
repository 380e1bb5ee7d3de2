// Records of the audit log, and what to ask for.

import { LIMITS } from '@wintrades/domain'
import { Type } from 'typebox'
import { AUDIT_CURSOR_PATTERN } from '../audit/audit-view.ts'
import { closed, nullable, PageFilter, Time } from './common.ts'

export const AuditQuery = closed({
  limit: PageFilter.limit,
  cursor: Type.Optional(
    Type.String({
      maxLength: 80,
      description: '`cursor` of the page before.',
      pattern: AUDIT_CURSOR_PATTERN,
    }),
  ),
  accountId: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.accounts_max })),
})

export const AuditRecordView = Type.Object({
  at: Time,
  principal: Type.String({ examples: ['operator', 'user', 'nobody', 'platform'] }),
  accountId: nullable(Type.Integer()),
  address: Type.String({ description: 'The client’s; "-" where there is none.' }),
  action: Type.String({ examples: ['log in', 'make API key', 'operator: kill switch'] }),
  target: Type.String(),
  outcome: Type.String({ description: '"done", or the code that it was refused with.' }),
  details: Type.Unknown(),
  stream: Type.String({ description: 'The chain that the record is in.' }),
  seq: Type.Integer({ description: 'Its number there, from 1 on.' }),
  hash: Type.String({ description: 'Keyed hash over the record and the one before it, in hexadecimal.' }),
})
