// A market maker in one instrument: a ladder of post-only quotes on both sides of the reference price, moved as it moves and leaning
// against the maker's own inventory. Knows only what an ordinary client knows: its answers and its order stream.

import { CLIENT_CODES, type OrderRequest, type OrderView, type Result } from '../client/index.ts'
import type { SimulatedMarket } from './market.ts'
import type { Random } from './random.ts'
import { isOpen } from './reading.ts'

/** What a maker needs of its stream. */
export interface OrderEntry {
  place(order: OrderRequest): Promise<Result<OrderView>>
  cancel(name: { readonly clientOrderId: string; readonly symbol: string }): Promise<Result<unknown>>
  replace(
    name: { readonly clientOrderId: string; readonly symbol: string },
    change: { readonly price: string; readonly quantity: string },
  ): Promise<Result<unknown>>
}

export type MakerOptions = {
  readonly market: SimulatedMarket
  readonly orders: OrderEntry
  readonly levels: number
  readonly random: Random
  /** −1 (far too little of the base asset) to 1 (far too much). */
  readonly inventory: () => number
  readonly nextId: () => string
}

type Quote = { readonly side: 'BUY' | 'SELL'; step: number }

/** Half of the spread, and how far a full inventory moves the quotes, in steps. */
const HALF_SPREAD_STEPS = 0.6
const LEAN_STEPS = 4
/** Quotes stay where they are until they should stand this much elsewhere, so that a price going to and fro costs nothing. */
const RECENTRE_STEPS = 0.75
/** Answers after which an order is certainly not open. */
const GONE = new Set(['ORDER_UNKNOWN', 'ORDER_NOT_OPEN', 'NOT_FOUND'])

export class Maker {
  readonly #options: MakerOptions
  readonly #quotes = new Map<string, Quote>()
  #busy = false
  #centre = 0

  constructor(options: MakerOptions) {
    this.#options = options
  }

  get symbol(): string {
    return this.#options.market.symbol
  }

  get quoteCount(): number {
    return this.#quotes.size
  }

  /** The order stream says that an order of this account is no longer open. */
  gone(clientOrderId: string): void {
    this.#quotes.delete(clientOrderId)
  }

  /** Nothing of this maker rests any more, for example after its orders were cancelled with the connection. */
  forget(): void {
    this.#quotes.clear()
  }

  /** Brings the quotes to where they should be. Returns the number of commands; does nothing while the last turn is under way. */
  async turn(): Promise<number> {
    if (this.#busy) return 0
    this.#busy = true
    try {
      return await this.#turn()
    } finally {
      this.#busy = false
    }
  }

  async #turn(): Promise<number> {
    const { market, inventory } = this.#options
    const wanted = market.path.price / market.step - LEAN_STEPS * inventory()
    const before = this.#centre
    if (Math.abs(wanted - before) >= RECENTRE_STEPS) this.#centre = wanted
    const centre = this.#centre
    const bids = () => this.#side('BUY', Math.floor(centre - HALF_SPREAD_STEPS), -1)
    const asks = () => this.#side('SELL', Math.ceil(centre + HALF_SPREAD_STEPS), 1)
    // The side that the market runs into gives way first, or the other would cross it.
    const work = centre > before ? [...asks(), ...bids()] : [...bids(), ...asks()]
    await Promise.all(work)
    return work.length
  }

  /** Quotes that stand where none should are moved to where one is missing; the rest is cancelled or added. */
  #side(side: Quote['side'], best: number, direction: 1 | -1): Promise<void>[] {
    const missing = new Set<number>()
    for (let level = 0; level < this.#options.levels; level++) missing.add(best + level * direction)
    const astray: string[] = []
    for (const [id, quote] of this.#quotes) {
      if (quote.side === side && !missing.delete(quote.step)) astray.push(id)
    }
    const work: Promise<void>[] = []
    // Nearest to the market first: what is moved there must not cross what the other side has not yet moved away.
    for (const step of missing) {
      const id = astray.pop()
      work.push(id === undefined ? this.#add(side, step) : this.#move(id, step))
    }
    for (const id of astray) work.push(this.#cancel(id))
    return work
  }

  async #add(side: Quote['side'], step: number): Promise<void> {
    const { market, orders, nextId } = this.#options
    const clientOrderId = nextId()
    this.#quotes.set(clientOrderId, { side, step })
    const result = await orders.place({
      symbol: market.symbol,
      side,
      type: 'LIMIT',
      timeInForce: 'GTC',
      price: market.price(step * market.step),
      quantity: this.#quantity(),
      postOnly: true,
      cancelOnDisconnect: true,
      clientOrderId,
    })
    // What may have been entered stays on the list: the order stream, or the next change of it, tells.
    if (result.ok ? !isOpen(result.value.status) : result.error.code !== CLIENT_CODES.unknown) {
      this.#quotes.delete(clientOrderId)
    }
  }

  async #move(clientOrderId: string, step: number): Promise<void> {
    const { market, orders } = this.#options
    const quote = this.#quotes.get(clientOrderId)
    if (quote === undefined) return
    const before = quote.step
    quote.step = step
    const change = { price: market.price(step * market.step), quantity: this.#quantity() }
    const result = await orders.replace({ clientOrderId, symbol: market.symbol }, change)
    if (result.ok) return
    quote.step = before
    // Gone, or not to be moved: the next turn adds a new one.
    await this.#cancel(clientOrderId)
  }

  async #cancel(clientOrderId: string): Promise<void> {
    const { market, orders } = this.#options
    const result = await orders.cancel({ clientOrderId, symbol: market.symbol })
    // It stays on the list unless it is certainly gone: the next turn tries again, which does no harm.
    if (result.ok || GONE.has(result.error.code)) this.#quotes.delete(clientOrderId)
  }

  #quantity(): string {
    const { market, random } = this.#options
    return market.quantity(market.size * (0.4 + 1.2 * random()))
  }
}
