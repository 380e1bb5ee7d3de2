// The one error catalogue: every code a client can get, its HTTP status and what it means. Codes of the engine's refusals are those of
// `domain/reject-codes.ts`. A code never changes its meaning. Answers carry `{error: {code, message, details?, retryAfter_ms?}}`.

import { REJECT_CODE_NAMES, RejectCode } from '@wintrades/domain'

type Entry = { readonly status: number; readonly meaning: string }

/** What the gateway itself answers. */
const DENIALS = {
  REQUEST_MALFORMED: { status: 400, meaning: 'The request is not what the schema asks for; details say where.' },
  BODY_TOO_LARGE: { status: 413, meaning: 'The body or message is longer than the limit.' },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, meaning: 'Bodies are application/json.' },
  NOT_FOUND: { status: 404, meaning: 'There is nothing at this address, or nothing of yours.' },
  METHOD_NOT_ALLOWED: { status: 405, meaning: 'The address does not know this method.' },
  OPERATION_UNKNOWN: { status: 400, meaning: 'The stream does not know this operation.' },
  CHANNEL_UNKNOWN: { status: 400, meaning: 'The stream does not know this channel.' },
  SUBSCRIPTIONS_TOO_MANY: { status: 429, meaning: 'This connection has as many subscriptions as it may have.' },
  CONNECTIONS_TOO_MANY: { status: 429, meaning: 'This address has as many connections as it may have.' },
  CONSUMER_TOO_SLOW: { status: 503, meaning: 'The connection does not read what it is sent; connect and resume.' },
  SYMBOL_UNKNOWN: { status: 404, meaning: 'There is no such instrument.' },
  ASSET_NOT_LISTED: { status: 404, meaning: 'There is no such asset.' },
  REGION_UNKNOWN: { status: 400, meaning: 'There is no such region.' },
  SHARD_UNKNOWN: { status: 400, meaning: 'There is no such shard.' },
  DECIMAL_INVALID: {
    status: 400,
    meaning: 'A price, quantity or amount is not a decimal of the allowed form, or not on its grid.',
  },
  CURSOR_INVALID: { status: 400, meaning: 'The cursor is not one that was given out.' },
  AUTHENTICATION_REQUIRED: { status: 401, meaning: 'Log in, or sign the request with an API key.' },
  CREDENTIALS_INVALID: { status: 401, meaning: 'E-mail address and password do not match an account.' },
  TOKEN_INVALID: { status: 401, meaning: 'The token is not valid, or no longer.' },
  TOKEN_REUSED: { status: 401, meaning: 'A refresh token was used twice; all sessions of its family are ended.' },
  SIGNATURE_INVALID: { status: 401, meaning: 'The key, its signature or its timestamp do not match the request.' },
  TIMESTAMP_OUTSIDE_WINDOW: {
    status: 401,
    meaning: 'The request was signed too long ago, or with a clock that is wrong.',
  },
  ADDRESS_NOT_ALLOWED: { status: 403, meaning: 'The API key may not be used from this address.' },
  SCOPE_MISSING: { status: 403, meaning: 'The API key does not have the scope that this needs.' },
  OPERATOR_ONLY: { status: 403, meaning: 'Only the operator may do this.' },
  EMAIL_TAKEN: { status: 409, meaning: 'There is an account with this e-mail address.' },
  PASSWORD_TOO_WEAK: { status: 400, meaning: 'The password is too short, too long or too common.' },
  KEYS_TOO_MANY: { status: 409, meaning: 'The account has as many API keys as it may have.' },
  CLIENT_ID_INVALID: { status: 400, meaning: 'Client ids are 1 to 36 characters of A-Z a-z 0-9 - _ . : /' },
  RATE_LIMITED: { status: 429, meaning: 'Too many requests; retryAfter_ms says how long to wait.' },
  OVERLOADED: { status: 503, meaning: 'The shard has too much in flight; nothing was done. Try again.' },
  SHARD_UNAVAILABLE: { status: 503, meaning: 'The shard has no leader at this moment; nothing was done. Try again.' },
  ACCOUNTS_UNAVAILABLE: { status: 503, meaning: 'The accounts cannot be reached; nothing was done. Try again.' },
  REGION_UNAVAILABLE: { status: 503, meaning: 'No healthy region can take the request; nothing was done. Try again.' },
  NOT_CAUGHT_UP: { status: 503, meaning: 'This region has not yet applied the minSeq that was asked for. Try again.' },
  HISTORY_UNAVAILABLE: {
    status: 503,
    meaning: 'What is past cannot be looked up at this moment; trading goes on. Try again.',
  },
  NOT_READY: { status: 503, meaning: 'This process is starting or stopping. Try again.' },
  HAND_OVER_REFUSED: { status: 409, meaning: 'Nobody leads the shard now, or the other region cannot take it.' },
  OUTCOME_UNKNOWN: {
    status: 504,
    meaning:
      'No answer in time: it may or may not have happened. Send the same client id again, or ask for it, to learn the outcome.',
  },
  INTERNAL: { status: 500, meaning: 'A fault of the platform; it is in its log under the request id.' },
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof DENIALS

/** HTTP status of the engine's refusals that are not 422, "understood and refused". */
const REJECT_STATUS: Partial<Record<number, number>> = {
  [RejectCode.order_unknown]: 404,
  [RejectCode.order_of_other_account]: 404,
  [RejectCode.capacity_exhausted]: 503,
}

/** Every code, for the documentation. */
export function errorCatalogue(): readonly {
  readonly code: string
  readonly status: number
  readonly meaning: string
}[] {
  const denials = Object.entries<Entry>(DENIALS).map(([code, entry]) => ({ code, ...entry }))
  const rejects = Object.entries(REJECT_CODE_NAMES).flatMap(([code, name]) =>
    Number(code) === RejectCode.none
      ? []
      : [{ code: name, status: rejectStatus(Number(code) as RejectCode), meaning: 'Refused by the engine.' }],
  )
  return [...denials, ...rejects]
}

export function rejectStatus(code: RejectCode): number {
  return REJECT_STATUS[code] ?? 422
}

/** A place in a request, such as `orders.1.price`, and what is wrong there. The `details` of a malformed request are a list of these. */
export type RequestFault = { readonly path: string; readonly message: string }

export type ErrorBody = {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly details?: unknown
    readonly retryAfter_ms?: number
  }
}

export type ApiFaultOptions = {
  readonly message?: string
  readonly details?: unknown
  readonly retryAfter_ms?: number
  /** For the log; never told. */
  readonly cause?: unknown
}

/** A denial: what a client gets instead of an answer. Thrown (or passed on) anywhere in the gateway. */
export class ApiFault extends Error {
  override readonly name = 'ApiFault'
  readonly code: string
  readonly status: number
  readonly details: unknown
  readonly retryAfter_ms: number | undefined

  constructor(code: ErrorCode, options: ApiFaultOptions = {}) {
    super(options.message ?? DENIALS[code].meaning, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.status = DENIALS[code].status
    this.details = options.details
    this.retryAfter_ms = options.retryAfter_ms
  }

  body(): ErrorBody {
    const { code, message, details, retryAfter_ms } = this
    return {
      error: {
        code,
        message,
        ...(details === undefined ? {} : { details }),
        ...(retryAfter_ms === undefined ? {} : { retryAfter_ms }),
      },
    }
  }
}
