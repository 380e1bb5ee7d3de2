// How a simulated database answers: late, sometimes with an error although it did the work, sometimes without doing it, sometimes
// doing it after it has said that it failed. What it stores survives every crash of its clients.

import type { Timestamp } from '@wintrades/domain'
import type { Scheduler, SimulatedProcess } from './scheduler.ts'

/** Probabilities of what can go wrong with one call. */
export type DatabaseFaults = {
  /** The call fails and changes nothing. */
  readonly refused: number
  /** The call is carried out and its answer is lost. */
  readonly answerLost: number
  /** The caller is told of a failure, and the call is carried out after that. */
  readonly late: number
  /** The call takes long. */
  readonly slow: number
}

export const NO_FAULTS: DatabaseFaults = { refused: 0, answerLost: 0, late: 0, slow: 0 }

/** What the caller of a broken call sees. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable'
}

const TYPICAL_US = 800
const WORST_US = 8_000
const SLOW_US = 600_000

export class SimulatedDatabase {
  faults: DatabaseFaults = NO_FAULTS
  /** How far its clock is off, by which leases expire: a wall clock, which may be set either way. */
  skew_us = 0
  readonly #scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  now_us(): Timestamp {
    return (this.#scheduler.now_us + this.skew_us) as Timestamp
  }

  /** Carries `operation` out at some moment from now, for a process that may be gone before the answer comes. */
  call<Result>(caller: SimulatedProcess, name: string, operation: () => Result | Promise<Result>): Promise<Result> {
    const { random } = this.#scheduler
    const { refused, answerLost, late, slow } = this.faults
    const isSlow = random.chance(slow)
    const there_us = isSlow ? random.between(WORST_US, SLOW_US) : random.delay(TYPICAL_US, WORST_US)
    const back_us = random.delay(TYPICAL_US, WORST_US)
    const dice = random.next() / 2 ** 32
    return new Promise((resolve, reject) => {
      const answer = (action: () => void, delay_us: number) => this.#scheduler.afterIn(caller, delay_us, action)
      const broken = (what: string) => () => reject(new DatabaseUnavailable(`${name}: ${what}`))
      if (dice < refused) {
        this.#scheduler.log(`${caller.name}: ${name} refused`)
        answer(broken('connection refused'), there_us)
      } else if (dice < refused + late) {
        this.#scheduler.log(`${caller.name}: ${name} will be late`)
        answer(broken('timed out'), there_us)
        this.#scheduler.after(there_us + random.between(1, SLOW_US), () => this.#carryOut(operation))
      } else {
        const isLost = dice < refused + late + answerLost
        this.#scheduler.after(there_us, () => {
          if (isLost) this.#scheduler.log(`${caller.name}: the answer to ${name} is lost`)
          const back = (outcome: () => void) => answer(isLost ? broken('connection lost') : outcome, back_us)
          // Not even a reader's mistake may end the simulation here: the caller hears of it.
          attempt(operation).then(
            (result) => back(() => resolve(result)),
            (error: unknown) => back(() => reject(error)),
          )
        })
      }
    })
  }

  /** Nobody waits for the result any more, so a refusal is nobody's to hear. */
  #carryOut(operation: () => unknown): void {
    attempt(operation).catch((error: unknown) => {
      this.#scheduler.log(`a late call failed: ${error instanceof Error ? error.message : String(error)}`)
    })
  }
}

async function attempt<Result>(operation: () => Result | Promise<Result>): Promise<Result> {
  return await operation()
}
