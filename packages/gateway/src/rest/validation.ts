// Checks requests against their TypeBox schemas. A schema is compiled when its route is first asked, so that starting costs nothing;
// a fault names the place in the request and what is wrong there.

import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { RequestFault } from '../errors.ts'

const FAULTS_MAX = 20
const MESSAGE_CHARS_MAX = 200

/** What Fastify passes to the error handler when a request does not fit its schema. */
export class RequestInvalid extends Error {
  override readonly name = 'RequestInvalid'
  readonly faults: readonly RequestFault[]

  constructor(faults: readonly RequestFault[]) {
    super('the request is not what the schema asks for')
    this.faults = faults
  }
}

export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  let validator: ReturnType<typeof Compile> | undefined
  return (value: unknown) => {
    validator ??= Compile(schema)
    const converted = httpPart === 'querystring' ? withNumbers(schema, value) : value
    if (validator.Check(converted)) return { value: converted }
    const faults = validator
      .Errors(converted)
      .slice(0, FAULTS_MAX)
      .map((error) => ({
        path: placeOf(httpPart ?? 'body', error.instancePath),
        message: error.message.slice(0, MESSAGE_CHARS_MAX),
      }))
    return { error: new RequestInvalid(faults) }
  }
}

/** A query is text: whole numbers become numbers where the schema wants them. */
function withNumbers(schema: TSchema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { properties } = schema as { readonly properties?: Readonly<Record<string, { readonly type?: string }>> }
  const converted: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(value)) {
    const whole =
      properties?.[name]?.type === 'integer' && typeof text === 'string' && /^-?(0|[1-9][0-9]{0,15})$/.test(text)
    converted[name] = whole ? Number(text) : text
  }
  return converted
}

/** `/orders/0/price` of a body is `orders.0.price`; of a query, `query.limit`. */
function placeOf(part: string, pointer: string): string {
  const path = pointer.split('/').filter((step) => step !== '')
  const place = part === 'body' ? path : [PART_NAMES[part] ?? part, ...path]
  return place.length === 0 ? part : place.join('.')
}

const PART_NAMES: Readonly<Record<string, string>> = { querystring: 'query', params: 'path', headers: 'headers' }
