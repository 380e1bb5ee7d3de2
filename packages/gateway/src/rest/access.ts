// Who may call what: authenticates each request that is not public over its very bytes, before its body is parsed, and counts it
// against the limits. Promises that nothing of a body is looked at before its sender is known.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Authenticator, requireOperator, requireScope } from '../auth/authenticator.ts'
import type { Principal } from '../auth/principal.ts'
import { ApiFault } from '../errors.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { Api } from './http.ts'

export type AccessParts = { readonly authenticator: Authenticator; readonly limits: RateLimits }

const NO_BYTES = Buffer.alloc(0)

export function addAccessControl(api: Api, { authenticator, limits }: AccessParts): void {
  api.decorateRequest('principal', null)
  api.removeAllContentTypeParsers()
  // The bytes as they came: signatures are over them. They become JSON when the sender is known.
  api.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  api.addHook('onRequest', (request, _reply, done) => {
    const { access } = request.routeOptions.config
    if (access === 'probe') return done()
    const wait_ms = limits.address(request.ip) || (access === 'login' ? limits.logins(request.ip) : 0)
    done(wait_ms === 0 ? undefined : rateLimited(wait_ms))
  })

  api.addHook('preValidation', async (request: FastifyRequest, _reply: FastifyReply) => {
    const { access, scope = 'read', counted = 'requests' } = request.routeOptions.config
    const bytes = Buffer.isBuffer(request.body) ? request.body : NO_BYTES
    if (access === 'account' || access === 'any' || access === 'operator') {
      const principal = await authenticator.request(credentialsOf(request, bytes))
      if (access === 'operator') requireOperator(principal)
      else if (access === 'account' || principal.kind === 'user') requireScope(principal, scope)
      count(limits, principal, counted)
      request.principal = principal
    }
    request.body = parse(bytes)
  })
}

function credentialsOf({ headers, method, raw, ip }: FastifyRequest, rawBody: Uint8Array) {
  return {
    authorization: headers.authorization,
    xWtKey: only(headers['x-wt-key']),
    xWtTimestamp: only(headers['x-wt-timestamp']),
    xWtSignature: only(headers['x-wt-signature']),
    xApiKey: only(headers['x-api-key']),
    method,
    pathWithQuery: raw.url ?? '/',
    rawBody,
    address: ip,
  }
}

/** Sent twice, Node joins them with a comma, which is no valid credential. */
function only(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header
}

function count(limits: RateLimits, principal: Principal, counted: 'requests' | 'orders'): void {
  if (principal.kind !== 'user' || counted === 'orders') return
  const wait_ms = limits.requests(principal.limitKey)
  if (wait_ms > 0) throw rateLimited(wait_ms)
}

export function rateLimited(wait_ms: number): ApiFault {
  return new ApiFault('RATE_LIMITED', { retryAfter_ms: Math.ceil(wait_ms) })
}

function parse(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch {
    throw new ApiFault('REQUEST_MALFORMED', { details: [{ path: 'body', message: 'must be JSON' }] })
  }
}
