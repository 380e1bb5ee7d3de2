// How a read of history can fail, as answers of the catalogue.

import { HistoryNotCaughtUp, HistoryUnavailable } from '@wintrades/marketdata'
import { ApiFault } from '../errors.ts'

const RETRY_AFTER_MS = 500

/** History does not have it yet, or cannot be asked: neither says that there is nothing. */
export function isHistoryLate(error: unknown): boolean {
  return error instanceof HistoryNotCaughtUp || error instanceof HistoryUnavailable
}

/** null: it is no fault of a read of history. */
export function historyFault(error: unknown): ApiFault | null {
  if (error instanceof HistoryNotCaughtUp) return new ApiFault('NOT_CAUGHT_UP', { retryAfter_ms: RETRY_AFTER_MS })
  if (error instanceof HistoryUnavailable) return new ApiFault('HISTORY_UNAVAILABLE', { retryAfter_ms: RETRY_AFTER_MS })
  return null
}
