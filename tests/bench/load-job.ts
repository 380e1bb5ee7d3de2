// What a bench asks of the load process, and what it hears back. Plain values: they cross a process boundary.

export type LoadClientPlan = {
  /** Of the region's own process. */
  readonly baseUrl: string
  readonly token: string
  /** Symbols to trade. */
  readonly symbols: readonly string[]
}

export type LoadJob = {
  readonly way: 'stream' | 'rest'
  readonly clients: readonly LoadClientPlan[]
  /** 1: single orders (streams only); more: batches. */
  readonly ordersPerRequest: number
  /** Either as many requests under way per client as this, a new one whenever one is answered, … */
  readonly requestsInFlight: number | null
  /** … or this many orders a second over all clients, whatever the answers do; latency then counts from when an order was due. */
  readonly ordersPerSecond: number | null
  readonly warmUp_ms: number
  readonly measure_ms: number
  /** Begins every client order id; never used before. */
  readonly name: string
}

export type LoadResult = {
  /** Orders acknowledged while it was measured, per second. */
  readonly acknowledgedPerSecond: number
  readonly acknowledged: number
  /** Orders refused or rejected, over the whole job. */
  readonly refused: number
  /** The first of them, as told. */
  readonly refusals: readonly string[]
  /** Orders without an answer at the end. */
  readonly unanswered: number
  /** Of a request, milliseconds. */
  readonly p50_ms: number
  readonly p99_ms: number
  readonly max_ms: number
  /** Share of one core that the load process used while it measured. */
  readonly loadCpu: number
}
