// A shard's trading as history gets it: batches and their events, from the real engine. Makers rest up to a few ticks from the middle,
// takers cross to them, as in the benches of orders. A batch of a live shard is as big as what came during one append.

import type { Command, InstrumentId, Seq, Side } from '@wintrades/domain'
import { TimeInForce } from '@wintrades/domain'
import { Engine } from '@wintrades/engine'
import { BatchWriter, limitOrder, openMarket } from './engine-ground.ts'

export type WorkBatch = { readonly seq: Seq; readonly bytes: Uint8Array; readonly events: Float64Array }

const MIDDLE = 20_000
const WINDOW_TICKS = 8
const MAKER_SHARE = 0.55
const SEED = 1

export type WorkOptions = {
  readonly accounts: number
  readonly instruments: readonly InstrumentId[]
  readonly batchCommands: number
}

export class HistoryWork {
  readonly #options: WorkOptions
  readonly #writer = new BatchWriter(true)
  readonly #engine = new Engine(0 as never)
  readonly #opening: WorkBatch[] = []
  #state = SEED
  #orders = 0

  constructor(options: WorkOptions) {
    this.#options = options
    openMarket(this.#writer, { instruments: options.instruments.length, accounts: options.accounts }, (batch) => {
      this.#opening.push(this.#applied(batch))
    })
  }

  /** Definitions and funds: the journal's first batches. */
  get opening(): readonly WorkBatch[] {
    return this.#opening
  }

  /** The next batch of orders. */
  next(): WorkBatch {
    for (let i = 0; i < this.#options.batchCommands; i++) this.#order()
    return this.#applied(this.#writer.take())
  }

  #order(): void {
    const account = 1 + this.#below(this.#options.accounts)
    const instrument = this.#options.instruments[this.#below(this.#options.instruments.length)] as InstrumentId
    const side = this.#below(2) as Side
    const isMaker = this.#below(100) < MAKER_SHARE * 100
    const away = (side === 0 ? -1 : 1) * (isMaker ? 1 + this.#below(WINDOW_TICKS) : -WINDOW_TICKS)
    const order = limitOrder(
      account,
      instrument,
      `work-${(this.#orders++).toString(36)}`,
      side,
      MIDDLE + away,
      1 + this.#below(isMaker ? 3 : 5),
    )
    this.#writer.add({ ...order, timeInForce: isMaker ? TimeInForce.gtc : TimeInForce.ioc } as unknown as Command)
  }

  #applied(bytes: Uint8Array): WorkBatch {
    const events = this.#engine.apply(bytes).slice()
    return { seq: this.#engine.seq, bytes, events }
  }

  /** mulberry32. */
  #below(limit: number): number {
    const state = (this.#state + 0x6d2b79f5) >>> 0
    this.#state = state
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}
