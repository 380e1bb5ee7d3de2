// Waits for a condition by looking again and again, up to a deadline.

export class NotInTime extends Error {
  override readonly name = 'NotInTime'
}

export type UntilOptions = { readonly timeout_ms?: number; readonly every_ms?: number }

/**
 * Resolves with the first answer that is not false, null or undefined. An error counts as "not yet"; the last one is told if time runs out.
 */
export async function until<Value>(
  what: string,
  look: () => Value | Promise<Value>,
  { timeout_ms = 30_000, every_ms = 50 }: UntilOptions = {},
): Promise<Exclude<Value, false | null | undefined>> {
  const deadline_ms = performance.now() + timeout_ms
  let cause: unknown
  for (;;) {
    try {
      const value = await look()
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<Value, false | null | undefined>
      }
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() >= deadline_ms) {
      const last = cause instanceof Error ? `: ${cause.message}` : ''
      throw new NotInTime(`not within ${timeout_ms} ms: ${what}${last}`, { cause })
    }
    await new Promise((resolve) => setTimeout(resolve, every_ms))
  }
}
