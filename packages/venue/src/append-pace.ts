// How often a leader seals a batch while appends are under way. Where an append waits for a far region, many can be under way and each takes as long as one
// alone: then batches are spread over that time. Where the database itself is what limits, one more under way makes all of them wait longer: then there are
// fewer and larger ones, with rests between them, and acknowledgements come sooner although less often. Which of the two it is shows in how much longer an
// append takes than the shortest of late.

/** A tenth of what clients notice, and enough for batches to be worth an append each. */
const INTERVAL_MS_MIN = 2
/** Between batches of a leader that leaves the database alone for a while. */
const REST_MS_MAX = 20
const SMOOTHING = 8
/** An append that waited for another primary says nothing about how long one takes. */
const APPEND_MS_MAX = 1_000
/** Up to this many times the shortest, appends are not in each other's way: one more a round. */
const FREE = { times: 1.5, ms: 1 } as const
/** From this many times on they are: an eighth less, once in the time of the shortest. In order, a commit waits for the one before and then for itself: twice is no sign. */
const CROWDED = { times: 2, ms: 2 } as const
const LESS = 7 / 8
/** Of the time, at an answer, where one under way all the time is too many: leaders that come back at once crowd it again at once. */
const MORE = 1 / 16
/** Of the time, how much a leader has one under way at least. */
const TARGET_MIN = 1 / 4
/** What is older than two of these is forgotten: another way through the network may take longer for good. */
const SPAN_US = 120_000_000

export class AppendPace {
  readonly #most: number
  readonly #targetMin: number
  readonly #shortest = new Shortest()
  #append_ms = 0
  #target: number
  /** Those under way together tell the same of the server: of a near one often, of a far one once a round trip. */
  #loweredAt_us = Number.NEGATIVE_INFINITY

  /** `most`: how many the journal takes at once; where it is one, that is a file of this machine, which needs no rest. */
  constructor(most: number) {
    this.#most = most
    this.#targetMin = most > 1 ? TARGET_MIN : 1
    this.#target = most
  }

  /** How many are meant to be under way; less than one: for how much of the time. */
  get target(): number {
    return this.#target
  }

  /** From one batch to the next while others are under way, milliseconds. */
  get interval_ms(): number {
    const spread_ms = Math.max(INTERVAL_MS_MIN, this.#append_ms / this.#target)
    return this.#target < 1 ? Math.min(spread_ms, Math.max(REST_MS_MAX, this.#append_ms)) : spread_ms
  }

  /** An append that came through at the first try. True: it was held up by others. */
  answered(took_ms: number, at_us: number): boolean {
    this.#shortest.see(took_ms, at_us)
    const bounded_ms = Math.min(took_ms, APPEND_MS_MAX)
    this.#append_ms += (bounded_ms - this.#append_ms) / (this.#append_ms === 0 ? 1 : SMOOTHING)
    const shortest_ms = this.#shortest.value_ms
    if (took_ms <= shortest_ms * FREE.times + FREE.ms) {
      this.#target = Math.min(this.#most, this.#target + (this.#target < 1 ? MORE : 1 / this.#target))
      return false
    }
    const isCrowded = took_ms > shortest_ms * CROWDED.times + CROWDED.ms
    if (isCrowded && at_us - this.#loweredAt_us >= shortest_ms * 1_000) {
      this.#target = Math.max(this.#targetMin, this.#target * LESS)
      this.#loweredAt_us = at_us
    }
    return isCrowded
  }

  /** An append failed: the next may be on another server, at another distance. */
  forget(): void {
    this.#shortest.forget()
  }
}

class Shortest {
  #before_ms = Number.POSITIVE_INFINITY
  #now_ms = Number.POSITIVE_INFINITY
  #spanEnds_us = 0

  get value_ms(): number {
    return Math.min(this.#before_ms, this.#now_ms)
  }

  see(took_ms: number, at_us: number): void {
    if (at_us >= this.#spanEnds_us) {
      this.#before_ms = this.#now_ms
      this.#now_ms = Number.POSITIVE_INFINITY
      this.#spanEnds_us = at_us + SPAN_US
    }
    if (took_ms < this.#now_ms) this.#now_ms = took_ms
  }

  forget(): void {
    this.#before_ms = Number.POSITIVE_INFINITY
    this.#now_ms = Number.POSITIVE_INFINITY
  }
}
