// Who is asking, and what they may do.

import type { AccountId } from '@wintrades/domain'

export const SCOPES = ['read', 'trade', 'transfer'] as const
export type Scope = (typeof SCOPES)[number]

export type Principal =
  | {
      readonly kind: 'user'
      readonly userId: string
      readonly account: AccountId
      /** A logged-in user has all of them. */
      readonly scopes: ReadonlySet<Scope>
      /** 0; of an API key its number, which risk rules may refer to. */
      readonly apiKey: number
      /** What rate limits count by besides account and address. */
      readonly limitKey: string
    }
  /** Bears the platform's own API_KEY. */
  | { readonly kind: 'operator' }

/** A principal that has an account. */
export type AccountPrincipal = Extract<Principal, { kind: 'user' }>

/** Where there is no network address to record. */
export const NO_ADDRESS = '-'
