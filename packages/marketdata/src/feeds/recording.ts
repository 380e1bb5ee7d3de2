// A recorded file of any known format, as order flow: which format it is, and its records one at a time. Promises bounded memory and
// that every line that is not as it should be is reported with its number and the reason.

import { basename } from 'node:path'
import { looksLikeBinance, parseBinance } from './binance.ts'
import { BITSTAMP_HEADER, parseBitstamp } from './bitstamp.ts'
import { BME_HEADER, parseBme } from './bme.ts'
import { levelOrders } from './level-orders.ts'
import { type Line, openBytes, readLines } from './lines.ts'
import type { RecordedAction, RecordedFault } from './records.ts'

export type RecordingFormat = 'bme' | 'bitstamp' | 'binance'

export const RECORDING_FORMATS: readonly RecordingFormat[] = ['bme', 'bitstamp', 'binance']

/** What one can tell of a recording without reading all of it. */
export type RecordingHead = {
  readonly format: RecordingFormat
  /** What was traded, as far as the file or its name says. */
  readonly base: string
  readonly quote: string
}

/** The file is of no known format. */
export class RecordingUnknown extends Error {
  override readonly name = 'RecordingUnknown'
}

/** Reads the beginning of a file. Throws `RecordingUnknown`, or what the file system says. */
export async function identifyRecording(path: string): Promise<RecordingHead> {
  const bytes = await openBytes(path)
  try {
    for await (const { text } of readLines(bytes)) return identify(path, text)
  } finally {
    bytes.destroy()
  }
  throw new RecordingUnknown(`${path} is empty`)
}

function identify(path: string, line: string): RecordingHead {
  const name = basename(path)
  if (line === BME_HEADER)
    return { format: 'bme', base: /bme-([A-Z0-9]{1,10})-/.exec(name)?.[1] ?? 'ANA', quote: 'EUR' }
  if (line.replaceAll('"', '') === BITSTAMP_HEADER) {
    const pair = /([A-Z]{3})(USD|EUR|GBP)/.exec(name)
    return { format: 'bitstamp', base: pair?.[1] ?? 'BTC', quote: pair?.[2] ?? 'USD' }
  }
  if (looksLikeBinance(line)) {
    const pair = /([a-z0-9]{2,10}?)(usdt|usdc|btc|eth|eur)(?=[@_])/i.exec(
      /"stream":"[a-z0-9]+@/.exec(line)?.[0].slice(10) ?? name,
    )
    return { format: 'binance', base: pair?.[1]?.toUpperCase() ?? 'BTC', quote: pair?.[2]?.toUpperCase() ?? 'USDT' }
  }
  throw new RecordingUnknown(`${path} begins like none of the known formats (${RECORDING_FORMATS.join(', ')})`)
}

/** The order flow of a file. May be left early. */
export async function* readRecording(
  path: string,
  format: RecordingFormat,
): AsyncGenerator<RecordedAction | RecordedFault> {
  const bytes = await openBytes(path)
  try {
    yield* parse(format, readLines(bytes))
  } finally {
    bytes.destroy()
  }
}

function parse(format: RecordingFormat, lines: AsyncIterable<Line>): AsyncGenerator<RecordedAction | RecordedFault> {
  switch (format) {
    case 'bme':
      return parseBme(lines)
    case 'bitstamp':
      return parseBitstamp(lines)
    case 'binance':
      return levelOrders(parseBinance(lines))
  }
}
