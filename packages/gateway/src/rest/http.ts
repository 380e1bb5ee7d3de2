// The types of the REST server: Fastify with TypeBox, what each route says about who may call it, and what a request carries.

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { AccountPrincipal, Principal, Scope } from '../auth/principal.ts'

export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Who may call a route. */
export type Access =
  /** Anyone. */
  | 'public'
  /** Anyone, counted as log-ins are. */
  | 'login'
  /** Health and metrics: anyone, not counted. */
  | 'probe'
  /** An account, with the scope that the route names. */
  | 'account'
  /** An account or the operator; the route decides what each may. */
  | 'any'
  | 'operator'

/** How calls of an account are counted: as requests, or by order entry itself, as orders. */
export type Counted = 'requests' | 'orders'

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: Access
    readonly scope?: Scope
    readonly counted?: Counted
    /** What the audit log calls it when the operator does it. */
    readonly audit?: string
  }
  interface FastifyReply {
    /** Of the catalogue, when this is a refusal. */
    errorCode: string | null
  }
  interface FastifyRequest {
    /** Set on every route that is not public. */
    principal: Principal | null
  }
}

export const API_PREFIX = '/api/v1'

/** The account behind a request; access control has made sure that there is one. */
export function accountOf(request: { readonly principal: Principal | null }): AccountPrincipal {
  const { principal } = request
  if (principal?.kind !== 'user') throw new TypeError('a route that needs an account must say so')
  return principal
}
