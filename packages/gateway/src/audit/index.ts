// The audit log for programs beside the gateway: opened to read, paged through, verified. `@wintrades/gateway/audit`.

export { openAccountsToRead } from '../auth/open-accounts.ts'
export { type AuditPage, type AuditReport, readAudit, verifyAudit } from './audit-reader.ts'
export { auditView, cursorOf, cursorText } from './audit-view.ts'
export { auditKey } from './chain.ts'
