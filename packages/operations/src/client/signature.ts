// API-key signatures: HMAC-SHA256 over timestamp, method, path with query, and body.

import { createHmac } from 'node:crypto'

export type ApiKey = { readonly keyId: string; readonly secret: string }

/** The text that a request's signature covers. */
export function signedText(timestamp_ms: number, method: string, pathWithQuery: string, body: string): string {
  return `${timestamp_ms}\n${method}\n${pathWithQuery}\n${body}`
}

export function sign(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex')
}

/** The headers that authenticate one request. */
export function signatureHeaders(
  key: ApiKey,
  timestamp_ms: number,
  method: string,
  pathWithQuery: string,
  body: string,
): Record<string, string> {
  return {
    'x-wt-key': key.keyId,
    'x-wt-timestamp': String(timestamp_ms),
    'x-wt-signature': sign(key.secret, signedText(timestamp_ms, method, pathWithQuery, body)),
  }
}
