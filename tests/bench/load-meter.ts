// Counts what is answered while a job measures, and keeps every latency of that time.

import type { LoadResult } from './load-job.ts'
import { percentile } from './statistics.ts'

const REFUSALS_KEPT = 3
const REFUSAL_CHARS_MAX = 400
const SAMPLES_FIRST = 1 << 20

export class LoadMeter {
  /** Orders sent and not answered. */
  inFlight = 0
  #measuring = false
  #acknowledged = 0
  #refused = 0
  readonly #refusals: string[] = []
  #latencies = new Float64Array(SAMPLES_FIRST)
  #latencyCount = 0
  #start_ms = 0
  #seconds = 0
  #cpuStart = process.cpuUsage()
  #loadCpu = 0

  begin(): void {
    this.#measuring = true
    this.#start_ms = performance.now()
    this.#cpuStart = process.cpuUsage()
  }

  end(): void {
    this.#measuring = false
    this.#seconds = (performance.now() - this.#start_ms) / 1_000
    const { user, system } = process.cpuUsage(this.#cpuStart)
    this.#loadCpu = (user + system) / 1e6 / this.#seconds
  }

  /** A request was answered that took `latency_ms`. */
  answered(acknowledged: number, refused: number, latency_ms: number): void {
    this.inFlight -= acknowledged + refused
    this.#refused += refused
    if (!this.#measuring) return
    this.#acknowledged += acknowledged
    if (this.#latencyCount === this.#latencies.length) {
      const larger = new Float64Array(this.#latencies.length * 2)
      larger.set(this.#latencies)
      this.#latencies = larger
    }
    this.#latencies[this.#latencyCount++] = latency_ms
  }

  refusal(text: string): void {
    if (this.#refusals.length < REFUSALS_KEPT) this.#refusals.push(text.slice(0, REFUSAL_CHARS_MAX))
  }

  result(): LoadResult {
    const sorted = this.#latencies.subarray(0, this.#latencyCount).sort()
    return {
      acknowledgedPerSecond: this.#acknowledged / this.#seconds,
      acknowledged: this.#acknowledged,
      refused: this.#refused,
      refusals: this.#refusals,
      unanswered: this.inFlight,
      p50_ms: percentile(sorted, 0.5),
      p99_ms: percentile(sorted, 0.99),
      max_ms: sorted.at(-1) ?? 0,
      loadCpu: this.#loadCpu,
    }
  }
}
