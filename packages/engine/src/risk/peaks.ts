// The highest result of accounts with a drawdown limit, by their balance in the quote asset. It is looked at after each of their fills
// and at each check of their orders; 0 at first, as the result of an account without positions is.

import { grownFloats } from '../order-store.ts'

export class Peaks {
  private data = new Float64Array(64)

  of(balance: number): number {
    return balance < this.data.length ? this.data[balance] : 0
  }

  set(balance: number, value: number): void {
    while (balance >= this.data.length) this.data = grownFloats(this.data, this.data.length * 2)
    this.data[balance] = value
  }
}
