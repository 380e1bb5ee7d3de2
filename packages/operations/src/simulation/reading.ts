// What the simulation reads out of answers and pushes of the public API.

import type { BalanceView, InstrumentView, OrderView, PageOf } from '../client/index.ts'

/** Asset → amount, both free and held. */
export type Funds = Readonly<Record<string, number>>

export function listOf<Item>(answer: PageOf<Item> | readonly Item[]): readonly Item[] {
  return 'items' in answer ? answer.items : answer
}

/** What an account has in one shard. */
export function fundsIn(answer: PageOf<BalanceView> | readonly BalanceView[], shard: string): Funds {
  const funds: Record<string, number> = {}
  for (const balance of listOf(answer)) {
    if (balance.shard !== undefined && balance.shard !== shard) continue
    funds[balance.asset] = (funds[balance.asset] ?? 0) + Number(balance.available) + Number(balance.held)
  }
  return funds
}

type Told = Pick<OrderView, 'status' | 'clientOrderId' | 'symbol'>

/** The orders that a push of the `orders` channel tells about: a list, a list under a name, or a single order. */
export function ordersIn(data: unknown): readonly Told[] {
  if (typeof data !== 'object' || data === null) return []
  if (Array.isArray(data)) return data.flatMap(ordersIn)
  const { orders, items, order, status, clientOrderId } = data as Record<string, unknown>
  if (typeof status === 'string' && typeof clientOrderId === 'string') return [data as Told]
  return [orders, items, order].flatMap(ordersIn)
}

export function isOpen(status: OrderView['status']): boolean {
  return status === 'NEW' || status === 'PARTIALLY_FILLED'
}

/** Where prices go on: at the last trade if it is anywhere near the instrument's reference. Null: nobody knows. */
export function startingPrice(view: InstrumentView, ticker: unknown): number | null {
  const reference = Number(view.referencePrice ?? 0)
  const last = Number((ticker as { readonly last?: unknown } | null)?.last ?? 0)
  if (!(reference > 0)) return last > 0 ? last : null
  return last > reference * 0.7 && last < reference * 1.4 ? last : reference
}
