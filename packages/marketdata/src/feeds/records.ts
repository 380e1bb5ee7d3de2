// What recorded order flow consists of, whatever the format of its file. Decimals stay the strings they were; ids are the recording's.

export type RecordedSide = 'BUY' | 'SELL'

type At = {
  /** Line of the file, from 1. */
  readonly line: number
  /** As the exchange recorded it, microseconds since 1970 (where the file has no zone: taken as UTC). */
  readonly time_us: number
}

export type RecordedOrder = At & {
  readonly kind: 'new'
  readonly id: string
  readonly side: RecordedSide
  readonly price: string
  readonly quantity: string
}

/** `quantity`: what is open from now on. */
export type RecordedChange = At & { readonly kind: 'change'; readonly id: string; readonly quantity: string }

/** `filled`: the recording says that it ended by trading, so there may be nothing left to cancel. */
export type RecordedCancel = At & { readonly kind: 'cancel'; readonly id: string; readonly filled: boolean }

/** An order that trades at once, down or up to `price`, or not at all. */
export type RecordedTake = At & {
  readonly kind: 'take'
  readonly side: RecordedSide
  readonly price: string
  readonly quantity: string
}

/** Order flow: what participants did. */
export type RecordedAction = RecordedOrder | RecordedChange | RecordedCancel | RecordedTake

export type RecordedLevel = readonly [price: string, quantity: string]

/** Price levels as they are from now on; quantity 0: the level is gone. A snapshot replaces the whole book. */
export type RecordedDepth = At & {
  readonly kind: 'depth'
  readonly snapshot: boolean
  /** Updates that this one stands for, first and last; the same number for a snapshot. */
  readonly firstUpdate: number
  readonly lastUpdate: number
  readonly bids: readonly RecordedLevel[]
  readonly asks: readonly RecordedLevel[]
}

/** `side`: the one that took. */
export type RecordedTrade = At & {
  readonly kind: 'trade'
  readonly tradeId: string
  readonly side: RecordedSide
  readonly price: string
  readonly quantity: string
}

/** Market data: what the exchange said came of it. */
export type RecordedMarket = RecordedDepth | RecordedTrade

/** A line that is not what its format promises. The rest of the file goes on. */
export type RecordedFault = {
  readonly kind: 'fault'
  readonly line: number
  readonly reason: string
  /** The line's beginning. */
  readonly text: string
}

const TEXT_CHARS_SHOWN = 120

export function fault(line: number, reason: string, text: string): RecordedFault {
  return {
    kind: 'fault',
    line,
    reason,
    text: text.length > TEXT_CHARS_SHOWN ? `${text.slice(0, TEXT_CHARS_SHOWN)}…` : text,
  }
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,12})?$/

/** A non-negative decimal such as `95.8`. */
export function isDecimal(text: string | undefined): text is string {
  return text !== undefined && DECIMAL.test(text)
}

export function isPositive(text: string | undefined): text is string {
  return isDecimal(text) && /[1-9]/.test(text)
}
