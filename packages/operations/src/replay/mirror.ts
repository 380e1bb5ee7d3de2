// A price-time matcher in the plainest form: what an independent reading of a recording comes to. The replay uses it to know what to
// expect, whom an order will meet and who waits behind whom; it shares no code with the engine.

import type { RecordedSide } from '@wintrades/marketdata'

export type MirrorOrder = {
  readonly id: string
  readonly side: RecordedSide
  readonly price: number
  leaves: number
  filled: number
}

export type MirrorFill = { readonly maker: MirrorOrder; readonly price: number; readonly lots: number }

const OPEN_ORDERS_MAX = 1_000_000

export class Mirror {
  readonly #open = new Map<string, MirrorOrder>()
  readonly #sides = { BUY: new PriceQueue(-1), SELL: new PriceQueue(1) }

  get openCount(): number {
    return this.#open.size
  }

  find(id: string): MirrorOrder | undefined {
    return this.#open.get(id)
  }

  /** Trades what it can; what is left rests, unless it may not (`rests` false). */
  enter(order: Omit<MirrorOrder, 'leaves' | 'filled'>, lots: number, rests: boolean): readonly MirrorFill[] {
    const taker: MirrorOrder = { ...order, leaves: lots, filled: 0 }
    const fills = this.#match(taker)
    if (rests && taker.leaves > 0) {
      if (this.#open.size >= OPEN_ORDERS_MAX) throw new RangeError(`more than ${OPEN_ORDERS_MAX} orders are open`)
      this.#open.set(order.id, taker)
      this.#sides[order.side].at(order.price).set(order.id, taker)
    }
    return fills
  }

  /** False: it is not open. */
  cancel(id: string): boolean {
    const order = this.#open.get(id)
    if (order === undefined) return false
    this.#remove(order)
    return true
  }

  /** Orders at the same price that came later, in their order. */
  behind(order: MirrorOrder): readonly MirrorOrder[] {
    const queue = [...this.#sides[order.side].at(order.price).values()]
    return queue.slice(queue.indexOf(order) + 1)
  }

  #match(taker: MirrorOrder): readonly MirrorFill[] {
    const fills: MirrorFill[] = []
    const makers = this.#sides[taker.side === 'BUY' ? 'SELL' : 'BUY']
    while (taker.leaves > 0) {
      const price = makers.best
      if (price === null || (taker.side === 'BUY' ? price > taker.price : price < taker.price)) break
      for (const maker of makers.at(price).values()) {
        const lots = Math.min(taker.leaves, maker.leaves)
        for (const one of [taker, maker]) {
          one.leaves -= lots
          one.filled += lots
        }
        fills.push({ maker, price, lots })
        if (maker.leaves === 0) this.#remove(maker)
        if (taker.leaves === 0) break
      }
    }
    return fills
  }

  #remove(order: MirrorOrder): void {
    this.#open.delete(order.id)
    this.#sides[order.side].remove(order)
  }
}

/** Orders of one side: by price, then in the order they came. */
class PriceQueue {
  readonly #direction: 1 | -1
  /** Worst first, so that the best is at the end, where arrays are quick. */
  readonly #prices: number[] = []
  readonly #levels = new Map<number, Map<string, MirrorOrder>>()

  constructor(direction: 1 | -1) {
    this.#direction = direction
  }

  get best(): number | null {
    return this.#prices.at(-1) ?? null
  }

  /** The queue at a price, made if need be. */
  at(price: number): Map<string, MirrorOrder> {
    let level = this.#levels.get(price)
    if (level === undefined) {
      level = new Map()
      this.#levels.set(price, level)
      this.#prices.splice(this.#place(price), 0, price)
    }
    return level
  }

  remove({ id, price }: MirrorOrder): void {
    const level = this.at(price)
    level.delete(id)
    if (level.size > 0) return
    this.#levels.delete(price)
    this.#prices.splice(this.#place(price), 1)
  }

  #place(price: number): number {
    let [low, high] = [0, this.#prices.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const worse = ((this.#prices[middle] as number) - price) * this.#direction > 0
      if (worse) low = middle + 1
      else high = middle
    }
    return low
  }
}
