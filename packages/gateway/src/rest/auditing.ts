// What the operator did, in the audit log, before it is answered. Promises that no command of the operator's can be without a record: a route
// that changes something and does not name its action cannot be added. Waits for the log in bounds only: a kill switch does not wait for a
// database that is away; its record is written when that is back.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuditLog } from '../audit/audit-log.ts'
import type { AuditEntry } from '../audit/chain.ts'
import type { Api } from './http.ts'

const WAIT_MS = 2_000
const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

export function addAuditing(api: Api, audit: AuditLog): void {
  api.decorateReply('errorCode', null)

  api.addHook('onRoute', (route) => {
    const { access, audit: action } = route.config ?? {}
    const changes = [route.method].flat().some((method) => !READING.has(method))
    if (access === 'operator' && changes && action === undefined) {
      throw new Error(`${route.url} changes something as the operator: name its action in config.audit`)
    }
  })

  api.addHook('onSend', async (request, reply) => {
    const action = request.routeOptions.config.audit
    if (action === undefined || request.principal?.kind !== 'operator') return
    const late = new Promise<void>((resolve) => setTimeout(resolve, WAIT_MS).unref())
    await Promise.race([audit.record(entryOf(action, request, reply)), late])
  })
}

function entryOf(action: string, request: FastifyRequest, reply: FastifyReply): AuditEntry {
  const details = isObject(request.body) ? request.body : {}
  const { accountId } = details
  return {
    principal: 'operator',
    account: typeof accountId === 'number' && Number.isSafeInteger(accountId) ? accountId : null,
    address: request.ip,
    action: `operator: ${action}`,
    target: targetOf(details),
    outcome: reply.statusCode < 400 ? 'done' : (reply.errorCode ?? `HTTP ${reply.statusCode}`),
    details: { requestId: request.id, ...details },
  }
}

function targetOf(details: Readonly<Record<string, unknown>>): string {
  for (const [field, what] of TARGETS) {
    const value = details[field]
    if (typeof value === 'number' || typeof value === 'string') return `${what} ${value}`
  }
  return 'platform'
}

const TARGETS = [
  ['accountId', 'account'],
  ['symbol', 'instrument'],
  ['shard', 'shard'],
] as const

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value)
}
