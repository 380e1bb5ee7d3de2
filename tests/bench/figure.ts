// What a bench or drill measures: one object per figure, printed last with `--json`; and what a bench is given.

export type Figure = {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What it is held against: the same thing measured beside it (a peer, a bound), or the target; null: there is none. */
  readonly reference: number | null
}

export type BenchOptions = {
  readonly json: boolean
  /** How long each part measures. */
  readonly seconds: number
  /** Where a running platform is looked for. */
  readonly dataDirectory: string
  /** Use a private platform even if one runs. */
  readonly private: boolean
  /** Hears what happens, a line at a time. */
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}
