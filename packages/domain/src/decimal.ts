// Exact conversion between decimal strings (`"101.25"`) and scaled integers. Never through a float.

/** Why a decimal string was refused. */
export type DecimalFault = 'malformed' | 'too_precise' | 'out_of_range'

export type DecimalResult =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly fault: DecimalFault }

const PATTERN = /^(?:0|[1-9][0-9]*)(?:\.([0-9]+))?$/
const CHARS_MAX = 40

/**
 * Parses a non-negative decimal string into an integer count of `10^-scale`.
 * `"1.5"` at scale 2 is 150; `"1.555"` at scale 2 is too precise; trailing zeros beyond the scale are allowed.
 */
export function parseDecimal(text: string, scale: number): DecimalResult {
  if (text.length === 0 || text.length > CHARS_MAX) return { ok: false, fault: 'malformed' }
  const match = PATTERN.exec(text)
  if (match === null) return { ok: false, fault: 'malformed' }
  const fraction = match[1] ?? ''
  const whole = fraction === '' ? text : text.slice(0, text.length - fraction.length - 1)
  let kept = fraction
  if (fraction.length > scale) {
    for (let i = scale; i < fraction.length; i++) {
      if (fraction.charCodeAt(i) !== 48) return { ok: false, fault: 'too_precise' }
    }
    kept = fraction.slice(0, scale)
  }
  const digits = whole + kept.padEnd(scale, '0')
  if (digits.length > 24) return { ok: false, fault: 'out_of_range' }
  // Up to 15 digits are exact as a number; longer ones are settled with a BigInt.
  const value = digits.length <= 15 ? Number(digits) : Number(BigInt(digits))
  if (digits.length > 15 && BigInt(digits) > BigInt(Number.MAX_SAFE_INTEGER))
    return { ok: false, fault: 'out_of_range' }
  return { ok: true, value }
}

/**
 * Formats an integer count of `10^-scale`. With `trim`, trailing zeros of the fraction go: 150 at scale 2 is `"1.5"`.
 */
export function formatDecimal(value: number, scale: number, trim = false): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a safe integer: ${value}`)
  if (scale === 0) return String(value)
  const negative = value < 0
  const digits = String(negative ? -value : value).padStart(scale + 1, '0')
  let fraction = digits.slice(digits.length - scale)
  if (trim) {
    let end = fraction.length
    while (end > 0 && fraction.charCodeAt(end - 1) === 48) end--
    fraction = fraction.slice(0, end)
  }
  const whole = digits.slice(0, digits.length - scale)
  return (negative ? '-' : '') + (fraction === '' ? whole : `${whole}.${fraction}`)
}
