// A circuit breaker: after several failures in a row a backing service is left alone for a while, so that who can do without it does not
// wait for it again and again. What is a failure is the caller's to say; what to do instead, too.

import {
  CircuitState as CockatielState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
} from 'cockatiel'
import type { Metrics } from './metrics.ts'

/** `half-open`: one call is let through to see whether the service is back. */
export type CircuitState = 'closed' | 'half-open' | 'open'

/** The call was not made. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError'
}

export type CircuitBreakerOptions = {
  /** The backing service, in metrics: `redis-sessions`. Breakers of its parts share it. */
  readonly backend: string
  /** Failures in a row that open the circuit. */
  readonly failuresMax?: number
  /** How long the service is left alone, at first and at most: it doubles with each probe that fails. */
  readonly rest_ms?: number
  readonly rest_ms_max?: number
  /** Whether an error says that the service is not well; by default every one does. */
  readonly isFailure?: (error: unknown) => boolean
}

const STATES: Readonly<Record<CockatielState, CircuitState>> = {
  [CockatielState.Closed]: 'closed',
  [CockatielState.HalfOpen]: 'half-open',
  [CockatielState.Open]: 'open',
  [CockatielState.Isolated]: 'open',
}

/**
 * @example
 * const circuit = new CircuitBreaker({ backend: 'mysql-replica' })
 * const rows = await circuit.run(() => replica.query(text)).catch(() => primary.query(text))
 */
export class CircuitBreaker {
  readonly backend: string
  readonly #policy: ReturnType<typeof circuitBreaker>
  #opened = 0

  constructor(options: CircuitBreakerOptions) {
    const { backend, failuresMax = 5, rest_ms = 500, rest_ms_max = 10_000, isFailure = () => true } = options
    this.backend = backend
    this.#policy = circuitBreaker(handleWhen(isFailure), {
      breaker: new ConsecutiveBreaker(failuresMax),
      halfOpenAfter: new ExponentialBackoff({ initialDelay: rest_ms, maxDelay: rest_ms_max }),
    })
    this.#policy.onBreak(() => {
      this.#opened += 1
    })
  }

  /** Throws {@link CircuitOpenError} without making the call while the circuit is open; otherwise what the call answers or throws. */
  async run<Value>(call: () => Promise<Value>): Promise<Value> {
    try {
      return await this.#policy.execute(call)
    } catch (error) {
      if (!isOpen(error)) throw error
      throw new CircuitOpenError(`${this.backend} is left alone after failures`)
    }
  }

  get state(): CircuitState {
    return STATES[this.#policy.state]
  }

  /** How often it has opened. */
  get opened(): number {
    return this.#opened
  }
}

const observed = new WeakMap<Metrics, CircuitBreaker[]>()

/** Shows a breaker in `wintrades_circuits{backend, state}`, a count of breakers, and in `wintrades_circuit_opened_total{backend}`. */
export function observeCircuit(metrics: Metrics, breaker: CircuitBreaker): void {
  const known = observed.get(metrics)
  if (known !== undefined) return void known.push(breaker)
  const breakers = [breaker]
  observed.set(metrics, breakers)
  metrics.gauge('wintrades_circuits', 'Circuit breakers, by state.', ['backend', 'state'], (gauge) => {
    gauge.reset()
    for (const { backend } of breakers) {
      for (const state of Object.values(STATES)) gauge.set({ backend, state }, 0)
    }
    for (const { backend, state } of breakers) gauge.inc({ backend, state })
  })
  metrics.gauge('wintrades_circuit_opened_total', 'How often circuits have opened.', ['backend'], (gauge) => {
    gauge.reset()
    for (const { backend, opened } of breakers) gauge.inc({ backend }, opened)
  })
}

/** By code, not by class: two copies of the library may be loaded. */
function isOpen(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'isBrokenCircuitError' in error
}
