// How many failures are recorded one by one. Anybody can fail to log in as often as they like, and must not fill the disk with it: the first of
// a kind from an address is recorded, the rest is counted and recorded as a number a minute later.

import { assert } from '@wintrades/domain'

export type FailureKind = { readonly action: string; readonly outcome: string; readonly address: string }
/** `address`: null when many were counted together. */
export type FailureCount = {
  readonly action: string
  readonly outcome: string
  readonly address: string | null
  readonly count: number
}

const WINDOW_MS = 60_000
const KINDS_MAX = 1_000
/** Records at once, and how long each takes to come back: 17,280 a day, some megabytes. */
const RECORDS_MAX = 100
const RECORD_MS = 5_000

type Window = { readonly kind: FailureKind; readonly since_ms: number; more: number }

export class FailureBudget {
  readonly #now_ms: () => number
  readonly #windows = new Map<string, Window>()
  readonly #others = new Map<string, FailureCount>()
  #records = RECORDS_MAX
  #refilled_ms: number

  constructor(now_ms: () => number) {
    this.#now_ms = now_ms
    this.#refilled_ms = now_ms()
  }

  /** Whether this one gets a record of its own; otherwise it is counted. */
  admit(kind: FailureKind): boolean {
    const name = JSON.stringify([kind.action, kind.outcome, kind.address])
    const window = this.#windows.get(name)
    if (window !== undefined) {
      window.more += 1
      return false
    }
    if (this.#windows.size >= KINDS_MAX || !this.#take()) {
      this.#countOther(kind, 1)
      return false
    }
    this.#windows.set(name, { kind, since_ms: this.#now_ms(), more: 0 })
    return true
  }

  /** What was counted since, to be recorded: at most as many as the budget allows, and one for each kind of all the rest. */
  sweep(): readonly FailureCount[] {
    const counts: FailureCount[] = []
    for (const [name, { kind, since_ms, more }] of this.#windows) {
      if (this.#now_ms() - since_ms < WINDOW_MS) continue
      this.#windows.delete(name)
      if (more === 0) continue
      if (this.#take()) counts.push({ ...kind, count: more })
      else this.#countOther(kind, more)
    }
    counts.push(...this.#others.values())
    this.#others.clear()
    return counts
  }

  #countOther({ action, outcome }: FailureKind, count: number): void {
    const name = JSON.stringify([action, outcome])
    const known = this.#others.get(name)?.count ?? 0
    this.#others.set(name, { action, outcome, address: null, count: known + count })
    // Actions and outcomes are names of the code, so there are few.
    assert(this.#others.size <= KINDS_MAX, 'failures have few kinds')
  }

  #take(): boolean {
    const now_ms = this.#now_ms()
    const come = Math.floor((now_ms - this.#refilled_ms) / RECORD_MS)
    if (come > 0) {
      this.#records = Math.min(RECORDS_MAX, this.#records + come)
      this.#refilled_ms += come * RECORD_MS
    }
    if (this.#records === 0) return false
    this.#records -= 1
    return true
  }
}
