// What the private channels say, as JSON texts: orders with what changed them, balances, positions and funds.

import {
  type AssetId,
  type Balance,
  CommandType,
  formatAmount,
  formatDecimal,
  formatPrice,
  formatQuantity,
  type Instrument,
  type InstrumentId,
  type Markets,
  type OpenOrder,
  type Position,
  type Quantity,
} from '@wintrades/domain'
import type { AccountEvent, BalanceEvent, FundsEvent, OrderEvent, PositionEvent } from '@wintrades/marketdata'
import { asciiJson } from '../orders/answers.ts'
import { fillView, orderView } from '../orders/order-text.ts'

/** Open orders in a snapshot; `openOrders` says how many there are. */
export const ORDERS_IN_SNAPSHOT_MAX = 5_000

const MOVEMENT_NAMES: Readonly<Record<FundsEvent['movement'], string>> = {
  [CommandType.deposit]: 'DEPOSIT',
  [CommandType.withdraw]: 'WITHDRAWAL',
  [CommandType.transfer_out]: 'TRANSFER_OUT',
  [CommandType.transfer_in]: 'TRANSFER_IN',
}

export class PrivateViews {
  readonly #markets: Markets
  readonly #instruments = new Map<InstrumentId, Instrument>()

  constructor(markets: Markets) {
    this.#markets = markets
    for (const instrument of markets.instruments) this.#instruments.set(instrument.id, instrument)
  }

  ordersSnapshot(shard: string, orders: readonly OpenOrder[]): string {
    const shown = orders
      .slice(-ORDERS_IN_SNAPSHOT_MAX)
      .map((order) => orderView(this.#instrument(order.instrument), order))
    return asciiJson({ shard, openOrders: orders.length, orders: shown })
  }

  /** null: nothing of this channel is among the events. */
  ordersUpdate(shard: string, events: readonly AccountEvent[]): string | null {
    const orders = events.filter((event) => event.kind === 'order').map((event) => this.#orderEvent(event))
    return orders.length === 0 ? null : asciiJson({ shard, orders })
  }

  balancesSnapshot(shard: string, balances: readonly Balance[], positions: readonly Position[]): string {
    return asciiJson({
      shard,
      balances: balances.map((balance) => this.#balance(balance)),
      positions: positions.map((position) => this.#position(position)),
    })
  }

  /** null: nothing of this channel is among the events. */
  balancesUpdate(shard: string, events: readonly AccountEvent[]): string | null {
    const balances = events.filter((event) => event.kind === 'balance').map((event) => this.#balance(event))
    const positions = events.filter((event) => event.kind === 'position').map((event) => this.#position(event))
    const funds = events.filter((event) => event.kind === 'funds').map((event) => this.#funds(event))
    if (balances.length + positions.length + funds.length === 0) return null
    return asciiJson({
      shard,
      ...(balances.length === 0 ? {} : { balances }),
      ...(positions.length === 0 ? {} : { positions }),
      ...(funds.length === 0 ? {} : { funds }),
    })
  }

  #orderEvent({ change, order, fill, triggerPrice, doneReason, rejectCode, seq }: OrderEvent): object {
    const instrument = this.#instrument(order.instrument)
    return {
      ...orderView(instrument, { ...order, doneReason, rejectCode }),
      seq,
      change: change.toUpperCase(),
      ...(triggerPrice === undefined ? {} : { triggerPrice: formatPrice(instrument, triggerPrice) }),
      ...(fill === null ? {} : { fill: fillView(instrument, fill) }),
    }
  }

  #balance({ asset, available, held }: Balance | BalanceEvent): object {
    const named = this.#asset(asset)
    return { asset: named.code, available: formatAmount(named, available), held: formatAmount(named, held) }
  }

  #position({ instrument: id, quantity, cost, realisedProfit }: Position | PositionEvent): object {
    const instrument = this.#instrument(id)
    return {
      symbol: instrument.symbol,
      quantity: formatQuantity(instrument, quantity as Quantity),
      cost: formatDecimal(cost, instrument.quote.scale),
      realisedProfit: formatDecimal(realisedProfit, instrument.quote.scale),
    }
  }

  #funds({ asset, amount, movement, otherShard, transferId, timestamp }: FundsEvent): object {
    const named = this.#asset(asset)
    const isTransfer = movement === CommandType.transfer_out || movement === CommandType.transfer_in
    return {
      kind: MOVEMENT_NAMES[movement],
      asset: named.code,
      amount: formatAmount(named, amount),
      ...(isTransfer ? { otherShard: this.#markets.shards[otherShard]?.name } : {}),
      ...(transferId === '' ? {} : { transferId }),
      time: Math.floor(timestamp / 1_000),
    }
  }

  #instrument(id: InstrumentId): Instrument {
    const instrument = this.#instruments.get(id)
    if (instrument === undefined) throw new RangeError(`instrument ${id} is not in markets.yml`)
    return instrument
  }

  #asset(id: AssetId) {
    const asset = this.#markets.assets.find((one) => one.id === id)
    if (asset === undefined) throw new RangeError(`asset ${id} is not in markets.yml`)
    return asset
  }
}
