// Order flow of the Spanish exchange (BME) as CSV: `ordtype;uid;is_buy;qty;price;timestamp`, with new orders, cancels and
// modifications. A modification names the quantity that is open from then on.

import type { Line } from './lines.ts'
import { fault, isPositive, type RecordedAction, type RecordedFault } from './records.ts'

export const BME_HEADER = 'ordtype;uid;is_buy;qty;price;timestamp'

const ID = /^[0-9]{1,18}$/
const TIME = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/
const FIELDS = 6

export async function* parseBme(lines: AsyncIterable<Line>): AsyncGenerator<RecordedAction | RecordedFault> {
  for await (const { number, text } of lines) {
    if (number === 1 && text === BME_HEADER) continue
    if (text === '') continue
    const parsed = parseLine(number, text)
    yield typeof parsed === 'string' ? fault(number, parsed, text) : parsed
  }
}

/** The record, or why there is none. */
function parseLine(line: number, text: string): RecordedAction | string {
  const fields = text.split(';')
  if (fields.length !== FIELDS) return `has ${fields.length} fields instead of ${FIELDS}`
  const [type = '', id = '', isBuy = '', quantity, price, timestamp = ''] = fields
  if (!ID.test(id)) return `uid ${JSON.stringify(id)} is not a number`
  const time_us = parseTime(timestamp)
  if (time_us === null) return `timestamp ${JSON.stringify(timestamp)} is not of the form 2019-05-23 09:00:30.216`
  const at = { line, time_us }
  if (type === 'cancel') return { ...at, kind: 'cancel', id, filled: false }
  if (!isPositive(quantity)) return `qty ${JSON.stringify(quantity)} is not a number greater than zero`
  if (type === 'modif') return { ...at, kind: 'change', id, quantity }
  if (type !== 'new') return `ordtype ${JSON.stringify(type)} is not new, cancel or modif`
  if (isBuy !== 'True' && isBuy !== 'False') return `is_buy ${JSON.stringify(isBuy)} is not True or False`
  if (!isPositive(price)) return `price ${JSON.stringify(price)} is not a number greater than zero`
  return { ...at, kind: 'new', id, side: isBuy === 'True' ? 'BUY' : 'SELL', price, quantity }
}

function parseTime(text: string): number | null {
  const match = TIME.exec(text)
  if (match === null) return null
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  const micros = Number((match[7] ?? '').padEnd(6, '0'))
  // Impossible dates would roll over into others.
  const same = new Date(ms).toISOString().startsWith(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}`)
  return same ? ms * 1_000 + micros : null
}
