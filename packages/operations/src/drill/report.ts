// Prints the verdict on a history: for people a table with ticks and the first offending items, for programs one object per
// figure, one a line. Returns text; who prints it decides where.

import { CHECKS, type Check, type Verdict } from './checker.ts'

/** A measured number, as every bench and drill prints it with `--json`. `reference` is what it is held against; null: nothing. */
export type Figure = {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly reference: number | null
}

/** What a drill hands back to whoever ran it. */
export type DrillResult = {
  readonly passed: boolean
  readonly verdict: Verdict
  readonly figures: readonly Figure[]
  /** Promises of the drill itself, beyond those of the history: a limit of time, a process that came back. */
  readonly conditions: readonly { readonly text: string; readonly passed: boolean }[]
  readonly timeline: readonly { readonly at_ms: number; readonly text: string }[]
}

export function renderVerdict(verdict: Verdict): string {
  const { counts } = verdict
  const lines = verdict.checks.flatMap(renderCheck)
  lines.push(
    '',
    `  ${counts.sendings} commands sent: ${counts.acknowledged} acknowledged (${counts.duplicates} by the original answer), ` +
      `${counts.rejected} rejected, ${counts.denied} denied, ${counts.unknown} unknown`,
    `  ${counts.batches} batches replayed: ${counts.commands} commands, ${counts.trades} trades; ` +
      `${counts.shardsWhole} of ${verdict.silence.byShard.size} shards from their first batch`,
  )
  return lines.join('\n')
}

function renderCheck(check: Check): string[] {
  const tick = check.passed ? '✔' : '✘'
  const lines = [
    `  ${tick} ${CHECKS[check.name]}${check.examined > 0 ? ` (${check.examined})` : ' (nothing to examine)'}`,
  ]
  for (const item of check.evidence) lines.push(`      ${item}`)
  const more = check.offences - check.evidence.length
  if (more > 0) lines.push(`      and ${more} more`)
  return lines
}

export function renderConditions(conditions: DrillResult['conditions']): string {
  return conditions.map((one) => `  ${one.passed ? '✔' : '✘'} ${one.text}`).join('\n')
}

/** One JSON object a line. */
export function renderFigures(figures: readonly Figure[]): string {
  return figures.map((figure) => JSON.stringify(figure)).join('\n')
}

/** The verdict as figures: how many offences each check found. */
export function checkFigures(prefix: string, verdict: Verdict): Figure[] {
  return verdict.checks.map((check) => ({
    name: `${prefix}.${check.name}.offences`,
    value: check.offences,
    unit: 'count',
    reference: 0,
  }))
}
