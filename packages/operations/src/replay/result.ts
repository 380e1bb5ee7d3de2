// What a replay came to, beside what an independent matcher makes of the same recording; for people and, one figure a line, for
// programs.

import type { Figure } from '../drill/report.ts'

export type ReplayResult = {
  readonly symbol: string
  readonly accounts: number
  readonly operations: number
  readonly placed: number
  readonly cancels: number
  readonly changes: number
  /** Changes sent only to keep places in the queue. */
  readonly repeats: number
  /** Recorded ends and changes that were so already: nothing was sent. */
  readonly agreed: number
  readonly trades: number
  /** Base asset, as a decimal. */
  readonly volume: string
  readonly volume_lots: number
  readonly expected: { readonly trades: number; readonly volume: string; readonly volume_lots: number }
  /** Code → how often, and one message of the platform. */
  readonly rejects: ReadonlyMap<string, { readonly count: number; readonly message: string }>
  readonly unknown: number
  readonly rounded: number
  readonly faults: number
  readonly reconnected: number
  readonly seconds: number
  readonly answer_ms: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Nobody else traded in between. */
  readonly private: boolean
}

/** What a reject means in a replay; for others the platform's own message says it. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  ORDER_NOT_OPEN: 'a cancel or change of an order that had been filled already, as in the recording',
  ORDER_UNKNOWN: 'a cancel or change of an order from before the recording began',
  NOT_FOUND: 'a cancel or change of an order from before the recording began',
  REPLACE_BELOW_FILLED: 'a change to less than had been filled already',
  FUNDS_INSUFFICIENT: 'the account had less than the recording needs; others traded with it',
  PRICE_OUT_OF_RANGE: 'the instrument does not allow this price',
  QUANTITY_OUT_OF_RANGE: 'the instrument does not allow this quantity',
  NOTIONAL_TOO_SMALL: 'the instrument does not allow orders that small',
}

export function matchesExpectation({ trades, volume_lots, expected, unknown }: ReplayResult): boolean {
  return trades === expected.trades && volume_lots === expected.volume_lots && unknown === 0
}

export function renderResult(result: ReplayResult): string {
  const { expected, answer_ms } = result
  const rate = result.seconds === 0 ? 0 : result.operations / result.seconds
  const same = matchesExpectation(result)
  const lines = [
    '',
    `  ${same ? '✔' : result.private ? '✘' : '•'} ${count(result.trades)} trades, volume ${result.volume}` +
      (same
        ? ': the same as an independent price-time matcher'
        : `; an independent price-time matcher gives ${count(expected.trades)} trades, volume ${expected.volume}`),
    `    ${count(result.operations)} operations by ${result.accounts} accounts: ${count(result.placed)} orders, ` +
      `${count(result.cancels)} cancels, ${count(result.changes)} changes`,
  ]
  if (result.repeats > 0) lines.push(`    ${count(result.repeats)} more changes, to keep places in the queue`)
  if (result.agreed > 0)
    lines.push(`    ${count(result.agreed)} recorded ends and changes were so already; nothing was sent`)
  if (result.rounded > 0)
    lines.push(`    ${count(result.rounded)} prices and quantities rounded to the instrument's grid`)
  if (result.faults > 0) lines.push(`    ${count(result.faults)} lines of the file left out: see above`)
  lines.push(
    `    ${result.seconds.toFixed(1)} s, ${count(Math.round(rate))} operations a second; answers after ` +
      `${answer_ms.p50.toFixed(1)} ms (median), ${answer_ms.p99.toFixed(1)} ms (99 %), ${answer_ms.max.toFixed(0)} ms (at most)`,
  )
  const rejects = [...result.rejects].toSorted(([, a], [, b]) => b.count - a.count)
  lines.push('', rejects.length === 0 ? '  nothing was rejected' : '  rejected:')
  for (const [code, { count: times, message }] of rejects) {
    lines.push(`  ${count(times).padStart(9)}  ${code}: ${EXPLANATIONS[code] ?? message}`)
  }
  if (result.unknown > 0)
    lines.push(`  ${count(result.unknown).padStart(9)}  outcomes are unknown: no answer came in time`)
  if (result.reconnected > 0) {
    lines.push(
      '',
      `  connections were lost ${result.reconnected} times: the order between accounts was not kept throughout`,
    )
  }
  if (!same && !result.private)
    lines.push('', '  others trade on this platform too; --private plays to one where nobody does')
  return lines.join('\n')
}

export function replayFigures(result: ReplayResult): readonly Figure[] {
  const figure = (name: string, value: number, unit: string, reference: number | null = null): Figure => ({
    name: `replay.${name}`,
    value,
    unit,
    reference,
  })
  return [
    figure('trades', result.trades, 'count', result.expected.trades),
    figure('volume', result.volume_lots, 'lots', result.expected.volume_lots),
    figure('operations', result.operations, 'count'),
    figure('operations_per_second', result.seconds === 0 ? 0 : result.operations / result.seconds, '1/s'),
    figure('answer_p50', result.answer_ms.p50, 'ms'),
    figure('answer_p99', result.answer_ms.p99, 'ms'),
    figure('unknown', result.unknown, 'count', 0),
    figure('rounded', result.rounded, 'count'),
    figure('faulty_lines', result.faults, 'count', 0),
    ...[...result.rejects].map(([code, { count: times }]) => figure(`rejects.${code}`, times, 'count')),
  ]
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
