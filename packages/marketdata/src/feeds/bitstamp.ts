// Order events of Bitstamp as CSV: `id,timestamp,exchange.timestamp,price,volume,action,direction`, times in milliseconds, volume in
// 10^-8 of the base asset. Orders are created, changed (by trades) and deleted (filled: volume 0, or cancelled: what was left).

import { formatDecimal } from '@wintrades/domain'
import type { Line } from './lines.ts'
import { fault, isPositive, type RecordedAction, type RecordedFault } from './records.ts'

export const BITSTAMP_HEADER = 'id,timestamp,exchange.timestamp,price,volume,action,direction'

const WHOLE = /^[0-9]{1,16}$/
const FIELDS = 7
const VOLUME_SCALE = 8

/**
 * Order flow only: a change is what trading did to an order, and whoever replays the orders trades anew. It is checked like every
 * other line, and left out.
 */
export async function* parseBitstamp(lines: AsyncIterable<Line>): AsyncGenerator<RecordedAction | RecordedFault> {
  for await (const { number, text } of lines) {
    if (number === 1 && text.replaceAll('"', '') === BITSTAMP_HEADER) continue
    if (text === '') continue
    const parsed = parseLine(number, text)
    if (parsed === null) continue
    yield typeof parsed === 'string' ? fault(number, parsed, text) : parsed
  }
}

/** The record, null for a change, or why there is none. */
function parseLine(line: number, text: string): RecordedAction | string | null {
  const fields = text.replaceAll('"', '').split(',')
  if (fields.length !== FIELDS) return `has ${fields.length} fields instead of ${FIELDS}`
  const [id = '', time = '', exchangeTime = '', price, volume = '', action, direction] = fields
  if (!WHOLE.test(id)) return `id ${JSON.stringify(id)} is not a number`
  if (!WHOLE.test(time) || !WHOLE.test(exchangeTime)) return 'timestamps are not milliseconds'
  if (!isPositive(price)) return `price ${JSON.stringify(price)} is not a number greater than zero`
  if (!WHOLE.test(volume)) return `volume ${JSON.stringify(volume)} is not a whole number`
  if (direction !== 'bid' && direction !== 'ask') return `direction ${JSON.stringify(direction)} is not bid or ask`
  const at = { line, time_us: Number(time) * 1_000 }
  switch (action) {
    case 'created': {
      if (Number(volume) === 0) return 'an order is created with nothing in it'
      const quantity = formatDecimal(Number(volume), VOLUME_SCALE, true)
      return { ...at, kind: 'new', id, side: direction === 'bid' ? 'BUY' : 'SELL', price, quantity }
    }
    case 'deleted':
      return { ...at, kind: 'cancel', id, filled: Number(volume) === 0 }
    case 'changed':
      return null
    default:
      return `action ${JSON.stringify(action)} is not created, changed or deleted`
  }
}
