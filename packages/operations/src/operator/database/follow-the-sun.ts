// In which region the primary should be by the clock, and whether it is the time to move it. Pure; the moving is an ordinary planned promotion.

export type SunTime = {
  /** Of the day in UTC. */
  readonly minute: number
  readonly region: string
}

const DAY_MINUTES = 1_440
/** Later than this the move is not made up for: what keeps it from happening is for a person. */
export const WINDOW_MINUTES = 30

/** `08:30` → 510. */
export function readTime(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number)
  return hours * 60 + minutes
}

/** The region that the primary should move to now; null: no time has come. */
export function regionOfTheSun(times: readonly SunTime[], now: Date): string | null {
  const minute = now.getUTCHours() * 60 + now.getUTCMinutes()
  const since = (time: SunTime) => (minute - time.minute + DAY_MINUTES) % DAY_MINUTES
  const [latest] = [...times].sort((a, b) => since(a) - since(b))
  return latest !== undefined && since(latest) < WINDOW_MINUTES ? latest.region : null
}
