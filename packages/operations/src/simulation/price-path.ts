// The reference price that an instrument's simulated market gathers around: a random walk drawn back to a slowly moving anchor, in calm
// and excited spells, so that candles look alive and prices stay near where they began.

import { normal, type Random } from './random.ts'

export type PricePathOptions = {
  readonly start: number
  /** Standard deviation of the log price over a square root of a second, in calm times. */
  readonly volatility: number
  readonly random: Random
}

/** The walk returns to its anchor with this time constant, the anchor to the start with the other. */
const REVERSION_SECONDS = 900
const ANCHOR_REVERSION_SECONDS = 4 * 3_600
const ANCHOR_SHARE = 0.6
const EXCITED_FACTOR = 3
const SPELL_SECONDS = { calm: 240, excited: 45 } as const
/** A pause (a stopped program, a sleeping machine) must not become one great leap. */
const STEP_SECONDS_MAX = 5

export class PricePath {
  readonly #start: number
  readonly #volatility: number
  readonly #random: Random
  /** Log of the price and of its anchor, relative to the start. */
  #deviation = 0
  #anchor = 0
  #excited = false
  #trend = 0
  #time_seconds: number | null = null

  constructor(options: PricePathOptions) {
    this.#start = options.start
    this.#volatility = options.volatility
    this.#random = options.random
  }

  get price(): number {
    return this.#start * Math.exp(this.#deviation)
  }

  /** −1 to 1: where it has been going lately. */
  get trend(): number {
    return Math.tanh(this.#trend / (this.#volatility * 4))
  }

  /** Moves on to a time that is never before the last one. */
  advance(time_seconds: number): number {
    const passed = time_seconds - (this.#time_seconds ?? time_seconds)
    this.#time_seconds = time_seconds
    const step = Math.min(Math.max(passed, 0), STEP_SECONDS_MAX)
    if (step === 0) return this.price
    const spell = this.#excited ? SPELL_SECONDS.excited : SPELL_SECONDS.calm
    if (this.#random() < 1 - Math.exp(-step / spell)) this.#excited = !this.#excited
    const scale = this.#volatility * Math.sqrt(step) * (this.#excited ? EXCITED_FACTOR : 1)
    const before = this.#deviation
    this.#anchor += -(this.#anchor * step) / ANCHOR_REVERSION_SECONDS + ANCHOR_SHARE * scale * normal(this.#random)
    this.#deviation += ((this.#anchor - this.#deviation) * step) / REVERSION_SECONDS + scale * normal(this.#random)
    this.#trend = this.#trend * Math.exp(-step / 20) + (this.#deviation - before)
    return this.price
  }
}
