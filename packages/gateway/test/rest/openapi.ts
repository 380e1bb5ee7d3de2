// Reads the OpenAPI document: its operations, and for each what it takes, answers and who may call it.

export type Parameter = {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: Schema
}

export type Schema = Readonly<Record<string, unknown>>

export type Operation = {
  readonly method: string
  readonly path: string
  readonly parameters: readonly Parameter[]
  readonly body: Schema | null
  /** Names of the security schemes of which one is needed; empty: public. */
  readonly security: readonly string[]
  /** By status. */
  readonly answers: Readonly<Record<string, Schema | undefined>>
}

type Content = { readonly content?: { readonly 'application/json'?: { readonly schema?: Schema } } }

type Document = {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly parameters?: readonly Parameter[]
            readonly requestBody?: Content
            readonly security?: readonly Readonly<Record<string, unknown>>[]
            readonly responses?: Readonly<Record<string, Content>>
          }
        >
      >
    >
  >
}

export function operationsOf(document: unknown): readonly Operation[] {
  const { paths } = document as Document
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, security = [], responses = {} }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: schemaOf(requestBody),
      security: security.flatMap((one) => Object.keys(one)),
      answers: Object.fromEntries(
        Object.entries(responses).map(([status, answer]) => [status, schemaOf(answer) ?? undefined]),
      ),
    })),
  )
}

function schemaOf(content: Content | undefined): Schema | null {
  return content?.content?.['application/json']?.schema ?? null
}
