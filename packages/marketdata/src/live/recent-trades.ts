// The last trades of one instrument, numbered without gaps by its tradeNumber. Promises that what it returns is contiguous:
// where trades were missed it starts anew after them. Older trades are in history.

import type { Price, Quantity, Side, Timestamp } from '@wintrades/domain'

export type PublicTrade = {
  /** Numbers the instrument's trades from 1 without gaps. */
  readonly tradeNumber: number
  readonly price: Price
  readonly quantity: Quantity
  readonly takerSide: Side
  /** Price × quantity in the quote asset's smallest units. */
  readonly notional: number
  readonly timestamp: Timestamp
}

/** Trades kept per instrument, unless said otherwise. */
export const TRADES_KEPT = 1_024

export class RecentTrades {
  readonly #kept: number
  #prices = new Int32Array(0)
  #quantities = new Int32Array(0)
  #sides = new Uint8Array(0)
  #notionals = new Float64Array(0)
  #timestamps = new Float64Array(0)
  #last = 0
  #count = 0

  constructor(tradesKept = TRADES_KEPT) {
    this.#kept = tradesKept
  }

  /** Number of the newest trade; 0: none yet. */
  get lastTradeNumber(): number {
    return this.#last
  }

  /** Number of the oldest trade still here; 0: none. */
  get firstTradeNumber(): number {
    return this.#count === 0 ? 0 : this.#last - this.#count + 1
  }

  get lastPrice(): Price {
    return (this.#count === 0 ? 0 : this.#prices[this.#last % this.#kept]) as Price
  }

  add(number: number, price: Price, quantity: Quantity, takerSide: Side, notional: number, timestamp: Timestamp): void {
    if (number <= this.#last) return
    if (this.#prices.length === 0) this.#allocate()
    if (number !== this.#last + 1) this.#count = 0
    const at = number % this.#kept
    this.#prices[at] = price
    this.#quantities[at] = quantity
    this.#sides[at] = takerSide
    this.#notionals[at] = notional
    this.#timestamps[at] = timestamp
    this.#last = number
    if (this.#count < this.#kept) this.#count++
  }

  /** Puts trades, in order, before the ones that are here. Those that do not join up with them are left out. */
  prepend(older: readonly PublicTrade[]): void {
    const newer = this.latest(this.#kept)
    const first = newer.length === 0 ? this.#last + 1 : (newer[0] as PublicTrade).tradeNumber
    const before = older.filter((trade) => trade.tradeNumber < first)
    if (before.at(-1)?.tradeNumber !== first - 1) return
    this.#last = 0
    this.#count = 0
    for (const trade of [...before.slice(-this.#kept), ...newer]) {
      this.add(trade.tradeNumber, trade.price, trade.quantity, trade.takerSide, trade.notional, trade.timestamp)
    }
  }

  /** States that trades up to `number` have happened, without having them. */
  skipTo(number: number): void {
    if (number <= this.#last) return
    this.#last = number
    this.#count = 0
  }

  /** The last `max` trades, oldest first. */
  latest(max: number): PublicTrade[] {
    return this.#from(this.#last - Math.min(max, this.#count) + 1)
  }

  /** Trades after `tradeNumber`, oldest first; `'reset'`: some of them are no longer (or not) here. */
  since(tradeNumber: number): PublicTrade[] | 'reset' {
    if (tradeNumber > this.#last || tradeNumber < this.#last - this.#count) return 'reset'
    return this.#from(tradeNumber + 1)
  }

  #from(first: number): PublicTrade[] {
    const trades: PublicTrade[] = []
    for (let number = first; number <= this.#last; number++) {
      const at = number % this.#kept
      trades.push({
        tradeNumber: number,
        price: this.#prices[at] as Price,
        quantity: this.#quantities[at] as Quantity,
        takerSide: this.#sides[at] as Side,
        notional: this.#notionals[at] as number,
        timestamp: this.#timestamps[at] as Timestamp,
      })
    }
    return trades
  }

  #allocate(): void {
    this.#prices = new Int32Array(this.#kept)
    this.#quantities = new Int32Array(this.#kept)
    this.#sides = new Uint8Array(this.#kept)
    this.#notionals = new Float64Array(this.#kept)
    this.#timestamps = new Float64Array(this.#kept)
  }
}
