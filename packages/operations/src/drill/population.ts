// What the clients of a drill do next: orders around the reference price in every shard, cancels of their own orders, deposits and
// transfers. Seeded, so that a drill can be repeated with the same intentions; what becomes of them is up to the platform.

import {
  type Amount,
  formatAmount,
  formatPrice,
  formatQuantity,
  type Instrument,
  type Markets,
  type OrderId,
  type Price,
  type Quantity,
  type ShardIndex,
  Side,
} from '@wintrades/domain'
import type { Intent } from './history.ts'

/** One thing a client will ask for, in the venue's integers and as the public API takes it. */
export type Wish =
  | {
      readonly kind: 'order'
      readonly shard: ShardIndex
      readonly intent: Intent
      readonly symbol: string
      readonly side: 'BUY' | 'SELL'
      readonly price: string
      readonly quantity: string
      readonly timeInForce: 'GTC' | 'IOC'
    }
  | {
      readonly kind: 'cancel'
      readonly shard: ShardIndex
      readonly intent: Intent
      readonly order: OrderId
      readonly symbol: string
    }
  | {
      readonly kind: 'deposit'
      readonly shard: ShardIndex
      readonly intent: Intent
      readonly asset: string
      readonly amount: string
      readonly region: string
    }
  | {
      readonly kind: 'transfer'
      readonly shard: ShardIndex
      readonly intent: Intent
      readonly asset: string
      readonly amount: string
      readonly fromRegion: string
      readonly toRegion: string
    }

/** An order of this client that may still be open. */
export type Resting = { readonly order: OrderId; readonly shard: ShardIndex; readonly symbol: string }

const RESTING_MAX = 200
const PRICE_WINDOW_TICKS = 5

export class Population {
  readonly #markets: Markets
  readonly #random: () => number
  readonly #instrumentsByShard: ReadonlyMap<ShardIndex, readonly Instrument[]>
  readonly #resting: Resting[] = []

  /** `random` gives numbers from 0 up to 1. */
  constructor(markets: Markets, random: () => number) {
    this.#markets = markets
    this.#random = random
    this.#instrumentsByShard = new Map(
      markets.shards.map((shard) => [shard.index, markets.instruments.filter((one) => one.shard === shard.index)]),
    )
  }

  /** Remembers an acknowledged order, to cancel it some day. */
  rests(order: Resting): void {
    this.#resting.push(order)
    if (this.#resting.length > RESTING_MAX) this.#resting.shift()
  }

  next(): Wish {
    const dice = this.#random()
    if (dice < 0.02) return this.#deposit()
    if (dice < 0.04) return this.#transfer()
    if (dice < 0.24) return this.#cancel() ?? this.#order()
    return this.#order()
  }

  #order(): Wish {
    const shard = this.#pick(this.#markets.shards)
    const instrument = this.#pick(this.#instrumentsByShard.get(shard.index) ?? this.#markets.instruments)
    const { definition } = instrument
    const middle = definition.referencePrice === 0 ? 100 : definition.referencePrice
    const price = Math.max(1, middle + this.#below(2 * PRICE_WINDOW_TICKS + 1) - PRICE_WINDOW_TICKS) as Price
    const lotsMin = Math.ceil(definition.notionalMin / (price * definition.quoteUnitsPerTickLot))
    const quantity = (Math.max(definition.quantityMin, lotsMin) + this.#below(10)) as Quantity
    const side = this.#random() < 0.5 ? Side.buy : Side.sell
    return {
      kind: 'order',
      shard: instrument.shard,
      intent: { kind: 'order', instrument: instrument.id, side, price, quantity },
      symbol: instrument.symbol,
      side: side === Side.buy ? 'BUY' : 'SELL',
      price: formatPrice(instrument, price),
      quantity: formatQuantity(instrument, quantity),
      timeInForce: this.#random() < 0.2 ? 'IOC' : 'GTC',
    }
  }

  #cancel(): Wish | null {
    if (this.#resting.length === 0) return null
    const [resting] = this.#resting.splice(this.#below(this.#resting.length), 1)
    if (resting === undefined) return null
    return { kind: 'cancel', ...resting, intent: { kind: 'cancel', order: resting.order } }
  }

  #deposit(): Wish {
    const shard = this.#pick(this.#markets.shards)
    const { asset, amount } = this.#money(shard.index)
    return {
      kind: 'deposit',
      shard: shard.index,
      intent: { kind: 'deposit', asset: asset.id, amount },
      asset: asset.code,
      amount: formatAmount(asset, amount),
      region: shard.name,
    }
  }

  #transfer(): Wish {
    const from = this.#pick(this.#markets.shards)
    const others = this.#markets.shards.filter((one) => one !== from)
    const to = this.#pick(others)
    const { asset, amount } = this.#money(from.index)
    return {
      kind: 'transfer',
      shard: from.index,
      intent: { kind: 'transfer', asset: asset.id, amount, toShard: to.index },
      asset: asset.code,
      amount: formatAmount(asset, amount),
      fromRegion: from.name,
      toRegion: to.name,
    }
  }

  /** One whole unit, up to ten, of a currency that the shard trades. */
  #money(shard: ShardIndex): { asset: Instrument['quote']; amount: Amount } {
    const instrument = this.#pick(this.#instrumentsByShard.get(shard) ?? this.#markets.instruments)
    const asset = instrument.quote
    return { asset, amount: ((1 + this.#below(10)) * 10 ** asset.scale) as Amount }
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#below(items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }
}

/** mulberry32: enough for intentions. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
