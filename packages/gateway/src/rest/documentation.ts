// The API's own description: OpenAPI 3.1 at /openapi.json, a page to read it at /docs. Both come from the routes' schemas; the page and
// all it needs are served from here, and loaded when somebody first asks.

import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { ApiFault } from '../errors.ts'
import { ErrorAnswer } from '../schemas/common.ts'
import { sendFault } from './error-handler.ts'
import type { Access, Api } from './http.ts'

/** An answer without a body. */
export const noContent = Type.Null({ description: 'Done.' })

/** The answers of a route, for its description: its successes, and what every route can refuse with. */
export function answers(successes: Readonly<Record<number, TSchema>>): Readonly<Record<string, unknown>> {
  return { ...successes, '4xx': ErrorAnswer, '5xx': ErrorAnswer }
}

const SECURITY: Readonly<Record<Access, readonly Record<string, string[]>[]>> = {
  public: [],
  login: [],
  probe: [],
  account: [{ bearer: [] }, { apiKey: [], apiTimestamp: [], apiSignature: [] }],
  any: [{ bearer: [] }, { apiKey: [], apiTimestamp: [], apiSignature: [] }, { operator: [] }],
  operator: [{ operator: [] }],
}

const header = (name: string, description: string) => ({ type: 'apiKey', in: 'header', name, description }) as const

export async function addDocumentation(api: Api, version: string): Promise<void> {
  await api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'WinTrades',
        version,
        description:
          'Trading over REST; streams are at /ws. Decimals are strings. An order that carries a clientOrderId can be sent again, ' +
          'anywhere, until its outcome is known. Every error has a code of the catalogue in docs/api.md.',
      },
      tags: [
        { name: 'accounts', description: 'Registration, sessions, API keys' },
        { name: 'orders', description: 'Orders and own trades' },
        { name: 'funds', description: 'Balances, positions, transfers' },
        { name: 'market', description: 'Public market data' },
        { name: 'operation', description: 'Health, metrics, hand-over' },
      ],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          apiKey: header('X-WT-Key', 'Id of an API key.'),
          apiTimestamp: header('X-WT-Timestamp', 'Milliseconds since 1970.'),
          apiSignature: header(
            'X-WT-Signature',
            'Hex HMAC-SHA256 with the key’s secret over `timestamp\\nMETHOD\\npath with query\\nbody`.',
          ),
          operator: header('X-API-Key', 'The operator’s key.'),
        },
      },
    },
  })
  // Routes say who may call them once, in their access; the description follows.
  api.addHook('onRoute', (route) => {
    const access = route.config?.access
    if (access === undefined || route.schema === undefined) return
    route.schema.security = [...SECURITY[access]]
  })
}

export function addDocumentationRoutes(api: Api): void {
  let text: string | undefined
  const config = { access: 'public' } as const
  const schema = { hide: true }
  api.get('/openapi.json', { config, schema }, (_request, reply) => {
    text ??= JSON.stringify(api.swagger())
    reply.type('application/json; charset=utf-8').send(text)
  })

  let page: Promise<FastifyInstance> | undefined
  const show = async (request: FastifyRequest, reply: FastifyReply) => {
    page ??= openPage(api.swagger())
    const { routing } = await page
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '')
    reply.hijack()
    routing(request.raw, reply.raw)
  }
  api.get('/docs', { config, schema }, show)
  api.get('/docs/*', { config, schema }, show)
  api.addHook('onClose', async () => {
    await (await page)?.close()
  })
}

/** The page is a small server of its own, because Fastify takes no routes once it listens, and most processes never show it. */
async function openPage(document: object): Promise<FastifyInstance> {
  const { default: swaggerUi } = await import('@fastify/swagger-ui')
  const page = Fastify()
  page.setNotFoundHandler((_request, reply) => sendFault(reply, new ApiFault('NOT_FOUND')))
  await page.register(swagger, { mode: 'static', specification: { document: document as never } })
  await page.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'",
    uiConfig: { docExpansion: 'none', tryItOutEnabled: false },
    theme: { title: 'WinTrades API' },
  })
  await page.ready()
  return page
}
