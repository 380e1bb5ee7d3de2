// Reads the untyped values of `markets.yml`.

import { formatDecimal, parseDecimal } from './decimal.ts'
import { LIMITS } from './limits.ts'

/** A fault of `markets.yml`: where (`instruments[2].tick_size`), and what to write instead. */
export type MarketsFault = { readonly path: string; readonly message: string }

/** Reads untyped values, and collects faults instead of stopping at the first. */
export class Reader {
  readonly faults: MarketsFault[] = []

  fault(path: string, message: string): void {
    this.faults.push({ path, message })
  }

  object(raw: unknown, path: string, keys: readonly string[]): Record<string, unknown> {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      this.fault(path, `must be a mapping with ${keys.join(', ')}`)
      return {}
    }
    for (const key of Object.keys(raw)) {
      if (!keys.includes(key)) this.fault(`${path}.${key}`, `is not a known key; known are ${keys.join(', ')}`)
    }
    return raw as Record<string, unknown>
  }

  list(raw: unknown, path: string, countMax: number): readonly unknown[] {
    if (!Array.isArray(raw) || raw.length === 0 || raw.length > countMax) {
      this.fault(path, `must be a list of 1 to ${countMax} entries`)
      return []
    }
    return raw
  }

  text(raw: unknown, path: string, pattern: RegExp, meaning: string): string {
    if (typeof raw === 'string' && pattern.test(raw)) return raw
    this.fault(path, `must be ${meaning}`)
    return ''
  }

  integer(raw: unknown, path: string, min: number, max: number): number {
    if (typeof raw === 'number' && Number.isInteger(raw) && raw >= min && raw <= max) return raw
    this.fault(path, `must be a whole number from ${min} to ${max}`)
    return min
  }

  /** A decimal in quotes, as an integer of `10^-scale`. */
  decimal(raw: unknown, path: string, scale: number, max: number = LIMITS.amount_max): number {
    if (typeof raw !== 'string') {
      this.fault(path, 'must be a decimal in quotes, such as "0.01"')
      return 0
    }
    const parsed = parseDecimal(raw, scale)
    if (parsed.ok && parsed.value <= max) return parsed.value
    this.fault(
      path,
      `must be a decimal with at most ${scale} places${max < LIMITS.amount_max ? `, at most ${formatDecimal(max, scale, true)}` : ''}`,
    )
    return 0
  }

  /** A tick or lot size: a positive decimal; its own places are the scale. */
  step(raw: unknown, path: string): { readonly step: number; readonly scale: number } | null {
    const scale = typeof raw === 'string' ? (raw.split('.')[1] ?? '').length : 0
    const step = this.decimal(raw, path, Math.min(scale, 12))
    if (step >= 1) return { step, scale }
    this.fault(path, 'must be greater than zero')
    return null
  }

  unique(values: readonly unknown[], path: string, key: string): void {
    const seen = new Set<unknown>()
    for (const [i, value] of values.entries()) {
      if (value === undefined) continue
      if (seen.has(value)) this.fault(`${path}[${i}]${key === '' ? '' : `.${key}`}`, `${String(value)} is used twice`)
      seen.add(value)
    }
  }
}
