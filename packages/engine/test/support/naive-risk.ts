// The risk rules' arithmetic once more, obviously right and slow: from the list of trades alone, in whole numbers of any size.

export type NaiveTrade = {
  readonly time_us: number
  readonly instrument: number
  readonly buyer: number
  readonly seller: number
  readonly price: number
  readonly quantity: number
  readonly buyerFee: number
  readonly sellerFee: number
}

const DAY_US = 86_400_000_000

export class NaiveRisk {
  private readonly trades: NaiveTrade[] = []
  /** Reference prices before any trade. */
  private readonly references: ReadonlyMap<number, number>

  constructor(references: ReadonlyMap<number, number>) {
    this.references = references
  }

  add(trade: NaiveTrade): void {
    this.trades.push(trade)
  }

  priceOf(instrument: number, before_us = Number.POSITIVE_INFINITY): number {
    const last = this.trades.filter((one) => one.instrument === instrument && one.time_us < before_us).at(-1)
    return last?.price ?? this.references.get(instrument) ?? 0
  }

  lots(account: number, instrument: number): bigint {
    return this.trades
      .filter((one) => one.instrument === instrument)
      .reduce((sum, one) => sum + signOf(one, account) * BigInt(one.quantity), 0n)
  }

  /** Money received less money paid, fees included, plus what the lots are worth: of the trades and at the prices before a time. */
  result(account: number, before_us = Number.POSITIVE_INFINITY): bigint {
    let sum = 0n
    for (const one of this.trades) {
      if (one.time_us >= before_us) continue
      const price = BigInt(this.priceOf(one.instrument, before_us))
      sum += signOf(one, account) * BigInt(one.quantity) * (price - BigInt(one.price))
      if (one.buyer === account) sum -= BigInt(one.buyerFee)
      if (one.seller === account) sum -= BigInt(one.sellerFee)
    }
    return sum
  }

  dayLoss(account: number, now_us: number): bigint {
    return this.result(account, Math.floor(now_us / DAY_US) * DAY_US) - this.result(account)
  }
}

/** +1: bought, −1: sold; 0: neither, or both. */
function signOf(trade: NaiveTrade, account: number): bigint {
  return (trade.buyer === account ? 1n : 0n) - (trade.seller === account ? 1n : 0n)
}
