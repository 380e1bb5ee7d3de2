// Percentiles of measured values.

/** The value below which `share` of the sorted values lie. */
export function percentile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return 0
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number
}

export function median(values: readonly number[]): number {
  return percentile(Float64Array.from(values).sort(), 0.5)
}
