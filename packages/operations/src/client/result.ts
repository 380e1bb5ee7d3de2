// What a call of the client library comes to: a value, or a typed error with a code of the error catalogue. Calls never throw for what
// the platform or the network does; they throw only for misuse.

/** Why a call failed. `code` is the catalogue's, or one of {@link CLIENT_CODES} when no answer of the platform says more. */
export type ApiError = {
  readonly code: string
  readonly message: string
  /** HTTP status; 0: there was no answer, or it came over a stream. */
  readonly status: number
  readonly details?: unknown
  /** How long the platform asks to wait before the next attempt. */
  readonly retryAfter_ms?: number
}

/** Where an answer was computed: pass it as `minSeq` to read what one has written. */
export type ComputedAt = { readonly shard: string; readonly seq: string }

export type Result<Value> =
  | { readonly ok: true; readonly value: Value; readonly at?: ComputedAt }
  | { readonly ok: false; readonly error: ApiError }

/** Codes that this library adds to the catalogue. */
export const CLIENT_CODES = {
  /** Nothing was sent, or nothing that was sent can have had an effect. */
  unreachable: 'UNREACHABLE',
  /** It may or may not have happened; sending the same client id again tells. */
  unknown: 'OUTCOME_UNKNOWN',
  /** The answer was not what the API promises. */
  malformedAnswer: 'ANSWER_MALFORMED',
  /** The client's own queue is full: nothing was sent. */
  overloaded: 'CLIENT_OVERLOADED',
  /** The client was closed. */
  closed: 'CLIENT_CLOSED',
} as const

export function failure(code: string, message: string, status = 0): { readonly ok: false; readonly error: ApiError } {
  return { ok: false, error: { code, message, status } }
}

/** For callers to whom an error is the end: tests, tools. */
export function valueOrThrow<Value>(result: Result<Value>, what: string): Value {
  if (result.ok) return result.value
  const { code, message } = result.error
  throw new Error(`${what}: ${code}: ${message}`)
}

/** The error of an answer's body (`{error: {code, message, …}}`), or null when it is none. */
export function errorOfBody(body: unknown, status: number): ApiError | null {
  if (typeof body !== 'object' || body === null || !('error' in body)) return null
  return readError(body.error, status)
}

export function readError(raw: unknown, status: number): ApiError | null {
  if (typeof raw !== 'object' || raw === null) return null
  const { code, message, details, retryAfter_ms } = raw as Record<string, unknown>
  if (typeof code !== 'string') return null
  return {
    code,
    message: typeof message === 'string' ? message : code,
    status,
    ...(details === undefined ? {} : { details }),
    ...(typeof retryAfter_ms === 'number' ? { retryAfter_ms } : {}),
  }
}
