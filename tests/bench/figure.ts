// What a bench or drill measures: one object per figure, printed last with `--json`.

export type Figure = {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The same thing measured beside it (a peer, a bound); null: there is none. */
  readonly reference: number | null
}

export type BenchOptions = { readonly json: boolean }
