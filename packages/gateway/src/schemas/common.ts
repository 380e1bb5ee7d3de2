// The shapes that many endpoints share: decimals, ids, pages, errors, and the place in a shard's journal that an answer speaks of.

import { LIMITS } from '@wintrades/domain'
import { PAGE_LIMIT_MAX } from '@wintrades/marketdata'
import { type TProperties, type TSchema, Type } from 'typebox'

export const DECIMAL_FORM = { pattern: '^(0|[1-9][0-9]*)(\\.[0-9]+)?$', maxLength: 40 } as const

/** Numbers of money and quantity are text, so that no client rounds them. */
export const Decimal = Type.String({
  ...DECIMAL_FORM,
  description: 'Decimal without sign or exponent, such as "101.25".',
  examples: ['101.25'],
})

export const SignedDecimal = Type.String({
  pattern: '^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$',
  description: 'Decimal, possibly negative.',
})

export const Time = Type.Integer({ description: 'Milliseconds since 1970-01-01T00:00:00Z.' })

export const SymbolName = Type.String({
  pattern: '^[A-Z0-9]{1,10}-[A-Z0-9]{1,10}$',
  description: 'BASE-QUOTE.',
  examples: ['BTC-USD'],
})

export const AssetCode = Type.String({ pattern: '^[A-Z][A-Z0-9]{0,9}$', examples: ['USD'] })

export const RegionName = Type.String({ pattern: '^[a-z][a-z0-9-]{1,31}$', examples: ['us-east'] })

export const OrderIdText = Type.String({
  pattern: '^[1-9][0-9]{0,15}$',
  description: 'Order id: digits.',
  examples: ['16'],
})

export const ClientId = Type.String({
  minLength: 1,
  maxLength: LIMITS.client_order_id_chars_max,
  pattern: '^[A-Za-z0-9\\-_.:/]+$',
  description: 'The client’s own id: sent again, it returns the original outcome instead of happening twice.',
  examples: ['my-order-1'],
})

export const SideName = Type.Union([Type.Literal('BUY'), Type.Literal('SELL')])

export const MinSeq = Type.String({
  maxLength: 600,
  pattern: '^[a-z][a-z0-9-]{1,31}:[0-9]{1,15}(,[a-z][a-z0-9-]{1,31}:[0-9]{1,15})*$',
  description:
    '`<shard>:<seq>` (or several, with commas), as X-WT-Shard and X-WT-Seq of an earlier answer say: the answer is not older. ' +
    'Waits up to two seconds, then 503 NOT_CAUGHT_UP.',
  examples: ['us-east:1042'],
})

export const ShardFilter = {
  shard: Type.Optional(RegionName),
  /** Another name for it: a shard has the name of its home region. */
  region: Type.Optional(RegionName),
} as const

export const PageFilter = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_LIMIT_MAX, default: 100 })),
  cursor: Type.Optional(
    Type.String({ maxLength: 600, description: '`cursor` of the page before.', pattern: '^[0-9:.,]+$' }),
  ),
} as const

export const PAGE_LIMIT_DEFAULT = 100

/** An object that may have no other properties. */
export function closed<Properties extends TProperties>(properties: Properties, description?: string) {
  return Type.Object(properties, { additionalProperties: false, ...(description === undefined ? {} : { description }) })
}

export function listOf<Item extends TSchema>(item: Item) {
  return Type.Object({ items: Type.Array(item) })
}

/** `cursor` is null on the last page. */
export function pageOf<Item extends TSchema>(item: Item) {
  return Type.Object({ items: Type.Array(item), cursor: Type.Union([Type.String(), Type.Null()]) })
}

export function nullable<Schema extends TSchema>(schema: Schema) {
  return Type.Union([schema, Type.Null()])
}

export const ErrorAnswer = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'A code of the error catalogue.', examples: ['FUNDS_INSUFFICIENT'] }),
      message: Type.String(),
      details: Type.Optional(
        Type.Unknown({
          description: 'More about it; of REQUEST_MALFORMED and DECIMAL_INVALID a list of {path, message}.',
        }),
      ),
      retryAfter_ms: Type.Optional(Type.Integer({ minimum: 0 })),
    }),
  },
  { description: 'Every answer that is not a success. Codes: see the error catalogue in docs/api.md.' },
)
