// Registration, log-in, renewal, log-out, and API keys.

import type { FastifyRequest } from 'fastify'
import type { Auth } from '../auth/auth.ts'
import type { AccountPrincipal } from '../auth/principal.ts'
import { ApiFault } from '../errors.ts'
import * as schemas from '../schemas/accounts.ts'
import { listOf } from '../schemas/common.ts'
import type { AccountOpening } from './account-opening.ts'
import { answers, noContent } from './documentation.ts'
import { type Api, accountOf } from './http.ts'

export type AuthRouteParts = {
  readonly auth: Pick<Auth, 'accounts' | 'sessions' | 'apiKeys'>
  readonly opening: AccountOpening
}

const tags = ['accounts']

export function addAuthRoutes(api: Api, { auth, opening }: AuthRouteParts): void {
  const { accounts, sessions, apiKeys } = auth

  api.post(
    '/auth/register',
    {
      config: { access: 'login' },
      schema: {
        tags,
        summary: 'Open an account; in paper mode it gets demo funds',
        body: schemas.Credentials,
        response: answers({ 201: schemas.Registered }),
      },
    },
    async (request, reply) => {
      const { email, password } = request.body
      const account = await accounts.register(email, password, request.ip)
      await opening.open(account.accountId)
      return reply.code(201).send(account)
    },
  )

  api.post(
    '/auth/login',
    {
      config: { access: 'login' },
      schema: {
        tags,
        summary: 'Open a session',
        body: schemas.Credentials,
        response: answers({ 200: schemas.SessionView }),
      },
    },
    async (request) => {
      const { email, password } = request.body
      const account = await accounts.verify(email, password, request.ip)
      await opening.finish(account.accountId)
      return await sessions.open(account, request.ip)
    },
  )

  api.post(
    '/auth/refresh',
    {
      config: { access: 'login' },
      schema: {
        tags,
        summary: 'Exchange a refresh token for new tokens',
        body: schemas.RefreshRequest,
        response: answers({ 200: schemas.SessionView }),
      },
    },
    async (request) => await sessions.refresh(request.body.refreshToken, request.ip),
  )

  api.post(
    '/auth/logout',
    {
      config: { access: 'public' },
      schema: {
        tags,
        summary: 'End a session',
        body: schemas.RefreshRequest,
        response: answers({ 204: noContent }),
      },
    },
    async (request, reply) => {
      await sessions.close(request.body.refreshToken, request.ip)
      return reply.code(204).send()
    },
  )

  api.post(
    '/keys',
    {
      config: { access: 'account' },
      schema: {
        tags,
        summary: 'Make an API key; its secret is shown this once',
        body: schemas.KeyRequest,
        response: answers({ 201: schemas.KeyCreated }),
      },
    },
    async (request, reply) => {
      const { account } = loggedIn(request)
      return reply.code(201).send(await apiKeys.create(account, request.body, request.ip))
    },
  )

  api.get(
    '/keys',
    {
      config: { access: 'account' },
      schema: { tags, summary: 'The account’s API keys', response: answers({ 200: listOf(schemas.KeyView) }) },
    },
    async (request) => ({ items: await apiKeys.list(accountOf(request).account) }),
  )

  api.delete(
    '/keys/:keyId',
    {
      config: { access: 'account' },
      schema: {
        tags,
        summary: 'Delete an API key; it is refused everywhere within five seconds',
        params: schemas.KeyPath,
        response: answers({ 204: noContent }),
      },
    },
    async (request, reply) => {
      await apiKeys.delete(loggedIn(request).account, request.params.keyId, request.ip)
      return reply.code(204).send()
    },
  )
}

/** An API key could otherwise make itself another one with the scopes it lacks. */
function loggedIn(request: FastifyRequest): AccountPrincipal {
  const principal = accountOf(request)
  if (principal.apiKey === 0) return principal
  throw new ApiFault('SCOPE_MISSING', {
    message: 'API keys are made and deleted by a logged-in user, not by an API key.',
  })
}
